//! What became of one note: the line that is written of it, as the batch route answers, and what is counted.

use std::borrow::Cow;

use serde::Serialize;

use crate::{
    extraction::NoteRefusal,
    http::error::{ErrorCode, Problem, Violation},
};

/// What became of one note.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) id: String,
    /// `{"id", "status", "result" or "error"}` and a line feed.
    pub(super) line: String,
    /// What to be wary of where it was read: codes of warnings, `degraded`.
    pub(super) remarks: Vec<Cow<'static, str>>,
    /// The problem's code where it failed.
    pub(super) failure: Option<String>,
    /// The note, where a review wants it.
    pub(super) text: Option<String>,
    /// Bytes of note text.
    pub(super) text_bytes: usize,
    /// Bytes of the inputs that it took.
    pub(super) weight: u64,
}

/// Something that is counted and perhaps written.
#[derive(Debug)]
pub(super) enum Event {
    /// A note was read, or failed.
    Ended(Outcome),
    /// A note is in the output since an earlier run.
    Skipped(Skipped),
}

/// A note that is in the output since an earlier run.
#[derive(Debug)]
pub(super) struct Skipped {
    /// Where its line begins.
    pub(super) offset: u64,
    pub(super) id: String,
    /// The note, where a review wants it.
    pub(super) text: Option<String>,
    pub(super) weight: u64,
}

/// One note on its way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) weight: u64,
}

#[derive(Serialize)]
struct ResultLine<'a, T> {
    id: &'a str,
    status: u16,
    result: &'a T,
}

#[derive(Serialize)]
struct ErrorLine<'a, T> {
    id: &'a str,
    status: u16,
    error: &'a T,
}

impl Outcome {
    /// A note that was read.
    pub(super) fn read<T: Serialize>(
        entry: Entry,
        keep_text: bool,
        result: &T,
        mut remarks: Vec<Cow<'static, str>>,
    ) -> Self {
        let line = line(&ResultLine { id: &entry.id, status: 200, result });
        remarks.sort_unstable();
        remarks.dedup();
        Self { remarks, ..Self::of(entry, keep_text, line, None) }
    }

    /// A note that failed, and the problem as it is written.
    pub(super) fn failed<T: Serialize>(entry: Entry, keep_text: bool, status: u16, code: &str, error: &T) -> Self {
        let line = line(&ErrorLine { id: &entry.id, status, error });
        Self::of(entry, keep_text, line, Some(code.to_owned()))
    }

    /// The same with one of our own problems.
    pub(super) fn problem(entry: Entry, keep_text: bool, problem: &Problem) -> Self {
        Self::failed(entry, keep_text, problem.status, problem.code.name(), problem)
    }

    fn of(entry: Entry, keep_text: bool, line: String, failure: Option<String>) -> Self {
        let Entry { id, text, weight } = entry;
        Self { id, line, remarks: Vec::new(), failure, text_bytes: text.len(), text: keep_text.then_some(text), weight }
    }
}

fn line<T: Serialize>(value: &T) -> String {
    // What is written are strings, numbers and lists of them: serialising cannot fail.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// What is wrong with a note before anybody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    code: ErrorCode,
    field: &'static str,
    rule: &'static str,
    message: String,
}

impl Fault {
    /// Text that cannot be a note.
    pub(super) fn text(rule: &'static str, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidRequest, field: "text", rule, message: message.into() }
    }

    /// An id that cannot be one.
    pub(super) fn id(rule: &'static str, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidRequest, field: "id", rule, message: message.into() }
    }

    /// A line that is not JSON.
    pub(super) fn not_json(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidJson, field: "", rule: "json", message: message.into() }
    }

    /// A text that is no note by the rules of the service.
    pub(super) fn refused(refusal: NoteRefusal, most: usize) -> Self {
        match refusal {
            NoteRefusal::Blank => Self::text("not_blank", "The note is empty or holds only white space."),
            NoteRefusal::Nul => Self::text("no_nul", "The note holds the character U+0000: it may not be a text."),
            NoteRefusal::TooLong => Self::text(
                "max_length",
                format!("The note has more than {most} code points (limits.max_note_chars). Send it in parts."),
            ),
        }
    }

    /// The problem as it is written.
    pub(super) fn problem(self) -> Problem {
        let Self { code, field, rule, message } = self;
        match code {
            ErrorCode::InvalidRequest => {
                Problem::invalid(vec![Violation { field: field.to_owned(), rule, message }], "")
            }
            code => code.problem("").saying(&message),
        }
    }
}
