//! `POST /api/v1/extract/stream`: one note, its fields as they come, then the whole answer. Server-sent events.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

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
use utoipa::ToSchema;

use super::{
    App, access,
    audit_record::{AuditGuard, CALLER_VANISHED, milliseconds},
    body,
    context::RequestContext,
    error::{ErrorCode, NestedProblem, Problem},
    extract::{self, AcceptedNote},
    limits,
    note::{self, Extraction, Rejection},
    request::ExtractRequest,
};
use crate::{
    extraction::{Answer, Field, FieldSink, FieldUpdate},
    memory::MemoryReservation,
};

const ROUTE: &str = "/api/v1/extract/stream";
/// Proxies must pass each event on as it comes.
pub(super) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment is sent after so long a silence, because proxies close connections on which nothing moves.
const SILENCE: Duration = Duration::from_secs(10);

/// The data of a `field` event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FieldEvent<'a> {
    /// The field.
    name: Field,
    /// Its value for now; null where the note gives none.
    #[schema(required = true)]
    value: Option<&'a str>,
}

/// One event.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"event": "field", "data": "{\"name\":\"stage\",\"value\":\"IV\"}"}))]
#[expect(dead_code, reason = "for the document; events are written piece by piece")]
pub(super) struct StreamEvent {
    /// `field`, `reset`, `result` or `error`.
    event: String,
    /// JSON: of `field` its `name` and `value`, of `reset` an empty object, of `result` the answer of `/extract`, of `error` a
    /// problem.
    data: String,
}

/// Reads one note and tells its fields as they come.
///
/// Events: `field` (`{"name", "value"}`, seven of them, each as soon as the model has written it, and provisional until the
/// end), `reset` (what came before is void: the model is asked once more), and last exactly one `result` (what
/// `POST /api/v1/extract` would answer) or `error` (a problem object, with `retry_after` in seconds where it is worth
/// trying again). Comments keep the connection open. What can be refused before a model is asked is refused with a status,
/// as by `/extract`. Whoever closes the connection stops the model.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "stream",
    request_body = ExtractRequest, responses((status = 200, description = "Events: seven `field`, then `result` or `error`",
        body = StreamEvent, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<Arc<App>>,
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
            response.extensions_mut().insert(audit_guard.ended(status, Some(code)));
            (response, rate_limit)
        }
    };
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Some(rate_limit) = rate_limit {
        limits::tell(rate_limit, response.headers_mut());
    }
    response
}

fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(SILENCE).text("keep-alive")
}

/// What is sent on, and the reading that it comes from. Dropping it stops the reading.
struct EventStream {
    app: Arc<App>,
    request_id: Arc<str>,
    updates: UnboundedReceiver<FieldUpdate>,
    reading: AbortOnDropHandle<Result<Extraction, Rejection>>,
    /// Of the budget of memory, until the caller has read the last event.
    reservation: MemoryReservation,
    told: Vec<Field>,
    ready: VecDeque<Event>,
    ended: bool,
}

fn events(
    app: Arc<App>,
    context: RequestContext,
    mut accepted: AcceptedNote,
    audit_guard: AuditGuard,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, updates) = mpsc::unbounded_channel();
    accepted.job.sink = Some(FieldSink::new(sender));
    let request_id = Arc::clone(&context.id);
    let reservation = accepted.reservation.another(body::OF_A_REQUEST);
    let reading = AbortOnDropHandle::new(tokio::spawn(read(Arc::clone(&app), context, accepted, audit_guard)));
    let telling = EventStream {
        app,
        request_id,
        updates,
        reading,
        reservation,
        told: Vec::new(),
        ready: VecDeque::new(),
        ended: false,
    };
    stream::unfold(telling, |mut telling| async move { Some((Ok(telling.next().await?), telling)) })
}

async fn read(
    app: Arc<App>,
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
    let note_chars = audit_guard.ended(status, code).note_chars;
    let milliseconds = milliseconds(context.at.elapsed());
    tracing::info!(request_id = &*context.id, route = ROUTE, code, milliseconds, note_chars, "stream ended");
    outcome
}

impl EventStream {
    async fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() && !self.ended {
            tokio::select! {
                biased;
                Some(update) = self.updates.recv() => self.pass_on(update),
                outcome = &mut self.reading => {
                    // A panic is a fault of ours like any other.
                    let outcome = outcome.unwrap_or_else(|_| Err(ErrorCode::Internal.problem(&self.request_id).into()));
                    self.end(outcome);
                }
            }
        }
        self.ready.pop_front()
    }

    fn pass_on(&mut self, update: FieldUpdate) {
        match update {
            FieldUpdate::Field(field, value) => self.field(field, value.as_deref()),
            FieldUpdate::Again => {
                self.told.clear();
                self.send("reset", &serde_json::Map::new());
            }
        }
    }

    fn field(&mut self, name: Field, value: Option<&str>) {
        self.told.push(name);
        self.send("field", &FieldEvent { name, value });
    }

    fn end(&mut self, outcome: Result<Extraction, Rejection>) {
        while let Ok(update) = self.updates.try_recv() {
            self.pass_on(update);
        }
        match outcome {
            Ok(Extraction { answer, .. }) => {
                self.reservation.grow_anyway(answer.json_bytes());
                self.rest(&answer);
                self.send("result", &answer);
            }
            Err(problem) => self.send("error", &NestedProblem::from(Problem::clone(&problem))),
        }
        self.ended = true;
    }

    /// The fields that nobody heard: of the rules, of a cache, of a note in parts, of an answer that was mended.
    fn rest(&mut self, answer: &Answer) {
        for field in Field::ALL {
            if !self.told.contains(&field) {
                self.field(field, answer.record.get(field));
            }
        }
    }

    fn send<T: Serialize>(&mut self, name: &'static str, data: &T) {
        // Ours to serialise, so that it cannot fail; and if it does, an event without data tells the reader.
        let event = Event::default().event(name);
        self.ready.push_back(event.clone().json_data(data).unwrap_or(event));
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if !self.ended {
            let (_, code) = CALLER_VANISHED;
            self.app.metrics.caller_vanished();
            tracing::info!(request_id = &*self.request_id, route = ROUTE, code, "stream ended");
        }
    }
}
