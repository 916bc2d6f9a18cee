//! One note of a batch: its id, its allowance, its turn, its answer.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use axum::{body::Bytes, http::StatusCode};
use futures_util::FutureExt;
use tokio::sync::SemaphorePermit;

use super::{ROUTE, outcome::NoteOutcome, seats::Seat};
use crate::{
    access::Principal,
    admission::Turn,
    extraction::{Answer, Deadline, EngineName, Note},
    http::{
        App, access,
        account::Audited,
        arrival::Arrival,
        error::{ErrorCode, Violation},
        limits::Caller,
        note::{self, Job, Refused},
        request::{BadBody, Checked, Manner, NoteId},
    },
    rates::{Allowed, Asking},
};

/// A batch is slowed down to its caller's rate as long as a note has to wait no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

const TOOK_TOO_LONG: &str = "Nothing more of the batch came in time, or it was under way as long as a batch may be. Send the \
                             rest in another.";

/// Reads the notes of one batch.
pub(super) struct Reader {
    pub(super) app: Arc<App>,
    pub(super) arrival: Arrival,
    caller: Caller,
    principal: Option<Principal>,
    manner: Manner,
    time: Duration,
    ids: HashSet<u64>,
    hasher: RandomState,
}

/// A note that was looked at.
pub(super) struct Looked {
    id: Option<NoteId>,
    index: usize,
    bytes: usize,
    note: Result<Note, Bad>,
}

/// Why it is not read.
enum Bad {
    TooLarge,
    Body(BadBody),
}

impl Looked {
    /// What reading it takes of the budget of memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.note.as_ref().map_or(0, note::memory)
    }

    /// Its id, where it is not read.
    pub(super) fn into_id(self) -> Option<NoteId> {
        self.id
    }
}

impl Reader {
    pub(super) fn new(app: Arc<App>, arrival: Arrival, caller: Caller, manner: Manner, time: Duration) -> Self {
        let principal = caller.principal().cloned();
        let (ids, hasher) = (HashSet::new(), RandomState::new());
        Self { app, arrival, caller, principal, manner, time, ids, hasher }
    }

    /// Ends with the reason once no more notes of the batch are taken.
    pub(super) fn must_stop(&self) -> impl Future<Output = ErrorCode> + Send + 'static {
        let (app, principal) = (Arc::clone(&self.app), self.principal.clone());
        let end = tokio::time::Instant::from_std(self.arrival.at) + app.batch_time;
        async move {
            tokio::select! {
                biased;
                code = access::must_stop(&app, principal.as_ref()) => code,
                () = tokio::time::sleep_until(end) => ErrorCode::DeadlineExceeded,
            }
        }
    }

    /// Waits for a seat, as long as a note may take.
    pub(super) async fn seat(&self) -> Result<Seat, ErrorCode> {
        tokio::select! {
            biased;
            code = self.must_stop() => Err(code),
            seat = Seat::wait(&self.app.batches, self.principal.as_ref()) => seat,
            () = tokio::time::sleep(self.time) => Err(ErrorCode::Overloaded),
        }
    }

    /// Notes of the batch that may be under way at once.
    pub(super) fn width(&self) -> usize {
        self.app.batch_width.min(self.caller.at_once().unwrap_or(usize::MAX)).max(1)
    }

    /// Looks at a note: in the order in which they came, so that it is always the later of two that is
    /// refused for its id. Ids are known by their hashes, because there may be many.
    pub(super) fn look(&mut self, index: usize, json: &Bytes) -> Looked {
        let (id, note) = self.app.rules.note_of_batch(json);
        let mut note = note.map_err(Bad::Body);
        if let Some(known) = &id
            && !self.ids.insert(self.hasher.hash_one(known))
        {
            let message =
                "Another note of the batch has this `id`; an answer could be taken for the other's.".to_owned();
            let violation = Violation { field: "id".to_owned(), rule: "unique", message };
            note = Err(Bad::Body(BadBody::Invalid(vec![violation])));
        }
        Looked { id, index, bytes: json.len(), note }
    }

    /// A note that is too large to be looked at.
    pub(super) fn too_large(_: &mut Self, index: usize) -> Looked {
        Looked { id: None, index, bytes: 0, note: Err(Bad::TooLarge) }
    }

    /// The outcome of a note that is not read, or of all from here on.
    pub(super) fn refused(&self, id: Option<NoteId>, index: usize, code: ErrorCode) -> NoteOutcome {
        let arrival = self.arrival.of_note(index);
        let audited = Audited::new(&self.app, &arrival, ROUTE, self.principal.clone());
        let problem = code.problem(&arrival.id);
        let problem = match code {
            ErrorCode::DeadlineExceeded => problem.saying(TOOK_TOO_LONG),
            // The batch began with a key.
            ErrorCode::Unauthorized => access::key_revoked(&arrival.id),
            _ => problem,
        };
        audited.ended(code.status(), Some(code.name()));
        NoteOutcome::of(id, index, Err(problem.into()))
    }

    /// Reads a note that was looked at.
    pub(super) fn read(&self, looked: Looked) -> impl Future<Output = NoteOutcome> + Send + 'static {
        let Looked { id, index, bytes, note } = looked;
        let (app, arrival) = (Arc::clone(&self.app), self.arrival.of_note(index));
        let (caller, turn) = (self.caller.clone(), Turn { principal: self.principal.clone(), bulk: true });
        let (manner, deadline) = (self.manner.clone(), Deadline::after(self.time));
        let principal = self.principal.clone();
        async move {
            let mut audited = Audited::new(&app, &arrival, ROUTE, turn.principal.clone());
            audited.account.body_bytes = bytes;
            let reading = async {
                // Also one that is no note counts for its caller's limits.
                let _allowed = allowed(&app, &arrival, &caller, deadline).await?;
                let note = note.map_err(|bad| match bad {
                    Bad::TooLarge => ErrorCode::BodyTooLarge.problem(&arrival.id),
                    Bad::Body(bad) => bad.problem(&arrival.id),
                })?;
                audited.took(&note);
                let job = Job { checked: Checked { note, manner }, turn, deadline, listener: None };
                answer(&app, &arrival, &job, &mut audited).await
            };
            let reading = async {
                tokio::select! {
                    biased;
                    outcome = reading => outcome,
                    problem = access::must_end(&app, principal.as_ref(), &arrival.id) => Err(problem.into()),
                }
            };
            // A fault of ours costs its own note only.
            let outcome = AssertUnwindSafe(reading).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Err(ErrorCode::Internal.problem(&arrival.id).into()));
            let (status, code) = match &outcome {
                Ok(_) => (StatusCode::OK, None),
                Err(problem) => (problem.code.status(), Some(problem.code.name())),
            };
            audited.ended(status, code);
            NoteOutcome::of(id, index, outcome)
        }
    }
}

/// The answer to a note once there is a place for it. A place that is refused is asked for again while there is time: many
/// notes may wait, single ones go before them.
async fn answer(app: &App, arrival: &Arrival, job: &Job, audited: &mut Audited) -> Result<Answer, Refused> {
    let _core = core(app, job.deadline).await.map_err(|code| code.problem(&arrival.id))?;
    loop {
        let problem = match note::read(app, arrival, job, audited).await {
            Ok(done) => return Ok(done.answer),
            Err(problem) => problem,
        };
        let pause = problem.retry_after().unwrap_or(PATIENCE).mul_f64(0.5 + fastrand::f64() / 2.0);
        if problem.code != ErrorCode::Overloaded || pause >= job.deadline.left() {
            return Err(problem);
        }
        tokio::time::sleep(pause).await;
    }
}

async fn allowed(app: &App, arrival: &Arrival, caller: &Caller, deadline: Deadline) -> Result<Allowed, Refused> {
    let mut asking = Asking::default();
    loop {
        let too_soon = match caller.ask(app, &arrival.id, &mut asking) {
            Ok(()) => return Ok(asking.allowed),
            Err(too_soon) => too_soon,
        };
        if too_soon.after > PATIENCE || too_soon.after >= deadline.left() {
            return Err(too_soon.told(app).0.into());
        }
        tokio::time::sleep(too_soon.after).await;
    }
}

/// A core for a note that is read here: batches leave one to single notes. At a model server admission sees to that.
async fn core(app: &App, deadline: Deadline) -> Result<Option<SemaphorePermit<'_>>, ErrorCode> {
    if app.pipeline.engine() != EngineName::Rules {
        return Ok(None);
    }
    let core = deadline.bound(app.batch_cores.acquire()).await.map_err(|_| ErrorCode::DeadlineExceeded)?;
    // Nobody closes it.
    core.map(Some).map_err(|_| ErrorCode::Internal)
}
