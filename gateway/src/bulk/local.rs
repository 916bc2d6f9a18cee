//! Reads notes in this process, through the same pipeline as the service's.

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
    outcome::{Entry, Event, Fault, Outcome},
    pause::Backoff,
    queue::{Entries, Events},
};
use crate::{
    admission::QueuePriority,
    config::{EngineChoice, Settings},
    extraction::{Answer, AnswerOptions, Deadline, EngineRequest, Note, TokenBudget},
    http::{
        App,
        error::{ErrorCode, Problem},
    },
    server::Gateway,
};

/// Notes of a bundle.
const BUNDLE: usize = 16;

/// An engine of our own and how it is used.
#[derive(Debug)]
pub(super) struct LocalEngine {
    app: Arc<App>,
    request: EngineRequest,
    time: Duration,
    longest: usize,
    retries: u32,
    keep_text: bool,
    /// Notes at once.
    concurrency: usize,
    /// Notes that one reader takes together: handing on each alone would cost the rules a third of their time.
    bundle: usize,
    /// The model server did not come back for one note: the others are not kept waiting for it.
    gone: AtomicBool,
}

/// Options of the whole run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunOptions {
    pub(super) concurrency: Option<usize>,
    pub(super) retries: u32,
    pub(super) keep_text: bool,
}

impl LocalEngine {
    /// Wires the configured engine and waits until it can read.
    pub(super) async fn ready(settings: &Settings, wanted: RunOptions) -> Result<Self, BulkError> {
        let time = settings.admission.deadline;
        let generation = settings.generation;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let calls = settings.admission.in_flight;
        let with_model = settings.effective_engine() == EngineChoice::Vllm;
        let usual = if with_model { calls + calls.div_ceil(2) } else { cores };
        // Keys, audit and kept answers are the service's.
        let mut settings = settings.clone();
        (settings.auth_keys_file, settings.audit.path, settings.cache.entries) = (None, None, 0);
        let longest = settings.limits.max_note_chars;
        let gateway = Gateway::new(settings).map_err(|error| BulkError::Failed(error.to_string()))?;
        if !gateway.app.readiness.wait(time).await {
            let servers = "The model server cannot be reached, or does not have the model";
            let next = "Nothing was read. Start it, or give --vllm-url; --engine rules needs none";
            return Err(BulkError::Failed(format!("{servers} (waited {} s). {next}", time.as_secs())));
        }
        let request = EngineRequest {
            temperature: generation.temperature,
            priority: QueuePriority { principal: None, bulk: true },
            ..EngineRequest::plain(TokenBudget::Adjustable(generation.max_tokens), Arc::from(""))
        };
        Ok(Self {
            app: gateway.app,
            request,
            time,
            longest,
            retries: wanted.retries,
            keep_text: wanted.keep_text,
            concurrency: wanted.concurrency.unwrap_or(usual),
            bundle: if with_model { 1 } else { BUNDLE },
            gone: AtomicBool::new(false),
        })
    }

    /// Reads all entries, so many at once. Ends when they do, or at `stop` once what runs has ended.
    pub(super) async fn read_all(self, entries: Entries, events: Events, stop: CancellationToken) -> Ending {
        let local = Arc::new(self);
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..local.concurrency {
            let (local, entries, events, stop) = (Arc::clone(&local), entries.clone(), events.clone(), stop.clone());
            readers.spawn(async move {
                loop {
                    let few = entries.next_few(&stop, local.concurrency, local.bundle).await;
                    if few.is_empty() {
                        break;
                    }
                    let mut ended = Vec::with_capacity(few.len());
                    for entry in few {
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
        let gone = local.gone.load(Relaxed).then(|| "the model server could no longer be reached".to_owned());
        Ending { gone, fatal: None }
    }

    async fn read(&self, entry: Entry, stop: &CancellationToken) -> Outcome {
        let id = Uuid::now_v7().to_string();
        let note = match Note::new(entry.text.clone(), self.longest) {
            Ok(note) => note,
            Err(refusal) => {
                let problem = Fault::refused(refusal, self.longest).problem();
                return Outcome::problem(entry, self.keep_text, &problem);
            }
        };
        // A note that breaks the engine is that note's failure.
        let answer = AssertUnwindSafe(self.answer(&note, &id, stop)).catch_unwind().await;
        match answer.unwrap_or(Err(ErrorCode::Internal)) {
            Ok(answer) => {
                let warnings = answer.warnings.iter().map(|warning| warning.code.name());
                let degraded = answer.degraded.then_some("degraded");
                let remarks = warnings.chain(degraded).map(Cow::Borrowed).collect();
                Outcome::read(entry, self.keep_text, &answer, remarks)
            }
            Err(code) => Outcome::problem(entry, self.keep_text, &Problem::new(code, &id)),
        }
    }

    async fn answer(&self, note: &Note, id: &str, stop: &CancellationToken) -> Result<Answer, ErrorCode> {
        let request = EngineRequest { request_id: Arc::from(id), timings: Arc::default(), ..self.request.clone() };
        let mut pause = Backoff::default();
        for attempt in 0.. {
            if self.gone.load(Relaxed) {
                return Err(ErrorCode::UpstreamUnavailable);
            }
            let deadline = Deadline::after(self.time);
            let reading = self.app.pipeline.extract(note, &request, AnswerOptions::default(), deadline);
            let code = match deadline.bound(reading).await {
                Ok(Ok((answer, _))) => return Ok(answer),
                Ok(Err(error)) => ErrorCode::from(&error),
                Err(_) => ErrorCode::DeadlineExceeded,
            };
            let away = matches!(code, ErrorCode::UpstreamUnavailable | ErrorCode::ModelLoading);
            if !away && code != ErrorCode::Overloaded {
                return Err(code);
            }
            if attempt >= self.retries {
                self.gone.fetch_or(away, Relaxed);
                return Err(code);
            }
            if !pause.wait(None, stop).await {
                return Err(code);
            }
        }
        Err(ErrorCode::Internal)
    }
}

/// How reading ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// Why the notes that were left got no try, where it was so.
    pub(super) gone: Option<String>,
    /// Why no note could ever be read, where it was so.
    pub(super) fatal: Option<String>,
}
