//! `/api/v1/jobs`: many notes that are read without a connection. A job is sent like a batch, and its results are
//! fetched later. Other keys do not see it.

mod create;
mod results;
mod run;

use std::{str::FromStr, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use self::{
    create::{__path_create_job, create_job},
    results::{__path_job_results, job_results},
    run::resume,
};
use super::{
    App, access,
    context::RequestContext,
    error::{ErrorCode, Problem},
    note::Rejection,
};
use crate::{
    access::Principal,
    jobs::{Job, JobId, JobState, Jobs, JobsError, WaitReason},
    telemetry::Route,
};

pub(super) const ROUTE: Route = "/api/v1/jobs";
pub(super) const ONE: Route = "/api/v1/jobs/{id}";
pub(super) const RESULTS: Route = "/api/v1/jobs/{id}/results";

const NO_JOB: &str = "There is no such job for this key: its id is wrong, or it was deleted or has expired.";

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobStatus {
    /// The id of the job.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    id: String,
    /// `running` or `done`.
    #[schema(example = "running")]
    state: JobStateName,
    /// Seconds since 1970 at which the job was sent.
    #[schema(example = 1_790_000_000)]
    created: u64,
    /// Seconds since 1970 at which the job and its results are deleted.
    #[schema(example = 1_790_600_000)]
    expires: u64,
    /// Its notes.
    #[schema(example = 20_000)]
    notes: u64,
    /// Notes that were read.
    #[schema(example = 11_998)]
    ok: u64,
    /// Notes with an error in place of a result.
    #[schema(example = 2)]
    failed: u64,
    /// Why its notes cannot be read now; absent if they are read, or if all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "results")]
    waits_for: Option<JobWait>,
}

/// Why the notes of a job cannot be read now. The service checks it again every 30 s.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobWait {
    /// Its key is not in the key file, or may not read notes any more.
    Key,
    /// Its model, or another of its options, is not offered any more.
    Options,
    /// The results of all jobs are as large as they may be: jobs whose results were fetched have to be deleted.
    Results,
    /// The budget of its key is used up: reading continues in the next month, or once the operator raises the budget.
    Budget,
    /// The service has no memory for it, or cannot write to its disk.
    Service,
}

impl From<WaitReason> for JobWait {
    fn from(reason: WaitReason) -> Self {
        match reason {
            WaitReason::Key => Self::Key,
            WaitReason::Options => Self::Options,
            WaitReason::Results => Self::Results,
            WaitReason::Budget => Self::Budget,
            WaitReason::Service => Self::Service,
        }
    }
}

/// The state of a job.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobStateName {
    /// Its notes are read, or wait.
    Running,
    /// Every note has a result or an error.
    Done,
}

/// The jobs of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobList {
    /// The oldest first.
    jobs: Vec<JobStatus>,
}

impl JobStatus {
    fn of(job: &Job, jobs: &Jobs) -> Self {
        let state = if job.state == JobState::Done { JobStateName::Done } else { JobStateName::Running };
        Self {
            id: job.id.to_string(),
            state,
            created: job.created / 1_000,
            expires: job.expires / 1_000,
            notes: job.notes,
            ok: job.ok,
            failed: job.failed,
            waits_for: jobs.waiting(job.id).map(JobWait::from),
        }
    }
}

/// Lists the jobs of this key.
#[utoipa::path(get, path = ROUTE, tag = "jobs", operation_id = "listJobs",
    responses((status = 200, description = "The jobs", body = JobList)))]
pub(super) async fn list_jobs(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    respond(jobs_of(&app, &context).map(|jobs| {
        let principal = access::principal(&request);
        let own = jobs.list(principal.as_ref().map(Principal::name));
        Json(JobList { jobs: own.iter().map(|job| JobStatus::of(job, &jobs)).collect() })
    }))
}

/// Returns the state of a job.
#[utoipa::path(get, path = ONE, tag = "jobs", operation_id = "getJob",
    params(("id" = String, Path, description = "The id of the job")),
    responses((status = 200, description = "The job", body = JobStatus)))]
pub(super) async fn get_job(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    respond(find(&app, &context, &request, &id).map(|(jobs, job)| Json(JobStatus::of(&job, &jobs))))
}

/// Ends a job, and deletes its notes and results. Returns its last state.
#[utoipa::path(delete, path = ONE, tag = "jobs", operation_id = "deleteJob",
    params(("id" = String, Path, description = "The id of the job")),
    responses((status = 200, description = "The job was deleted", body = JobStatus)))]
pub(super) async fn delete_job(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let found = find(&app, &context, &request, &id);
    let deleting = async {
        let (jobs, job) = found?;
        let id = job.id;
        let status = JobStatus::of(&job, &jobs);
        blocking(move || jobs.delete(id)).await.map_err(|error| store_problem(&error, &context))?;
        Ok(Json(status))
    };
    respond(deleting.await)
}

/// Returns an answer, or the problem in its place.
fn respond(answer: Result<impl IntoResponse, Rejection>) -> Response {
    answer.map_or_else(|problem| problem.into_response(), IntoResponse::into_response)
}

/// Returns the jobs of this gateway, or a problem if it keeps none.
fn jobs_of(app: &App, context: &RequestContext) -> Result<Arc<Jobs>, Rejection> {
    app.jobs.clone().ok_or_else(|| ErrorCode::JobsOff.problem(&context.id).into())
}

/// Returns a job of the caller.
fn find(app: &App, context: &RequestContext, request: &Request, id: &str) -> Result<(Arc<Jobs>, Job), Rejection> {
    let jobs = jobs_of(app, context)?;
    let principal = access::principal(request);
    let owner = principal.as_ref().map(Principal::name);
    let job = JobId::from_str(id).ok().and_then(|id| jobs.job(owner, id));
    let job = job.ok_or_else(|| Rejection::from(ErrorCode::NotFound.problem(&context.id).with_detail(NO_JOB)))?;
    Ok((jobs, job))
}

/// Runs a function that blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobsError> + Send + 'static,
) -> Result<T, JobsError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(JobsError::NotReadable))
}

/// Returns the problem of an error of the store, and logs it.
fn store_problem(error: &JobsError, context: &RequestContext) -> Problem {
    let request_id = &*context.id;
    tracing::error!(request_id, %error, "a job cannot be kept or read");
    ErrorCode::Internal.problem(request_id)
}
