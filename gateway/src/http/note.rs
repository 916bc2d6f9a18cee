//! One note on its way to an answer, by whichever route it came: cache, engine, metrics, account.

use std::sync::Arc;

use super::{
    App,
    account::Audited,
    arrival::Arrival,
    error::{ErrorCode, Problem, Violation},
    request::Checked,
};
use crate::{
    admission::Turn,
    extraction::{Answer, Ask, Deadline, EngineError, ExtractError, Listener, Note, Stages, Wishes, parse::Unusable},
};

/// An answer that is none.
pub(super) type Refused = Box<Problem>;

/// What is to be read, for whom, until when.
pub(super) struct Job {
    pub(super) checked: Checked,
    pub(super) turn: Turn,
    pub(super) deadline: Deadline,
    pub(super) listener: Option<Listener>,
}

/// What came of it.
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) stages: Stages,
    /// `hit` or `miss`, where answers are kept.
    pub(super) cache: Option<&'static str>,
}

/// Bytes that a note takes of the budget of memory while it is read, for each of its own: its text as it came, as the model is
/// sent it, and as the answer quotes it.
const FOR_EACH_BYTE: usize = 4;

/// What a note takes of the budget of memory while it is read, in bytes.
pub(super) fn memory(note: &Note) -> usize {
    note.as_str().len().saturating_mul(FOR_EACH_BYTE)
}

/// Reads a note. Everything that waits in there waits for the deadline at most.
pub(super) async fn read(app: &App, arrival: &Arrival, job: &Job, audited: &mut Audited) -> Result<Done, Refused> {
    let Checked { note, manner } = &job.checked;
    let key = app.answers.as_ref().and_then(|answers| Some((answers, answers.key(&job.checked)?)));
    if let Some((answers, key)) = key {
        let kept = answers.get(key, &arrival.id);
        app.metrics.looked_in_cache(kept.is_some());
        if let Some((answer, stages)) = kept {
            audited.account.cached = true;
            audited.gave(&answer, stages);
            return Ok(Done { answer, stages, cache: Some("hit") });
        }
    }
    let wishes = Wishes { offsets: manner.offsets, allow_partial: manner.allow_partial };
    let ask = ask(arrival, job);
    match app.pipeline.extract(note, &ask, wishes, job.deadline).await {
        Ok((answer, stages)) => {
            app.metrics.staged(stages);
            app.metrics.extracted(&answer);
            audited.gave(&answer, stages);
            if let Some((answers, key)) = key {
                answers.keep(key, &answer);
            }
            if answer.degraded {
                let (request_id, engine) = (&*arrival.id, answer.engine.as_str());
                tracing::warn!(request_id, engine, "a lesser engine answered");
            }
            Ok(Done { answer, stages, cache: app.answers.as_ref().map(|_| "miss") })
        }
        Err(error) => {
            let (queue, engine) = ask.spent.queue_and_engine();
            let stages = Stages { queue, engine, ..Stages::default() };
            app.metrics.staged(stages);
            if matches!(error, ExtractError::Unusable(Unusable::SaysMore)) {
                app.metrics.refused_empty_record(app.pipeline.engine());
            }
            audited.account.stages = Some(stages);
            // A batch asks again for a place that it was refused, and says what comes of that.
            if !(job.turn.bulk && matches!(error, ExtractError::QueueFull)) {
                tracing::warn!(request_id = &*arrival.id, cause = %error, "no answer for a note");
            }
            Err(refused(app, &error, &arrival.id).into())
        }
    }
}

fn ask(arrival: &Arrival, job: &Job) -> Ask {
    let manner = &job.checked.manner;
    Ask {
        model: manner.model.clone(),
        temperature: manner.temperature,
        seed: None,
        budget: manner.budget,
        confidence: manner.confidence,
        request_id: Arc::clone(&arrival.id),
        traceparent: arrival.span.of_call(arrival.trace.as_ref()).map(Into::into),
        turn: job.turn.clone(),
        spent: Arc::default(),
        listener: job.listener.clone(),
    }
}

fn refused(app: &App, error: &ExtractError, id: &str) -> Problem {
    match error {
        ExtractError::Engine(EngineError::NoteTooLong) => {
            let message = "`text` does not fit the model's context; send it in parts.".to_owned();
            Problem::invalid(vec![Violation { field: "text".to_owned(), rule: "fits_context", message }], id)
        }
        ExtractError::QueueFull => ErrorCode::Overloaded.problem(id).after(app.pipeline.admission().retry_after()),
        error => ErrorCode::from(error).problem(id),
    }
}
