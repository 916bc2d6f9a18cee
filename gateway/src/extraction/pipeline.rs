//! The steps of one extraction, in order: draft, parse, ground.
//!
//! Decides what is tried again and what is an answer. Knows no HTTP and no upstream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    Answer, Ask, Basis, Deadline, Draft, Engine, EngineError, EngineName, Evidence, Field, Finding, Finish, ModelText,
    Note, OffsetUnit, Record, TokenBudget, Warning, WarningCode, ground,
    parse::{self, Repair, Unusable},
};
use crate::admission::{Admission, Refusal};

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

/// Engine, admission and steps.
#[derive(Clone, Debug)]
pub struct Pipeline {
    engine: Arc<dyn Engine>,
    admission: Arc<Admission>,
}

/// What came of one note, before it is written in the caller's unit.
#[derive(Debug)]
pub struct Extraction {
    record: Record,
    repairs: Vec<Repair>,
    draft: Draft,
    engine: EngineName,
    tokens_used: u32,
    stages: Stages,
}

/// Time spent in each stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stages {
    /// Waiting for a slot.
    pub queue: Duration,
    /// In the engine, all attempts together.
    pub engine: Duration,
    /// Parsing what it said.
    pub parse: Duration,
}

impl Pipeline {
    /// A pipeline over one engine.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, admission: Arc<Admission>) -> Self {
        Self { engine, admission }
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

    /// Reads one note. A draft that was cut off is asked for once more with twice the budget (unless
    /// the caller fixed it), one that is no record once more with another seed; then it is an error.
    pub async fn extract(&self, note: &Note, mut ask: Ask, deadline: Deadline) -> Result<Extraction, ExtractError> {
        let mut tokens_used = 0u32;
        let mut stages = Stages::default();
        let mut second = false;
        loop {
            let draft = self.draft(note, &ask, deadline, &mut stages).await?;
            tokens_used = tokens_used.saturating_add(draft.tokens_used);
            if draft.finish == Finish::OutOfTokens {
                match ask.budget {
                    TokenBudget::Adjustable(tokens) if !second => {
                        ask.budget = TokenBudget::Adjustable(tokens.saturating_mul(2));
                    }
                    _ => return Err(ExtractError::Truncated),
                }
            } else {
                let started = Instant::now();
                let parsed = parse::parse(draft.text.as_str());
                stages.parse += started.elapsed();
                match parsed {
                    Ok(parsed) => {
                        let (record, repairs) = (parsed.record, parsed.repairs);
                        let engine = self.engine.name();
                        return Ok(Extraction { record, repairs, draft, engine, tokens_used, stages });
                    }
                    Err(unusable) if second => return Err(ExtractError::Unusable(unusable)),
                    Err(_) => (ask.temperature, ask.seed) = (RETRY_TEMPERATURE, Some(RETRY_SEED)),
                }
            }
            second = true;
        }
    }

    async fn draft(
        &self,
        note: &Note,
        ask: &Ask,
        deadline: Deadline,
        stages: &mut Stages,
    ) -> Result<Draft, ExtractError> {
        let started = Instant::now();
        let lease = if self.engine.needs_lease() {
            let lease = self.admission.acquire(deadline).await.map_err(|refusal| match refusal {
                Refusal::QueueFull => ExtractError::QueueFull,
                Refusal::DeadlineExceeded => EngineError::DeadlineExceeded.into(),
            })?;
            Some(lease)
        } else {
            None
        };
        let admitted = Instant::now();
        stages.queue += admitted - started;
        let draft = self.engine.draft(note, ask, deadline).await;
        drop(lease);
        stages.engine += admitted.elapsed();
        Ok(draft?)
    }
}

impl Extraction {
    /// Time spent in each stage.
    #[must_use]
    pub fn stages(&self) -> Stages {
        self.stages
    }

    /// Grounds the record in the note and writes the answer, with offsets in the caller's unit.
    #[must_use]
    pub fn into_answer(self, note: &Note, unit: OffsetUnit, request_id: &str) -> Answer {
        let (evidence, mut warnings) = evidence_of(note, &self.record, unit);
        if !self.draft.recognised_terms {
            warnings.push(Warning {
                code: WarningCode::NoOncologyTerms,
                field: None,
                message: "No oncology term was recognised: the note may hold none, or use wording or a language that \
                          the rules engine does not know."
                    .to_owned(),
            });
        }
        Answer {
            record: self.record,
            raw_output: ModelText::into_string(self.draft.text),
            tokens_used: self.tokens_used,
            engine: self.engine,
            model: self.draft.model.to_string(),
            prompt: self.draft.prompt,
            degraded: false,
            request_id: request_id.to_owned(),
            repairs: self.repairs,
            warnings,
            evidence,
        }
    }
}

fn evidence_of(note: &Note, record: &Record, unit: OffsetUnit) -> (Evidence, Vec<Warning>) {
    let mut evidence = Evidence::default();
    let mut offsets = note.offsets(unit);
    for grounded in ground::ground(note, record) {
        evidence.get_mut(grounded.field).push(Finding {
            value: grounded.value.to_owned(),
            in_record: true,
            basis: grounded.basis,
            assertion: None,
            rule: grounded.rule,
            quote: grounded.span.map(|span| span.quote().to_owned()),
            start: grounded.span.map(|span| offsets.convert(span.start())),
            end: grounded.span.map(|span| offsets.convert(span.end())),
            confidence: None,
        });
    }
    let warnings = Field::ALL.into_iter().filter_map(|field| unsupported(field, evidence.get(field))).collect();
    (evidence, warnings)
}

fn unsupported(field: Field, findings: &[Finding]) -> Option<Warning> {
    let count = findings.iter().filter(|finding| finding.basis == Basis::Unsupported).count();
    (count > 0).then(|| Warning {
        code: WarningCode::UnsupportedValue,
        field: Some(field),
        message: format!(
            "{count} of {} value(s) of {} could not be found in the note; check before use.",
            findings.len(),
            field.name()
        ),
    })
}

impl Stages {
    /// The `Server-Timing` header: milliseconds of each stage.
    #[must_use]
    pub fn server_timing(&self) -> String {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        format!(
            "queue;dur={:.3}, engine;dur={:.3}, parse;dur={:.3}",
            millis(self.queue),
            millis(self.engine),
            millis(self.parse)
        )
    }
}
