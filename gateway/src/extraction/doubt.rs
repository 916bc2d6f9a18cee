//! Checks an empty or thin record of a model before the gateway returns it: does the note really contain so little?
//!
//! A record counts as empty if the note supports none of its values. Every other record is compared too, because the
//! comparison takes about a millisecond: a field that it lacks and the second reader has is named in a warning. Three sources can cast doubt on it: another engine that reads the same text, the model's own words outside its
//! record, and the response that contained them. None of them adds a value.

use super::{
    Deadline, Draft, Engine, EngineError, EngineRequest, Field, Note, NoteContext, Record, Tumours,
    affirmed::{SupportedFields, affirmed_fields, supported_fields},
    cpu_pool::{self, CpuPool},
    judge, parse,
};

/// Most bytes of the model's words outside its record that are searched for values.
const MOST_WORD_BYTES: usize = 32 << 10;

/// An engine that reads a record for comparison with the model's, as the second reader or as the checker, and the
/// threads that judge what it read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordReader<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) cpu_pool: Option<&'a CpuPool>,
}

/// What the second reader found in a note.
#[derive(Debug, Default)]
pub(super) struct SecondReading {
    /// Fields that have a value.
    pub(super) fields: Vec<Field>,
    /// The tumours of the note, if it was read.
    pub(super) tumours: Option<Tumours>,
    /// What else it found, if the note was read.
    pub(super) note_context: Option<NoteContext>,
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

/// Returns the doubt about the empty record of a draft. `kept`: fields that have a value all the same, which the text does
/// not support or which is from the context of a chunk.
pub(super) async fn of_empty_record(
    second_reader: RecordReader<'_>,
    text: &Note,
    draft: &Draft,
    kept: Option<&[Field]>,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<Doubt, EngineError> {
    if draft.suspect {
        return Ok(Doubt::SuspectOutput);
    }
    // The words of a record with values are those values.
    if kept.is_none() {
        let outside_record = text.part(parse::beside_keys(draft.text.as_str(), MOST_WORD_BYTES));
        if !second_reader.fields(&outside_record, request, deadline).await?.0.is_empty() {
            return Ok(Doubt::SuspectOutput);
        }
    }
    let (mut fields, _) = second_reader.fields(text, request, deadline).await?;
    fields.retain(|field| !kept.unwrap_or_default().contains(field));
    Ok(if fields.is_empty() { Doubt::None } else { Doubt::Fields(fields) })
}

/// Returns what the second reader finds in a note.
pub(super) async fn read_again(
    second_reader: RecordReader<'_>,
    note: &Note,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<SecondReading, EngineError> {
    let (fields, Draft { tumours, note_context, .. }) = second_reader.fields(note, request, deadline).await?;
    Ok(SecondReading { fields, tumours, note_context })
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
        let (record, _) = self.draft(text, request, deadline).await?;
        let (note, size) = (text.clone(), text.as_str().len());
        let judging = move || judge::judge(&note, record, judge::JudgeInput::default(), |_, _| None).record;
        cpu_pool::run(self.cpu_pool, size, &request.priority, deadline, judging).await
    }

    /// Returns the fields of the record that [`Self::reads`] returns, with the second reader's draft. This costs less,
    /// because the values are only looked up.
    async fn fields(
        self,
        text: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<(Vec<Field>, Draft), EngineError> {
        let (record, draft) = self.draft(text, request, deadline).await?;
        let (note, size) = (text.clone(), text.as_str().len());
        let judging = move || {
            let context = draft.note_context.as_ref().map(|known| &known.context);
            (affirmed_fields(&note, record, context), draft)
        };
        cpu_pool::run(self.cpu_pool, size, &request.priority, deadline, judging).await
    }

    /// Returns what a text supports of a model's record, from `own_from` on.
    pub(super) async fn supported(
        self,
        text: &Note,
        record: &Record,
        own_from: usize,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<SupportedFields, EngineError> {
        let (note, record, size) = (text.clone(), record.clone(), text.as_str().len());
        let reading = move || supported_fields(&note, record, own_from);
        cpu_pool::run(self.cpu_pool, size, &request.priority, deadline, reading).await
    }

    async fn draft(
        self,
        text: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<(Record, Draft), EngineError> {
        let draft = self.engine.draft(text, request, deadline).await?;
        let record = parse::parse(draft.text.as_str()).map_err(|_| EngineError::Failed)?.record;
        Ok((record, draft))
    }
}
