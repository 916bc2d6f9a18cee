//! The JSON of requests, before validation.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::number;
use crate::{
    config::MOST_NOTES,
    extraction::{NoteId, OffsetUnit},
};

/// A day that exists, from 1900 to 2100: `YYYY-MM-DD`.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    example = "2021-05-20",
    format = Date,
    pattern = r"^((19|20)[0-9]{2}|2100)-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)$|^((19|20)(0[48]|[2468][048]|[13579][26])|2000)-02-29$"
)]
#[expect(dead_code, reason = "only its schema is used; the day itself is read as a `CalendarDate`")]
pub(in crate::http) struct NoteDate(String);

/// Defines a request type with the options of an extraction in addition to its own fields.
macro_rules! with_options {
    ($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? { $($own:tt)* }) => {
        $(#[$meta])*
        pub struct $name $(<$life>)? {
            $($own)*
            /// 0.0 (deterministic, default) to 2.0, or to a lower limit of the operator (`limits.max_temperature`).
            #[schema(value_type = Option<f32>, minimum = 0, maximum = 2, example = 0.0)]
            temperature: Option<f32>,
            /// Hard limit for the tokens of the answer: at most 8192, or a lower limit of the operator
            /// (`limits.max_tokens`). Without it the service starts with 1024 and may raise it.
            #[serde(default, deserialize_with = "whole")]
            #[schema(value_type = Option<u32>, minimum = 1, maximum = 8192, example = 1024)]
            max_tokens: Option<u32>,
            /// A model of `GET /api/v1/models`.
            #[schema(value_type = Option<String>, example = "medical-ie")]
            model: Option<String>,
            /// Unit of `start` and `end` in the evidence.
            #[schema(value_type = Option<OffsetUnit>)]
            offsets: Option<OffsetUnit>,
            /// Whether to return the `confidence` of each value: the model's probability of its own wording, not
            /// calibrated. It costs the model server a little time. The rules engine returns null.
            #[schema(value_type = Option<bool>, example = false)]
            confidence: Option<bool>,
            /// Whether to answer a long note even if a part of it could not be read. If so, `unread` says which part.
            #[schema(value_type = Option<bool>, example = false)]
            allow_partial: Option<bool>,
            /// The day on which the note was written. Dates relative to it ("two months ago", "in March") are then resolved.
            #[schema(value_type = Option<NoteDate>, example = "2021-05-20")]
            note_date: Option<String>,
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
                    note_date: self.note_date.take(),
                }
            }
        }
    };
}

with_options! {
    /// One note and the options for reading it. Only `text` is required; an option that is null counts as absent.
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
    /// Many notes and the options for reading all of them. An option that is null counts as absent.
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

/// The options for the notes of a batch, in the query. Options in a JSON body take precedence.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueryOptions {
    /// As in `POST /api/v1/extract`.
    #[param(value_type = f32, minimum = 0, maximum = 2, required = false, nullable = false)]
    temperature: Option<f32>,
    /// As in `POST /api/v1/extract`.
    #[param(value_type = u32, minimum = 1, maximum = 8192, required = false, nullable = false)]
    max_tokens: Option<u32>,
    /// As in `POST /api/v1/extract`.
    #[param(value_type = String, required = false, nullable = false)]
    model: Option<String>,
    /// As in `POST /api/v1/extract`.
    #[param(value_type = OffsetUnit, required = false)]
    offsets: Option<OffsetUnit>,
    /// As in `POST /api/v1/extract`.
    #[param(value_type = bool, required = false, nullable = false)]
    confidence: Option<bool>,
    /// As in `POST /api/v1/extract`.
    #[param(value_type = bool, required = false, nullable = false)]
    allow_partial: Option<bool>,
    /// As in `POST /api/v1/extract`.
    #[param(value_type = NoteDate, required = false, nullable = false)]
    note_date: Option<String>,
}

/// The names of [`QueryOptions`].
pub const OPTION_NAMES: [&str; 7] =
    ["temperature", "max_tokens", "model", "offsets", "confidence", "allow_partial", "note_date"];

/// The notes in a body, not yet parsed, and their number.
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
        // Notes above the largest possible limit are counted, but not stored.
        while notes.next_element::<IgnoredAny>()?.is_some() {
            self.count += 1;
        }
        Ok(self)
    }
}

/// Deserializes an optional whole number, which JSON may also write as `1024.0`.
fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(value)? else { return Ok(None) };
    number::whole(&number).map(Some).ok_or_else(|| serde::de::Error::custom("not a whole number"))
}

/// One note of a batch. Only `text` is required; a key that is null counts as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNote {
    /// The id that is returned with the answer. It is optional. If two notes have the same id, the second is refused.
    #[serde(default)]
    pub(super) id: Option<NoteId>,
    /// The note, as in `/extract`.
    #[schema(value_type = String, min_length = 1, example = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib.")]
    pub(super) text: String,
    /// The day on which the note was written, as in `/extract`. It takes precedence over that of the batch.
    #[schema(value_type = Option<NoteDate>, example = "2021-05-20")]
    pub(super) note_date: Option<String>,
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
    pub(super) note_date: Option<String>,
}

impl RawOptions {
    /// Returns these options; a missing one is taken from `other`.
    pub(super) fn or(self, other: QueryOptions) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            max_tokens: self.max_tokens.or(other.max_tokens),
            model: self.model.or(other.model),
            offsets: self.offsets.or(other.offsets),
            confidence: self.confidence.or(other.confidence),
            allow_partial: self.allow_partial.or(other.allow_partial),
            note_date: self.note_date.or(other.note_date),
        }
    }
}
