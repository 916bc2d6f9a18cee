//! One text, one engine, one record: the attempts at it. Decides what is tried again and what is a
//! record; knows nothing of chunks and of what the note supports.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Deadline, Draft, Engine, EngineError, EngineRequest, Field, Finish, Note, Record, TokenBudget, cores,
    doubt::{self, Doubt, Witness},
    parse::{self, Parsed, Repair, Unusable},
};
use crate::admission::{Admission, AdmissionError, Lease};

/// Temperature and seed of the one attempt after an answer that was no record: enough to leave the
/// path that went wrong, fixed so that the same note gives the same answer.
const RETRY_TEMPERATURE: f32 = 0.2;
const RETRY_SEED: u64 = 20_240_601;

/// Why a note got no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExtractError {
    /// The engine gave no draft.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No slot at the GPU: too many wait already.
    #[error("the queue is full")]
    QueueFull,
    /// The answer was cut off by the token budget, also with a wider one.
    #[error("the model's answer was cut off")]
    Truncated,
    /// The answer was complete but no record, also on a second attempt.
    #[error("the model's answer is not a record: {0:?}")]
    Unusable(Unusable),
}

impl ExtractError {
    /// Whether the engine was not there at all. A refusal, a failure on this note or an unusable answer is
    /// something else: another engine's answer would hide it.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Unavailable | EngineError::Loading))
    }
}

/// What an engine read in one text.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) record: Record,
    pub(super) repairs: Vec<Repair>,
    pub(super) draft: Draft,
    /// Fields that the witness reads in the same text, where the record is empty also on a second attempt.
    pub(super) doubted: Vec<Field>,
    /// Of all attempts together.
    pub(super) tokens_used: u32,
    pub(super) stages: StageTimings,
}

/// Time spent in each stage; of a note in chunks, of all chunks together.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimings {
    /// Waiting in the admission queue.
    pub queue: Duration,
    /// In the engine, all attempts together.
    pub engine: Duration,
    /// Parsing the drafts.
    pub parse: Duration,
    /// Grounding the values in the note and reading their assertions.
    pub ground: Duration,
}

impl StageTimings {
    pub(super) fn add(&mut self, other: Self) {
        self.queue += other.queue;
        self.engine += other.engine;
        self.parse += other.parse;
        self.ground += other.ground;
    }

    /// The `Server-Timing` header: milliseconds of each stage.
    #[must_use]
    pub fn server_timing(&self) -> String {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        format!(
            "queue;dur={:.3}, engine;dur={:.3}, parse;dur={:.3}, ground;dur={:.3}",
            millis(self.queue),
            millis(self.engine),
            millis(self.parse),
            millis(self.ground)
        )
    }
}

/// Reads one text. A draft that was cut off is asked for once more with twice the budget (unless the
/// caller fixed it), one that is no record, or an empty one that the witness or the draft itself speaks against, once
/// more with another seed; then it is an error, or an empty record that is known to be doubtful.
pub(super) async fn read(
    engine: &dyn Engine,
    witness: Option<Witness<'_>>,
    admission: &Arc<Admission>,
    text: &Note,
    mut request: EngineRequest,
    deadline: Deadline,
) -> Result<Reading, ExtractError> {
    let mut tokens_used = 0u32;
    let mut stages = StageTimings::default();
    let mut second = false;
    // A record that was understood, empty where the witness reads something. It is the answer where the second
    // attempt gives none.
    let mut doubtful: Option<Reading> = None;
    // What is said in the end where the second attempt gives no record.
    let given_up = |doubtful: Option<Reading>, error, tokens_used, stages| {
        doubtful.map(|first| Reading { tokens_used, stages, ..first }).ok_or(error)
    };
    loop {
        let mut draft = draft(engine, admission, text, &request, deadline, &mut stages).await?;
        tokens_used = tokens_used.saturating_add(draft.tokens_used);
        if draft.finish == Finish::OutOfTokens {
            match request.budget {
                TokenBudget::Adjustable(tokens) if !second => {
                    request.budget = TokenBudget::Adjustable(tokens.saturating_mul(2));
                }
                _ => return given_up(doubtful, ExtractError::Truncated, tokens_used, stages),
            }
        } else {
            let started = Instant::now();
            let parsed;
            let (cores, size) = (witness.and_then(|witness| witness.cores), draft.text.as_str().len());
            let parse = move || {
                let parsed = parse::parse(draft.text.as_str());
                (draft, parsed)
            };
            (draft, parsed) = cores::run(cores, size, &request.priority, deadline, parse).await?;
            stages.parse += started.elapsed();
            match parsed {
                Ok(Parsed { record, repairs }) => {
                    let doubt = match witness.filter(|_| record.is_empty()) {
                        Some(witness) => doubt::of_empty(witness, text, &draft, &request, deadline).await?,
                        None => Doubt::None,
                    };
                    let again = !matches!(doubt, Doubt::None);
                    let doubted = match doubt {
                        Doubt::NotUnderstood if second => {
                            let error = ExtractError::Unusable(Unusable::SaysMore);
                            return given_up(doubtful, error, tokens_used, stages);
                        }
                        Doubt::Fields(fields) => fields,
                        Doubt::None | Doubt::NotUnderstood => Vec::new(),
                    };
                    let reading = Reading { record, repairs, draft, doubted, tokens_used, stages };
                    if second || !again {
                        return Ok(reading);
                    }
                    doubtful = (!reading.doubted.is_empty()).then_some(reading);
                }
                Err(unusable) if second => {
                    return given_up(doubtful, ExtractError::Unusable(unusable), tokens_used, stages);
                }
                Err(_) => {}
            }
            (request.temperature, request.seed) = (RETRY_TEMPERATURE, Some(RETRY_SEED));
        }
        if let Some(sink) = &request.sink {
            sink.again();
        }
        second = true;
    }
}

async fn draft(
    engine: &dyn Engine,
    admission: &Arc<Admission>,
    text: &Note,
    request: &EngineRequest,
    deadline: Deadline,
    stages: &mut StageTimings,
) -> Result<Draft, ExtractError> {
    let started = Instant::now();
    let lease = if engine.needs_lease() {
        let lease = admission.acquire(&request.priority, deadline).await;
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
