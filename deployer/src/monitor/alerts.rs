//! The state of each alert: violations in a row, firing, cool-down, recovery. Pure: the caller passes the time.

use schemars::JsonSchema;
use serde::Serialize;

use super::rules::{AlertKind, Judgement, Rule, Violation};

/// The state of one alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The alert with its threshold.
    pub rule: Rule,
    /// Violations in a row.
    violations: u32,
    /// Good evaluations in a row.
    good: u32,
    /// Since when it fires, in seconds.
    since: Option<f64>,
    /// Whether a notice about the firing alert was sent.
    told: bool,
    /// When the last notice was sent, in seconds.
    last_notice: Option<f64>,
    /// The last violation.
    last: Violation,
}

/// An alert that fires or may soon, in a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AlertStatus {
    /// The alert.
    pub alert: AlertKind,
    /// Whether it fires.
    pub state: AlertPhase,
    /// For how many seconds it has fired; `null` if it does not fire yet.
    pub firing_seconds: Option<f64>,
    /// Violations in a row.
    pub violations: u32,
    /// How many violations in a row make it fire.
    pub needed: u32,
    /// The figure; `null` for an alert without a threshold.
    pub value: Option<f64>,
    /// The threshold; `null` for an alert without one.
    pub threshold: Option<f64>,
    /// What happened, for a person.
    pub text: String,
}

/// Whether an alert fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertPhase {
    /// Violated, but not often enough in a row.
    Pending,
    /// It fires.
    Firing,
}

/// The event that a notice reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The alert fires.
    Fired,
    /// The alert still fires after its cool-down.
    StillFiring,
    /// The alert has ended.
    Recovered,
}

/// A notice about an alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// The alert.
    pub alert: AlertKind,
    /// The event.
    pub event: NoticeKind,
    /// The figure; `null` for an alert without a threshold.
    pub value: Option<f64>,
    /// The threshold; `null` for an alert without one.
    pub threshold: Option<f64>,
    /// What happened, for a person.
    pub what: String,
}

impl Alert {
    /// Returns an alert that was never violated.
    #[must_use]
    pub const fn new(rule: Rule) -> Self {
        let last = Violation { value: None, text: String::new() };
        Self { rule, violations: 0, good: 0, since: None, told: false, last_notice: None, last }
    }

    /// Records one evaluation. Returns a notice if one is due.
    pub fn record(&mut self, judgement: Judgement, now: f64) -> Option<Notice> {
        match judgement {
            // Missing figures neither violate nor recover: `service_down` reports that they are missing.
            Judgement::Unknown => None,
            Judgement::Good => self.record_good(),
            Judgement::Violated(violation) => self.record_violation(violation, now),
        }
    }

    fn record_violation(&mut self, violation: Violation, now: f64) -> Option<Notice> {
        (self.good, self.last) = (0, violation);
        self.violations = self.violations.saturating_add(1);
        if self.violations >= self.rule.consecutive {
            self.since.get_or_insert(now);
        }
        self.since?;
        if self.last_notice.is_some_and(|last| now - last < self.rule.cooldown) {
            return None;
        }
        self.last_notice = Some(now);
        let event = if std::mem::replace(&mut self.told, true) { NoticeKind::StillFiring } else { NoticeKind::Fired };
        Some(self.notice(event))
    }

    fn record_good(&mut self) -> Option<Notice> {
        (self.violations, self.good) = (0, self.good.saturating_add(1));
        if self.good < self.rule.consecutive {
            return None;
        }
        self.since.take()?;
        // If the cool-down suppressed the first notice of an alert, its recovery sends no notice either.
        std::mem::take(&mut self.told).then(|| self.notice(NoticeKind::Recovered))
    }

    fn notice(&self, event: NoticeKind) -> Notice {
        let Violation { value, text } = self.last.clone();
        Notice { alert: self.rule.kind, event, value, threshold: self.threshold(), what: text }
    }

    fn threshold(&self) -> Option<f64> {
        let without = matches!(self.rule.kind, AlertKind::ServiceDown | AlertKind::ProcessMissing);
        (!without).then_some(self.rule.threshold)
    }

    /// Returns the alert for a snapshot; `None` if it neither fires nor is violated.
    #[must_use]
    pub fn status(&self, now: f64) -> Option<AlertStatus> {
        if self.since.is_none() && self.violations == 0 {
            return None;
        }
        Some(AlertStatus {
            alert: self.rule.kind,
            state: if self.since.is_some() { AlertPhase::Firing } else { AlertPhase::Pending },
            firing_seconds: self.since.map(|since| now - since),
            violations: self.violations,
            needed: self.rule.consecutive,
            value: self.last.value,
            threshold: self.threshold(),
            text: self.last.text.clone(),
        })
    }
}

impl Notice {
    /// Returns the notice in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let (event, text) = (self.event, &self.what);
        match event {
            NoticeKind::Fired => format!("FIRING {}: {text}", self.alert.name()),
            NoticeKind::StillFiring => format!("STILL FIRING {}: {text}", self.alert.name()),
            NoticeKind::Recovered => format!("RECOVERED {} (it was: {text})", self.alert.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Alert, AlertPhase, NoticeKind};
    use crate::monitor::rules::{AlertKind, Judgement, Rule, Violation};

    /// Runs evaluations 10 s apart: `x` violated, `.` good, `?` unknown. Returns the notices: `F` fired, `S` still
    /// firing, `R` recovered, `-` nothing.
    fn told(consecutive: u32, cooldown: f64, evaluations: &str) -> String {
        let mut alert = Alert::new(Rule { kind: AlertKind::QueueDepth, threshold: 5.0, consecutive, cooldown });
        let mut now = 0.0;
        let mut record = |evaluation| {
            now += 10.0;
            let judgement = match evaluation {
                'x' => Judgement::Violated(Violation { value: Some(9.0), text: "9 wait".to_owned() }),
                '.' => Judgement::Good,
                _ => Judgement::Unknown,
            };
            alert.record(judgement, now).map_or('-', |notice| match notice.event {
                NoticeKind::Fired => 'F',
                NoticeKind::StillFiring => 'S',
                NoticeKind::Recovered => 'R',
            })
        };
        evaluations.chars().map(&mut record).collect()
    }

    #[test]
    fn notices_follow_the_evaluations() {
        for (consecutive, cooldown, evaluations, expected) in [
            (1, 0.0, "x", "F"),
            (3, 900.0, "xxx", "--F"),
            (3, 900.0, "xx.xx.xxx", "--------F"),
            // As many good evaluations end it.
            (3, 900.0, "xxx..x...", "--F-----R"),
            (2, 900.0, "xx..", "-F-R"),
            // Missing figures change nothing.
            (3, 900.0, "x?x?x", "----F"),
            (2, 900.0, "xx.?.", "-F--R"),
            (2, 900.0, "??????", "------"),
            // A second notice after the cool-down, not before.
            (1, 30.0, "xxxxxxx", "F--S--S"),
            // A flapping alert sends one notice, and one at its end.
            (1, 1000.0, "x.x.x.x.", "FR------"),
            // An alert that began within the cool-down sends its notice when the cool-down is over.
            (1, 40.0, "x.xxxx.", "FR--F-R"),
        ] {
            assert_eq!(told(consecutive, cooldown, evaluations), expected, "{consecutive} {cooldown} {evaluations}");
        }
    }

    #[test]
    fn a_status_tells_how_far_it_is() {
        let mut alert =
            Alert::new(Rule { kind: AlertKind::ServiceDown, threshold: 0.0, consecutive: 2, cooldown: 60.0 });
        assert_eq!(alert.status(0.0), None);
        let violation = || Judgement::Violated(Violation { value: None, text: "gone".to_owned() });
        alert.record(violation(), 10.0);
        let pending = alert.status(10.0).unwrap();
        assert_eq!((pending.state, pending.violations, pending.needed), (AlertPhase::Pending, 1, 2));
        assert_eq!((pending.firing_seconds, pending.threshold), (None, None));
        let notice = alert.record(violation(), 20.0).unwrap();
        assert_eq!(notice.line(), "FIRING service_down: gone");
        let firing = alert.status(50.0).unwrap();
        assert_eq!((firing.state, firing.firing_seconds), (AlertPhase::Firing, Some(30.0)));
    }
}
