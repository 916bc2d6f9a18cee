//! What comes with a request for an extraction, parsed into types that cannot be wrong.
//!
//! What is wrong is said by field and rule, never with the offending value; an unknown key is named
//! only where it looks like an identifier.

mod explain;

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use self::explain::{explain, violation};
use super::error::{ErrorCode, Problem, Violation};
use crate::{
    config::{Generation, Limits},
    extraction::{ModelName, Note, NoteRefusal, OffsetUnit, TokenBudget},
};

/// A request whose options stand beside its notes, or alone in a query. Named once, for all three.
macro_rules! with_options {
    ($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? { $($own:tt)* }) => {
        $(#[$meta])*
        pub struct $name $(<$life>)? {
            $($own)*
            /// 0.0 (deterministic, default) to 2.0.
            #[schema(value_type = Option<f32>, minimum = 0, maximum = 2, example = 0.0)]
            temperature: Option<f32>,
            /// Hard cap on the tokens of the answer. Without it the service chooses (1024) and may widen it.
            #[schema(value_type = Option<u32>, minimum = 1, maximum = 8192, example = 1024)]
            max_tokens: Option<u32>,
            /// A model of `GET /api/v1/models`.
            #[schema(value_type = Option<String>, example = "medical-ie")]
            model: Option<String>,
            /// Unit of `start` and `end` in the evidence.
            #[serde(default)]
            offsets: OffsetUnit,
            /// Whether `confidence` of each value is wanted: the model's probability of its own wording, not
            /// calibrated. Costs the model server a little time; null from the rules engine.
            #[serde(default)]
            #[schema(example = false)]
            confidence: bool,
            /// Whether a long note may be answered where a part of it could not be read; `unread` then says which.
            #[serde(default)]
            #[schema(example = false)]
            allow_partial: bool,
        }

        impl $(<$life>)? $name $(<$life>)? {
            fn options(&mut self) -> Wanted {
                Wanted {
                    temperature: self.temperature,
                    max_tokens: self.max_tokens,
                    model: self.model.take(),
                    offsets: self.offsets,
                    confidence: self.confidence,
                    allow_partial: self.allow_partial,
                }
            }
        }
    };
}

with_options! {
    /// One note and how to read it. Only `text` is needed.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[schema(example = json!({"text": "62-year-old woman with stage IIIB invasive ductal carcinoma of the left breast. ER positive, HER2 negative. She received doxorubicin and cyclophosphamide with a partial response. No bone metastases."}))]
    ExtractRequest {
        /// The note: 1 to `limits.max_note_chars` (100,000 unless configured) code points, not blank, no NUL.
        #[schema(value_type = String, min_length = 1, max_length = 100_000, pattern = "^[^\\u0000]*[^\\s\\u0000\\u0085\\u001c-\\u001f][^\\u0000]*$", example = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib.")]
        text: String,
    }
}

with_options! {
    /// Many notes and how to read them all.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[schema(example = json!({"notes": [
        {"id": "a-1", "text": "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response."},
        {"id": "a-2", "text": "Stage II colon cancer, resected. No metastases."}]}))]
    BatchRequest<'a> {
        /// At most `limits.batch_notes` (1,000 unless configured).
        #[serde(borrow)]
        #[schema(value_type = Vec<BatchNote>, max_items = 1_000)]
        notes: Vec<&'a RawValue>,
    }
}

with_options! {
    /// How to read notes that come as lines.
    #[derive(Debug, Deserialize, ToSchema, IntoParams)]
    #[serde(deny_unknown_fields)]
    #[into_params(parameter_in = Query)]
    QueryOptions {}
}

/// One note of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchNote {
    /// What the answer is to be known by: a string of at most 200 code points or a whole number. It may be left
    /// out; of two notes with one id the second is refused.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200, example = "a-1")]
    id: Option<NoteId>,
    /// The note, as in `/extract`.
    #[schema(value_type = String, min_length = 1, example = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib.")]
    text: String,
}

/// What a caller knows a note by. It goes back to him, and nowhere else: not into a log.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(untagged)]
pub enum NoteId {
    /// A whole number.
    Number(i64),
    /// Anything else.
    Text(String),
}

impl std::fmt::Debug for NoteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoteId")
    }
}

/// Longest id of a note, in code points.
const LONGEST_ID: usize = 200;

/// What a request wants, not yet checked.
struct Wanted {
    temperature: Option<f32>,
    max_tokens: Option<u32>,
    model: Option<String>,
    offsets: OffsetUnit,
    confidence: bool,
    allow_partial: bool,
}

/// How a note is to be read; checked.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) temperature: f32,
    pub(super) budget: TokenBudget,
    pub(super) model: Option<ModelName>,
    pub(super) offsets: OffsetUnit,
    pub(super) confidence: bool,
    pub(super) allow_partial: bool,
}

/// A note and how it is to be read; checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) note: Note,
    pub(super) manner: Manner,
}

/// Why a body is no request.
#[derive(Debug)]
pub(super) enum BadBody {
    NotJson,
    Invalid(Vec<Violation>),
}

impl BadBody {
    /// As the caller is told.
    pub(super) fn problem(self, request_id: &str) -> Problem {
        match self {
            Self::NotJson => ErrorCode::InvalidJson.problem(request_id),
            Self::Invalid(errors) => Problem::invalid(errors, request_id),
        }
    }
}

/// Which request a body was meant to be; decides what is said of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Extract,
    Batch,
    Query,
    Note,
}

/// What requests are checked against.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Sizes.
    pub limits: Limits,
    /// Defaults of decoding.
    pub generation: Generation,
    /// The models that may be named, the default first.
    pub models: Vec<ModelName>,
}

impl Rules {
    /// Parses and checks a body. The common case is one pass; only a bad body is read again, to say why.
    pub(super) fn check(&self, body: &[u8]) -> Result<Checked, BadBody> {
        let mut request: ExtractRequest = parsed(body, Shape::Extract)?;
        let manner = self.manner(request.options());
        match (self.note(request.text), manner) {
            (Ok(note), Ok(manner)) => Ok(Checked { note, manner }),
            (Ok(_), Err(violations)) => Err(BadBody::Invalid(violations)),
            (Err(first), others) => {
                let others = others.err().into_iter().flatten();
                Err(BadBody::Invalid(std::iter::once(first).chain(others).collect()))
            }
        }
    }

    /// Parses a batch; its notes are looked at one by one, with [`Self::note_of_batch`].
    pub(super) fn check_batch<'a>(&self, body: &'a [u8]) -> Result<(Vec<&'a RawValue>, Manner), BadBody> {
        let mut request: BatchRequest<'_> = parsed(body, Shape::Batch)?;
        let manner = self.manner(request.options()).map_err(BadBody::Invalid)?;
        let most = self.limits.batch_notes;
        if request.notes.len() > most {
            let message =
                format!("`notes` may hold at most {most} notes; send the rest in another batch, or as lines.");
            let violation = Violation { message, ..violation("notes", "max_items", "") };
            return Err(BadBody::Invalid(vec![violation]));
        }
        Ok((request.notes, manner))
    }

    /// Parses and checks the options of a query.
    pub(super) fn check_query(&self, query: &str) -> Result<Manner, Vec<Violation>> {
        let options = explain::object_of_query(query)?;
        match serde_json::from_value::<QueryOptions>(options.clone()) {
            Ok(mut options) => self.manner(options.options()),
            Err(_) => Err(explain::violations(&options, Shape::Query)),
        }
    }

    /// Parses and checks one note of a batch. Its id is given back also where the note is bad, if it can be read.
    pub(super) fn note_of_batch(&self, line: &[u8]) -> (Option<NoteId>, Result<Note, BadBody>) {
        let note: BatchNote = match parsed(line, Shape::Note) {
            Ok(note) => note,
            Err(bad) => return (explain::id_of(line), Err(bad)),
        };
        if let Some(NoteId::Text(text)) = &note.id
            && text.chars().count() > LONGEST_ID
        {
            let message = format!("`id` may have at most {LONGEST_ID} code points.");
            let violation = Violation { message, ..violation("id", "max_length", "") };
            return (None, Err(BadBody::Invalid(vec![violation])));
        }
        (note.id, self.note(note.text).map_err(|violation| BadBody::Invalid(vec![violation])))
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

    fn manner(&self, wanted: Wanted) -> Result<Manner, Vec<Violation>> {
        let mut violations = Vec::new();
        let temperature = wanted.temperature.unwrap_or(self.generation.temperature);
        if !(0.0..=2.0).contains(&temperature) {
            violations.push(violation("temperature", "range", "`temperature` must be 0.0 to 2.0."));
        }
        let budget = match wanted.max_tokens {
            None => TokenBudget::Adjustable(self.generation.max_tokens),
            Some(tokens) => {
                if !(1..=8_192).contains(&tokens) {
                    violations.push(violation("max_tokens", "range", "`max_tokens` must be 1 to 8192."));
                }
                TokenBudget::Fixed(tokens)
            }
        };
        let model = wanted.model.and_then(|asked| {
            let known = self.models.iter().find(|known| ***known == *asked).cloned();
            if known.is_none() {
                let message = "`model` is none of the configured models; see GET /api/v1/models.";
                violations.push(violation("model", "known_model", message));
            }
            known
        });
        let Wanted { offsets, confidence, allow_partial, .. } = wanted;
        let manner = Manner { temperature, budget, model, offsets, confidence, allow_partial };
        if violations.is_empty() { Ok(manner) } else { Err(violations) }
    }
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8], shape: Shape) -> Result<T, BadBody> {
    // serde would take a list for an object, its values in the order of the keys.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(explain(body, shape));
    }
    serde_json::from_slice(body).map_err(|_| explain(body, shape))
}
