//! The record of one extraction for the log line, the metrics and the audit. It never contains text of the note or
//! values of the answer.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::http::StatusCode;

use super::{
    App,
    context::RequestContext,
    error::{ErrorCode, Problem},
};
use crate::{
    access::Principal,
    audit::{AuditEntry, Budget, BudgetHold, Exhausted, end_of_month, format_time, usage},
    extraction::{Answer, Field, ModelName, StageTimings},
    in_flight::InFlightGuard,
    telemetry::{BudgetOutcome, Route},
};

/// The status and code in the audit and the log for a request whose caller disconnected. No answer has this status.
pub(super) const CALLER_VANISHED: (u16, &str) = (499, "caller_vanished");

/// The status and code of an extraction that panicked. `layers` answers the caller with the same.
pub(super) const PANICKED: (u16, &str) = (500, "internal");

/// What is known about one extraction so far.
#[derive(Clone, Debug, Default)]
pub(super) struct AuditRecord {
    pub(super) body_bytes: usize,
    pub(super) note_chars: usize,
    pub(super) stages: Option<StageTimings>,
    pub(super) cached: bool,
    /// The model that reads the note, for the log; `None` with the rules engine.
    pub(super) model: Option<ModelName>,
    note_hmac: Option<String>,
    answered: Option<AnswerFacts>,
}

#[derive(Clone, Debug)]
struct AnswerFacts {
    engine: &'static str,
    model: String,
    prompt: Option<&'static str>,
    fields: Vec<Field>,
    degraded: bool,
    tokens: u32,
}

/// Writes the audit line of one extraction when it ends, also when the caller disconnects and the extraction is
/// dropped. The extraction counts as in flight until the line is written, so shutdown does not close the audit before.
pub(super) struct AuditGuard {
    pub(super) record: AuditRecord,
    app: App,
    context: RequestContext,
    route: Route,
    principal: Option<Principal>,
    /// When the request arrived, by the clock. It decides the month of the note.
    arrived: SystemTime,
    /// The note's place in the budget of its key.
    reservation: Option<BudgetHold>,
    ended: Option<(u16, &'static str)>,
    /// Whether the request had a valid note, recording or scan.
    has_note: bool,
    _in_flight: InFlightGuard,
}

impl AuditGuard {
    pub(super) fn new(app: &App, context: &RequestContext, route: Route, principal: Option<Principal>) -> Self {
        let in_flight = app.state.in_flight.begin();
        let (app, context) = (app.clone(), context.clone());
        let arrived = SystemTime::now().checked_sub(context.arrived.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
        Self {
            record: AuditRecord::default(),
            app,
            context,
            route,
            principal,
            arrived,
            reservation: None,
            ended: None,
            has_note: false,
            _in_flight: in_flight,
        }
    }

    /// Counts the note against the budget of its key, if that has one. It is given back if the note is not read.
    pub(super) fn reserve(&mut self) -> Result<(), Box<Problem>> {
        let limited = |key: &&Principal| !Budget::of(key).is_unlimited();
        let Some(principal) = self.principal.as_ref().filter(limited) else { return Ok(()) };
        // Keys with a budget are refused without an audit.
        let Some(audit) = &self.app.state.audit else { return Ok(()) };
        let exhausted = match audit.ledger().reserve(principal.name(), Budget::of(principal), self.arrived) {
            Ok(reservation) => {
                self.reservation = Some(reservation);
                return Ok(());
            }
            Err(exhausted) => exhausted,
        };
        let budget = match exhausted {
            Exhausted::Notes => principal.budget().map(|notes| format!("{notes} notes")),
            Exhausted::Tokens => principal.token_budget().map(|tokens| format!("{tokens} tokens")),
        };
        let budget = budget.unwrap_or_default();
        self.app.state.metrics.count_budget(BudgetOutcome::Refused);
        let left = end_of_month(self.arrived).duration_since(SystemTime::now()).unwrap_or_default();
        let problem = ErrorCode::BudgetExhausted.problem(&self.context.id).with_retry_after(left);
        let detail = format!(
            "The budget of this key, {budget} a month, is used up or held by notes that are being read. The next month \
             (UTC) begins after the time in Retry-After; the operator can raise the budget at once."
        );
        Err(problem.with_detail(&detail).into())
    }

    /// Records the note's size and, if there is an audit, its HMAC.
    pub(super) fn record_note(&mut self, note: &crate::extraction::Note) {
        self.begin_reading();
        self.record.note_chars = note.code_points();
        self.app.state.metrics.record_note_length(self.record.note_chars);
        if let Some(reservation) = &mut self.reservation {
            reservation.expect_tokens(self.app.extractor.pipeline.expected_tokens(note));
        }
        self.record.note_hmac = self.app.state.audit.as_ref().map(|audit| audit.hmac(note.as_str()));
    }

    /// Counts the request as work from now on: its note, recording or scan is valid.
    pub(super) fn begin_reading(&mut self) {
        if !std::mem::replace(&mut self.has_note, true) {
            self.app.state.readiness.note_began();
        }
    }

    /// Records facts about the answer, but none of its values.
    pub(super) fn record_answer(&mut self, answer: &Answer, stages: StageTimings) {
        self.record.stages = Some(stages);
        if self.app.state.audit.is_some() {
            self.record.answered = Some(AnswerFacts {
                engine: answer.engine.as_str(),
                model: answer.model.clone(),
                prompt: answer.prompt,
                fields: Field::ALL.into_iter().filter(|&field| answer.record.get(field).is_some()).collect(),
                degraded: answer.degraded,
                tokens: answer.tokens_used,
            });
        }
    }

    /// Records what answered a question, but nothing of the question or the answer.
    pub(super) fn record_reply(&mut self, engine: &'static str, model: &str, tokens: u32) {
        if self.app.state.audit.is_some() {
            self.record.answered = Some(AnswerFacts {
                engine,
                model: model.to_owned(),
                prompt: None,
                fields: Vec::new(),
                degraded: false,
                tokens,
            });
        }
    }

    /// Ends the extraction with the status and error code of its answer, and returns the record.
    pub(super) fn finish(mut self, status: StatusCode, code: Option<&'static str>) -> AuditRecord {
        self.ended = Some((status.as_u16(), code.unwrap_or("ok")));
        self.record.clone()
    }
}

impl Drop for AuditGuard {
    fn drop(&mut self) {
        // This includes a caller that disconnected: the model was busy until now.
        if self.has_note {
            self.app.state.readiness.note_ended();
        }
        let unfinished = if std::thread::panicking() { PANICKED } else { CALLER_VANISHED };
        let (status, code) = self.ended.unwrap_or(unfinished);
        self.app.state.metrics.count_note(self.route, code);
        let Some(audit) = &self.app.state.audit else { return };
        let elapsed = self.context.arrived.elapsed();
        let record = std::mem::take(&mut self.record);
        let answered = record.answered;
        let facts = answered.as_ref();
        let entry = AuditEntry {
            time: format_time(self.arrived),
            request_id: Arc::clone(&self.context.id),
            principal: self.principal.as_ref().map(|principal| principal.name().to_owned()),
            route: self.route,
            status,
            code,
            body_bytes: record.body_bytes,
            note_chars: record.note_chars,
            has_note: self.has_note,
            note_hmac: record.note_hmac,
            engine: facts.map(|facts| facts.engine),
            prompt: facts.and_then(|facts| facts.prompt),
            degraded: facts.is_some_and(|facts| facts.degraded),
            tokens: facts.map_or(0, |facts| facts.tokens),
            model: facts.map(|facts| facts.model.clone()),
            fields: answered.map(|facts| facts.fields).unwrap_or_default(),
            cached: record.cached,
            milliseconds: milliseconds(elapsed),
            engine_milliseconds: record.stages.map_or(0, |stages| milliseconds(stages.engine)),
        };
        let reservation = self.reservation.take();
        if reservation.is_some() {
            let counts = usage::counts(status, entry.has_note);
            let outcome = if counts { BudgetOutcome::Counted } else { BudgetOutcome::GivenBack };
            self.app.state.metrics.count_budget(outcome);
        }
        audit.record(entry, reservation);
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
