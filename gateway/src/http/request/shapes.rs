//! The shapes of requests, as they come.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

use super::explain;
use crate::{config::MOST_NOTES, extraction::OffsetUnit};

/// A request whose options stand beside its notes.
macro_rules! with_options {
    ($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? { $($own:tt)* }) => {
        $(#[$meta])*
        pub struct $name $(<$life>)? {
            $($own)*
            /// 0.0 (deterministic, default) to 2.0, or less where the operator says so (`limits.max_temperature`).
            #[schema(value_type = Option<f32>, minimum = 0, maximum = 2, example = 0.0)]
            temperature: Option<f32>,
            /// Hard cap on the tokens of the answer, at most 8192, or less where the operator says so
            /// (`limits.max_tokens`). Without it the service chooses (1024) and may widen it.
            #[serde(default, deserialize_with = "whole")]
            #[schema(value_type = Option<u32>, minimum = 1, maximum = 8192, example = 1024)]
            max_tokens: Option<u32>,
            /// A model of `GET /api/v1/models`.
            #[schema(value_type = Option<String>, example = "medical-ie")]
            model: Option<String>,
            /// Unit of `start` and `end` in the evidence.
            #[serde(default, deserialize_with = "given")]
            #[schema(value_type = OffsetUnit)]
            offsets: Option<OffsetUnit>,
            /// Whether `confidence` of each value is wanted: the model's probability of its own wording, not
            /// calibrated. Costs the model server a little time; null from the rules engine.
            #[serde(default, deserialize_with = "given")]
            #[schema(value_type = bool, example = false)]
            confidence: Option<bool>,
            /// Whether a long note may be answered where a part of it could not be read; `unread` then says which.
            #[serde(default, deserialize_with = "given")]
            #[schema(value_type = bool, example = false)]
            allow_partial: Option<bool>,
        }

        impl $(<$life>)? $name $(<$life>)? {
            pub(super) fn options(&mut self) -> RawOptions {
                RawOptions {
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
        pub(super) text: String,
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
        pub(super) notes: RawNotes<'a>,
    }
}

/// How the notes of a batch are read, in the query; what stands in a JSON body goes before.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueryOptions {
    /// As in the body.
    #[param(value_type = f32, minimum = 0, maximum = 2, example = 0.0, required = false, nullable = false)]
    temperature: Option<f32>,
    /// As in the body.
    #[param(value_type = u32, minimum = 1, maximum = 8192, example = 1024, required = false, nullable = false)]
    max_tokens: Option<u32>,
    /// As in the body.
    #[param(value_type = String, example = "medical-ie", required = false, nullable = false)]
    model: Option<String>,
    /// As in the body.
    #[param(value_type = OffsetUnit, required = false)]
    offsets: Option<OffsetUnit>,
    /// As in the body.
    #[param(value_type = bool, example = false, required = false, nullable = false)]
    confidence: Option<bool>,
    /// As in the body.
    #[param(value_type = bool, example = false, required = false, nullable = false)]
    allow_partial: Option<bool>,
}

/// The notes of a body, not yet looked at, and how many there are.
#[derive(Debug)]
pub(super) struct RawNotes<'a> {
    pub(super) kept: Vec<&'a RawValue>,
    pub(super) count: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawNotes<'a> {
    fn deserialize<D: Deserializer<'de>>(notes: D) -> Result<Self, D::Error> {
        notes.deserialize_seq(Self { kept: Vec::new(), count: 0 })
    }
}

impl<'de: 'a, 'a> Visitor<'de> for RawNotes<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("notes")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut notes: A) -> Result<Self, A::Error> {
        while self.count < MOST_NOTES {
            let Some(note) = notes.next_element()? else { return Ok(self) };
            self.kept.push(note);
            self.count += 1;
        }
        // More than may ever be asked for: counted, and not kept.
        while notes.next_element::<IgnoredAny>()?.is_some() {
            self.count += 1;
        }
        Ok(self)
    }
}

/// A value that must not be null where it is given.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// A whole number, which JSON may also write as `1024.0`.
fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(value)? else { return Ok(None) };
    explain::whole(&number).map(Some).ok_or_else(|| serde::de::Error::custom("no whole number"))
}

/// One note of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNote {
    /// What the answer is to be known by. It may be left out; of two notes with one id the second is refused.
    #[serde(default)]
    pub(super) id: Option<NoteId>,
    /// The note, as in `/extract`.
    #[schema(value_type = String, min_length = 1, example = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib.")]
    pub(super) text: String,
}

/// What a caller knows a note by. It goes back to him, and nowhere else: not into a log.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(untagged)]
pub enum NoteId {
    /// A whole number that every JSON reader takes for what it is.
    Number(i64),
    /// Anything else, of at most 200 code points.
    Text(String),
}

impl PartialSchema for NoteId {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        let number = number.minimum(Some(-Self::LARGEST)).maximum(Some(Self::LARGEST));
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(Self::LONGEST));
        Schema::OneOf(OneOfBuilder::new().item(text).item(number).examples(["a-1"]).build()).into()
    }
}

impl ToSchema for NoteId {}

impl NoteId {
    /// Longest text, in code points.
    pub(super) const LONGEST: usize = 200;
    /// The largest whole number that a double holds, beside all its neighbours (RFC 8259, section 6).
    const LARGEST: i64 = (1 << 53) - 1;

    pub(super) fn is_good(&self) -> bool {
        match self {
            Self::Number(number) => (-Self::LARGEST..=Self::LARGEST).contains(number),
            Self::Text(text) => text.chars().count() <= Self::LONGEST,
        }
    }
}

impl std::fmt::Debug for NoteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoteId")
    }
}

/// The options of a request before validation.
#[derive(Default)]
pub(super) struct RawOptions {
    pub(super) temperature: Option<f32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) model: Option<String>,
    pub(super) offsets: Option<OffsetUnit>,
    pub(super) confidence: Option<bool>,
    pub(super) allow_partial: Option<bool>,
}

impl RawOptions {
    /// These options; where one is missing, that of `other`.
    pub(super) fn or(self, other: QueryOptions) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            max_tokens: self.max_tokens.or(other.max_tokens),
            model: self.model.or(other.model),
            offsets: self.offsets.or(other.offsets),
            confidence: self.confidence.or(other.confidence),
            allow_partial: self.allow_partial.or(other.allow_partial),
        }
    }
}
