//! `POST /api/v1/ask/stream`: sends each quote as soon as it is known to be in the note, then the answer, as
//! server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension,
    extract::{Request, State},
    response::{Response, sse::Event},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::super::{
    App, access,
    audit_record::AuditGuard,
    body,
    context::RequestContext,
    event_stream::{self, AnswerTask, error_event, event},
    pending_request::{AdmittedRequest, PendingRequest},
    request::AskRequest,
};
use crate::{
    ask::{AskAnswer, AskQuote, AskSink, NoteQuestion},
    memory::MemoryReservation,
    telemetry::Route,
};

pub(in crate::http) const ROUTE: Route = "/api/v1/ask/stream";

/// A part of the answer that is known before the whole answer.
enum AnswerUpdate {
    Quote(AskQuote),
    Answer(String),
}

/// The data of an `answer` event.
#[derive(Serialize)]
struct AnswerEvent {
    answer: String,
    unverified: bool,
}

struct AnswerUpdateSink(UnboundedSender<AnswerUpdate>);

impl AskSink for AnswerUpdateSink {
    // The receiver is gone if the caller has disconnected.
    fn quote(&self, quote: AskQuote) {
        let _ = self.0.send(AnswerUpdate::Quote(quote));
    }

    fn answer(&self, answer: &str) {
        let _ = self.0.send(AnswerUpdate::Answer(answer.to_owned()));
    }
}

/// Answers a question about a note in events.
///
/// The data of every event is a JSON object whose `type` is the name of the event (`AskStreamEvent`): `quote` (words of
/// the note, each as soon as it is known), `answer` (unverified until the end), and last exactly one `result` (what
/// `POST /api/v1/ask` would answer) or `error` (a problem object). Only the last event counts: a quote or an answer
/// before it may be missing from it. A request that is refused gets an error status, as from `/ask`.
#[utoipa::path(post, path = ROUTE, tag = "questions", operation_id = "askStream",
    request_body = AskRequest, responses((status = 200, description = "Events: `quote`, `answer`, then `result` or `error`",
        body = String, content_type = "text/event-stream")))]
pub(in crate::http) async fn stream(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let accept = async |request, pending: &mut _| super::accept(&app, &context, request, pending).await;
    let (pending, accepted) = PendingRequest::run(&app, &context, ROUTE, request, accept).await;
    event_stream::respond(pending, accepted, |accepted, audit_guard| events(app, context, accepted, audit_guard))
}

/// The events of one question, and the task that answers it.
struct AnswerEvents {
    updates: UnboundedReceiver<AnswerUpdate>,
    answering: AnswerTask<AskAnswer>,
    /// Bytes of the memory budget, reserved until the caller has read the last event.
    _reservation: MemoryReservation,
}

fn events(
    app: App,
    context: RequestContext,
    (asked, admitted): (NoteQuestion, AdmittedRequest),
    mut audit_guard: AuditGuard,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, updates) = mpsc::unbounded_channel();
    let request_id = Arc::clone(&context.id);
    let reservation = admitted.reservation.reserve_also(body::REQUEST_OVERHEAD);
    // The admitted request keeps its memory and its place as long as the task runs.
    let answering = async move {
        let sink = AnswerUpdateSink(sender);
        let answer = super::answer(&app, &context, &asked, &admitted, &mut audit_guard, &sink);
        let caller = admitted.priority.principal.as_ref();
        let outcome = access::answer_unless_cut_off(&app, caller, &context.id, answer).await;
        event_stream::end(audit_guard, &context, ROUTE, &outcome);
        outcome
    };
    let answering = AnswerTask::spawn(&request_id, ROUTE, answering);
    let events = AnswerEvents { updates, answering, _reservation: reservation };
    stream::unfold(events, |mut events| async move { Some((Ok(events.next().await?), events)) })
}

impl AnswerEvents {
    async fn next(&mut self) -> Option<Event> {
        if self.answering.has_ended() {
            return None;
        }
        // The sender is dropped with the task's future, which has ended then.
        Some(match self.updates.recv().await {
            Some(AnswerUpdate::Quote(quote)) => event("quote", &quote),
            Some(AnswerUpdate::Answer(answer)) => event("answer", &AnswerEvent { answer, unverified: true }),
            None => match self.answering.outcome().await {
                Ok(answer) => event("result", &answer),
                Err(problem) => error_event(&problem),
            },
        })
    }
}
