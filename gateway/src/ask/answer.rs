//! The answer to a question, as the client receives it, and its fixed sentences.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use crate::extraction::{Note, OffsetUnit};

/// The sentence where neither the record nor the model has an answer.
pub(super) const NOT_SAID: &str = "The note does not say.";
/// The sentence where the record has no answer, but the note names the thing.
pub(super) const NAMED_ONLY: &str =
    "The record has no answer to this. The note names it in the quoted words; read there what it says.";
/// The sentence for a note in which the rules recognise nothing.
pub(super) const UNREAD: &str = "No oncology term was recognised in this note: it may be worded in a way, or written in a \
     language, that is not known here. Nothing is known about it.";
/// The sentence where the question is not about the seven fields and no model is configured.
pub(super) const NO_MODEL: &str = "This question asks for more than the seven fields of the record, and this service has no \
     model for other questions.";
/// The sentence for questions that ask for advice.
pub(super) const REFUSED: &str = "This service points at what a note says. It gives no advice, no diagnosis and no answers about \
     health in general.";
/// The sentence for an answer of the model that the note does not support.
pub(super) const WITHHELD: &str = "These words of the note may answer the question. What the model said of them is withheld, \
     because the note does not support it.";
/// The sentence for a question with words that the site treats as an emergency.
pub(super) const EMERGENCY: &str = "The question has words that this site treats as a possible emergency. This service cannot \
     judge that, and this is not triage. If someone may be in danger, call the emergency number now.";
/// The text that accompanies every answer.
pub(super) const DISCLAIMER: &str = "Points at words of one note; it may miss or misread them. Check the quotes. Not for diagnosis, \
     treatment or triage.";

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "record")]
pub enum AskSource {
    /// The record of the note, read by the rules without any model.
    Record,
    /// The model of `ask.url`; what it said was checked against the note.
    Model,
    /// The site's list of words for emergencies; the note was not read.
    Emergency,
    /// Nothing: the question was refused, or nothing here can answer it.
    None,
}

impl AskSource {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::Record, Self::Model, Self::Emergency, Self::None];

    /// Returns the name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Model => "model",
            Self::Emergency => "emergency",
            Self::None => "none",
        }
    }
}

/// Words of the note that support an answer. `start` and `end` are a half-open range of `text` as it was sent, in the unit
/// of the request; `quote` is exactly that slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AskQuote {
    /// The words of the note.
    #[schema(example = "stage IV")]
    pub quote: String,
    /// The first position of the quote.
    #[schema(example = 0, minimum = 0)]
    pub start: usize,
    /// One past the last position of the quote.
    #[schema(example = 8, minimum = 0)]
    pub end: usize,
}

impl AskQuote {
    /// Returns the quotes at these bytes of a note, in another unit.
    pub(super) fn of(note: &Note, unit: OffsetUnit, ranges: &[Range<usize>]) -> Vec<Self> {
        let mut offsets = note.offsets(unit);
        let quote = |range: &Range<usize>| {
            let span = note.span(range.start, range.end)?;
            let (start, end) = (offsets.convert(span.start()), offsets.convert(span.end()));
            Some(Self { quote: span.quote().to_owned(), start, end })
        };
        ranges.iter().filter_map(quote).collect()
    }
}

/// The answer to one question about one note.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"answer": "Stage: IV.", "quotes": [{"quote": "Stage IV", "start": 0, "end": 8}], "source": "record",
    "grounded": true, "disclaimer": DISCLAIMER, "request_id": "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60"}))]
pub struct AskAnswer {
    /// The answer: values of the record, sentences of the model that the note supports, or a fixed sentence.
    #[schema(example = "Stage: IV.")]
    pub answer: String,
    /// The words of the note that support it; empty if the note does not say.
    pub quotes: Vec<AskQuote>,
    /// Where the answer comes from.
    pub source: AskSource,
    /// Whether the answer states something, and all of it is in the quotes.
    #[schema(example = true)]
    pub grounded: bool,
    /// What the answer is not for.
    #[schema(example = "Check the quotes.")]
    pub disclaimer: &'static str,
    /// The id of this request, as in the `X-Request-Id` header and in the log.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
}

impl AskAnswer {
    /// Every outcome for the metrics.
    pub const OUTCOMES: [&'static str; 6] = ["record", "model", "emergency", "none", "not_said", "withheld"];

    /// Returns the outcome for the metrics: the source of an answer, `not_said` where there is none in the note, or
    /// `withheld` where only quotes are shown.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        let by_note = matches!(self.source, AskSource::Record | AskSource::Model);
        match (by_note && !self.grounded, self.quotes.is_empty()) {
            (true, true) => "not_said",
            (true, false) => "withheld",
            (false, _) => self.source.name(),
        }
    }
}
