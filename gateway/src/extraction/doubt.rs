//! Is "nothing found" true? Asked of a model's record that holds nothing or little, before it is answered.
//!
//! Three witnesses: another engine that reads the same text, the model's own words beside its record, and what they
//! came in. None of them adds a value.

use super::{Ask, Deadline, Draft, Engine, Field, Note, OffsetUnit, Record, evidence, parse};

/// A record with at most so many of the seven fields is compared with what the witness reads.
const FEW: usize = 3;

/// Longest stretch of a model's words that is read for values, in bytes.
const MOST_WORDS: usize = 32 << 10;

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
pub(super) async fn of_empty(witness: &dyn Engine, text: &Note, draft: &Draft, ask: &Ask, deadline: Deadline) -> Doubt {
    if draft.suspect {
        return Doubt::NotUnderstood;
    }
    let beside = text.part(parse::beside_keys(draft.text.as_str(), MOST_WORDS));
    if opinion(witness, &beside, ask, deadline).await.is_some_and(|record| !record.is_empty()) {
        return Doubt::NotUnderstood;
    }
    match opinion(witness, text, ask, deadline).await.map(|record| fields_of(&record)) {
        Some(fields) if !fields.is_empty() => Doubt::Fields(fields),
        _ => Doubt::None,
    }
}

/// The fields that the witness reads in a note and a record with few values lacks.
pub(super) async fn lacking(
    witness: &dyn Engine,
    note: &Note,
    record: &Record,
    ask: &Ask,
    deadline: Deadline,
) -> Vec<Field> {
    if fields_of(record).len() > FEW {
        return Vec::new();
    }
    let read = opinion(witness, note, ask, deadline).await.unwrap_or_default();
    fields_of(&read).into_iter().filter(|&field| record.get(field).is_none()).collect()
}

/// What another engine makes of a text, without what the text contradicts. What goes wrong there is no matter of the
/// answer.
pub(super) async fn opinion(engine: &dyn Engine, text: &Note, ask: &Ask, deadline: Deadline) -> Option<Record> {
    let draft = engine.draft(text, ask, deadline).await.ok()?;
    let record = parse::parse(draft.text.as_str()).ok()?.record;
    Some(evidence::review(text, record, &[], OffsetUnit::Byte, |_, _| None).record)
}

fn fields_of(record: &Record) -> Vec<Field> {
    Field::ALL.into_iter().filter(|&field| record.get(field).is_some()).collect()
}
