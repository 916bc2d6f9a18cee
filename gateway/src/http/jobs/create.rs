//! `POST /api/v1/jobs`: keeps many notes as a job. The answer comes once all of them are on the disk.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{JobStatus, ROUTE, blocking, jobs_of, respond, run, store_problem};
use crate::{
    extraction::Deadline,
    http::{
        App, access,
        batch::{ArrivingBody, NextNote, Notes},
        body,
        context::RequestContext,
        decoding,
        error::{ErrorCode, Problem, Violation},
        media::{AcceptedFormats, BodyFormat},
        note::Rejection,
        rate_limit::RateLimitedCaller,
        request::{BatchRequest, QueryOptions},
    },
    jobs::{Job, JobId, Jobs, JobsError, NewJob},
    memory::{MemoryReservation, Purpose},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Notes that are written to the disk together, and their bytes.
const GROUP_NOTES: usize = 256;
const GROUP_BYTES: usize = 1 << 20;

const TOO_LARGE: &str = "The job, or a line of it, is larger than this server takes. Send its notes in several jobs.";
const TOO_LATE: &str = "The notes did not arrive in time, so there is no job.";
const FULL: &str = "This key has as many jobs as it may have, or all jobs together have as many notes or \
                    results as the service keeps. Delete a job whose results you have, and try again.";
const OTHER_BODY: &str =
    "Another job of this key has this `Idempotency-Key` and other notes or options. Use a new key for a new job.";

/// Keeps many notes as a job.
///
/// Takes the same bodies as `/extract/batch`: `{"notes": [{"id", "text"}, ...]}`, or one note per line and the options
/// in the query. The notes are read without a connection, also after a restart of the service. `Location` names the
/// job; its results are fetched from `/api/v1/jobs/{id}/results`. With `Idempotency-Key`, the same notes sent again
/// return the job that exists. Unlike a batch, a job is refused as a whole if two notes have the same `id` or a line is
/// too long.
#[utoipa::path(post, path = ROUTE, tag = "jobs", operation_id = "createJob",
    params(QueryOptions, ("Idempotency-Key" = Option<String>, Header, nullable = false, min_length = 1, max_length = 255,
        pattern = "^[!-~]+$", description = "A name of the job, chosen by the caller")),
    request_body(content((BatchRequest = "application/json"), (Value = "application/x-ndjson",
        example = json!("{\"id\": \"a-1\", \"text\": \"Stage IV lung adenocarcinoma with EGFR L858R.\"}\n")))),
    responses((status = 202, description = "The job is kept", body = JobStatus,
        headers(("Location" = String, description = "The path of the job")))))]
pub(in crate::http) async fn create_job(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    respond(create(&app, &context, request).await.map(|(job, jobs)| {
        let location = HeaderValue::try_from(format!("{ROUTE}/{}", job.id)).ok();
        let mut headers = HeaderMap::new();
        headers.extend(location.map(|location| (header::LOCATION, location)));
        (StatusCode::ACCEPTED, headers, Json(JobStatus::of(&job, &jobs))).into_response()
    }))
}

/// Deletes a new job whose request ends before it is accepted.
struct NewJobGuard(Option<(Arc<Jobs>, JobId)>);

impl Drop for NewJobGuard {
    fn drop(&mut self) {
        let Some((jobs, id)) = self.0.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || jobs.delete(id));
        }
    }
}

async fn create(app: &App, context: &RequestContext, request: Request) -> Result<(Job, Arc<Jobs>), Rejection> {
    let id = &context.id;
    let jobs = jobs_of(app, context)?;
    let (format, coding) = AcceptedFormats::JsonOrLines.check(request.headers(), id)?;
    if app.state.readiness.is_draining() {
        return Err(ErrorCode::Draining.problem(id).into());
    }
    let idempotency = idempotency_key(request.headers()).map_err(|violation| Problem::invalid(vec![violation], id))?;
    let caller = RateLimitedCaller::of(app, &request);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let mut reservation = body::reserve(app, caller.principal(), Purpose::Batch).map_err(|code| code.problem(id))?;
    let (parts, body) = request.into_parts();
    let body = decoding::decompressed(body, coding, app.batch.body_limit, &reservation)
        .map_err(|code| problem_of(code, context))?;
    let request = Request::from_parts(parts, body);
    let owner = caller.principal().map(|principal| principal.name().to_owned());
    let problem = |error: JobsError| match error {
        JobsError::Full => ErrorCode::Overloaded.problem(id).with_detail(FULL),
        JobsError::OtherBody => violation_of("Idempotency-Key", "same_body", OTHER_BODY, id),
        error => store_problem(&error, context),
    };
    let beginning = Arc::clone(&jobs);
    let new = blocking(move || beginning.begin(owner.as_deref(), idempotency)).await.map_err(problem)?;
    let mut guard = NewJobGuard(Some((Arc::clone(&jobs), new.id())));
    let mut intake = Intake {
        jobs: Arc::clone(&jobs),
        new: Some(new),
        digest: Sha256::new(),
        ids: HashSet::new(),
        hasher: RandomState::new(),
    };
    intake.digest.update(query.as_bytes());
    let closing = access::until_closed(app, caller.principal());
    let receiving = async {
        if format == BodyFormat::Lines {
            app.extractor.policy.check_query(&query).map_err(|violations| Problem::invalid(violations, id))?;
            intake.read_lines(app, context, request, &reservation).await?;
            Ok(Vec::new())
        } else {
            intake.read_list(app, context, request, &query, &mut reservation).await
        }
    };
    let options = tokio::select! {
        biased;
        options = receiving => options?,
        code = closing => return Err(match code {
            ErrorCode::Unauthorized => access::key_revoked(id).into(),
            code => code.problem(id).into(),
        }),
    };
    let options = serde_json::to_vec(&(query, String::from_utf8_lossy(&options))).unwrap_or_default();
    let Intake { jobs, new, digest, .. } = intake;
    let new = new.ok_or_else(|| Rejection::from(ErrorCode::Internal.problem(id)))?;
    // From here on the job is accepted or deleted by the store, even if the caller disconnects.
    guard.0 = None;
    let accepting = Arc::clone(&jobs);
    let digest = digest.finalize();
    let (app, starting) = (app.clone(), Arc::clone(&jobs));
    let accepted = tokio::spawn(async move {
        let (job, is_new) = blocking(move || accepting.accept(new, &options, &digest)).await?;
        if is_new {
            run::start(app, starting, &job);
        }
        Ok(job)
    });
    let accepted = accepted.await.unwrap_or(Err(JobsError::NotReadable));
    accepted.map(|job| (job, jobs)).map_err(|error| problem(error).into())
}

/// Keeps the notes of a new job while they arrive.
struct Intake {
    jobs: Arc<Jobs>,
    /// The job; none while its notes are written.
    new: Option<NewJob>,
    digest: Sha256,
    /// Hashes of the ids, because there may be many.
    ids: HashSet<u64>,
    hasher: RandomState,
}

impl Intake {
    async fn read_lines(
        &mut self,
        app: &App,
        context: &RequestContext,
        request: Request,
        reservation: &MemoryReservation,
    ) -> Result<(), Rejection> {
        let problem_of = |code: ErrorCode| problem_of(code, context);
        let spooled = reservation.reserve_also(0);
        let body = ArrivingBody::new((request.into_body(), None), app.batch.body_limit, &app.batch.spool, spooled);
        let body = body.ok_or_else(|| problem_of(ErrorCode::BodyTooLarge))?;
        let lines = reservation.reserve_also(GROUP_BYTES);
        let mut notes = Notes::in_lines(body, app.extractor.body_limit, app.extractor.deadline, lines);
        let (mut group, mut bytes) = (Vec::new(), 0);
        loop {
            match notes.next().await {
                NextNote::Note(note) => {
                    bytes += note.len();
                    self.check(app, context, &note)?;
                    group.push(note);
                }
                NextNote::TooLarge => return Err(problem_of(ErrorCode::BodyTooLarge).into()),
                NextNote::Broken(code) => return Err(problem_of(code).into()),
                NextNote::End => return self.keep(context, group).await,
            }
            if group.len() >= GROUP_NOTES || bytes >= GROUP_BYTES {
                self.keep(context, std::mem::take(&mut group)).await?;
                bytes = 0;
                notes.pause();
            }
        }
    }

    /// Returns the options in the body: the body without its notes.
    async fn read_list(
        &mut self,
        app: &App,
        context: &RequestContext,
        request: Request,
        query: &str,
        reservation: &mut MemoryReservation,
    ) -> Result<Vec<u8>, Rejection> {
        let deadline = Deadline::after_since(context.arrived, app.extractor.deadline);
        let body = body::read(request.into_body(), app.list_limit(), deadline, reservation);
        let body = body.await.map_err(|code| problem_of(code, context))?;
        let (raw, _) = app.extractor.policy.check_batch(&body, query).map_err(|bad| bad.problem(&context.id))?;
        let notes: Vec<Bytes> = raw.iter().map(|note| body.slice_ref(note.get().as_bytes())).collect();
        let json = body.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(&body);
        let internal = |_| Rejection::from(problem_of(ErrorCode::Internal, context));
        let mut options: BTreeMap<String, &RawValue> = serde_json::from_slice(json).map_err(internal)?;
        options.insert("notes".to_owned(), serde_json::from_str("[]").map_err(internal)?);
        let options = serde_json::to_vec(&options).map_err(internal)?;
        self.digest.update(&options);
        for group in notes.chunks(GROUP_NOTES) {
            for note in group {
                self.check(app, context, note)?;
            }
            self.keep(context, group.to_vec()).await?;
        }
        Ok(options)
    }

    /// Refuses a note whose id another note of the job has. Other faults of a note are its own error, later.
    fn check(&mut self, app: &App, context: &RequestContext, note: &[u8]) -> Result<(), Rejection> {
        self.digest.update((note.len() as u64).to_be_bytes());
        self.digest.update(note);
        let (id, _) = app.extractor.policy.note_of_batch(note);
        if id.is_some_and(|id| !self.ids.insert(self.hasher.hash_one(&id))) {
            let message = "Two notes of the job have the same `id`.";
            return Err(violation_of("id", "unique", message, &context.id).into());
        }
        Ok(())
    }

    async fn keep(&mut self, context: &RequestContext, notes: Vec<Bytes>) -> Result<(), Rejection> {
        let (jobs, mut new) =
            (Arc::clone(&self.jobs), self.new.take().ok_or_else(|| problem_of(ErrorCode::Internal, context))?);
        let kept = blocking(move || jobs.add_notes(&mut new, &notes).map(|()| new)).await;
        self.new = Some(kept.map_err(|error| match error {
            JobsError::Full => ErrorCode::Overloaded.problem(&context.id).with_detail(FULL),
            error => store_problem(&error, context),
        })?);
        Ok(())
    }
}

fn problem_of(code: ErrorCode, context: &RequestContext) -> Problem {
    let problem = code.problem(&context.id);
    match code {
        ErrorCode::BodyTooLarge => problem.with_detail(TOO_LARGE),
        ErrorCode::DeadlineExceeded => problem.with_detail(TOO_LATE),
        _ => problem,
    }
}

fn violation_of(field: &str, rule: &'static str, message: &str, request_id: &str) -> Problem {
    let violation = Violation { field: field.to_owned(), rule, message: message.to_owned() };
    Problem::invalid(vec![violation], request_id)
}

/// Returns the idempotency key of a request.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Violation> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.as_bytes();
    if (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic) {
        return Ok(Some(String::from_utf8_lossy(key).into_owned()));
    }
    Err(Violation {
        field: "Idempotency-Key".to_owned(),
        rule: "visible_ascii",
        message: "The header Idempotency-Key must have 1 to 255 visible ASCII characters.".to_owned(),
    })
}
