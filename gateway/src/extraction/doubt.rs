//! Is "nothing found" true? Asked of a model's record that holds nothing or little, before it is answered.
//!
//! Three witnesses: another engine that reads the same text, the model's own words beside its record, and what they
//! came in. None of them adds a value.

use super::{
    Deadline, Draft, Engine, EngineError, EngineRequest, Field, Note, OffsetUnit, Record,
    cores::{self, Cores},
    evidence, parse,
};

/// A record with at most so many of the seven fields is compared with what the witness reads.
const FEW: usize = 3;

/// Longest stretch of a model's words that is read for values, in bytes.
const MOST_WORDS: usize = 32 << 10;

/// Another engine that reads the same texts, and where what it says is reviewed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Witness<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) cores: Option<&'a Cores>,
}

/// What speaks against an empty record.
#[derive(Debug)]
pub(super) enum Doubt {
    /// Nothing.
    None,
    /// The witness reads these fields in the same text.
    Fields(Vec<Field>),
    /// The model said more than its record holds, or something went wrong while it did.
    NotUnderstood,
}

/// What speaks against the empty record of a draft.
pub(super) async fn of_empty(
    witness: Witness<'_>,
    text: &Note,
    draft: &Draft,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<Doubt, EngineError> {
    if draft.suspect {
        return Ok(Doubt::NotUnderstood);
    }
    let beside = text.part(parse::beside_keys(draft.text.as_str(), MOST_WORDS));
    if !witness.reads(&beside, request, deadline).await?.is_empty() {
        return Ok(Doubt::NotUnderstood);
    }
    let fields = fields_of(&witness.reads(text, request, deadline).await?);
    Ok(if fields.is_empty() { Doubt::None } else { Doubt::Fields(fields) })
}

/// The fields that the witness reads in a note and a record with few values lacks.
pub(super) async fn lacking(
    witness: Witness<'_>,
    note: &Note,
    record: &Record,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<Vec<Field>, EngineError> {
    if fields_of(record).len() > FEW {
        return Ok(Vec::new());
    }
    let read = witness.reads(note, request, deadline).await?;
    Ok(fields_of(&read).into_iter().filter(|&field| record.get(field).is_none()).collect())
}

impl Witness<'_> {
    /// What it makes of a text, without what the text contradicts. A witness that could not be heard is an error:
    /// without its word nobody knows.
    pub(super) async fn reads(
        self,
        text: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<Record, EngineError> {
        let draft = self.engine.draft(text, request, deadline).await?;
        let record = parse::parse(draft.text.as_str()).map_err(|_| EngineError::Failed)?.record;
        let (note, size) = (text.clone(), text.as_str().len());
        let review = move || evidence::review(&note, record, &[], OffsetUnit::Byte, |_, _| None).record;
        cores::run(self.cores, size, &request.priority, deadline, review).await
    }
}

fn fields_of(record: &Record) -> Vec<Field> {
    Field::ALL.into_iter().filter(|&field| record.get(field).is_some()).collect()
}
