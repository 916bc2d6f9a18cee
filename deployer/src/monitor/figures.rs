//! Rates, shares and latencies from the scrapes of the last minutes. Pure: the caller passes the time.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    histogram::Quantile,
    sample::{Counters, GatewaySample, Moment, Outcomes},
};

/// How many seconds of scrapes are kept.
pub(super) const WINDOW_SECONDS: f64 = 300.0;

/// The scrapes of the last minutes, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Window(VecDeque<(f64, GatewaySample)>);

/// The gateway's figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    /// The state at the last scrape.
    pub now: Moment,
    /// What happened in the last minutes; `null` before the second scrape, and after a start of the gateway.
    pub window: Option<Period>,
    /// What happened since the start of the gateway.
    pub since_start: Period,
}

/// What happened in a time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Period {
    /// The length of the time, in seconds.
    pub seconds: f64,
    /// Notes that were read for a record, or failed through no fault of the client.
    pub notes: f64,
    /// Notes for each second.
    pub notes_per_second: f64,
    /// Questions about a note that were answered, or failed through no fault of the client.
    pub questions: f64,
    /// Recordings and scans that were answered, or failed through no fault of the client.
    pub uploads: f64,
    /// The share of these notes, questions, recordings and scans that failed, from 0 to 1; `null` without any.
    pub error_share: Option<f64>,
    /// The share of empty records in all notes that were read, from 0 to 1; `null` without such notes.
    pub empty_share: Option<f64>,
    /// Values in records.
    pub values: f64,
    /// The share of values that nothing in their note supports, from 0 to 1; `null` without values.
    pub unsupported_share: Option<f64>,
    /// Requests with one note, from arrival to the end of the answer.
    pub request: Latency,
    /// The engine's time of each note.
    pub engine: Latency,
}

/// Latencies of a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Latency {
    /// How many were measured.
    pub count: f64,
    /// The median; `null` without measurements.
    pub p50: Option<Quantile>,
    /// The 95th percentile; `null` without measurements.
    pub p95: Option<Quantile>,
}

impl Window {
    /// Adds a scrape. `at` is in seconds. Scrapes of an earlier process, whose counters this one does not continue, are
    /// forgotten, and so are those that are too old, except the one before this: the gateway may be asked rarely.
    pub fn push(&mut self, at: f64, sample: GatewaySample) {
        if self.0.back().is_some_and(|(_, last)| !sample.follows(last)) {
            self.0.clear();
        }
        self.0.push_back((at, sample));
        while self.0.len() > 2 && self.0.front().is_some_and(|(oldest, _)| at - oldest > WINDOW_SECONDS) {
            self.0.pop_front();
        }
    }

    /// Returns the figures of the last scrape; `None` before the first. `wall` is the time of the last scrape in
    /// seconds since 1970.
    #[must_use]
    pub fn figures(&self, wall: f64) -> Option<Figures> {
        let (at, last) = self.0.back()?;
        let first = self.0.front().filter(|(first, _)| at > first);
        Some(Figures {
            now: last.now.clone(),
            window: first.map(|(first, before)| Period::of(&last.counters.since(&before.counters), at - first)),
            since_start: Period::of(&last.counters, (wall - last.now.started).max(0.0)),
        })
    }
}

impl Period {
    /// Returns how many notes, questions, recordings and scans the share of errors is of.
    pub(super) fn requests(&self) -> f64 {
        self.notes + self.questions + self.uploads
    }

    fn of(counted: &Counters, seconds: f64) -> Self {
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let latency = |times: &super::histogram::Histogram| Latency {
            count: times.count(),
            p50: times.quantile(0.5),
            p95: times.quantile(0.95),
        };
        let notes = counted.notes.all();
        let failed = counted.outcomes().into_iter().map(|outcomes| outcomes.failed).sum::<f64>();
        Self {
            seconds,
            notes,
            notes_per_second: share(notes, seconds).unwrap_or_default(),
            questions: counted.questions.all(),
            uploads: counted.uploads.all(),
            error_share: share(failed, counted.outcomes().into_iter().map(Outcomes::all).sum::<f64>()),
            empty_share: share(counted.empty, counted.notes.ok),
            values: counted.values,
            unsupported_share: share(counted.unsupported, counted.values),
            request: latency(&counted.requests),
            engine: latency(&counted.engine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcomes, WINDOW_SECONDS, Window};
    use crate::monitor::testing::sample;

    #[test]
    fn two_scrapes_make_rates_and_shares() {
        let mut window = Window::default();
        assert_eq!(window.figures(0.0), None);
        window.push(10.0, sample(90, 10));
        let one = window.figures(2000.0).unwrap();
        // The made-up gateway started at 1000.
        assert_eq!((one.window, one.since_start.seconds, one.since_start.error_share), (None, 1000.0, Some(0.1)));
        window.push(20.0, sample(130, 10));
        let period = window.figures(2010.0).unwrap().window.unwrap();
        assert_eq!((period.seconds, period.notes, period.notes_per_second), (10.0, 40.0, 4.0));
        assert_eq!((period.error_share, period.empty_share), (Some(0.0), Some(0.1)));
        assert_eq!((period.unsupported_share, period.request.count), (Some(0.1), 40.0));
        window.push(30.0, sample(130, 10));
        let idle = window.figures(2020.0).unwrap().window.unwrap();
        assert_eq!((idle.seconds, idle.notes_per_second), (20.0, 2.0));
    }

    #[test]
    fn questions_and_uploads_count_among_errors_and_not_among_notes() {
        let mut window = Window::default();
        window.push(0.0, sample(90, 10));
        let mut later = sample(110, 10);
        later.counters.questions = Outcomes { ok: 60.0, failed: 10.0 };
        later.counters.uploads = Outcomes { ok: 0.0, failed: 10.0 };
        window.push(10.0, later);
        let period = window.figures(2000.0).unwrap().window.unwrap();
        assert_eq!((period.notes, period.questions, period.uploads, period.requests()), (20.0, 70.0, 10.0, 100.0));
        assert_eq!((period.error_share, period.empty_share, period.notes_per_second), (Some(0.2), Some(0.1), 2.0));
    }

    #[test]
    fn without_notes_there_are_no_shares() {
        let mut window = Window::default();
        window.push(0.0, sample(5, 0));
        window.push(10.0, sample(5, 0));
        let period = window.figures(2000.0).unwrap().window.unwrap();
        assert_eq!((period.error_share, period.empty_share, period.unsupported_share), (None, None, None));
        assert_eq!((period.request.p95, period.notes_per_second), (None, 0.0));
    }

    #[test]
    fn a_new_process_begins_a_new_window() {
        let mut window = Window::default();
        window.push(0.0, sample(90, 10));
        window.push(10.0, sample(3, 0));
        assert_eq!(window.figures(2000.0).unwrap().window, None);
        // Counters that kept rising, of a process that started later.
        let mut other = sample(200, 10);
        other.now.started += 500.0;
        window.push(20.0, other);
        assert_eq!(window.figures(2000.0).unwrap().window, None);
    }

    #[test]
    fn old_scrapes_are_forgotten() {
        let mut window = Window::default();
        for (at, ok) in [(0.0, 0), (100.0, 1000), (WINDOW_SECONDS + 50.0, 1001)] {
            window.push(at, sample(ok, 0));
        }
        let period = window.figures(2000.0).unwrap().window.unwrap();
        assert_eq!((period.notes, period.seconds), (1.0, WINDOW_SECONDS - 50.0));
        window.push(5000.0, sample(1011, 0));
        let period = window.figures(9000.0).unwrap().window.unwrap();
        assert_eq!((period.notes, period.seconds), (10.0, 5000.0 - WINDOW_SECONDS - 50.0));
    }
}
