//! `POST /api/v1/extract/stream`: reads one note and sends its fields as the model writes them, then the whole answer,
//! as server-sent events.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::task::AbortOnDropHandle;

use super::{
    App, access,
    audit_record::{AuditGuard, CALLER_VANISHED, milliseconds},
    body,
    context::RequestContext,
    error::{ErrorCode, NestedProblem, Problem},
    extract::{self, AcceptedNote},
    note::{self, Extraction, Rejection},
    rate_limit,
    request::ExtractRequest,
};
use crate::{
    extraction::{Answer, Field, FieldSink, FieldUpdate},
    memory::MemoryReservation,
};

const ROUTE: &str = "/api/v1/extract/stream";
/// Tells proxies not to buffer: they must pass each event on at once.
pub(super) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The time without events after which a comment is sent, because proxies close idle connections.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// The data of an event. `type` is the name of the event, which many clients do not pass on. `openapi::events` has the
/// schemas.
#[derive(Debug, Serialize)]
pub(super) struct EventData<T> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(flatten)]
    pub(super) data: T,
}

/// The data of a `field` event.
#[derive(Debug, Serialize)]
struct FieldEvent<'a> {
    name: Field,
    /// Provisional; null if the note gives none.
    value: Option<&'a str>,
}

/// Reads one note and sends its fields as the model writes them.
///
/// The data of every event is a JSON object whose `type` is the name of the event (`StreamEvent`): `field` (`{"type",
/// "name", "value"}`; seven of them, each as soon as the model has written it, and provisional until
/// the end), `reset` (the fields so far are void, because the model is asked again), and last exactly one `result`
/// (what `POST /api/v1/extract` would answer) or `error` (a problem object, whose `type` is `error` here, with `retry_after` in seconds if it is
/// worth trying again). Comments keep the connection open. A request that is refused before the model is asked gets an
/// error status, as from `/extract`. If the client closes the connection, the model stops.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "extractStream",
    request_body = ExtractRequest, responses((status = 200, description = "Events: seven `field`, then `result` or `error`",
        body = String, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let principal = access::principal(&request);
    let mut audit_guard = AuditGuard::new(&app, &context, ROUTE, principal.clone());
    let accepted = tokio::select! {
        biased;
        accepted = extract::accept(&app, &context, request, &mut audit_guard) => accepted,
        problem = access::must_end(&app, principal.as_ref(), &context.id) => Err(Box::new((problem, None))),
    };
    let (mut response, rate_limit) = match accepted {
        Ok(accepted) => {
            let rate_limit = accepted.grant.rate_limit;
            (Sse::new(events(app, context, accepted, audit_guard)).keep_alive(keep_alive()).into_response(), rate_limit)
        }
        Err(rejection) => {
            let (problem, rate_limit) = *rejection;
            let (status, code) = (problem.code.status(), problem.code.name());
            let mut response = problem.into_response();
            response.extensions_mut().insert(audit_guard.finish(status, Some(code)));
            (response, rate_limit)
        }
    };
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Some(rate_limit) = rate_limit {
        rate_limit::add_headers(rate_limit, response.headers_mut());
    }
    response
}

pub(super) fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(KEEP_ALIVE_INTERVAL).text("keep-alive")
}

/// The events of one note, and the task that reads the note. Dropping it stops the task.
struct EventStream {
    app: App,
    request_id: Arc<str>,
    arrived: Instant,
    updates: UnboundedReceiver<FieldUpdate>,
    reading: AbortOnDropHandle<Result<Extraction, Rejection>>,
    /// Bytes of the memory budget, reserved until the caller has read the last event.
    reservation: MemoryReservation,
    /// The fields that were sent since the begin or the last `reset`.
    sent_fields: Vec<Field>,
    /// Whether a field was sent at all.
    any_sent: bool,
    pending: VecDeque<Event>,
    ended: bool,
}

fn events(
    app: App,
    context: RequestContext,
    mut accepted: AcceptedNote,
    audit_guard: AuditGuard,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, updates) = mpsc::unbounded_channel();
    accepted.job.sink = Some(FieldSink::new(sender));
    let (request_id, arrived) = (Arc::clone(&context.id), context.arrived);
    let reservation = accepted.reservation.reserve_also(body::REQUEST_OVERHEAD);
    let reading = AbortOnDropHandle::new(tokio::spawn(read(app.clone(), context, accepted, audit_guard)));
    let event_stream = EventStream {
        app,
        request_id,
        arrived,
        updates,
        reading,
        reservation,
        sent_fields: Vec::new(),
        any_sent: false,
        pending: VecDeque::new(),
        ended: false,
    };
    stream::unfold(event_stream, |mut events| async move { Some((Ok(events.next().await?), events)) })
}

async fn read(
    app: App,
    context: RequestContext,
    accepted: AcceptedNote,
    mut audit_guard: AuditGuard,
) -> Result<Extraction, Rejection> {
    let outcome = tokio::select! {
        biased;
        outcome = note::read(&app, &context, &accepted.job, &mut audit_guard) => outcome,
        problem = access::must_end(&app, accepted.job.priority.principal.as_ref(), &context.id) => Err(Box::new(problem)),
    };
    let (status, code) = match &outcome {
        Ok(_) => (StatusCode::OK, None),
        Err(problem) => (problem.code.status(), Some(problem.code.name())),
    };
    let note_chars = audit_guard.finish(status, code).note_chars;
    let milliseconds = milliseconds(context.arrived.elapsed());
    tracing::info!(request_id = &*context.id, route = ROUTE, code, milliseconds, note_chars, "stream ended");
    outcome
}

impl EventStream {
    async fn next(&mut self) -> Option<Event> {
        while self.pending.is_empty() && !self.ended {
            tokio::select! {
                biased;
                Some(update) = self.updates.recv() => self.pass_on(update),
                outcome = &mut self.reading => {
                    // The task ends with an error only after a panic, which is an internal error.
                    let outcome = outcome.unwrap_or_else(|_| Err(ErrorCode::Internal.problem(&self.request_id).into()));
                    self.end(outcome);
                }
            }
        }
        self.pending.pop_front()
    }

    fn pass_on(&mut self, update: FieldUpdate) {
        match update {
            FieldUpdate::Field(field, value) => self.send_field(field, value.as_deref()),
            FieldUpdate::Again => {
                self.sent_fields.clear();
                self.send("reset", &serde_json::Map::new());
            }
        }
    }

    fn send_field(&mut self, name: Field, value: Option<&str>) {
        if !std::mem::replace(&mut self.any_sent, true) {
            self.app.state.metrics.first_field(self.arrived.elapsed());
        }
        self.sent_fields.push(name);
        self.send("field", &FieldEvent { name, value });
    }

    fn end(&mut self, outcome: Result<Extraction, Rejection>) {
        while let Ok(update) = self.updates.try_recv() {
            self.pass_on(update);
        }
        match outcome {
            Ok(Extraction { answer, .. }) => {
                self.reservation.grow_anyway(answer.json_bytes());
                self.send_missing_fields(&answer);
                self.send("result", &answer);
            }
            Err(problem) => {
                // A problem has a `type` of its own.
                let problem = Problem::clone(&problem).with_kind("error");
                self.push("error", &NestedProblem::from(problem));
            }
        }
        self.ended = true;
    }

    /// Sends the fields that had no event: from the rules engine, the cache, a note in chunks or a repaired answer.
    fn send_missing_fields(&mut self, answer: &Answer) {
        for field in Field::ALL {
            if !self.sent_fields.contains(&field) {
                self.send_field(field, answer.record.get(field));
            }
        }
    }

    fn send<T: Serialize>(&mut self, name: &'static str, data: &T) {
        self.push(name, &EventData { kind: name, data });
    }

    fn push<T: Serialize>(&mut self, name: &'static str, data: &T) {
        // Serializing these types cannot fail. If it does, the client gets the event without data.
        let event = Event::default().event(name);
        self.pending.push_back(event.clone().json_data(data).unwrap_or(event));
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if !self.ended {
            let (_, code) = CALLER_VANISHED;
            tracing::info!(request_id = &*self.request_id, route = ROUTE, code, "stream ended");
        }
    }
}
