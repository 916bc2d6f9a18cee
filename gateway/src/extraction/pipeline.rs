//! Runs the steps of one extraction, in order: cut, read, merge, judge, answer.
//!
//! This file depends on no HTTP and no upstream. A note that fits is read in one piece, a longer one in chunks; each piece
//! takes at most two attempts.

use std::{ops::Range, pin::Pin, sync::Arc, time::Instant};

use futures_util::{StreamExt, stream};

use super::{
    Answer, CodeTable, Deadline, Engine, EngineError, EngineName, EngineRequest, Note, TumourReader,
    chunk::{self, Chunk},
    cpu_pool::{self, CpuPool},
    cross_check,
    doubt::RecordReader,
    judge::JudgeAids,
    merged_reading::{AnswerOptions, MergedReading},
    reading::{self, ChunkReading, ExtractError, StageTimings},
    text_to_read::TextToRead,
};
use crate::{
    admission::Admission,
    routing::{Caller, Routing},
};

/// Chunks of one note that are read at once. Each waits for a slot like any other call. The limit keeps one
/// long note from filling the queue ahead of many short ones.
const CHUNKS_AT_ONCE: usize = 4;

/// Extracts the fields of notes with an engine, under the control of admission.
#[derive(Clone, Debug)]
pub struct Pipeline {
    engine: Arc<dyn Engine>,
    admission: Arc<Admission>,
    chunk_chars: usize,
    second_reader: Option<Arc<dyn Engine>>,
    checker: Option<Arc<dyn Engine>>,
    fallback: Option<Arc<dyn Engine>>,
    cpu_pool: Option<CpuPool>,
    routing: Option<Arc<Routing>>,
    aids: JudgeAids,
}

/// The byte range of a chunk in the note, and the result of reading the chunk.
type ChunkOutcome = (Range<usize>, Result<ChunkReading, ExtractError>);

impl Pipeline {
    /// Creates a pipeline with one engine. An engine that needs GPU slots gets notes over `chunk_chars` code points in
    /// chunks.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, admission: Arc<Admission>, chunk_chars: usize) -> Self {
        Self {
            engine,
            admission,
            chunk_chars,
            second_reader: None,
            checker: None,
            fallback: None,
            cpu_pool: None,
            routing: None,
            aids: JudgeAids::default(),
        }
    }

    /// Returns the pipeline with threads that judge answers to long notes outside the async workers.
    #[must_use]
    pub fn with_cpu_pool(self, cpu_pool: CpuPool) -> Self {
        Self { cpu_pool: Some(cpu_pool), ..self }
    }

    /// Returns the pipeline with the models of the engine. A note's model is chosen once, and reads all its chunks.
    #[must_use]
    pub fn with_routing(self, routing: Arc<Routing>) -> Self {
        Self { routing: Some(routing), ..self }
    }

    /// Returns the pipeline with an engine that also reads notes for which the first found no value, or few. Its record
    /// can cast doubt on the first record but adds no value to the answer. It must need no GPU slot.
    #[must_use]
    pub fn with_second_reader(self, second_reader: Arc<dyn Engine>) -> Self {
        Self { second_reader: Some(second_reader), ..self }
    }

    /// Returns the pipeline with a second engine that reads every note too, for comparison only.
    #[must_use]
    pub fn with_checker(self, checker: Arc<dyn Engine>) -> Self {
        Self { checker: Some(checker), ..self }
    }

    /// Returns the pipeline with a simpler engine that answers while the first is unavailable. Its answers are marked
    /// `degraded`.
    #[must_use]
    pub fn with_fallback(self, fallback: Arc<dyn Engine>) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    /// Returns the pipeline with a reader of tumours, for the answers of engines that read none themselves.
    #[must_use]
    pub(crate) fn with_tumour_reader(self, tumour_reader: Arc<dyn TumourReader>) -> Self {
        Self { aids: JudgeAids { tumour_reader: Some(tumour_reader), ..self.aids }, ..self }
    }

    /// Returns the pipeline with the codes of the operator's files, if there are any. The answers name the files.
    #[must_use]
    pub(crate) fn with_code_table(self, code_table: Option<Arc<CodeTable>>) -> Self {
        Self { aids: JudgeAids { code_table, ..self.aids }, ..self }
    }

    /// Returns the name of the engine that reads notes.
    #[must_use]
    pub fn engine(&self) -> EngineName {
        self.engine.name()
    }

    /// Returns the admission that controls the GPU slots.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Returns how many tokens the note and its answer have, estimated; 0 for an engine that does not count tokens.
    #[must_use]
    pub fn expected_tokens(&self, note: &Note) -> u64 {
        match self.engine.prompt_tokens(note) {
            0 => 0,
            prompt => prompt + u64::from(reading::USUAL_ANSWER),
        }
    }

    /// Extracts the fields of one note. Returns the answer and the time of each stage.
    pub async fn extract(
        &self,
        note: &Note,
        request: &EngineRequest,
        answer_options: AnswerOptions,
        deadline: Deadline,
    ) -> Result<(Answer, StageTimings), ExtractError> {
        // If the request has a model, it is not chosen again, because the weights may have changed meanwhile.
        let routed = self.routing.as_ref().filter(|_| request.model.is_none()).map(|routing| {
            let caller = Caller { session: None, principal: request.priority.principal.as_ref() };
            let model = routing.resolve(None, caller, note.as_str());
            EngineRequest { model: Some(model), ..request.clone() }
        });
        let request = routed.as_ref().unwrap_or(request);
        let (mut merged, degraded) = match self.read(note, request, answer_options, deadline).await {
            Ok(merged) => (merged, None),
            Err(error) => match self.fallback.as_ref().filter(|_| error.is_unavailable()) {
                Some(fallback) => {
                    let request = request.without_sink();
                    let reading =
                        reading::read(&**fallback, None, &self.admission, TextToRead::whole(note), request, deadline)
                            .await?;
                    (MergedReading::from_one(reading), Some(fallback.name()))
                }
                None => return Err(error),
            },
        };
        let checker_record = match self.checker.as_deref() {
            // A failed comparison does not change the answer.
            Some(engine) => {
                let reader = RecordReader { engine, cpu_pool: self.cpu_pool.as_ref() };
                reader.read_record(note, request, deadline).await.ok()
            }
            None => None,
        };
        // A note in one chunk has its second reading already. Of several chunks each was compared for itself.
        let second_reading = match (merged.take_second_reading(), self.second_reader()) {
            (None, Some(second_reader)) if merged.chunks > 1 => {
                second_reader.read_again(note, request, deadline).await?
            }
            (second_reading, _) => second_reading.unwrap_or_default(),
        };
        let mut stages = StageTimings::default();
        merged.readings.iter().for_each(|reading| stages.add(reading.stages));
        let started = Instant::now();
        let engine = degraded.unwrap_or(self.engine.name());
        let (owned_note, request_id, size) = (note.clone(), Arc::clone(&request.request_id), note.as_str().len());
        let aids = self.aids.clone();
        let finish =
            move || merged.into_answer(&owned_note, &second_reading, answer_options, engine, &request_id, &aids);
        let mut answer = cpu_pool::run(self.cpu_pool.as_ref(), size, &request.priority, deadline, finish).await?;
        answer.degraded = degraded.is_some();
        answer.cross_check = checker_record.map(|record| cross_check::compare(&answer.record, &record));
        stages.judge += started.elapsed();
        Ok((answer, stages))
    }

    fn second_reader(&self) -> Option<RecordReader<'_>> {
        self.second_reader.as_deref().map(|engine| RecordReader { engine, cpu_pool: self.cpu_pool.as_ref() })
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
            let second_reader = self.second_reader();
            let (text, request_of_text) = (TextToRead::whole(note), request.clone());
            let reading = reading::read(&*self.engine, second_reader, &self.admission, text, request_of_text, deadline);
            // The future is large, and many futures contain it.
            return match Box::pin(reading).await {
                Ok(reading) => Ok(MergedReading::from_one(reading)),
                Err(ExtractError::Engine(EngineError::NoteTooLong)) => {
                    let halves = chunks.first().and_then(|chunk| chunk.halves(note));
                    let halves = halves.ok_or(EngineError::NoteTooLong)?;
                    self.read_chunks(note, halves.into(), request, answer_options, deadline).await
                }
                Err(error) => Err(error),
            };
        }
        self.read_chunks(note, chunks, request, answer_options, deadline).await
    }

    /// Reads all chunks. If one fails, the note fails, unless the options allow a partial answer.
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

    /// Reads one chunk; in halves if it does not fit the model's context.
    fn read_chunk<'a>(
        &'a self,
        note: &'a Note,
        chunk: Chunk,
        request: &'a EngineRequest,
        deadline: Deadline,
    ) -> Pin<Box<dyn Future<Output = Vec<ChunkOutcome>> + Send + 'a>> {
        Box::pin(async move {
            let chunk_note = chunk.note(note);
            let text = TextToRead { text: &chunk_note, own_from: chunk.own_from(), is_whole_note: false };
            // The fields of a chunk are not streamed, because they may not be those of the whole note.
            let (second_reader, chunk_request) = (self.second_reader(), request.without_sink());
            let outcome =
                reading::read(&*self.engine, second_reader, &self.admission, text, chunk_request, deadline).await;
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
