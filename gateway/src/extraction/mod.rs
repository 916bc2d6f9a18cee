//! One note in, seven fields out: notes, fields, spans, the engine port and the steps between.
//!
//! This room never does I/O and knows no HTTP status, no upstream, no environment. Engines live
//! elsewhere and are reached through [`Engine`] alone.

mod answer;
mod assertion;
mod deadline;
mod engine;
mod fields;
pub mod ground;
mod note;
pub mod parse;
mod pipeline;

pub use answer::{Answer, Basis, Finding, Warning, WarningCode};
pub use assertion::{Assertion, Context, Section};
pub use deadline::Deadline;
pub use engine::{
    Ask, Draft, DraftFuture, Engine, EngineError, EngineName, Finish, ModelName, PromptVersion, TokenBudget,
};
pub use fields::{Evidence, Field, Record};
pub use note::{ModelText, Note, NoteRefusal, OffsetUnit, Offsets, Span};
pub use pipeline::{ExtractError, Extraction, Pipeline, Stages};
