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
        App, access,
        batch::NDJSON,
        body,
        context::RequestContext,
        error::{ErrorCode, Problem, Violation},
        note::Rejection,
    },
    jobs::{JobId, JobState, Jobs},
    memory::{MemoryReservation, Purpose},
};

/// Bytes of outcomes that are read from the disk together.
const PAGE_BYTES: usize = 256 << 10;

/// Which results to return.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ResultsQuery {
    /// The index of the first note whose result to return.
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991u64, example = 0, required = false, nullable = false)]
    from: u64,
    /// Whether to delete the job once its last result was sent.
    #[param(value_type = bool, example = false, required = false, nullable = false)]
    delete: bool,
}

/// Returns the results of a job, one per line.
///
/// The lines are those of `/extract/batch`, in the order of the notes: from the note `from` to the first one that is not
/// read yet. To continue, send the request again with `from` raised by the number of lines. With `delete=true` a job
/// that is done is deleted after its last line.
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
    let principal = access::principal(request);
    let overloaded = |code: ErrorCode| code.problem(&context.id);
    let memory = body::reserve(app, principal.as_ref(), Purpose::Batch).map_err(overloaded)?;
    memory.check(PAGE_BYTES).map_err(|error| overloaded(error.into()))?;
    let memory = Arc::new(memory);
    let delete = (query.delete || jobs.delete_on_fetch()) && job.state == JobState::Done;
    let lines = stream::try_unfold(Some(query.from), move |from| {
        page((Arc::clone(&jobs), Arc::clone(&memory)), job.id, from, job.notes, delete)
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// Returns the next lines and the index after them. After the last line of a job that is to be deleted, deletes it. The lines
/// occupy the memory budget until they are sent.
async fn page(
    (jobs, memory): (Arc<Jobs>, Arc<MemoryReservation>),
    id: JobId,
    from: Option<u64>,
    notes: u64,
    delete: bool,
) -> io::Result<Option<(Bytes, Option<u64>)>> {
    let Some(from) = from else { return Ok(None) };
    let held = memory.reserve_also(PAGE_BYTES);
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
    Ok(Some((held.attached_to(outcomes.concat()), Some(next))))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::JobSettings, jobs::JobOutcome, memory::Memory};

    #[tokio::test]
    async fn lines_occupy_the_memory_budget_until_they_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("secret");
        std::fs::write(&key_file, "s".repeat(40)).unwrap();
        let settings =
            JobSettings { folder: Some(folder.path().to_owned()), key_file: Some(key_file), ..JobSettings::default() };
        let jobs = Arc::new(Jobs::open(&settings).unwrap().unwrap());
        let mut new = jobs.begin(None, None).unwrap();
        jobs.add_notes(&mut new, &["a", "b"]).unwrap();
        let (job, _) = jobs.accept(new, b"", b"").unwrap();
        let line = |index| JobOutcome { index, ok: true, json: vec![b'x'; 1_000] };
        jobs.add_outcomes(job.id, &[line(0), line(1)]).unwrap();
        let memory = Memory::new(8 << 20);
        let held = Arc::new(memory.reserve(None, Purpose::Batch, 0).unwrap());
        let both = || (Arc::clone(&jobs), Arc::clone(&held));
        let (lines, next) = page(both(), job.id, Some(0), 2, false).await.unwrap().unwrap();
        assert_eq!((lines.len(), next, memory.reserved()), (2_000, Some(2), 2_000));
        drop(lines);
        assert_eq!(memory.reserved(), 0);
        assert!(page(both(), job.id, Some(2), 2, false).await.unwrap().is_none());
        assert_eq!(memory.reserved(), 0);
    }
}
