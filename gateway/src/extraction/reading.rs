//! Reads one text with one engine, in up to two attempts. It decides when to try again and which draft is a
//! record. It does not know about chunks or about the values that the note supports.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Deadline, Draft, Engine, EngineError, EngineRequest, Field, Finish, Note, Record, TokenBudget, cpu_pool,
    doubt::{self, Doubt, RecordComparison, RecordReader, SecondReading},
    parse::{self, ParsedRecord, Repair, Unusable},
    text_to_read::TextToRead,
};
use crate::admission::{Admission, AdmissionError, Lease};

/// Temperature and seed of the second attempt after an answer that was no record. They differ enough for another
/// answer, and are fixed so that the same note gives the same answer.
const RETRY_TEMPERATURE: f32 = 0.2;
const RETRY_SEED: u64 = 20_240_601;

/// The estimated tokens of an answer that is not written yet. Of 500 records of training notes the longest has 107
/// tokens; the limit of a call is far above that.
pub(super) const USUAL_ANSWER: u32 = 112;

/// Why a note got no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExtractError {
    /// The engine returned no draft.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no GPU slot, and too many calls wait already.
    #[error("the queue is full")]
    QueueFull,
    /// The token budget cut off the answer, even after the budget was doubled where possible.
    #[error("the model's answer was cut off")]
    Truncated,
    /// The answer was complete but no record, even on the second attempt.
    #[error("the model's answer is not a record: {0:?}")]
    Unusable(Unusable),
}

impl ExtractError {
    /// Returns whether the engine was unavailable. False for a refusal, a failure on this note or an unusable answer,
    /// because an answer of another engine would hide such a fault.
    pub(super) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Unavailable | EngineError::Loading))
    }
}

/// The record that an engine read in one text: a chunk of a note, or a whole note.
#[derive(Debug)]
pub(super) struct ChunkReading {
    pub(super) record: Record,
    pub(super) repairs: Vec<Repair>,
    pub(super) draft: Draft,
    /// Whether the text itself, without the context of a chunk, supports no value of the record.
    pub(super) is_empty: bool,
    /// Fields that the second reader found in the same text, if the record is empty even on the second attempt.
    pub(super) doubted: Vec<Field>,
    /// What the second reader found, if the text is a whole note and there is a second reader.
    pub(super) second_reading: Option<SecondReading>,
    /// The tokens of all attempts together.
    pub(super) tokens_used: u32,
    pub(super) stages: StageTimings,
}

/// Time spent in each stage, summed over all chunks of a note.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimings {
    /// Time in the admission queue.
    pub queue: Duration,
    /// Time in the engine, summed over all attempts.
    pub engine: Duration,
    /// Time for parsing the drafts.
    pub parse: Duration,
    /// Time for judging the values: grounding them in the note and finding their assertions. Its name in headers, metrics
    /// and logs is `ground`.
    pub judge: Duration,
}

impl StageTimings {
    pub(super) fn add(&mut self, other: Self) {
        self.queue += other.queue;
        self.engine += other.engine;
        self.parse += other.parse;
        self.judge += other.judge;
    }

    /// Returns the `Server-Timing` header: milliseconds of each stage.
    #[must_use]
    pub fn server_timing(&self) -> String {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        format!(
            "queue;dur={:.3}, engine;dur={:.3}, parse;dur={:.3}, ground;dur={:.3}",
            millis(self.queue),
            millis(self.engine),
            millis(self.parse),
            millis(self.judge)
        )
    }
}

/// Reads one text, in at most two attempts. The second attempt has twice the token budget if the first draft was cut off
/// (unless the caller fixed the budget). It has another seed if the first draft was no record, or an empty record that is
/// doubted. If the second attempt fails too, returns an error, or the empty record, marked as doubtful.
pub(super) async fn read(
    engine: &dyn Engine,
    second_reader: Option<RecordReader<'_>>,
    admission: &Arc<Admission>,
    text_to_read: TextToRead<'_>,
    mut request: EngineRequest,
    deadline: Deadline,
) -> Result<ChunkReading, ExtractError> {
    let text = text_to_read.text;
    let mut tokens_used = 0u32;
    let mut stages = StageTimings::default();
    let mut is_second = false;
    let mut expected_answer = USUAL_ANSWER;
    let mut second_reading: Option<SecondReading> = None;
    // The empty record of the first attempt, if the second reader found fields. It is the result if the second attempt
    // gives no record.
    let mut doubtful: Option<ChunkReading> = None;
    // The result if the last attempt gives no record.
    let doubtful_or_error = |doubtful: Option<ChunkReading>, error, second_reading, tokens_used, stages| {
        doubtful.map(|first| ChunkReading { second_reading, tokens_used, stages, ..first }).ok_or(error)
    };
    loop {
        let expected_tokens = engine.prompt_tokens(text) + u64::from(expected_answer.min(request.budget.tokens()));
        let mut draft = draft(engine, admission, text, &request, expected_tokens, deadline, &mut stages).await?;
        tokens_used = tokens_used.saturating_add(draft.tokens_used);
        if draft.finish == Finish::OutOfTokens {
            match request.budget {
                TokenBudget::Adjustable(tokens) if !is_second => {
                    request.budget = TokenBudget::Adjustable(tokens.saturating_mul(2));
                    // This answer is long.
                    expected_answer = u32::MAX;
                }
                _ => {
                    let error = ExtractError::Truncated;
                    return doubtful_or_error(doubtful, error, second_reading, tokens_used, stages);
                }
            }
        } else {
            let started = Instant::now();
            let parsed;
            let (cpu_pool, size) =
                (second_reader.and_then(|second_reader| second_reader.cpu_pool), draft.text.as_str().len());
            let parse = move || {
                let parsed = parse::parse(draft.text.as_str());
                (draft, parsed)
            };
            (draft, parsed) = cpu_pool::run(cpu_pool, size, &request.priority, deadline, parse).await?;
            stages.parse += started.elapsed();
            match parsed {
                Ok(ParsedRecord { record, repairs }) => {
                    let RecordComparison { is_empty, doubt } = match second_reader {
                        Some(reader) => {
                            let second_reading = &mut second_reading;
                            doubt::compare(reader, text_to_read, &draft, &record, second_reading, &request, deadline)
                                .await?
                        }
                        None => RecordComparison { is_empty: record.is_empty(), doubt: Doubt::None },
                    };
                    let should_retry = !matches!(doubt, Doubt::None);
                    let doubted = match doubt {
                        Doubt::SuspectOutput if is_second => {
                            let error = ExtractError::Unusable(Unusable::EmptyRecord);
                            return doubtful_or_error(doubtful, error, second_reading, tokens_used, stages);
                        }
                        Doubt::Fields(fields) => fields,
                        Doubt::None | Doubt::SuspectOutput => Vec::new(),
                    };
                    let reading = ChunkReading {
                        record,
                        repairs,
                        draft,
                        is_empty,
                        doubted,
                        second_reading: None,
                        tokens_used,
                        stages,
                    };
                    if is_second || !should_retry {
                        return Ok(ChunkReading { second_reading, ..reading });
                    }
                    doubtful = (!reading.doubted.is_empty()).then_some(reading);
                }
                Err(unusable) if is_second => {
                    let error = ExtractError::Unusable(unusable);
                    return doubtful_or_error(doubtful, error, second_reading, tokens_used, stages);
                }
                Err(_) => {}
            }
            (request.temperature, request.seed) = (RETRY_TEMPERATURE, Some(RETRY_SEED));
        }
        if let Some(sink) = &request.sink {
            sink.reset();
        }
        is_second = true;
    }
}

async fn draft(
    engine: &dyn Engine,
    admission: &Arc<Admission>,
    text: &Note,
    request: &EngineRequest,
    expected_tokens: u64,
    deadline: Deadline,
    stages: &mut StageTimings,
) -> Result<Draft, ExtractError> {
    let started = Instant::now();
    let lease = if engine.needs_lease() {
        let lease = admission.acquire_for(expected_tokens, &request.priority, deadline).await;
        let lease = lease.map_err(|refusal| {
            request.timings.add(started.elapsed(), Duration::ZERO);
            match refusal {
                AdmissionError::QueueFull => ExtractError::QueueFull,
                AdmissionError::DeadlineExceeded => EngineError::DeadlineExceeded.into(),
            }
        })?;
        Some(lease)
    } else {
        None
    };
    let admitted = Instant::now();
    let draft = engine.draft(text, request, deadline).await;
    lease.into_iter().for_each(Lease::end);
    let (queue, engine) = (admitted - started, admitted.elapsed());
    request.timings.add(queue, engine);
    stages.queue += queue;
    stages.engine += engine;
    Ok(draft?)
}
