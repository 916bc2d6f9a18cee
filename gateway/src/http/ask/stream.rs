//! `POST /api/v1/ask/stream`: sends the quotes as soon as they are known to stand in the note, then the answer, as
//! server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::task::AbortOnDropHandle;

use super::super::{
    App, access,
    audit_record::{AuditGuard, CALLER_VANISHED, milliseconds},
    body,
    context::RequestContext,
    error::{ErrorCode, NestedProblem, Problem},
    extract::AcceptedBody,
    note::Rejection,
    rate_limit,
    request::AskRequest,
    stream::{EventData, X_ACCEL_BUFFERING, keep_alive},
};
use crate::{
    ask::{AskAnswer, AskQuote, AskSink, Asked},
    memory::MemoryReservation,
    telemetry::Route,
};

pub(in crate::http) const ROUTE: Route = "/api/v1/ask/stream";

/// What is known before the whole answer.
enum Update {
    Quote(AskQuote),
    Answer(String),
}

/// The data of an `answer` event.
#[derive(Serialize)]
struct AnswerEvent<'a> {
    answer: &'a str,
    unverified: bool,
}

struct UpdateSink(UnboundedSender<Update>);

impl AskSink for UpdateSink {
    // The receiver is gone if the caller has disconnected.
    fn quote(&self, quote: AskQuote) {
        let _ = self.0.send(Update::Quote(quote));
    }

    fn answer(&self, answer: &str) {
        let _ = self.0.send(Update::Answer(answer.to_owned()));
    }
}

/// Answers a question about a note in events.
///
/// The data of every event is a JSON object whose `type` is the name of the event (`AskStreamEvent`): `quote` (words that
/// stand in the note, each as soon as it is known), `answer` (unverified until the end), and last exactly one
/// `result` (what `POST /api/v1/ask` would answer) or `error` (a problem object). Only the last event counts: a quote or an
/// answer before it may be missing from it. A request that is refused gets an error status, as from `/ask`.
#[utoipa::path(post, path = ROUTE, tag = "questions", operation_id = "askStream",
    request_body = AskRequest, responses((status = 200, description = "Events: `quote`, `answer`, then `result` or `error`",
        body = String, content_type = "text/event-stream")))]
pub(in crate::http) async fn stream(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let principal = access::principal(&request);
    let mut audit_guard = AuditGuard::new(&app, &context, ROUTE, principal.clone());
    let accepted = tokio::select! {
        biased;
        accepted = super::accept(&app, &context, request, &mut audit_guard) => accepted,
        problem = access::must_end(&app, principal.as_ref(), &context.id) => Err(Box::new((problem, None))),
    };
    let (mut response, rate_limit) = match accepted {
        Ok(accepted) => {
            let rate_limit = accepted.grant.rate_limit;
            let events = events(app, context, accepted, audit_guard);
            let keep_alive: KeepAlive = keep_alive();
            (Sse::new(events).keep_alive(keep_alive).into_response(), rate_limit)
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

/// The events of one question, and the task that answers it. Dropping it stops the task.
struct EventStream {
    request_id: Arc<str>,
    updates: UnboundedReceiver<Update>,
    answering: AbortOnDropHandle<Result<AskAnswer, Rejection>>,
    /// Bytes of the memory budget, reserved until the caller has read the last event.
    _reservation: MemoryReservation,
    ended: bool,
}

fn events(
    app: App,
    context: RequestContext,
    accepted: AcceptedBody<Asked>,
    mut audit_guard: AuditGuard,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, updates) = mpsc::unbounded_channel();
    let AcceptedBody { body: asked, priority, deadline, reservation, .. } = accepted;
    let request_id = Arc::clone(&context.id);
    let of_events = reservation.reserve_also(body::REQUEST_OVERHEAD);
    let answering = async move {
        // The reservation of the note lasts as long as the note.
        let _reservation = reservation;
        let (principal, sink) = (priority.principal.clone(), UpdateSink(sender));
        let outcome = tokio::select! {
            biased;
            outcome = super::answer(&app, &context, &asked, (priority, deadline), &mut audit_guard, &sink) => outcome,
            problem = access::must_end(&app, principal.as_ref(), &context.id) => Err(Box::new(problem)),
        };
        let (status, code) = match &outcome {
            Ok(_) => (StatusCode::OK, None),
            Err(problem) => (problem.code.status(), Some(problem.code.name())),
        };
        let note_chars = audit_guard.finish(status, code).note_chars;
        let milliseconds = milliseconds(context.arrived.elapsed());
        tracing::info!(request_id = &*context.id, route = ROUTE, code, milliseconds, note_chars, "stream ended");
        outcome
    };
    let answering = AbortOnDropHandle::new(tokio::spawn(answering));
    let events = EventStream { request_id, updates, answering, _reservation: of_events, ended: false };
    stream::unfold(events, |mut events| async move { Some((Ok(events.next().await?), events)) })
}

impl EventStream {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if let Some(update) = self.updates.recv().await {
            return Some(match update {
                Update::Quote(quote) => event("quote", &EventData { kind: "quote", data: quote }),
                Update::Answer(answer) => {
                    let data = AnswerEvent { answer: &answer, unverified: true };
                    event("answer", &EventData { kind: "answer", data })
                }
            });
        }
        // The sender is dropped with the task's future, which has ended.
        self.ended = true;
        let outcome = (&mut self.answering).await;
        // The task ends with an error only after a panic, which is an internal error.
        let outcome = outcome.unwrap_or_else(|_| Err(ErrorCode::Internal.problem(&self.request_id).into()));
        Some(match outcome {
            Ok(answer) => event("result", &EventData { kind: "result", data: answer }),
            Err(problem) => {
                // A problem has a `type` of its own.
                event("error", &NestedProblem::from(Problem::clone(&problem).with_kind("error")))
            }
        })
    }
}

fn event<T: Serialize>(name: &'static str, data: &T) -> Event {
    // Serializing these types cannot fail. If it does, the client gets the event without data.
    let event = Event::default().event(name);
    event.clone().json_data(data).unwrap_or(event)
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if !self.ended {
            let (_, code) = CALLER_VANISHED;
            tracing::info!(request_id = &*self.request_id, route = ROUTE, code, "stream ended");
        }
    }
}
