//! The steps of one extraction, in order: cut, read, merge, ground, answer.
//!
//! Knows no HTTP and no upstream. A note is one upstream call where it fits, else one call for each chunk.

use std::{ops::Range, pin::Pin, sync::Arc, time::Instant};

use futures_util::{StreamExt, stream};

use super::{
    Answer, Confidence, Deadline, Draft, Engine, EngineError, EngineName, EngineRequest, Evidence, Field, ModelText,
    Note, OffsetUnit, Record, Unread, Warning, WarningCode,
    chunk::{self, Chunk, Conflict},
    cores::{self, Cores},
    cross_check,
    doubt::{self, Witness},
    evidence::{self, ReviewedRecord},
    parse::Repair,
    reading::{self, ExtractError, Reading, StageTimings},
    warnings,
};
use crate::admission::Admission;

/// Chunks of one note that are under way at once. Each waits for a slot like any other call, so that one
/// long note cannot fill the queue before many short ones.
const CHUNKS_AT_ONCE: usize = 4;

/// Engine, admission and steps.
#[derive(Clone, Debug)]
pub struct Pipeline {
    engine: Arc<dyn Engine>,
    admission: Arc<Admission>,
    chunk_chars: usize,
    witness: Option<Arc<dyn Engine>>,
    checker: Option<Arc<dyn Engine>>,
    fallback: Option<Arc<dyn Engine>>,
    cores: Option<Cores>,
}

/// Options of one note's answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerOptions {
    /// Unit of `start` and `end`.
    pub offsets: OffsetUnit,
    /// Whether the answer may leave out chunks that could not be read; a warning then names them.
    pub allow_partial: bool,
}

/// What one note's reading gave, merged over its chunks.
struct MergedReading {
    record: Record,
    conflicts: Vec<Conflict>,
    readings: Vec<Reading>,
    unread: Vec<Range<usize>>,
    chunks: usize,
}

/// A chunk's place in the note and what came of it.
type ChunkReading = (Range<usize>, Result<Reading, ExtractError>);

impl Pipeline {
    /// A pipeline over one engine. Notes over `chunk_chars` code points go to an engine that takes slots
    /// in chunks.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, admission: Arc<Admission>, chunk_chars: usize) -> Self {
        Self { engine, admission, chunk_chars, witness: None, checker: None, fallback: None, cores: None }
    }

    /// The same, reviewing answers to long notes beside the async workers.
    #[must_use]
    pub fn on(self, cores: Cores) -> Self {
        Self { cores: Some(cores), ..self }
    }

    /// The same with an engine that reads what the first found nothing in, or little: its word puts a record in doubt,
    /// and never into the answer. It must take no slot at the GPU.
    #[must_use]
    pub fn doubted_by(self, witness: Arc<dyn Engine>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// The same with a second engine that reads every note too and is only compared.
    #[must_use]
    pub fn checked_by(self, checker: Arc<dyn Engine>) -> Self {
        Self { checker: Some(checker), ..self }
    }

    /// The same with a lesser engine that answers, and says so, while the first is away.
    #[must_use]
    pub fn with_fallback(self, fallback: Arc<dyn Engine>) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    /// The engine that reads.
    #[must_use]
    pub fn engine(&self) -> EngineName {
        self.engine.name()
    }

    /// The slots at the GPU.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Reads one note and answers it.
    pub async fn extract(
        &self,
        note: &Note,
        request: &EngineRequest,
        answer_options: AnswerOptions,
        deadline: Deadline,
    ) -> Result<(Answer, StageTimings), ExtractError> {
        let (whole, degraded) = match self.read(note, request, answer_options, deadline).await {
            Ok(whole) => (whole, None),
            Err(error) => match self.fallback.as_ref().filter(|_| error.is_absence()) {
                Some(lesser) => {
                    let request = request.without_sink();
                    let reading = reading::read(&**lesser, None, &self.admission, note, request, deadline).await?;
                    (MergedReading::of_one(reading), Some(lesser.name()))
                }
                None => return Err(error),
            },
        };
        let rules = match self.checker.as_deref() {
            // What goes wrong in a comparison is no matter of the answer.
            Some(engine) => Witness { engine, cores: self.cores.as_ref() }.reads(note, request, deadline).await.ok(),
            None => None,
        };
        // The record of a note that was read whole and is empty was compared already.
        let compared = whole.chunks == 1 && whole.record.is_empty();
        let lacking = match self.witness().filter(|_| degraded.is_none() && !compared) {
            Some(witness) => doubt::lacking(witness, note, &whole.record, request, deadline).await?,
            None => Vec::new(),
        };
        let mut stages = StageTimings::default();
        whole.readings.iter().for_each(|reading| stages.add(reading.stages));
        let started = Instant::now();
        let engine = degraded.unwrap_or(self.engine.name());
        let (own, request_id, size) = (note.clone(), Arc::clone(&request.request_id), note.as_str().len());
        let review = move || whole.into_answer(&own, &lacking, answer_options.offsets, engine, &request_id);
        let mut answer = cores::run(self.cores.as_ref(), size, &request.priority, deadline, review).await?;
        answer.degraded = degraded.is_some();
        answer.cross_check = rules.map(|rules| cross_check::compare(&answer.record, &rules));
        stages.ground += started.elapsed();
        Ok((answer, stages))
    }

    fn witness(&self) -> Option<Witness<'_>> {
        self.witness.as_deref().map(|engine| Witness { engine, cores: self.cores.as_ref() })
    }

    async fn read(
        &self,
        note: &Note,
        request: &EngineRequest,
        answer_options: AnswerOptions,
        deadline: Deadline,
    ) -> Result<MergedReading, ExtractError> {
        let chunks = if self.engine.needs_lease() { chunk::cut(note, self.chunk_chars) } else { Vec::new() };
        if chunks.len() < 2 {
            let witness = self.witness();
            return match reading::read(&*self.engine, witness, &self.admission, note, request.clone(), deadline).await {
                Ok(reading) => Ok(MergedReading::of_one(reading)),
                Err(ExtractError::Engine(EngineError::NoteTooLong)) => {
                    let halves = chunks.first().and_then(|whole| whole.halves(note));
                    let halves = halves.ok_or(EngineError::NoteTooLong)?;
                    self.read_chunks(note, halves.into(), request, answer_options, deadline).await
                }
                Err(error) => Err(error),
            };
        }
        self.read_chunks(note, chunks, request, answer_options, deadline).await
    }

    /// Reads all chunks. One that fails fails the note, unless a hole may be left.
    async fn read_chunks(
        &self,
        note: &Note,
        chunks: Vec<Chunk>,
        request: &EngineRequest,
        answer_options: AnswerOptions,
        deadline: Deadline,
    ) -> Result<MergedReading, ExtractError> {
        let mut pieces = stream::iter(chunks)
            .map(|chunk| self.read_chunk(note, chunk, request, deadline))
            .buffered(CHUNKS_AT_ONCE)
            .flat_map(stream::iter);
        let (mut readings, mut unread, mut chunks, mut first_error) = (Vec::new(), Vec::new(), 0, None);
        while let Some((range, outcome)) = pieces.next().await {
            chunks += 1;
            match outcome {
                Ok(reading) => readings.push(reading),
                Err(error) if answer_options.allow_partial => {
                    unread.push(range);
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match first_error {
            Some(error) if readings.is_empty() => Err(error),
            _ => Ok(MergedReading::merged(readings, unread, chunks)),
        }
    }

    /// Reads one chunk, in halves where the model's context is too short for it.
    fn read_chunk<'a>(
        &'a self,
        note: &'a Note,
        chunk: Chunk,
        request: &'a EngineRequest,
        deadline: Deadline,
    ) -> Pin<Box<dyn Future<Output = Vec<ChunkReading>> + Send + 'a>> {
        Box::pin(async move {
            let text = chunk.note(note);
            // A part's fields are not the note's.
            let (witness, quiet_request) = (self.witness(), request.without_sink());
            let outcome = reading::read(&*self.engine, witness, &self.admission, &text, quiet_request, deadline).await;
            if let Err(ExtractError::Engine(EngineError::NoteTooLong)) = outcome
                && let Some([first, second]) = chunk.halves(note)
            {
                let mut pieces = self.read_chunk(note, first, request, deadline).await;
                pieces.extend(self.read_chunk(note, second, request, deadline).await);
                return pieces;
            }
            vec![(chunk.range(), outcome)]
        })
    }
}

impl MergedReading {
    fn of_one(reading: Reading) -> Self {
        let record = reading.record.clone();
        Self { record, conflicts: Vec::new(), readings: vec![reading], unread: Vec::new(), chunks: 1 }
    }

    fn merged(readings: Vec<Reading>, unread: Vec<Range<usize>>, chunks: usize) -> Self {
        let records: Vec<Record> = readings.iter().map(|reading| reading.record.clone()).collect();
        let merged = chunk::merge(&records);
        Self { record: merged.record, conflicts: merged.conflicts, readings, unread, chunks }
    }

    /// How sure the model was of a part: of the first chunk that spells it.
    fn confidence(&self, field: Field, part: &str) -> Option<Confidence> {
        let mut drafts = self.readings.iter().map(|reading| &reading.draft);
        drafts.find_map(|draft| draft.likelihoods.as_ref()?.of(draft.text.as_str(), field, part))
    }

    /// Why the rules have nothing to show, or little: an empty record must not pass for a note without a cancer
    /// where that is not known.
    fn not_read(&self, engine: EngineName, record: &Record, evidence: &Evidence) -> Option<Warning> {
        let empty = record.is_empty();
        if self.readings.iter().all(|reading| !reading.draft.recognised_terms) {
            return Some(if empty { warnings::no_terms() } else { warnings::another_language() });
        }
        let withheld = Field::ALL.into_iter().any(|field| !evidence.get(field).is_empty());
        (engine == EngineName::Rules && empty)
            .then(|| if withheld { warnings::all_withheld() } else { warnings::terms_not_read() })
    }

    /// What of the note the engine does not know how to read.
    fn unfamiliar(&self) -> Option<Warning> {
        // That the whole of it is in another language is said already.
        let language = |draft: &Draft| draft.unfamiliar.language && draft.recognised_terms;
        let any = |is: &dyn Fn(&Draft) -> bool| self.readings.iter().any(|reading| is(&reading.draft));
        let found = match (any(&language), any(&|draft| draft.unfamiliar.markup)) {
            (true, true) => "A part in another language, and markup, encoded text or invisible characters",
            (true, false) => "A part in another language",
            (false, true) => "Markup, encoded text or invisible characters",
            (false, false) => return None,
        };
        let message = format!(
            "{found} stand in the note, which the rules engine does not read: values may be missing. Send plain English text, \
             or read these places yourself."
        );
        Some(Warning { code: WarningCode::UnfamiliarText, field: None, message })
    }

    /// How many parts of a note in parts gave nothing.
    fn empty_chunks(&self) -> usize {
        self.readings.iter().filter(|reading| reading.record.is_empty()).count()
    }

    /// `lacking`: fields that the witness reads in the note and the record has no value for.
    fn into_answer(
        mut self,
        note: &Note,
        lacking: &[Field],
        unit: OffsetUnit,
        engine: EngineName,
        request_id: &str,
    ) -> Answer {
        let chunks_empty = (self.chunks > 1).then(|| self.empty_chunks());
        let doubted = Field::ALL.into_iter().filter(|field| {
            lacking.contains(field) || self.readings.iter().any(|reading| reading.doubted.contains(field))
        });
        let doubted: Vec<&str> = doubted.map(Field::name).collect();
        let record = std::mem::take(&mut self.record);
        let engine_said = (self.chunks > 1).then(|| record.to_training_json());
        let withheld: Vec<_> =
            self.readings.iter().flat_map(|reading| reading.draft.withheld.iter().cloned()).collect();
        let confidence = |field, part: &str| self.confidence(field, part);
        let ReviewedRecord { record, evidence, mut warnings } =
            evidence::review(note, record, &withheld, unit, confidence);
        warnings.extend(self.conflicts.iter().map(warnings::conflict));
        warnings.extend(self.unread.first().map(|_| warnings::partly_unread(self.unread.len(), self.chunks)));
        warnings.extend(self.not_read(engine, &record, &evidence));
        warnings.extend(self.unfamiliar());
        warnings.extend((!doubted.is_empty()).then(|| warnings::empty_record_doubted(&doubted)));
        let mut offsets = note.offsets(unit);
        let mut unread = Vec::with_capacity(self.unread.len());
        for range in &self.unread {
            unread.push(Unread { start: offsets.convert(range.start), end: offsets.convert(range.end) });
        }
        let tokens = self.readings.iter().map(|reading| reading.tokens_used);
        let tokens_used = tokens.fold(0, u32::saturating_add);
        let mut repairs: Vec<Repair> = Vec::new();
        for repair in self.readings.iter().flat_map(|reading| &reading.repairs) {
            if !repairs.contains(repair) {
                repairs.push(*repair);
            }
        }
        // There is always a reading: without one there is an error, and no answer.
        let draft = self.readings.into_iter().next().map(|reading| reading.draft);
        let (model, prompt) = draft.as_ref().map(Draft::author).unwrap_or_default();
        Answer {
            record,
            raw_output: engine_said.or(draft.map(|draft| ModelText::into_string(draft.text))).unwrap_or_default(),
            tokens_used,
            engine,
            model,
            prompt,
            degraded: false,
            request_id: request_id.to_owned(),
            repairs,
            warnings,
            evidence,
            chunks: (self.chunks > 1).then_some(self.chunks),
            chunks_empty,
            unread: (!unread.is_empty()).then_some(unread),
            cross_check: None,
        }
    }
}
