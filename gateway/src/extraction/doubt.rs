//! Checks an empty or thin record of a model before the gateway returns it: does the note really contain so little?
//!
//! A record counts as empty if the note supports none of its values. Three sources can cast doubt on an empty record: the
//! second reader, an engine that reads the same text; the model's own words outside its record; and the response that
//! contained them. Every other record is compared with the second reading too, because that takes about a millisecond: a
//! warning names the fields that the record lacks and the second reading has. None of the sources adds a value.

use super::{
    Deadline, Draft, Engine, EngineError, EngineRequest, Field, Note, NoteContext, Record, Tumours,
    affirmed::{SupportedFields, affirmed_fields, supported_fields},
    cpu_pool::{self, CpuPool},
    judge, parse,
    text_to_read::TextToRead,
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

/// What the comparison of a record with its text found.
#[derive(Debug)]
pub(super) struct RecordComparison {
    /// Whether the text itself, without the context of a chunk, supports no value of the record.
    pub(super) is_empty: bool,
    /// The doubt about an empty record.
    pub(super) doubt: Doubt,
}

/// Compares a draft's record with its text. `second_reading`: the second reading of a whole note, which is filled in if it
/// is missing. A chunk is read a second time only if its record is empty, because the whole note is read again later.
pub(super) async fn compare(
    second_reader: RecordReader<'_>,
    text: TextToRead<'_>,
    draft: &Draft,
    record: &Record,
    second_reading: &mut Option<SecondReading>,
    request: &EngineRequest,
    deadline: Deadline,
) -> Result<RecordComparison, EngineError> {
    if text.is_whole_note && second_reading.is_none() {
        *second_reading = Some(second_reader.read_again(text.text, request, deadline).await?);
    }
    let supported = second_reader.supported(text, record, second_reading, request, deadline).await?;
    if !supported.none_supported {
        return Ok(RecordComparison { is_empty: false, doubt: Doubt::None });
    }
    let is_suspect = draft.suspect
        // The words of a record with values are those values.
        || (record.is_empty() && second_reader.finds_words_outside_record(text.text, draft, request, deadline).await?);
    if is_suspect {
        return Ok(RecordComparison { is_empty: true, doubt: Doubt::SuspectOutput });
    }
    let mut fields = match second_reading {
        Some(second_reading) => second_reading.fields.clone(),
        None => second_reader.read_again(text.text, request, deadline).await?.fields,
    };
    fields.retain(|field| !supported.kept.contains(field));
    let doubt = if fields.is_empty() { Doubt::None } else { Doubt::Fields(fields) };
    Ok(RecordComparison { is_empty: true, doubt })
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

    /// Returns what the engine finds in a text. The fields are those of [`Self::read_record`]; finding only them costs less.
    pub(super) async fn read_again(
        self,
        text: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<SecondReading, EngineError> {
        let (record, draft) = self.draft(text, request, deadline).await?;
        let (note, size) = (text.clone(), text.as_str().len());
        let judging = move || {
            let Draft { tumours, note_context, .. } = draft;
            let context = note_context.as_ref().map(|known| &known.context);
            SecondReading { fields: affirmed_fields(&note, record, context), tumours, note_context }
        };
        cpu_pool::run(self.cpu_pool, size, &request.priority, deadline, judging).await
    }

    /// Returns whether the engine finds a value in what the model wrote outside its record.
    async fn finds_words_outside_record(
        self,
        text: &Note,
        draft: &Draft,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<bool, EngineError> {
        let outside_record = text.part(parse::beside_keys(draft.text.as_str(), MOST_WORD_BYTES));
        Ok(!self.read_again(&outside_record, request, deadline).await?.fields.is_empty())
    }

    /// Returns what a text supports of a model's record.
    async fn supported(
        self,
        TextToRead { text, own_from, .. }: TextToRead<'_>,
        record: &Record,
        second_reading: &mut Option<SecondReading>,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<SupportedFields, EngineError> {
        let (note, record, size) = (text.clone(), record.clone(), text.as_str().len());
        let shared = second_reading.take();
        let reading = move || {
            let known = shared.as_ref().and_then(|shared| shared.note_context.as_ref());
            (supported_fields(&note, record, own_from, known.map(|known| &known.context)), shared)
        };
        let (supported, shared) = cpu_pool::run(self.cpu_pool, size, &request.priority, deadline, reading).await?;
        *second_reading = shared;
        Ok(supported)
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
