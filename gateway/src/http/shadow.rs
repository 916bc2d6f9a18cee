//! The shadow: a share of the notes is also read by another model, without a delay for the caller. Only counts are
//! kept.
//!
//! The caller has its answer before the shadow reads, and a shadow call never takes a slot that a caller waits for: it
//! begins only while most slots are free, and ends when a caller has to wait, when memory is short, and at shutdown.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::sync::OwnedSemaphorePermit;

use super::{App, request::ValidRequest};
use crate::{
    admission::QueuePriority,
    extraction::{
        Answer, AnswerOptions, Deadline, EngineError, EngineName, EngineRequest, ExtractError, ModelName, Note, Record,
        compare_records,
    },
    memory::{MemoryReservation, Purpose},
    telemetry::{BasisCounts, Reader, ShadowOutcome},
};

/// A note that the shadow model reads.
struct ShadowReading {
    app: App,
    note: Note,
    request: EngineRequest,
    /// The answer that the caller got.
    answered: Record,
    answered_bases: BasisCounts,
    _permit: OwnedSemaphorePermit,
    _reservation: MemoryReservation,
}

/// Starts a reading of the note by the shadow model, if there is such a model, the note is in its sample and there is
/// room for `bytes` of memory. Does not wait for it.
pub(super) fn start_reading(app: &App, request: &ValidRequest, bytes: usize, answer: &Answer) {
    if answer.engine != EngineName::Vllm {
        return;
    }
    let Some(model) = app.extractor.routing.shadow_of(request.note.as_str(), &answer.model) else { return };
    match ShadowReading::begin(app, request, bytes, answer, &model) {
        Some(reading) => drop(tokio::spawn(reading.read(model))),
        None => app.state.metrics.models().count_shadow(&model, ShadowOutcome::Dropped),
    }
}

impl ShadowReading {
    /// Returns the reading of a note; `None` if there is no room for it.
    fn begin(app: &App, valid: &ValidRequest, bytes: usize, answer: &Answer, model: &ModelName) -> Option<Self> {
        if app.state.readiness.is_draining() || app.extractor.pipeline.admission().counts().queued > 0 {
            return None;
        }
        let permit = Arc::clone(&app.extractor.shadow.running).try_acquire_owned().ok()?;
        // A reservation that is refused would count as one of a caller.
        let mut reservation = app.state.memory.reserve(None, Purpose::Batch, 0).ok().filter(|own| own.fits(bytes))?;
        reservation.grow_over_budget(bytes);
        let options = &valid.options;
        let request = EngineRequest {
            model: Some(Arc::clone(model)),
            temperature: options.temperature,
            priority: QueuePriority { background: true, ..QueuePriority::default() },
            ..EngineRequest::plain(options.budget, Arc::from("shadow"))
        };
        Some(Self {
            app: app.clone(),
            note: valid.note.clone(),
            request,
            answered: answer.record.clone(),
            answered_bases: BasisCounts::of(answer),
            _permit: permit,
            _reservation: reservation,
        })
    }

    /// Reads the note and counts how the records compare.
    async fn read(self, model: ModelName) {
        let metrics = self.app.state.metrics.models();
        let pipeline = &self.app.extractor.pipeline;
        let crowded = pipeline.admission().crowded();
        let deadline = Deadline::after(self.app.extractor.deadline);
        let reading = pipeline.extract(&self.note, &self.request, AnswerOptions::default(), deadline);
        let result = tokio::select! {
            biased;
            () = self.app.state.in_flight.until_closed() => None,
            () = crowded => None,
            result = deadline.bound(reading) => result.ok(),
        };
        let outcome = match result {
            Some(Ok((answer, _))) if !answer.degraded => {
                metrics.compare_shadow(&model, &compare_records(&self.answered, &answer.record));
                metrics.count_shadow_values(&model, Reader::Answer, self.answered_bases);
                metrics.count_shadow_values(&model, Reader::Shadow, BasisCounts::of(&answer));
                ShadowOutcome::Compared
            }
            None | Some(Err(ExtractError::QueueFull)) => ShadowOutcome::Dropped,
            Some(result) => {
                let is_absent = matches!(result, Err(ExtractError::Engine(EngineError::Rejected)));
                if is_absent && !self.app.extractor.shadow.absence_logged.swap(true, Relaxed) {
                    tracing::error!(
                        model = &*model,
                        "no model server has the shadow model, or it is refused there: see routing.shadow. Callers are \
                         not affected"
                    );
                }
                ShadowOutcome::Failed
            }
        };
        metrics.count_shadow(&model, outcome);
    }
}
