//! `GET /api/v1/jobs/{id}/results`: the outcomes of a job's notes, one per line, in the order of the notes.

use std::{io, sync::Arc};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use utoipa::IntoParams;

use super::{RESULTS, blocking, find, respond};
use crate::{
    http::{
        App,
        batch::NDJSON,
        context::RequestContext,
        error::{Problem, Violation},
        note::Rejection,
    },
    jobs::{JobId, JobState, Jobs},
};

/// Bytes of outcomes that are read from the disk together.
const PAGE_BYTES: usize = 256 << 10;

/// Which results are wanted.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ResultsQuery {
    /// The index of the first note whose result is wanted.
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991u64, example = 0, required = false, nullable = false)]
    from: u64,
    /// Whether to delete the job once its last result was sent.
    #[param(value_type = bool, example = false, required = false, nullable = false)]
    delete: bool,
}

/// Returns the results of a job, one per line.
///
/// The lines are those of `/extract/batch`, in the order of the notes: from the note `from` to the first one that is not
/// read yet. To go on, ask again with `from` raised by the number of lines. With `delete=true` a job that is done is
/// deleted after its last line.
#[utoipa::path(get, path = RESULTS, tag = "jobs", operation_id = "getJobResults",
    params(("id" = String, Path, description = "The id of the job"), ResultsQuery),
    responses((status = 200, description = "A line for each note", content((String = "application/x-ndjson")))))]
pub(in crate::http) async fn job_results(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    respond(start(&app, &context, &id, &request))
}

fn start(app: &App, context: &RequestContext, id: &str, request: &Request) -> Result<Response, Rejection> {
    let query = parse(request.uri().query().unwrap_or_default());
    let query = query.map_err(|violation| Problem::invalid(vec![violation], &context.id))?;
    let (jobs, job) = find(app, context, request, id)?;
    let delete = (query.delete || jobs.delete_on_fetch()) && job.state == JobState::Done;
    let lines =
        stream::try_unfold(Some(query.from), move |from| page(Arc::clone(&jobs), job.id, from, job.notes, delete));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// Returns the next lines and the index after them. After the last line of a job that is to be deleted, deletes it.
async fn page(
    jobs: Arc<Jobs>,
    id: JobId,
    from: Option<u64>,
    notes: u64,
    delete: bool,
) -> io::Result<Option<(Bytes, Option<u64>)>> {
    let Some(from) = from else { return Ok(None) };
    let read = blocking(move || {
        let outcomes = jobs.outcomes(id, from, PAGE_BYTES)?;
        if outcomes.is_empty() && delete && from == notes {
            jobs.delete(id)?;
        }
        Ok(outcomes)
    });
    let outcomes = read.await.map_err(|error| {
        tracing::error!(job = %id, %error, "the results of a job cannot be read");
        io::Error::other(error)
    })?;
    if outcomes.is_empty() {
        return Ok(None);
    }
    let next = from + outcomes.len() as u64;
    Ok(Some((outcomes.concat().into(), Some(next))))
}

fn parse(query: &str) -> Result<ResultsQuery, Violation> {
    let violation =
        |field: &str, rule, message: &str| Violation { field: field.to_owned(), rule, message: message.to_owned() };
    let mut parsed = ResultsQuery { from: 0, delete: false };
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "from" => {
                let number = value.parse().ok().filter(|&from| from <= 1 << 53);
                parsed.from =
                    number.ok_or_else(|| violation("from", "integer", "`from` must be the index of a note."))?;
            }
            "delete" => {
                let message = "`delete` must be true or false.";
                parsed.delete = value.parse().map_err(|_| violation("delete", "boolean", message))?;
            }
            _ => return Err(violation("", "unknown_key", "The query may have `from` and `delete` only.")),
        }
    }
    Ok(parsed)
}
