//! One note in, seven fields out: notes, fields, spans, the engine port and the steps between.
//!
//! This room never does I/O and knows no HTTP status, no upstream, no environment. Engines live
//! elsewhere and are reached through [`Engine`] alone.

mod alike;
mod answer;
mod assertion;
mod bounds;
pub mod chunk;
mod confidence;
mod cores;
mod cross_check;
mod deadline;
mod doubt;
mod engine;
mod evidence;
mod fields;
pub mod ground;
#[cfg(test)]
mod growth;
mod live;
mod note;
pub mod parse;
mod pipeline;
mod readable;
mod reading;
mod staging;
mod table;
mod warnings;

pub use answer::{Answer, Basis, Finding, Unread, Warning, WarningCode};
pub use assertion::{Assertion, Context, Section};
pub use confidence::{Confidence, Likelihoods};
pub use cores::Cores;
pub use cross_check::Agreement;
pub use deadline::Deadline;
pub use engine::{
    Ask, Draft, DraftFuture, Engine, EngineError, EngineName, Finish, ModelName, PromptVersion, Spent, TokenBudget,
    Unfamiliar,
};
pub use fields::{CrossCheck, Evidence, Field, Record};
pub use live::{Heard, Listener, Live};
pub use note::{ModelText, Note, NoteRefusal, OffsetUnit, Offsets, Span};
pub use pipeline::{Pipeline, Wishes};
pub(crate) use readable::Readable;
pub use reading::{ExtractError, Stages};
