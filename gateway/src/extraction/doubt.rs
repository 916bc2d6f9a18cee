//! Checks an empty or thin record of a model before the gateway returns it: does the note really contain so little?
//!
//! Three sources can cast doubt on it: another engine that reads the same text, the model's own words outside its
//! record, and the response that contained them. None of them adds a value.

use super::{
    Deadline, Draft, Engine, EngineError, EngineRequest, Field, Note, Record,
    cpu_pool::{self, CpuPool},
    judge, parse,
};

/// A record with at most this many of its seven fields is compared with the record of the second reader.
const MOST_FIELDS_OF_THIN_RECORD: usize = 3;

/// Most bytes of the model's words outside its record that are searched for values.
const MOST_WORD_BYTES: usize = 32 << 10;

/// An engine that reads a record for comparison with the model's, as the second reader or as the checker, and the
/// threads that judge what it read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordReader<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) cpu_pool: Option<&'a CpuPool>,
}

/// The doubt about an empty record.
#[derive(Debug)]
pub(super) enum Doubt {
    /// There is none.
    None,
    /// The second reader found these fields in the same text.
    Fields(Vec<Field>),
    /// The model wrote more than its record holds, or its response shows a fault.
    SuspectOutput,
}

/// Returns the doubt about the empty record of a draft.
pub(super) async fn of_empty_record(
    second_reader: RecordReader<'_>,
    text: &Note,
    draft: &Draft,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<Doubt, EngineError> {
    if draft.suspect {
        return Ok(Doubt::SuspectOutput);
    }
    let outside_record = text.part(parse::beside_keys(draft.text.as_str(), MOST_WORD_BYTES));
    if !second_reader.read_record(&outside_record, request, deadline).await?.is_empty() {
        return Ok(Doubt::SuspectOutput);
    }
    let fields = fields_of(&second_reader.read_record(text, request, deadline).await?);
    Ok(if fields.is_empty() { Doubt::None } else { Doubt::Fields(fields) })
}

/// Returns the fields that the second reader finds in a note and that a record with few values lacks.
pub(super) async fn of_thin_record(
    second_reader: RecordReader<'_>,
    note: &Note,
    record: &Record,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<Vec<Field>, EngineError> {
    if fields_of(record).len() > MOST_FIELDS_OF_THIN_RECORD {
        return Ok(Vec::new());
    }
    let read = second_reader.read_record(note, request, deadline).await?;
    Ok(fields_of(&read).into_iter().filter(|&field| record.get(field).is_none()).collect())
}

impl RecordReader<'_> {
    /// Returns the engine's record of a text, without values that the text contradicts. Fails if the engine fails,
    /// because nothing can be compared then.
    pub(super) async fn read_record(
        self,
        text: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<Record, EngineError> {
        let draft = self.engine.draft(text, request, deadline).await?;
        let record = parse::parse(draft.text.as_str()).map_err(|_| EngineError::Failed)?.record;
        let (note, size) = (text.clone(), text.as_str().len());
        let judging = move || judge::judge(&note, record, judge::JudgeInput::default(), |_, _| None).record;
        cpu_pool::run(self.cpu_pool, size, &request.priority, deadline, judging).await
    }
}

fn fields_of(record: &Record) -> Vec<Field> {
    Field::ALL.into_iter().filter(|&field| record.get(field).is_some()).collect()
}
