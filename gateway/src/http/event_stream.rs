//! Answers in server-sent events: the common parts of the routes that send them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::Stream;
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use super::{
    audit_record::{AuditGuard, CALLER_VANISHED, milliseconds},
    context::RequestContext,
    error::{ErrorCode, NestedProblem, Problem},
    note::Rejection,
    pending_request::PendingRequest,
};
use crate::telemetry::Route;

/// Tells proxies not to buffer: they must pass each event on at once.
pub(super) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The time without events after which a comment is sent, because proxies close idle connections.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// The data of an event. `type` is the name of the event, which many clients do not pass on. `openapi::events` has the
/// schemas.
#[derive(Debug, Serialize)]
struct EventData<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    data: &'a T,
}

/// Returns the response with the events of an accepted request, or the problem of another one.
pub(super) fn respond<T, S>(
    pending: PendingRequest,
    accepted: Result<T, Rejection>,
    events: impl FnOnce(T, AuditGuard) -> S,
) -> Response
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    let mut response = match accepted {
        Ok(accepted) => pending.hand_over(|audit_guard| {
            let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_INTERVAL).text("keep-alive");
            Sse::new(events(accepted, audit_guard)).keep_alive(keep_alive).into_response()
        }),
        Err(rejection) => pending.finish(Err(rejection)),
    };
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Returns an event whose data is a JSON object.
pub(super) fn event<T: Serialize>(name: &'static str, data: &T) -> Event {
    with_data(name, &EventData { kind: name, data })
}

/// Returns the last event of a request that got no answer.
pub(super) fn error_event(problem: &Problem) -> Event {
    // A problem has a `type` of its own.
    with_data("error", &NestedProblem::from(problem.clone().with_kind("error")))
}

fn with_data<T: Serialize>(name: &'static str, data: &T) -> Event {
    // Serializing these types cannot fail. If it does, the client gets the event without data.
    let event = Event::default().event(name);
    event.clone().json_data(data).unwrap_or(event)
}

/// Completes the audit record of a request whose last event is ready, and logs its end.
pub(super) fn end<T>(audit_guard: AuditGuard, context: &RequestContext, route: Route, outcome: &Result<T, Rejection>) {
    let (status, code) = match outcome {
        Ok(_) => (StatusCode::OK, None),
        Err(problem) => (problem.code.status(), Some(problem.code.name())),
    };
    let note_chars = audit_guard.finish(status, code).note_chars;
    let milliseconds = milliseconds(context.arrived.elapsed());
    tracing::info!(request_id = &*context.id, route, code, milliseconds, note_chars, "stream ended");
}

/// The task that finds the answer while its events are sent. Dropping it stops the task.
pub(super) struct AnswerTask<T> {
    request_id: Arc<str>,
    route: Route,
    task: AbortOnDropHandle<Result<T, Rejection>>,
    ended: bool,
}

impl<T: Send + 'static> AnswerTask<T> {
    pub(super) fn spawn(
        request_id: &Arc<str>,
        route: Route,
        answer: impl Future<Output = Result<T, Rejection>> + Send + 'static,
    ) -> Self {
        let task = AbortOnDropHandle::new(tokio::spawn(answer));
        Self { request_id: Arc::clone(request_id), route, task, ended: false }
    }

    /// Returns whether [`Self::outcome`] has returned.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Waits for the outcome; may be called until it returns. If the future is dropped, nothing is lost.
    pub(super) async fn outcome(&mut self) -> Result<T, Rejection> {
        let outcome = (&mut self.task).await;
        self.ended = true;
        // The task ends with an error only after a panic, which is an internal error.
        outcome.unwrap_or_else(|_| Err(ErrorCode::Internal.problem(&self.request_id).into()))
    }
}

impl<T> Drop for AnswerTask<T> {
    fn drop(&mut self) {
        if !self.ended {
            let (_, code) = CALLER_VANISHED;
            tracing::info!(request_id = &*self.request_id, route = self.route, code, "stream ended");
        }
    }
}
