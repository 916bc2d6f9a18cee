//! Reads notes in this process, through the same pipeline as the service.

use std::{
    borrow::Cow,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    BulkError,
    outcome::{EntryOutcome, Event, Fault, QueuedNote},
    pause::Backoff,
    queue::{NoteQueue, OutcomeSender},
};
use crate::{
    admission::QueuePriority,
    config::{EngineChoice, Settings},
    extraction::{Answer, AnswerOptions, CalendarDate, Deadline, EngineRequest, Note, TokenBudget},
    http::{
        App,
        error::{ErrorCode, Problem},
    },
    server::{Gateway, available_cores},
};

/// Maximum notes in a bundle.
const BUNDLE: usize = 16;

/// The engine of this process and the options of the run.
#[derive(Debug)]
pub(super) struct LocalEngine {
    app: App,
    request: EngineRequest,
    time: Duration,
    max_note_chars: usize,
    retries: u32,
    keep_text: bool,
    /// Notes that are read at the same time.
    concurrency: usize,
    /// Maximum notes that one reader takes together. Passing on each note alone would cost the rules a third of their
    /// time.
    bundle: usize,
    /// Set once the model server stayed unreachable for one note through all retries. The other notes then fail at
    /// once.
    model_unreachable: AtomicBool,
}

/// Options of the whole run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunOptions {
    pub(super) concurrency: Option<usize>,
    pub(super) retries: u32,
    pub(super) keep_text: bool,
    /// Whether the model server may have been started with this run, so that it still loads.
    pub(super) model_may_load: bool,
}

impl LocalEngine {
    /// Creates the configured engine and waits until it is ready, for at most `admission.deadline`, or
    /// `vllm.startup_minutes` for a model server that may still load. Returns an error if it is not.
    pub(super) async fn ready(settings: &Settings, options: RunOptions) -> Result<Self, BulkError> {
        let time = settings.admission.deadline;
        let wait = longest_wait(settings, options.model_may_load);
        let generation = settings.generation;
        let calls = settings.admission.in_flight;
        let with_model = settings.effective_engine() == EngineChoice::Vllm;
        let default_concurrency = if with_model { calls + calls.div_ceil(2) } else { available_cores() };
        // Keys, the audit log and the response cache belong to the service only.
        let mut settings = settings.clone();
        (settings.auth_keys_file, settings.audit.path, settings.cache.entries) = (None, None, 0);
        let max_note_chars = settings.limits.max_note_chars;
        let gateway = Gateway::new(settings).map_err(|error| {
            let text = error.to_string();
            if error.is_usage() { BulkError::Usage(text) } else { BulkError::Failed(text) }
        })?;
        if !gateway.app.state.readiness.wait(wait).await {
            let servers = "The model server cannot be reached, or does not have the model";
            let next = "Nothing was read. Start it, or give --vllm-url; --engine rules needs none";
            return Err(BulkError::Failed(format!("{servers} (waited {} s). {next}", wait.as_secs())));
        }
        let request = EngineRequest {
            temperature: generation.temperature,
            priority: QueuePriority { bulk: true, ..QueuePriority::default() },
            ..EngineRequest::plain(TokenBudget::Adjustable(generation.max_tokens), Arc::from(""))
        };
        Ok(Self {
            app: gateway.app,
            request,
            time,
            max_note_chars,
            retries: options.retries,
            keep_text: options.keep_text,
            concurrency: options.concurrency.unwrap_or(default_concurrency),
            bundle: if with_model { 1 } else { BUNDLE },
            model_unreachable: AtomicBool::new(false),
        })
    }

    /// Reads all entries, `concurrency` of them at a time. Returns when the entries end, or after `stop` when the notes
    /// in progress have ended.
    pub(super) async fn read_all(self, entries: NoteQueue, events: OutcomeSender, stop: CancellationToken) -> RunEnd {
        let local = Arc::new(self);
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..local.concurrency {
            let (local, entries, events, stop) = (Arc::clone(&local), entries.clone(), events.clone(), stop.clone());
            readers.spawn(async move {
                loop {
                    let notes = entries.next_few(&stop, local.concurrency, local.bundle).await;
                    if notes.is_empty() {
                        break;
                    }
                    let mut ended = Vec::with_capacity(notes.len());
                    for entry in notes {
                        ended.push(Event::Ended(local.read(entry, &stop).await));
                    }
                    if events.send(ended).await.is_err() {
                        break;
                    }
                }
            });
        }
        drop((entries, events));
        readers.join_all().await;
        let unreachable_reason =
            local.model_unreachable.load(Relaxed).then(|| "the model server could no longer be reached".to_owned());
        RunEnd { unreachable_reason, fatal_reason: None }
    }

    async fn read(&self, entry: QueuedNote, stop: &CancellationToken) -> EntryOutcome {
        let id = Uuid::now_v7().to_string();
        let note = match Note::new(entry.text.clone(), self.max_note_chars) {
            Ok(note) => note,
            Err(refusal) => {
                let problem = Fault::refused(refusal, self.max_note_chars).problem();
                return EntryOutcome::problem(entry, self.keep_text, &problem);
            }
        };
        // A note that makes the engine panic fails alone.
        let answer = AssertUnwindSafe(self.answer(&note, &id, entry.origin.note_date, stop)).catch_unwind().await;
        match answer.unwrap_or(Err(ErrorCode::Internal)) {
            Ok(answer) => {
                let warnings = answer.warnings.iter().map(|warning| warning.code.name());
                let degraded = answer.degraded.then_some("degraded");
                let remarks = warnings.chain(degraded).map(Cow::Borrowed).collect();
                EntryOutcome::read(entry, self.keep_text, &answer, remarks)
            }
            Err(code) => EntryOutcome::problem(entry, self.keep_text, &Problem::new(code, &id)),
        }
    }

    async fn answer(
        &self,
        note: &Note,
        id: &str,
        note_date: Option<CalendarDate>,
        stop: &CancellationToken,
    ) -> Result<Answer, ErrorCode> {
        let options = AnswerOptions { note_date, ..AnswerOptions::default() };
        let request = EngineRequest { request_id: Arc::from(id), timings: Arc::default(), ..self.request.clone() };
        let mut backoff = Backoff::default();
        for attempt in 0.. {
            if self.model_unreachable.load(Relaxed) {
                return Err(ErrorCode::UpstreamUnavailable);
            }
            let deadline = Deadline::after(self.time);
            let reading = self.app.extractor.pipeline.extract(note, &request, options, deadline);
            let code = match deadline.bound(reading).await {
                Ok(Ok((answer, _))) => return Ok(answer),
                Ok(Err(error)) => ErrorCode::from(&error),
                Err(_) => ErrorCode::DeadlineExceeded,
            };
            let unreachable = matches!(code, ErrorCode::UpstreamUnavailable | ErrorCode::ModelLoading);
            if !unreachable && code != ErrorCode::Overloaded {
                return Err(code);
            }
            if attempt >= self.retries {
                self.model_unreachable.fetch_or(unreachable, Relaxed);
                return Err(code);
            }
            if !backoff.wait(None, stop).await {
                return Err(code);
            }
        }
        Err(ErrorCode::Internal)
    }
}

/// Returns how long the engine may take to get ready.
fn longest_wait(settings: &Settings, model_may_load: bool) -> Duration {
    let loading = Duration::from_secs(settings.vllm.startup_minutes.saturating_mul(60));
    let deadline = settings.admission.deadline;
    if model_may_load { deadline.max(loading) } else { deadline }
}

/// How the reading of the notes ended.
#[derive(Clone, Debug, Default)]
pub(super) struct RunEnd {
    /// Why the remaining notes were not tried; `None` if all notes were tried.
    pub(super) unreachable_reason: Option<String>,
    /// Why no note of the run can be read; `None` if notes can be read.
    pub(super) fatal_reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_whose_model_may_load_waits_for_its_start() {
        let mut settings = Settings::default();
        (settings.admission.deadline, settings.vllm.startup_minutes) = (Duration::from_secs(30), 20);
        assert_eq!(longest_wait(&settings, false), Duration::from_secs(30));
        assert_eq!(longest_wait(&settings, true), Duration::from_mins(20));
        settings.vllm.startup_minutes = 0;
        assert_eq!(longest_wait(&settings, true), Duration::from_secs(30));
    }
}
