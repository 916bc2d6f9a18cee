//! Parses the bodies and queries of extraction requests into types that hold only valid values.
//!
//! Violations name the field and the rule, never the offending value. An unknown key is named only if it looks like an
//! identifier.

mod ask;
mod explain;
mod number;
mod outline;
mod shapes;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::ask::AskRequest;
pub(super) use self::explain::unknown_key;
pub use self::shapes::{BatchRequest, ExtractRequest, OPTION_NAMES, QueryOptions};
use self::{
    explain::{explain, violation},
    shapes::{BatchNote, RawOptions},
};
use super::error::{ErrorCode, Problem, Violation};
use crate::{
    config::{Generation, Limits},
    extraction::{CalendarDate, ModelName, Note, NoteId, NoteRefusal, OffsetUnit, TokenBudget},
};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Valid options of one extraction.
#[derive(Clone, Debug)]
pub(super) struct ExtractOptions {
    pub(super) temperature: f32,
    pub(super) budget: TokenBudget,
    pub(super) model: Option<ModelName>,
    pub(super) offsets: OffsetUnit,
    pub(super) confidence: bool,
    pub(super) allow_partial: bool,
    pub(super) note_date: Option<CalendarDate>,
}

/// A valid request: the note and its options.
#[derive(Debug)]
pub(super) struct ValidRequest {
    pub(super) note: Note,
    pub(super) options: ExtractOptions,
}

/// A valid note of a batch.
#[derive(Debug)]
pub(super) struct ValidBatchNote {
    pub(super) note: Note,
    pub(super) note_date: Option<CalendarDate>,
}

/// Why a body is not a valid request.
#[derive(Debug)]
pub(super) enum InvalidBody {
    NotJson,
    Invalid(Vec<Violation>),
}

impl InvalidBody {
    /// Returns the problem for the caller.
    pub(super) fn problem(self, request_id: &str) -> Problem {
        match self {
            Self::NotJson => ErrorCode::InvalidJson.problem(request_id),
            Self::Invalid(errors) => Problem::invalid(errors, request_id),
        }
    }
}

/// The kind of request that a body is expected to be. It decides which keys are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Extract,
    Batch,
    Query,
    Note,
    Ask,
}

/// The limits, defaults and models that requests are checked against.
#[derive(Clone, Debug)]
pub struct RequestPolicy {
    /// Limits of sizes and options.
    pub limits: Limits,
    /// Defaults of the decoding options.
    pub generation: Generation,
    /// The models that a request may name, the default first.
    pub models: Vec<ModelName>,
}

impl RequestPolicy {
    /// Parses and checks the body of a single note. Only an invalid body is read a second time, to explain why.
    pub(super) fn check(&self, body: &[u8]) -> Result<ValidRequest, InvalidBody> {
        let mut request: ExtractRequest = parse(body, Shape::Extract)?;
        let options = self.valid_options(request.options());
        match (self.note(request.text), options) {
            (Ok(note), Ok(options)) => Ok(ValidRequest { note, options }),
            (Ok(_), Err(violations)) => Err(InvalidBody::Invalid(violations)),
            (Err(first), others) => {
                let others = others.err().into_iter().flatten();
                Err(InvalidBody::Invalid(std::iter::once(first).chain(others).collect()))
            }
        }
    }

    /// Parses a batch and checks its options. Its notes are checked one by one, with [`Self::note_of_batch`].
    pub(super) fn check_batch<'a>(
        &self,
        body: &'a [u8],
        query: &str,
    ) -> Result<(Vec<&'a RawValue>, ExtractOptions), InvalidBody> {
        let mut request: BatchRequest<'_> = parse(body, Shape::Batch)?;
        let others = explain::options_of(query).map_err(InvalidBody::Invalid)?;
        let options = self.valid_options(request.options().or(others)).map_err(InvalidBody::Invalid)?;
        let most = self.limits.batch_notes;
        if request.notes.count > most {
            let message =
                format!("`notes` may hold at most {most} notes; send the rest in another batch, or as lines.");
            let violation = Violation { message, ..violation("notes", "max_items", "") };
            return Err(InvalidBody::Invalid(vec![violation]));
        }
        Ok((request.notes.kept, options))
    }

    /// Parses and checks the options in a query.
    pub(super) fn check_query(&self, query: &str) -> Result<ExtractOptions, Vec<Violation>> {
        self.valid_options(RawOptions::default().or(explain::options_of(query)?))
    }

    /// Parses and checks one note of a batch. Returns the id of an invalid note too, if the id is valid.
    pub(super) fn note_of_batch(&self, line: &[u8]) -> (Option<NoteId>, Result<ValidBatchNote, InvalidBody>) {
        let note: BatchNote = match parse(line, Shape::Note) {
            Ok(note) => note,
            Err(bad) => return (explain::id_of(line), Err(bad)),
        };
        if note.id.as_ref().is_some_and(|id| !id.is_valid()) {
            let message =
                format!("`id` may have at most {} code points; a number must be within 2^53.", NoteId::LONGEST);
            let violation = Violation { message, ..violation("id", "max_length", "") };
            return (None, Err(InvalidBody::Invalid(vec![violation])));
        }
        let note_date = note_date(note.note_date.as_deref());
        let valid = match (self.note(note.text), note_date) {
            (Ok(note), Ok(note_date)) => Ok(ValidBatchNote { note, note_date }),
            (text, note_date) => Err(InvalidBody::Invalid(text.err().into_iter().chain(note_date.err()).collect())),
        };
        (note.id, valid)
    }

    fn note(&self, text: String) -> Result<Note, Violation> {
        Note::new(text, self.limits.max_note_chars).map_err(|refusal| match refusal {
            NoteRefusal::Blank => violation("text", "not_blank", "`text` must hold more than white space."),
            NoteRefusal::Nul => violation("text", "no_nul", "`text` must not hold the character U+0000."),
            NoteRefusal::TooLong => Violation {
                message: format!("`text` may have at most {} code points.", self.limits.max_note_chars),
                ..violation("text", "max_length", "")
            },
        })
    }

    fn valid_options(&self, raw: RawOptions) -> Result<ExtractOptions, Vec<Violation>> {
        let mut violations = Vec::new();
        let temperature = raw.temperature.unwrap_or(self.generation.temperature);
        let max_temperature = self.limits.max_temperature;
        if !(0.0..=max_temperature).contains(&temperature) {
            let message = format!("`temperature` must be 0.0 to {max_temperature:?}.");
            violations.push(Violation { message, ..violation("temperature", "range", "") });
        }
        let budget = match raw.max_tokens {
            None => TokenBudget::Adjustable(self.generation.max_tokens),
            Some(tokens) => {
                let most = self.limits.max_tokens;
                if !(1..=most).contains(&tokens) {
                    let message = format!("`max_tokens` must be 1 to {most}.");
                    violations.push(Violation { message, ..violation("max_tokens", "range", "") });
                }
                TokenBudget::Fixed(tokens)
            }
        };
        let model = raw.model.and_then(|requested| {
            let configured = self.models.iter().find(|name| ***name == *requested).cloned();
            if configured.is_none() {
                let message = "`model` is not one of the configured models; see GET /api/v1/models.";
                violations.push(violation("model", "known_model", message));
            }
            configured
        });
        let (confidence, allow_partial) = (raw.confidence == Some(true), raw.allow_partial == Some(true));
        let offsets = raw.offsets.unwrap_or_default();
        let note_date = note_date(raw.note_date.as_deref()).unwrap_or_else(|violation| {
            violations.push(violation);
            None
        });
        let options = ExtractOptions { temperature, budget, model, offsets, confidence, allow_partial, note_date };
        if violations.is_empty() { Ok(options) } else { Err(violations) }
    }
}

/// Parses the day on which a note was written.
fn note_date(text: Option<&str>) -> Result<Option<CalendarDate>, Violation> {
    let Some(text) = text else { return Ok(None) };
    let message = "`note_date` must be a day that exists, from 1900 to 2100, as `YYYY-MM-DD`.";
    CalendarDate::parse(text).map(Some).ok_or_else(|| violation("note_date", "calendar_date", message))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], shape: Shape) -> Result<T, InvalidBody> {
    // Some editors write a byte order mark before the text.
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    // serde would accept a list in place of an object, with the values in the order of the keys.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(explain(body, shape));
    }
    serde_json::from_slice(body).map_err(|_| explain(body, shape))
}
