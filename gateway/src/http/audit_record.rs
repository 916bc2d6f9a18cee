//! The record of one extraction for the log line, the metrics and the audit. It never contains text of the note or
//! values of the answer.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::http::StatusCode;

use super::{App, context::RequestContext};
use crate::{
    access::Principal,
    audit::AuditEntry,
    extraction::{Answer, Field, StageTimings},
    in_flight::InFlightGuard,
    telemetry::Route,
};

/// The status and code in the audit and the log for a request whose caller disconnected. No answer has this status.
pub(super) const CALLER_VANISHED: (u16, &str) = (499, "caller_vanished");

/// The end of the year 9999, after which RFC 3339 has no times.
const LAST_RFC3339_TIME: Duration = Duration::from_secs(253_402_300_799);

/// The status and code of an extraction that panicked. `layers` answers the caller with the same.
pub(super) const PANICKED: (u16, &str) = (500, "internal");

/// What is known about one extraction so far.
#[derive(Clone, Debug, Default)]
pub(super) struct AuditRecord {
    pub(super) body_bytes: usize,
    pub(super) note_chars: usize,
    pub(super) stages: Option<StageTimings>,
    pub(super) cached: bool,
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
    ended: Option<(u16, &'static str)>,
    /// Whether the request had a valid note or recording.
    has_note: bool,
    _in_flight: InFlightGuard,
}

impl AuditGuard {
    pub(super) fn new(app: &App, context: &RequestContext, route: Route, principal: Option<Principal>) -> Self {
        let in_flight = app.state.in_flight.begin();
        let (app, context) = (app.clone(), context.clone());
        Self {
            record: AuditRecord::default(),
            app,
            context,
            route,
            principal,
            ended: None,
            has_note: false,
            _in_flight: in_flight,
        }
    }

    /// Records the note's size and, if there is an audit, its HMAC.
    pub(super) fn record_note(&mut self, note: &crate::extraction::Note) {
        self.begin_reading();
        self.record.note_chars = note.code_points();
        self.app.state.metrics.record_note_length(self.record.note_chars);
        self.record.note_hmac = self.app.state.audit.as_ref().map(|audit| audit.hmac(note.as_str()));
    }

    /// Counts the request as work from now on: its note or recording is valid.
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
        let arrived = SystemTime::now().checked_sub(elapsed).unwrap_or(SystemTime::UNIX_EPOCH);
        let record = std::mem::take(&mut self.record);
        let answered = record.answered;
        let facts = answered.as_ref();
        audit.record(AuditEntry {
            time: format_time(arrived),
            request_id: Arc::clone(&self.context.id),
            principal: self.principal.as_ref().map(|principal| principal.name().to_owned()),
            route: self.route,
            status,
            code,
            body_bytes: record.body_bytes,
            note_chars: record.note_chars,
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
        });
    }
}

/// Formats a time by RFC 3339. A time outside 1970 to 9999, from a wrong clock, becomes the nearest time in that range,
/// so that no note fails because of the clock.
fn format_time(time: SystemTime) -> String {
    let last = SystemTime::UNIX_EPOCH + LAST_RFC3339_TIME;
    humantime::format_rfc3339_millis(time.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_time_clamps_the_time_of_a_wrong_clock() {
        let epoch = SystemTime::UNIX_EPOCH;
        for (time, expected) in [
            (epoch.checked_sub(Duration::from_hours(24 * 365 * 3)), "1970-01-01T00:00:00.000Z"),
            (epoch.checked_sub(Duration::from_millis(1)), "1970-01-01T00:00:00.000Z"),
            (epoch.checked_add(Duration::from_millis(1_500)), "1970-01-01T00:00:01.500Z"),
            (epoch.checked_add(Duration::from_hours(24 * 365 * 9_000)), "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(format_time(time.unwrap()), expected);
        }
    }
}
