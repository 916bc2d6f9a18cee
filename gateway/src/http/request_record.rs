//! The record of one request: its metrics, its span and its line in the log. It is written at the end of the answer, also
//! if the answer is a stream, and when the caller disconnects before that end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::HeaderMap,
    response::Response,
};
use hyper::body::{Frame, SizeHint};

use super::{
    App,
    audit_record::{AuditRecord, CALLER_VANISHED, milliseconds},
    context::RequestContext,
    error::ErrorCode,
};
use crate::{
    access::Principal,
    extraction::micros,
    telemetry::{Route, TraceParent},
};

/// The route in metrics and log of a request that no route matches.
pub(super) const NO_ROUTE: Route = "other";

/// The record of one request. If it is dropped before [`Self::end`], the caller has disconnected.
pub(super) struct RequestRecord {
    pub(super) app: App,
    pub(super) context: RequestContext,
    pub(super) method: &'static str,
    pub(super) route: Route,
    /// Whether the request is a health check from this machine.
    pub(super) own_probe: bool,
    pub(super) principal: Option<Principal>,
    head: Option<AnswerHead>,
    ended: bool,
}

/// The answer, as far as it is known before its body.
struct AnswerHead {
    status: u16,
    code: Option<&'static str>,
    audit_record: Option<AuditRecord>,
}

impl RequestRecord {
    /// Begins the record of a request that has arrived.
    pub(super) fn begin(app: App, headers: &HeaderMap, method: &'static str) -> Self {
        let context = RequestContext::now(headers);
        Self { app, context, method, route: NO_ROUTE, own_probe: false, principal: None, head: None, ended: false }
    }

    /// Writes the record when the answer has been sent: now if its length is known, because it is complete then;
    /// otherwise at the end of its body.
    pub(super) fn end_with(mut self, response: Response) -> Response {
        let extensions = response.extensions();
        self.head = Some(AnswerHead {
            status: response.status().as_u16(),
            code: extensions.get::<ErrorCode>().map(|code| code.name()),
            audit_record: extensions.get::<AuditRecord>().cloned(),
        });
        if response.body().size_hint().exact().is_some() {
            self.end();
            return response;
        }
        response.map(|body| Body::new(RecordedBody { body, record: Some(self) }))
    }

    fn end(&mut self) {
        self.ended = true;
        self.write(None);
    }

    /// Writes the metrics, the span and the log line. They contain only fixed words of this program, numbers and ids
    /// that were checked.
    fn write(&self, fault: Option<&'static str>) {
        let Self { app, context, method, route, .. } = self;
        let (method, route) = (*method, *route);
        let head = self.head.as_ref();
        let code = fault.or(head.and_then(|head| head.code));
        let status = head.map_or(CALLER_VANISHED.0, |head| head.status);
        let time = context.arrived.elapsed();
        app.state.metrics.answered((method, route), status, code, time);
        let known_route = (route != NO_ROUTE).then_some(route);
        context.span.end(method, known_route, head.map(|head| head.status), code);
        let principal = self.principal.as_ref().map(Principal::name);
        let trace_id = context.trace.as_ref().map(TraceParent::id);
        let milliseconds = milliseconds(time);
        let request_id = &*context.id;
        let Some(audit_record) = head.and_then(|head| head.audit_record.as_ref()) else {
            if self.own_probe && fault.is_none() {
                // At level `info` these would be 8,640 lines a day. A change of the model server's state has its own
                // line.
                tracing::debug!(request_id, method, route, status, code, milliseconds, "request");
                return;
            }
            tracing::info!(request_id, method, route, status, code, principal, trace_id, milliseconds, "request");
            return;
        };
        let AuditRecord { body_bytes, note_chars, cached, .. } = *audit_record;
        let model = audit_record.model.as_deref();
        let stages = audit_record.stages.unwrap_or_default();
        for (name, value) in [
            ("gateway.body_bytes", body_bytes as u64),
            ("gateway.note_chars", note_chars as u64),
            ("gateway.queue_us", micros(stages.queue)),
            ("gateway.engine_us", micros(stages.engine)),
            ("gateway.parse_us", micros(stages.parse)),
            ("gateway.ground_us", micros(stages.judge)),
        ] {
            context.span.set_attribute(name, i64::try_from(value).unwrap_or(i64::MAX));
        }
        tracing::info!(
            request_id,
            method,
            route,
            status,
            code,
            principal,
            trace_id,
            milliseconds,
            body_bytes,
            note_chars,
            model,
            cached,
            queue_us = micros(stages.queue),
            engine_us = micros(stages.engine),
            parse_us = micros(stages.parse),
            ground_us = micros(stages.judge),
            "request"
        );
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if !self.ended {
            self.app.state.metrics.caller_vanished();
            self.write(Some(CALLER_VANISHED.1));
        }
    }
}

/// The body of a streamed answer, which ends the record of its request. A body that fails or is dropped before its end
/// counts as one whose caller has disconnected.
struct RecordedBody {
    body: Body,
    record: Option<RequestRecord>,
}

impl RecordedBody {
    fn end(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.end();
        }
    }
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) {
            self.end();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        // The server need not poll a body that says that it has ended.
        if self.body.is_end_stream() {
            self.end();
        }
    }
}
