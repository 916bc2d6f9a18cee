//! Reads one note of a batch: checks its id, waits for the rate limits and for its turn, and returns its outcome.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    panic::AssertUnwindSafe,
    time::Duration,
};

use axum::{body::Bytes, http::StatusCode};
use futures_util::FutureExt;
use tokio::{sync::SemaphorePermit, time::Instant};

use super::{outcome::NoteOutcome, slots::BatchSlot};
use crate::{
    access::Principal,
    admission::QueuePriority,
    extraction::{Answer, Deadline, EngineName, NoteId},
    http::{
        App, access,
        audit_record::AuditGuard,
        context::RequestContext,
        error::{ErrorCode, Violation},
        note::{self, NoteCall, Rejection},
        rate_limit::RateLimitedCaller,
        request::{ExtractOptions, InvalidBody, ValidBatchNote, ValidRequest},
    },
    rate_limits::{RateLimitAttempt, RateLimitGrant},
    telemetry::Route,
};

/// The longest wait of a note for the rate limits of its caller; a note that would wait longer is refused. Also the
/// pause after a full queue, if no better time is known.
const MAX_PAUSE: Duration = Duration::from_secs(5);

const TOOK_TOO_LONG: &str = "No further note of the batch arrived in time, or the batch took longer than a batch may. \
                             Send the remaining notes in another batch.";

/// Reads the notes of one batch.
pub(in crate::http) struct BatchReader {
    pub(in crate::http) app: App,
    pub(in crate::http) context: RequestContext,
    route: Route,
    caller: RateLimitedCaller,
    principal: Option<Principal>,
    options: ExtractOptions,
    time: Duration,
    ids: HashSet<u64>,
    hasher: RandomState,
}

/// A note of a batch after the checks of its JSON and its id.
pub(in crate::http) struct CheckedLine {
    id: Option<NoteId>,
    index: usize,
    bytes: usize,
    note: Result<ValidBatchNote, RejectedLine>,
}

/// Why a note is not read.
enum RejectedLine {
    TooLarge,
    Body(InvalidBody),
}

impl CheckedLine {
    /// Returns the bytes of the memory budget that the note occupies while it is read.
    pub(in crate::http) fn memory(&self) -> usize {
        self.note.as_ref().map_or(0, |valid| note::memory(&valid.note))
    }

    /// Returns the id, for a note that will not be read.
    pub(in crate::http) fn into_id(self) -> Option<NoteId> {
        self.id
    }
}

impl BatchReader {
    pub(in crate::http) fn new(
        app: App,
        context: RequestContext,
        route: Route,
        caller: RateLimitedCaller,
        options: ExtractOptions,
        time: Duration,
    ) -> Self {
        let principal = caller.principal().cloned();
        let (ids, hasher) = (HashSet::new(), RandomState::new());
        Self { app, context, route, caller, principal, options, time, ids, hasher }
    }

    /// Returns the time until which notes of the batch are accepted.
    pub(in crate::http) fn accepts_until(&self) -> Instant {
        Instant::from_std(self.context.arrived) + self.app.batch.time
    }

    /// Waits until no more notes of the batch are accepted, and returns the reason.
    pub(in crate::http) fn until_closed(&self) -> impl Future<Output = ErrorCode> + Send + 'static {
        let (app, principal, end) = (self.app.clone(), self.principal.clone(), self.accepts_until());
        async move {
            tokio::select! {
                biased;
                code = access::until_closed(&app, principal.as_ref()) => code,
                () = tokio::time::sleep_until(end) => ErrorCode::DeadlineExceeded,
            }
        }
    }

    /// Waits for a batch slot, for at most the time that a note may take.
    pub(in crate::http) async fn wait_for_slot(&self) -> Result<BatchSlot, ErrorCode> {
        tokio::select! {
            biased;
            code = self.until_closed() => Err(code),
            slot = BatchSlot::acquire(&self.app.batch.running, self.principal.as_ref()) => slot,
            () = tokio::time::sleep(self.time) => Err(ErrorCode::Overloaded),
        }
    }

    /// Returns how many notes of the batch may be in flight at once.
    pub(in crate::http) fn width(&self) -> usize {
        self.app.batch.width.min(self.caller.at_once().unwrap_or(usize::MAX)).max(1)
    }

    /// Checks the JSON and the id of a note. Must be called in the order of the notes, so that of two notes with the
    /// same id the later is refused. Stores only hashes of ids, because there may be many.
    pub(in crate::http) fn check_unique(&mut self, index: usize, json: &Bytes) -> CheckedLine {
        let mut line = self.check(index, json);
        if let Some(note_id) = &line.id
            && !self.ids.insert(self.hasher.hash_one(note_id))
        {
            let message =
                "Another note of the batch has this `id`; an answer could be taken for the other's.".to_owned();
            let violation = Violation { field: "id".to_owned(), rule: "unique", message };
            line.note = Err(RejectedLine::Body(InvalidBody::Invalid(vec![violation])));
        }
        line
    }

    /// Checks the JSON of a note.
    pub(in crate::http) fn check(&self, index: usize, json: &Bytes) -> CheckedLine {
        let (id, note) = self.app.extractor.policy.note_of_batch(json);
        CheckedLine { id, index, bytes: json.len(), note: note.map_err(RejectedLine::Body) }
    }

    /// Returns a note that is too large to be parsed.
    pub(in crate::http) fn too_large(_: &mut Self, index: usize) -> CheckedLine {
        CheckedLine { id: None, index, bytes: 0, note: Err(RejectedLine::TooLarge) }
    }

    /// Returns the outcome of a note that is not read, or of all notes from this index on.
    pub(in crate::http) fn refuse(&self, id: Option<NoteId>, index: usize, code: ErrorCode) -> NoteOutcome {
        let context = self.context.of_note(index);
        let audit_guard = AuditGuard::new(&self.app, &context, self.route, self.principal.clone());
        let problem = code.problem(&context.id);
        let problem = match code {
            ErrorCode::DeadlineExceeded => problem.with_detail(TOOK_TOO_LONG),
            // The batch began with a valid key, so the key was removed since.
            ErrorCode::Unauthorized => access::key_revoked(&context.id),
            _ => problem,
        };
        audit_guard.finish(code.status(), Some(code.name()));
        NoteOutcome::of(id, index, Err(problem.into()))
    }

    /// Reads a checked note.
    pub(in crate::http) fn read(&self, line: CheckedLine) -> impl Future<Output = NoteOutcome> + Send + 'static {
        let CheckedLine { id, index, bytes, note } = line;
        let (app, context) = (self.app.clone(), self.context.of_note(index));
        let priority = QueuePriority { principal: self.principal.clone(), bulk: true, background: false };
        let caller = self.caller.clone();
        let (options, deadline) = (self.options.clone(), Deadline::after(self.time));
        let (route, principal) = (self.route, self.principal.clone());
        let note_date = note.as_ref().ok().and_then(|valid| valid.note_date).or(options.note_date);
        async move {
            let mut audit_guard = AuditGuard::new(&app, &context, route, priority.principal.clone());
            audit_guard.record.body_bytes = bytes;
            let reading = async {
                audit_guard.reserve()?;
                // A line that is not a valid note counts against the limits of its caller too.
                let _grant = wait_for_grant(&app, &context, &caller, deadline).await?;
                let ValidBatchNote { note, .. } = note.map_err(|bad| match bad {
                    RejectedLine::TooLarge => ErrorCode::BodyTooLarge.problem(&context.id),
                    RejectedLine::Body(bad) => bad.problem(&context.id),
                })?;
                audit_guard.record_note(&note);
                let options = ExtractOptions { note_date, ..options };
                let call = NoteCall { request: ValidRequest { note, options }, priority, deadline, sink: None };
                answer(&app, &context, &call, &mut audit_guard).await
            };
            let reading = access::answer_unless_cut_off(&app, principal.as_ref(), &context.id, reading);
            // A panic fails only its own note.
            let outcome = AssertUnwindSafe(reading).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Err(ErrorCode::Internal.problem(&context.id).into()));
            let (status, code) = match &outcome {
                Ok(_) => (StatusCode::OK, None),
                Err(problem) => (problem.code.status(), Some(problem.code.name())),
            };
            audit_guard.finish(status, code);
            NoteOutcome { note_date, ..NoteOutcome::of(id, index, outcome) }
        }
    }
}

/// Reads a note once there is a place for it. If the queue is full, tries again until the deadline: a batch has many
/// notes, and single notes go before them.
async fn answer(
    app: &App,
    context: &RequestContext,
    call: &NoteCall,
    audit_guard: &mut AuditGuard,
) -> Result<Answer, Rejection> {
    let _core = wait_for_core(app, call.deadline).await.map_err(|code| code.problem(&context.id))?;
    loop {
        let problem = match note::read(app, context, call, audit_guard).await {
            Ok(extraction) => return Ok(extraction.answer),
            Err(problem) => problem,
        };
        let pause = problem.retry_after().unwrap_or(MAX_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
        if problem.code != ErrorCode::Overloaded || pause >= call.deadline.left() {
            return Err(problem);
        }
        tokio::time::sleep(pause).await;
    }
}

async fn wait_for_grant(
    app: &App,
    context: &RequestContext,
    caller: &RateLimitedCaller,
    deadline: Deadline,
) -> Result<RateLimitGrant, Rejection> {
    let mut attempt = RateLimitAttempt::default();
    loop {
        let exceeded = match caller.try_admit(app, &context.id, &mut attempt) {
            Ok(()) => return Ok(attempt.grant),
            Err(exceeded) => exceeded,
        };
        if exceeded.after > MAX_PAUSE || exceeded.after >= deadline.left() {
            return Err(exceeded.into_problem(app).0.into());
        }
        tokio::time::sleep(exceeded.after).await;
    }
}

/// Waits for a core if the rules engine reads the note in this process: batches leave one core to single notes. For
/// notes that a model server reads, admission has that task.
async fn wait_for_core(app: &App, deadline: Deadline) -> Result<Option<SemaphorePermit<'_>>, ErrorCode> {
    if app.extractor.pipeline.engine() != EngineName::Rules {
        return Ok(None);
    }
    let core = deadline.bound(app.batch.cores.acquire()).await.map_err(|_| ErrorCode::DeadlineExceeded)?;
    // The semaphore is never closed.
    core.map(Some).map_err(|_| ErrorCode::Internal)
}
