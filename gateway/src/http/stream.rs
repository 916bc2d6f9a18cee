//! `POST /api/v1/extract/stream`: reads one note and sends its fields as the model writes them, then the whole answer,
//! as server-sent events.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Instant};

use axum::{
    Extension,
    extract::{Request, State},
    response::{Response, sse::Event},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{
    App, access,
    audit_record::AuditGuard,
    body,
    context::RequestContext,
    event_stream::{self, AnswerTask, error_event, event},
    extract,
    note::{self, Extraction, NoteCall, Rejection},
    pending_request::{AdmittedRequest, PendingRequest},
    request::{ExtractRequest, ValidRequest},
};
use crate::{
    extraction::{Answer, Field, FieldSink, FieldUpdate},
    memory::MemoryReservation,
};

const ROUTE: &str = "/api/v1/extract/stream";

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
    let accept = async |request, pending: &mut _| extract::accept(&app, &context, request, pending).await;
    let (pending, accepted) = PendingRequest::run(&app, &context, ROUTE, request, accept).await;
    event_stream::respond(pending, accepted, |accepted, audit_guard| events(app, context, accepted, audit_guard))
}

/// The events of one note, and the task that reads the note.
struct ExtractionEvents {
    app: App,
    arrived: Instant,
    updates: UnboundedReceiver<FieldUpdate>,
    reading: AnswerTask<Extraction>,
    /// Bytes of the memory budget, reserved until the caller has read the last event.
    reservation: MemoryReservation,
    /// The fields that were sent since the start or the last `reset`.
    sent_fields: Vec<Field>,
    /// Whether a field was sent at all.
    any_sent: bool,
    pending: VecDeque<Event>,
}

fn events(
    app: App,
    context: RequestContext,
    (request, admitted): (ValidRequest, AdmittedRequest),
    mut audit_guard: AuditGuard,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, updates) = mpsc::unbounded_channel();
    let (request_id, arrived, app_of_task) = (Arc::clone(&context.id), context.arrived, app.clone());
    let AdmittedRequest { priority, deadline, reservation: of_note, grant } = admitted;
    let reservation = of_note.reserve_also(body::REQUEST_OVERHEAD);
    let call = NoteCall { request, priority, deadline, sink: Some(FieldSink::new(sender)) };
    let reading = async move {
        // The memory and the place of the note are held as long as the task.
        let _held = (of_note, grant);
        let answer = note::read(&app_of_task, &context, &call, &mut audit_guard);
        let caller = call.priority.principal.as_ref();
        let outcome = access::answer_unless_cut_off(&app_of_task, caller, &context.id, answer).await;
        event_stream::end(audit_guard, &context, ROUTE, &outcome);
        outcome
    };
    let event_stream = ExtractionEvents {
        app,
        arrived,
        updates,
        reading: AnswerTask::spawn(&request_id, ROUTE, reading),
        reservation,
        sent_fields: Vec::new(),
        any_sent: false,
        pending: VecDeque::new(),
    };
    stream::unfold(event_stream, |mut events| async move { Some((Ok(events.next().await?), events)) })
}

impl ExtractionEvents {
    async fn next(&mut self) -> Option<Event> {
        while self.pending.is_empty() && !self.reading.has_ended() {
            tokio::select! {
                biased;
                Some(update) = self.updates.recv() => self.pass_on(update),
                outcome = self.reading.outcome() => self.end(outcome),
            }
        }
        self.pending.pop_front()
    }

    fn pass_on(&mut self, update: FieldUpdate) {
        match update {
            FieldUpdate::Field(field, value) => self.send_field(field, value.as_deref()),
            FieldUpdate::Reset => {
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
                self.reservation.grow_over_budget(answer.json_bytes());
                self.send_missing_fields(&answer);
                self.send("result", &answer);
            }
            Err(problem) => self.pending.push_back(error_event(&problem)),
        }
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
        self.pending.push_back(event(name, data));
    }
}
