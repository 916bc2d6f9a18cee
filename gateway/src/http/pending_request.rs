//! The common handling of every route that takes one note, recording or scan in a request: the checks before its body
//! is read, the audit record, and the headers with the rate limit.

use std::time::Duration;

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};

use super::{
    App, access,
    audit_record::AuditGuard,
    body,
    context::RequestContext,
    decoding,
    error::{ErrorCode, Problem},
    media::AcceptedFormats,
    note::{self, Rejection},
    rate_limit,
    request::InvalidBody,
};
use crate::{
    access::Principal,
    admission::QueuePriority,
    extraction::{Deadline, Note},
    memory::{MemoryReservation, Purpose},
    rate_limiter::RateLimitState,
    rate_limits::RateLimitGrant,
    telemetry::Route,
};

const BODY_TOO_LATE: &str =
    "The body did not arrive in time. Send at least 1 KiB a second, and the whole body before the deadline.";

/// A request with a note, recording or scan, from its checks to its answer.
pub(super) struct PendingRequest {
    /// The key of the caller; none where the request needed no key.
    principal: Option<Principal>,
    pub(super) audit_guard: AuditGuard,
    /// The rate limit with the fewest notes left, as soon as it is known.
    rate_limit: Option<RateLimitState>,
}

/// A request that passed the checks before its body, with what it holds until it is answered.
pub(super) struct AdmittedRequest {
    pub(super) priority: QueuePriority,
    pub(super) deadline: Deadline,
    /// Reserved bytes of the memory budget.
    pub(super) reservation: MemoryReservation,
    /// The caller's place in its limit of notes in flight.
    pub(super) grant: RateLimitGrant,
}

impl PendingRequest {
    /// Begins with a request and does `work` on it: accepts or answers it. The work ends early if the service
    /// shuts down or the caller's key is removed. The result is for [`Self::finish`] or [`Self::hand_over`].
    pub(super) async fn run<T>(
        app: &App,
        context: &RequestContext,
        route: Route,
        request: Request,
        work: impl AsyncFnOnce(Request, &mut Self) -> Result<T, Rejection>,
    ) -> (Self, Result<T, Rejection>) {
        let mut pending = Self::begin(app, context, route, &request);
        let principal = pending.principal.clone();
        let work = work(request, &mut pending);
        let result = access::answer_unless_cut_off(app, principal.as_ref(), &context.id, work).await;
        (pending, result)
    }

    /// Begins with a request that has arrived.
    fn begin(app: &App, context: &RequestContext, route: Route, request: &Request) -> Self {
        let principal = access::principal(request);
        let audit_guard = AuditGuard::new(app, context, route, principal.clone());
        Self { principal, audit_guard, rate_limit: None }
    }

    /// Checks what is known before the body: shutdown, the deadline of at most `longest`, budget, rate limits, memory.
    pub(super) fn admit(
        &mut self,
        app: &App,
        context: &RequestContext,
        request: &Request,
        longest: Duration,
    ) -> Result<AdmittedRequest, Rejection> {
        let id = &context.id;
        if app.state.readiness.is_draining() {
            return Err(ErrorCode::Draining.problem(id).into());
        }
        let deadline = context.deadline(request.headers(), longest);
        let deadline = deadline.map_err(|violation| Problem::invalid(vec![violation], id))?;
        self.audit_guard.reserve()?;
        let grant = rate_limit::RateLimitedCaller::of(app, request).admit(app, id);
        let grant = grant.map_err(|exceeded| {
            let (problem, rate_limit) = exceeded.into_problem(app);
            self.rate_limit = Some(rate_limit);
            problem
        })?;
        self.rate_limit = grant.rate_limit;
        let reservation = body::reserve(app, self.principal.as_ref(), Purpose::Single);
        let reservation = reservation.map_err(|code| code.problem(id))?;
        let priority = QueuePriority { principal: self.principal.clone(), ..QueuePriority::default() };
        Ok(AdmittedRequest { priority, deadline, reservation, grant })
    }

    /// Checks and reads a request with one note in its JSON body, which `parse` reads.
    pub(super) async fn accept_note<T>(
        &mut self,
        app: &App,
        context: &RequestContext,
        request: Request,
        parse: impl FnOnce(&[u8]) -> Result<T, InvalidBody>,
        note: impl Fn(&T) -> &Note,
    ) -> Result<(T, AdmittedRequest), Rejection> {
        let id = &context.id;
        let (_, coding) = AcceptedFormats::Json.check(request.headers(), id)?;
        let mut admitted = self.admit(app, context, &request, app.extractor.deadline)?;
        let (limit, reservation) = (app.extractor.body_limit, &mut admitted.reservation);
        let body = decoding::decompressed(request.into_body(), coding, limit, reservation);
        let body = body.map_err(|code| code.problem(id))?;
        let body = tokio::select! {
            biased;
            body = body::read(body, limit, admitted.deadline, reservation) => body,
            () = app.state.in_flight.until_closed() => Err(ErrorCode::Draining),
        };
        let body = body.map_err(|code| match code {
            ErrorCode::DeadlineExceeded => code.problem(id).with_detail(BODY_TOO_LATE),
            ErrorCode::InvalidJson if coding.is_some() => code.problem(id).with_detail(decoding::NOT_DECOMPRESSED),
            code => code.problem(id),
        })?;
        self.audit_guard.record.body_bytes = body.len();
        let valid = parse(&body).map_err(|bad| bad.problem(id))?;
        reservation.shrink_to(body::REQUEST_OVERHEAD);
        reservation.grow_over_budget(note::memory(note(&valid)));
        self.audit_guard.record_note(note(&valid));
        Ok((valid, admitted))
    }

    /// Ends with an answer or a problem: adds the headers of the rate limit and completes the audit record.
    pub(super) fn finish(self, outcome: Result<Response, Rejection>) -> Response {
        let mut response = outcome.unwrap_or_else(|rejection| rejection.into_response());
        let code = response.extensions().get::<ErrorCode>().map(|code| code.name());
        let audit_record = self.audit_guard.finish(response.status(), code);
        response.extensions_mut().insert(audit_record);
        with_rate_limit(self.rate_limit, response)
    }

    /// Ends with an answer whose body is still being made. Its maker completes the audit record.
    pub(super) fn hand_over(self, answer: impl FnOnce(AuditGuard) -> Response) -> Response {
        with_rate_limit(self.rate_limit, answer(self.audit_guard))
    }
}

fn with_rate_limit(rate_limit: Option<RateLimitState>, mut response: Response) -> Response {
    if let Some(rate_limit) = rate_limit {
        rate_limit::add_headers(rate_limit, response.headers_mut());
    }
    response
}
