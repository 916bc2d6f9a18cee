//! `POST /api/v1/extract/batch`: reads many notes and returns an answer or an error for each; `POST
//! /api/v1/extract/lines`, which does so with a note and an answer per line; and `POST /api/v1/patient`,
//! which returns one timeline for them.
//!
//! A note is read only while there is room for its answer. If the caller does not read answers, its notes wait in a
//! spool until it does.

mod arrival;
mod notes;
mod outcome;
pub(super) mod patient;
mod reader;
mod run;
mod slots;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

pub(super) use self::{
    arrival::ArrivingBody,
    notes::{NextNote, Notes},
    outcome::NoteOutcome,
    reader::BatchReader,
    slots::BatchSlot,
};
use self::{
    outcome::BatchAnswer,
    run::{AnswerForm, BatchRun},
};
use super::{
    App, access,
    audit_record::AuditGuard,
    body, context,
    context::RequestContext,
    decoding,
    error::{ErrorCode, Problem},
    event_stream::X_ACCEL_BUFFERING,
    media::{AcceptedFormats, BodyFormat},
    note::Rejection,
    rate_limit::RateLimitedCaller,
    request::{BatchRequest, QueryOptions},
};
use crate::{extraction::Deadline, memory::Purpose, telemetry::Route};

const ROUTE: Route = "/api/v1/extract/batch";
const LINES_ROUTE: Route = "/api/v1/extract/lines";
pub(super) const NDJSON: &str = "application/x-ndjson";
const TOO_LARGE: &str = "The batch is larger than this server takes. Send its notes in several batches.";
const TOO_LATE: &str = "The batch did not arrive in time. Send fewer notes at once, or send them as lines.";
const TOO_MANY: &str = "The service already reads as many batches as it can. Try again after the time in Retry-After.";
const TOO_MANY_OF_KEY: &str =
    "The service already reads as many batches of this key as it may. Send the next when one is done.";

/// Reads many notes.
///
/// Send `{"notes": [{"id", "text"}, ...]}` and the options of `/extract`. The answer has the results in the order of the
/// notes and the number of failed notes. With `application/x-ndjson` this route reads and answers lines, as
/// `POST /api/v1/extract/lines` does.
///
/// Every note has its own deadline, counts once for rate limits, and has a lower priority than single notes. A note
/// that fails has a problem object, with `retry_after` in seconds if it is worth trying again, and never fails the
/// others. `index` identifies a note. An `id` is returned as it was sent; it may be missing (then it is null), and if
/// two notes have the same `id`, the second is refused.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "extractBatch", params(QueryOptions),
    request_body = BatchRequest,
    responses((status = 200, description = "An outcome for each note", body = BatchAnswer)))]
pub(super) async fn batch(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let is_lines = BodyFormat::of(request.headers()) == Some(BodyFormat::Lines);
    let form = if is_lines { AnswerForm::Lines } else { AnswerForm::List };
    answer(&app, &context, request, ROUTE, AcceptedFormats::JsonOrLines, form).await
}

/// Reads many notes, one per line.
///
/// Send one note `{"id", "text"}` per line and the options of `/extract` in the query. The answer has one line for each
/// note when it is done, as an element of `results` of `POST /api/v1/extract/batch` (`NoteOutcome`); it may begin before
/// the input has ended. The rules of that route for notes and ids apply here too. The media type is
/// `application/x-ndjson`, or `text/plain` except from a page of another site.
///
/// Blank lines do not count. If lines end early (too many bytes,
/// shutdown, a key that was removed, no whole line in time), the last line has `"ends": true` and the reason: the notes
/// from its `index` on were not read. Read answers while you send more lines: if you do not read, the service stops
/// reading your notes, and after two minutes the batch ends. A batch of lines may pause between lines and occupies no
/// batch slot during the pause.
#[utoipa::path(post, path = LINES_ROUTE, tag = "extraction", operation_id = "extractLines", params(QueryOptions),
    request_body(content = String, content_type = "text/plain", description = "One note per line",
        example = json!("{\"id\": \"a-1\", \"text\": \"Stage IV lung adenocarcinoma with EGFR L858R.\"}\n")),
    responses((status = 200, description = "An outcome per line", body = String, content_type = "application/x-ndjson")))]
pub(super) async fn lines(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    answer(&app, &context, request, LINES_ROUTE, AcceptedFormats::Lines, AnswerForm::Lines).await
}

/// Returns the answer in a form, or the problem of a request that cannot be read.
async fn answer(
    app: &App,
    context: &RequestContext,
    request: Request,
    route: Route,
    accepted: AcceptedFormats,
    form: AnswerForm,
) -> Response {
    let principal = access::principal(&request);
    start(app, context, request, (route, accepted, form)).await.unwrap_or_else(|problem| {
        let (status, code) = (problem.code.status(), problem.code.name());
        let mut response = problem.into_response();
        let audit_record = AuditGuard::new(app, context, route, principal).finish(status, Some(code));
        response.extensions_mut().insert(audit_record);
        response
    })
}

/// Checks a batch, starts it and returns its answer. The body of the answer is written while the notes are read.
async fn start(
    app: &App,
    context: &RequestContext,
    request: Request,
    (route, accepted, form): (Route, AcceptedFormats, AnswerForm),
) -> Result<Response, Rejection> {
    let id = &context.id;
    let problem_with = |code: ErrorCode, detail| code.problem(id).with_detail(detail);
    let (format, coding) = accepted.check(request.headers(), id)?;
    if app.state.readiness.is_draining() {
        return Err(ErrorCode::Draining.problem(id).into());
    }
    let invalid = |violation| Problem::invalid(vec![violation], id);
    let time = context::requested_timeout(request.headers(), app.extractor.deadline).map_err(invalid)?;
    let caller = RateLimitedCaller::of(app, &request);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let too_large = || Box::new(problem_with(ErrorCode::BodyTooLarge, TOO_LARGE));
    let principal = access::principal(&request);
    let take_slot = || {
        BatchSlot::try_acquire(&app.batch.running, principal.as_ref()).map_err(|code| match code {
            ErrorCode::RateLimited => Box::new(problem_with(code, TOO_MANY_OF_KEY)),
            code => Box::new(problem_with(code, TOO_MANY)),
        })
    };
    let mut reservation = body::reserve(app, principal.as_ref(), Purpose::Batch).map_err(|code| code.problem(id))?;
    let closing = async {
        match access::until_closed(app, principal.as_ref()).await {
            ErrorCode::Unauthorized => access::key_revoked(id),
            code => code.problem(id),
        }
    };
    let decode = |body, limit| match decoding::decompressed(body, coding, limit, &reservation) {
        Err(ErrorCode::BodyTooLarge) => Err(too_large()),
        decoded => decoded.map_err(|code| Box::new(code.problem(id))),
    };
    let (notes, options, slot) = if format == BodyFormat::Lines {
        let options =
            app.extractor.policy.check_query(&query).map_err(|violations| Problem::invalid(violations, id))?;
        let (lines, spooled) = (reservation.reserve_also(0), reservation.reserve_also(0));
        let (body, rest) = decoding::with_rest(request.into_body(), coding);
        let body = (decode(body, app.batch.body_limit)?, rest);
        let body = ArrivingBody::new(body, app.batch.body_limit, &app.batch.spool, spooled);
        let body = body.ok_or_else(too_large)?;
        let mut notes = Notes::in_lines(body, app.extractor.body_limit, app.extractor.deadline, lines);
        // A caller that sends nothing must not occupy a slot, so the slot is taken after the first note.
        tokio::select! { biased; () = notes.arrived() => {}, problem = closing => return Err(problem.into()) }
        (notes, options, take_slot()?)
    } else {
        // The body may be large, so the slot, which limits concurrent batches, is taken before the body is read.
        let slot = take_slot()?;
        let (limit, deadline) = (app.list_limit(), Deadline::after_since(context.arrived, app.extractor.deadline));
        let body = decode(request.into_body(), limit)?;
        let reading = body::read(body, limit, deadline, &mut reservation);
        let body = tokio::select! { biased; body = reading => body, problem = closing => return Err(problem.into()) };
        let body = body.map_err(|code| match code {
            ErrorCode::BodyTooLarge => too_large(),
            ErrorCode::DeadlineExceeded => Box::new(problem_with(code, TOO_LATE)),
            ErrorCode::InvalidJson if coding.is_some() => Box::new(problem_with(code, decoding::NOT_DECOMPRESSED)),
            code => Box::new(code.problem(id)),
        })?;
        let (raw, options) = app.extractor.policy.check_batch(&body, &query).map_err(|bad| bad.problem(id))?;
        let notes = raw.iter().map(|note| body.slice_ref(note.get().as_bytes())).collect();
        (Notes::in_list(notes), options, slot)
    };
    let reader = BatchReader::new(app.clone(), context.clone(), route, caller, options, time);
    let written = BatchRun::new(reader, notes, form, slot, reservation).begin();
    let kind = HeaderValue::from_static(if form == AnswerForm::Lines { NDJSON } else { "application/json" });
    let headers = [(header::CONTENT_TYPE, kind), (X_ACCEL_BUFFERING, HeaderValue::from_static("no"))];
    Ok((headers, Body::from_stream(written)).into_response())
}
