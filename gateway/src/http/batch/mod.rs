//! `POST /api/v1/extract/batch`: many notes, each with an answer or an error of its own.
//!
//! Notes are taken in only while there is room for their answers: a caller who does not read stops being read.

mod conductor;
mod notes;
mod outcome;
mod reader;
mod seats;

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

pub(super) use self::outcome::NoteOutcome;
use self::{
    conductor::{Conductor, Order},
    notes::Notes,
    outcome::BatchAnswer,
    reader::Reader,
    seats::BatchSlot,
};
use super::{
    App, access,
    audit_record::AuditGuard,
    body, context,
    context::RequestContext,
    error::{ErrorCode, Problem},
    limits::Caller,
    note::Rejection,
    request::{BatchRequest, QueryOptions},
    stream::X_ACCEL_BUFFERING,
};
use crate::{extraction::Deadline, memory::Purpose};

const ROUTE: &str = "/api/v1/extract/batch";
const LINES: &str = "application/x-ndjson";
/// How large the body of a batch may be is told where it is too large.
const TOO_LARGE: &str = "The batch is larger than this server takes. Send its notes in several batches.";
const WRONG_TYPE: &str = "Send the notes as Content-Type: application/json or application/x-ndjson.";
const TOO_LATE: &str = "The batch did not arrive in time. Send fewer notes at once, or send them as lines.";
const TOO_MANY: &str = "As many batches as may be are under way. Try again after the time in Retry-After.";
const TOO_MANY_OF_KEY: &str = "As many batches of this key as may be are under way. Send the next when one is done.";

/// Reads many notes.
///
/// `application/json` in: `{"notes": [{"id", "text"}, ...]}` and the options of `/extract`; out: the results in the order of
/// the notes, and how many failed. `application/x-ndjson` in: a note `{"id", "text"}` a line, the options in the query;
/// out: a line for each note as it is done, which may begin before the input has ended.
///
/// Every note has a deadline of its own, counts once for rate limits, and takes its turn behind single notes. One that fails has a problem
/// object, with `retry_after` in seconds where it is worth trying again, and never fails the others. Notes are told apart
/// by `index`; an `id` is given back as it came, may be missing (then it is null), and where two notes have one, the second is refused.
/// Blank lines do not count. Where lines end early (too much, shutdown, a key that was taken out, no whole line in time) the last has `"ends": true` and says
/// why: the notes from its `index` on were not read. Read the answers to lines while you send more: who does not read is not
/// read, and after two minutes his batch is over. A batch of lines may pause between them: while it does, it takes nobody's place.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "batch", params(QueryOptions),
    request_body(content((BatchRequest = "application/json"), (Value = "application/x-ndjson",
        example = json!("{\"id\": \"a-1\", \"text\": \"Stage IV lung adenocarcinoma with EGFR L858R.\"}\n")))),
    responses((status = 200, description = "An outcome for each note", content(
        (BatchAnswer = "application/json"), (String = "application/x-ndjson")))))]
pub(super) async fn batch(
    State(app): State<Arc<App>>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let principal = access::principal(&request);
    begun(&app, &context, request).await.unwrap_or_else(|refused| {
        let (status, code) = (refused.code.status(), refused.code.name());
        let mut response = refused.into_response();
        let audit_record = AuditGuard::new(&app, &context, ROUTE, principal).ended(status, Some(code));
        response.extensions_mut().insert(audit_record);
        response
    })
}

/// The answer to a batch that can be begun, of which the body is written as the notes are done.
async fn begun(app: &Arc<App>, context: &RequestContext, request: Request) -> Result<Response, Rejection> {
    let id = &context.id;
    let saying = |code: ErrorCode, detail| code.problem(id).saying(detail);
    let in_lines = body::is(request.headers(), LINES);
    if !in_lines && !body::is(request.headers(), "application/json") {
        return Err(saying(ErrorCode::UnsupportedMediaType, WRONG_TYPE).into());
    }
    if app.readiness.is_draining() {
        return Err(ErrorCode::Draining.problem(id).into());
    }
    let invalid = |violation| Problem::invalid(vec![violation], id);
    let time = context::wanted_within(request.headers(), app.deadline).map_err(invalid)?;
    let caller = Caller::of(app, &request);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let too_large = || Box::new(saying(ErrorCode::BodyTooLarge, TOO_LARGE));
    let principal = access::principal(&request);
    let seat = || {
        BatchSlot::take(&app.batches, principal.as_ref()).map_err(|code| match code {
            ErrorCode::RateLimited => Box::new(saying(code, TOO_MANY_OF_KEY)),
            code => Box::new(saying(code, TOO_MANY)),
        })
    };
    let mut reservation = body::hold(app, principal.as_ref(), Purpose::Batch).map_err(|code| code.problem(id))?;
    let closing = async {
        match access::must_stop(app, principal.as_ref()).await {
            ErrorCode::Unauthorized => access::key_revoked(id),
            code => code.problem(id),
        }
    };
    let (notes, options, order, seat) = if in_lines {
        let options = app.rules.check_query(&query).map_err(|violations| Problem::invalid(violations, id))?;
        let of_lines = reservation.another(0);
        let notes = Notes::in_lines(request.into_body(), app.body_limit, app.batch_limit, app.deadline, of_lines);
        let mut notes = notes.ok_or_else(too_large)?;
        // Who sends nothing takes no seat.
        tokio::select! { biased; () = notes.arrived() => {}, problem = closing => return Err(problem.into()) }
        (notes, options, Order::AsDone, seat()?)
    } else {
        // Its body may be large: so many at once, and no more.
        let seat = seat()?;
        let (limit, deadline) = (app.list_limit(), Deadline::after_since(context.at, app.deadline));
        let reading = body::read(request.into_body(), limit, deadline, &mut reservation);
        let body = tokio::select! { biased; body = reading => body, problem = closing => return Err(problem.into()) };
        let body = body.map_err(|code| match code {
            ErrorCode::BodyTooLarge => too_large(),
            ErrorCode::DeadlineExceeded => Box::new(saying(code, TOO_LATE)),
            code => Box::new(code.problem(id)),
        })?;
        let (raw, options) = app.rules.check_batch(&body, &query).map_err(|bad| bad.problem(id))?;
        let notes = raw.iter().map(|note| body.slice_ref(note.get().as_bytes())).collect();
        (Notes::in_list(notes), options, Order::AsGiven, seat)
    };
    let reader = Reader::new(Arc::clone(app), context.clone(), caller, options, time);
    let written = Conductor::new(reader, notes, order, seat, reservation).begin();
    let kind = HeaderValue::from_static(if in_lines { LINES } else { "application/json" });
    let headers = [(header::CONTENT_TYPE, kind), (X_ACCEL_BUFFERING, HeaderValue::from_static("no"))];
    Ok((headers, Body::from_stream(written)).into_response())
}
