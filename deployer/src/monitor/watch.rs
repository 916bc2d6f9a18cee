//! Keeps the last good values of each source with their time, and the state of the alerts. Pure: the caller passes the
//! time, in seconds since the monitor's start and since 1970.

use super::{
    alerts::{Alert, Notice},
    channels::ChannelStatus,
    figures::{Figures, Window},
    judge::judge,
    rules::Rule,
    sample::GatewaySample,
    snapshot::{BoxState, GatewayHealth, HostState, Reading, Snapshot},
};

/// The answer of a source, or why there is none.
#[derive(Debug)]
pub enum Update {
    /// The gateway's `/health`.
    Health(Result<GatewayHealth, String>),
    /// The gateway's `/metrics`.
    Metrics(Result<Box<GatewaySample>, String>),
    /// The EC2 instance.
    Box(Result<BoxState, String>),
    /// The host of the box.
    Host(Result<HostState, String>),
}

/// The last good values of one source.
#[derive(Clone, Debug)]
struct Source<T> {
    value: Option<T>,
    at: Option<f64>,
    error: Option<String>,
    /// The age in seconds from which values are stale.
    limit: f64,
}

/// The last answers of all sources, and the state of the alerts.
#[derive(Clone, Debug)]
pub struct Watch {
    window: Window,
    health: Source<GatewayHealth>,
    figures: Source<Figures>,
    boxes: Option<(Source<BoxState>, Source<HostState>)>,
    alerts: Vec<Alert>,
}

/// The time at which something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Seconds since the monitor's start.
    pub elapsed: f64,
    /// Seconds since 1970.
    pub wall: f64,
}

impl<T: Clone> Source<T> {
    const fn new(limit: f64) -> Self {
        Self { value: None, at: None, error: None, limit }
    }

    fn record(&mut self, result: Result<T, String>, now: f64) {
        match result {
            Ok(value) => (self.value, self.at, self.error) = (Some(value), Some(now), None),
            Err(error) => self.error = Some(error),
        }
    }

    fn reading(&self, now: f64) -> Reading<T> {
        let age = self.at.map(|at| (now - at).max(0.0));
        // A source that never answered is stale as soon as it should have.
        let late = age.unwrap_or(now) > self.limit;
        Reading {
            value: self.value.clone(),
            age_seconds: age.map(|age| (age * 10.0).round() / 10.0),
            stale: late || self.error.is_some(),
            error: self.error.clone(),
        }
    }
}

impl Watch {
    /// Returns a watch without any answers yet. The gateway is asked every `interval` seconds, and the box, if it is
    /// watched, every `box_interval` seconds.
    #[must_use]
    pub fn new(rules: &[Rule], interval: f64, box_interval: Option<f64>) -> Self {
        let limit = 3.0 * interval + 10.0;
        let boxes = box_interval.map(|interval| {
            let limit = 3.0 * interval + 60.0;
            (Source::new(limit), Source::new(limit))
        });
        Self {
            window: Window::default(),
            health: Source::new(limit),
            figures: Source::new(limit),
            boxes,
            alerts: rules.iter().copied().map(Alert::new).collect(),
        }
    }

    /// Records an answer.
    pub fn record(&mut self, update: Update, now: Now) {
        match update {
            Update::Health(result) => self.health.record(result, now.elapsed),
            Update::Metrics(result) => {
                let figures = result.and_then(|sample| {
                    self.window.push(now.elapsed, *sample);
                    self.window.figures(now.wall).ok_or_else(|| "no figures".to_owned())
                });
                self.figures.record(figures, now.elapsed);
            }
            Update::Box(result) => {
                if let Some((instance, _)) = &mut self.boxes {
                    instance.record(result, now.elapsed);
                }
            }
            Update::Host(result) => {
                if let Some((_, host)) = &mut self.boxes {
                    host.record(result, now.elapsed);
                }
            }
        }
    }

    /// Returns whether a source has answered.
    #[must_use]
    pub fn has_values(&self) -> bool {
        let of_box = self.boxes.as_ref().is_some_and(|(instance, _)| instance.value.is_some());
        self.health.value.is_some() || self.figures.value.is_some() || of_box
    }

    /// Evaluates every alert once. Returns the notices that are due.
    pub fn evaluate(&mut self, now: Now) -> Vec<Notice> {
        let snapshot = self.snapshot(now, String::new(), None, Vec::new());
        let record = |alert: &mut Alert| {
            let judgement = judge(&alert.rule, &snapshot);
            alert.record(judgement, now.elapsed)
        };
        self.alerts.iter_mut().filter_map(record).collect()
    }

    /// Returns the snapshot of this moment.
    #[must_use]
    pub fn snapshot(&self, now: Now, time: String, url: Option<String>, channels: Vec<ChannelStatus>) -> Snapshot {
        Snapshot {
            time,
            url,
            instance: self.boxes.as_ref().map(|(instance, _)| instance.reading(now.elapsed)),
            host: self.boxes.as_ref().map(|(_, host)| host.reading(now.elapsed)),
            gateway: self.health.reading(now.elapsed),
            figures: self.figures.reading(now.elapsed),
            watched: self.alerts.iter().map(|alert| alert.rule.kind.name()).collect(),
            alerts: self.alerts.iter().filter_map(|alert| alert.status(now.elapsed)).collect(),
            channels,
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
