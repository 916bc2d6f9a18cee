//! Extracts the seven fields of a note: notes, fields, spans, the engine port and the steps of the pipeline.
//!
//! This module does no I/O and depends on no HTTP status, no upstream and no environment. Other modules implement
//! the engines, and this module calls them only through [`Engine`].

mod affirmed;
mod alike;
mod answer;
mod assertion;
mod bounds;
pub mod chunk;
pub(crate) mod codes;
mod confidence;
mod course;
mod cpu_pool;
mod cross_check;
mod dates;
mod doubt;
mod engine;
mod fields;
mod finding;
mod foreign_text;
pub mod ground;
#[cfg(test)]
pub(crate) mod growth;
mod judge;
pub(crate) mod language;
mod merged_reading;
mod note;
mod note_id;
pub mod parse;
mod pipeline;
mod readable;
mod reading;
mod staging;
mod streaming_parser;
mod superseded;
mod table;
mod text_to_read;
mod tick_boxes;
pub(crate) mod tnm;
mod tumours;
mod warnings;
mod word_runs;

pub use crate::deadline::Deadline;
pub use answer::{Answer, Unread};
pub use assertion::{Assertion, Context, LineHeading, Section, line_heading};
pub use codes::{Code, CodeBasis, CodeFile, CodeFileError, CodeRowFault, CodeSystem};
pub(crate) use codes::{CodeTable, CodeTableBuilder};
pub use confidence::{Confidence, Likelihoods};
pub use course::{CourseReason, CourseStatus, TreatmentCourse};
pub use cpu_pool::CpuPool;
pub(crate) use cpu_pool::run as run_on_cpu;
pub(crate) use cross_check::compare as compare_records;
pub use cross_check::{Agreement, CrossCheck};
pub use dates::{CalendarDate, DatePrecision, StatedDate};
pub(crate) use engine::micros;
pub use engine::{
    CallTimings, Draft, DraftFuture, Engine, EngineError, EngineName, EngineRequest, Finish, ModelName, NoteContext,
    PromptVersion, TokenBudget, UnreadableText,
};
pub use fields::{Field, Record};
pub use finding::{Basis, Evidence, Finding};
pub(crate) use judge::record_after_judging;
pub use merged_reading::AnswerOptions;
pub use note::{ModelText, Note, NoteRefusal, OffsetUnit, Offsets, Span};
pub use note_id::NoteId;
pub use pipeline::Pipeline;
pub(crate) use readable::Readable;
pub use reading::{ExtractError, StageTimings};
pub use streaming_parser::{FieldSink, FieldUpdate, StreamingParser};
pub(crate) use superseded::Comparable;
pub(crate) use table::Table;
pub use tnm::TnmFormula;
pub use tumours::{Tumour, TumourPlace, TumourRole, Tumours};
pub(crate) use tumours::{TumourMention, TumourReader, TumourReference, TumourSigns, first_alike, histology};
pub use warnings::{Warning, WarningCode};
pub(crate) use word_runs::{places_of, words};

/// Builds the patterns and tables that judging an answer needs before a caller needs them.
pub(crate) fn compile() {
    course::compile();
    dates::compile();
    codes::compile();
}
