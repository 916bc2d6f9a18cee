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

use super::{ROUTE, outcome::NoteOutcome};
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
    note: Result<Note, BadBody>,
}

impl Looked {
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
        async move { access::must_stop(&app, principal.as_ref()).await }
    }

    /// Notes of the batch that may be under way at once.
    pub(super) fn width(&self) -> usize {
        self.app.batch_width.min(self.caller.at_once().unwrap_or(usize::MAX)).max(1)
    }

    /// Looks at a note: in the order in which they came, so that it is always the later of two that is
    /// refused for its id. Ids are known by their hashes, because there may be many.
    pub(super) fn look(&mut self, index: usize, json: &Bytes) -> Looked {
        let (id, mut note) = self.app.rules.note_of_batch(json);
        if let Some(known) = &id
            && !self.ids.insert(self.hasher.hash_one(known))
        {
            let message =
                "Another note of the batch has this `id`; an answer could be taken for the other's.".to_owned();
            note = Err(BadBody::Invalid(vec![Violation { field: "id".to_owned(), rule: "unique", message }]));
        }
        Looked { id, index, bytes: json.len(), note }
    }

    /// The outcome of a note that is not read, or of all from here on.
    pub(super) fn refused(&self, id: Option<NoteId>, index: usize, code: ErrorCode) -> NoteOutcome {
        let arrival = self.arrival.of_note(index);
        let audited = Audited::new(&self.app, &arrival, ROUTE, self.principal.clone());
        let problem = code.problem(&arrival.id);
        let problem = match code {
            ErrorCode::DeadlineExceeded => problem.saying("Nothing more of the batch came in time."),
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
        async move {
            let mut audited = Audited::new(&app, &arrival, ROUTE, turn.principal.clone());
            audited.account.body_bytes = bytes;
            let reading = async {
                let note = note.map_err(|bad| Box::new(bad.problem(&arrival.id)))?;
                audited.took(&note);
                let job = Job { checked: Checked { note, manner }, turn, deadline, listener: None };
                tokio::select! {
                    biased;
                    outcome = answer(&app, &arrival, &caller, &job, &mut audited) => outcome,
                    problem = access::must_end(&app, job.turn.principal.as_ref(), &arrival.id) => Err(problem.into()),
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

/// The answer to a note once its caller's limits allow it and there is a place for it. A place that is
/// refused is asked for again while there is time: many notes may wait, single ones go before them.
async fn answer(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    job: &Job,
    audited: &mut Audited,
) -> Result<Answer, Refused> {
    let _allowed = allowed(app, arrival, caller, job.deadline).await?;
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
