//! The outcome of one note: the line that is written for it, as the batch route answers, and the values that are
//! counted.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    extraction::{CalendarDate, NoteRefusal},
    http::error::{ErrorCode, Problem, Violation},
};

/// The outcome of one note.
#[derive(Debug)]
pub(super) struct EntryOutcome {
    pub(super) id: String,
    /// `{"id", "status", "result" or "error"}` and a line feed.
    pub(super) line: String,
    /// Reasons to doubt the result of a note that was read: codes of warnings, and `degraded`.
    pub(super) remarks: Vec<Cow<'static, str>>,
    /// Code of the problem if the note failed.
    pub(super) failure: Option<String>,
    /// Whether the note fails again unless the input or the command line is changed.
    pub(super) needs_change: bool,
    /// Text of the note, if a review page is written.
    pub(super) text: Option<String>,
    pub(super) origin: NoteOrigin,
    /// Values of the input that the output repeats, in the order of `--keep`.
    pub(super) carried: Vec<String>,
    /// What `--select` decided; `None` without it.
    pub(super) selected: Option<Selected>,
    /// Bytes of the note's text.
    pub(super) text_bytes: usize,
    /// Bytes of the input that the note took.
    pub(super) weight: u64,
}

/// An event that the writer counts and, if it has a line, writes.
#[derive(Debug)]
pub(super) enum Event {
    /// A note was read or failed.
    Ended(EntryOutcome),
    /// An earlier run wrote the note.
    Skipped(SkippedNote),
}

/// A note that an earlier run wrote to the output.
#[derive(Debug)]
pub(super) struct SkippedNote {
    /// Offset of the note's line in the output.
    pub(super) offset: u64,
    pub(super) id: String,
    /// Text of the note, if a review page is written.
    pub(super) text: Option<String>,
    pub(super) weight: u64,
}

/// One note that is to be read.
#[derive(Debug)]
pub(super) struct QueuedNote {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) origin: NoteOrigin,
    /// Values of the input that the output repeats, in the order of `--keep`.
    pub(super) carried: Vec<String>,
    /// Warnings about how the note was read from its file, and about what `--select` decided.
    pub(super) warnings: Vec<InputWarning>,
    /// What `--select` decided; `None` without it.
    pub(super) selected: Option<Selected>,
    pub(super) weight: u64,
}

/// A warning of this command. It is listed among the warnings of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputWarning {
    pub(super) code: &'static str,
    /// A sentence for a person, without text of the note.
    pub(super) message: String,
}

/// What `--select` decided about a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// The rules see oncology, or cannot judge the note: the model reads it.
    Seen,
    /// The rules see no oncology; the model reads it as part of the sample.
    Sampled,
    /// The rules see no oncology; the model does not read it.
    Skipped,
}

/// Where a note comes from: its position among the notes of the run, its patient and its day, as far as the input says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoteOrigin {
    pub(super) position: u64,
    /// The number of the note among the notes of its patient, from 1; 0 if the run names no patients.
    pub(super) ordinal: u64,
    pub(super) patient: Option<String>,
    pub(super) note_date: Option<CalendarDate>,
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

impl EntryOutcome {
    /// Returns the outcome of a note that was read.
    pub(super) fn read<T: Serialize>(
        entry: QueuedNote,
        keep_text: bool,
        result: &T,
        mut remarks: Vec<Cow<'static, str>>,
    ) -> Self {
        remarks.extend(entry.warnings.iter().map(|warning| Cow::Borrowed(warning.code)));
        let line = match &*entry.warnings {
            [] => line(&ResultLine { id: &entry.id, status: 200, result }),
            warnings => line(&ResultLine { id: &entry.id, status: 200, result: &with_warnings(result, warnings) }),
        };
        remarks.sort_unstable();
        remarks.dedup();
        Self { remarks, ..Self::of(entry, keep_text, line, None) }
    }

    /// Returns the outcome of a note that failed, with the problem as it is written.
    pub(super) fn failed<T: Serialize>(entry: QueuedNote, keep_text: bool, status: u16, code: &str, error: &T) -> Self {
        let line = line(&ErrorLine { id: &entry.id, status, error });
        Self::of(entry, keep_text, line, Some(code.to_owned()))
    }

    /// Returns the outcome of a note that was not given to an engine, because of a fault of the input.
    pub(super) fn faulty(entry: QueuedNote, keep_text: bool, fault: Fault) -> Self {
        let needs_change = fault.is_of_the_command();
        Self { needs_change, ..Self::problem(entry, keep_text, &fault.problem()) }
    }

    /// Returns the outcome of a note that failed with a problem of this process.
    pub(super) fn problem(entry: QueuedNote, keep_text: bool, problem: &Problem) -> Self {
        Self::failed(entry, keep_text, problem.status, problem.code.name(), problem)
    }

    fn of(entry: QueuedNote, keep_text: bool, line: String, failure: Option<String>) -> Self {
        let QueuedNote { id, text, origin, carried, selected, weight, .. } = entry;
        let (remarks, text_bytes) = (Vec::new(), text.len());
        let text = keep_text.then_some(text);
        Self { id, line, remarks, failure, needs_change: false, text_bytes, text, origin, carried, selected, weight }
    }
}

/// Returns a result with more warnings.
fn with_warnings<T: Serialize>(result: &T, more: &[InputWarning]) -> Value {
    let mut result = serde_json::to_value(result).unwrap_or_default();
    let more = more.iter().map(|warning| json!({"code": warning.code, "field": null, "message": warning.message}));
    if let Some(warnings) = result.get_mut("warnings").and_then(Value::as_array_mut) {
        warnings.extend(more);
    } else {
        let more = more.collect();
        _ = result.as_object_mut().and_then(|result| result.insert("warnings".to_owned(), more));
    }
    result
}

fn line<T: Serialize>(value: &T) -> String {
    // Serialising cannot fail: a line consists of strings, numbers and lists of them.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// Why a note cannot be given to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    code: ErrorCode,
    field: &'static str,
    rule: &'static str,
    message: String,
}

impl Fault {
    /// Returns a fault of another field.
    pub(super) fn of(field: &'static str, rule: &'static str, message: String) -> Self {
        Self { code: ErrorCode::InvalidRequest, field, rule, message }
    }

    /// Returns a fault of the text.
    pub(super) fn text(rule: &'static str, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidRequest, field: "text", rule, message: message.into() }
    }

    /// Returns a fault of the id.
    pub(super) fn id(rule: &'static str, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidRequest, field: "id", rule, message: message.into() }
    }

    /// Returns the fault of a line that is not JSON.
    pub(super) fn not_json(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidJson, field: "", rule: "json", message: message.into() }
    }

    /// Returns the fault of a text that the service would reject. `max_chars` is the limit in code points.
    pub(super) fn refused(refusal: NoteRefusal, max_chars: usize) -> Self {
        match refusal {
            NoteRefusal::Blank => Self::text("not_blank", "The note is empty or contains only white space."),
            NoteRefusal::Nul => Self::text("no_nul", "The note contains the character U+0000, which is not allowed."),
            NoteRefusal::TooLong => Self::text(
                "max_length",
                format!("The note has more than {max_chars} code points (limits.max_note_chars). Send it in parts."),
            ),
        }
    }

    /// Whether the command line does not fit the input: a name of a column is wrong, or ids are not unique.
    fn is_of_the_command(&self) -> bool {
        matches!(self.rule, "column" | "unique" | "required")
    }

    /// Returns the sentence about what is wrong.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the name of the rule that is broken.
    pub(super) fn rule(&self) -> &'static str {
        self.rule
    }

    /// Returns the problem as it is written.
    pub(super) fn problem(self) -> Problem {
        let Self { code, field, rule, message } = self;
        match code {
            ErrorCode::InvalidRequest => {
                Problem::invalid(vec![Violation { field: field.to_owned(), rule, message }], "")
            }
            code => code.problem("").with_detail(&message),
        }
    }
}
