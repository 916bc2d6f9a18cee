//! The alerts and their thresholds, judged against a snapshot. Pure. Alerts over hours and weeks (burn rates, unusual
//! shares) are those of Prometheus: `config/alerts.yaml`.

use schemars::JsonSchema;
use serde::Serialize;

use super::snapshot::Snapshot;

/// Fewer notes or values in the window say nothing about a share; `least_notes` of `config/alerts.toml`.
const LEAST: f64 = 20.0;
/// How long a model may load, in seconds; `loading_minutes` of `config/alerts.toml`.
const LOADING_SECONDS: f64 = 12.0 * 60.0;

/// An alert. The first four are those of a file in the form of `alert_config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The gateway does not answer, or cannot read notes.
    ServiceDown,
    /// A container of the box or a model server does not run as it should.
    ProcessMissing,
    /// The 95th percentile of the requests' or the engine's time is too long.
    HighLatency,
    /// The memory budget, the KV cache or the disk is almost used up.
    ResourceUsage,
    /// Too many calls wait for a model server.
    QueueDepth,
    /// Too many notes fail.
    ErrorShare,
    /// Too many records are empty.
    EmptyShare,
    /// Too many values have no support in their notes.
    UnsupportedShare,
    /// The box has cost too much since its start.
    Cost,
}

/// An alert with its threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The alert.
    pub kind: AlertKind,
    /// The figure above which it is violated; 0 for an alert without a threshold.
    pub threshold: f64,
    /// How many violations in a row make it fire, and how many good evaluations in a row end it.
    pub consecutive: u32,
    /// The least seconds between two notices of the alert.
    pub cooldown: f64,
}

/// The result of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// The figures are missing or stale. Says nothing.
    Unknown,
    /// All is well.
    Good,
    /// The threshold is exceeded.
    Violated(Violation),
}

/// A violation.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The figure; `None` for an alert without a threshold.
    pub value: Option<f64>,
    /// What happened, for a person: figures and names, no address and no text of a note.
    pub text: String,
}

impl AlertKind {
    /// Every alert.
    pub const ALL: [Self; 9] = [
        Self::ServiceDown,
        Self::ProcessMissing,
        Self::HighLatency,
        Self::ResourceUsage,
        Self::QueueDepth,
        Self::ErrorShare,
        Self::EmptyShare,
        Self::UnsupportedShare,
        Self::Cost,
    ];

    /// Returns its name in files and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceDown => "service_down",
            Self::ProcessMissing => "process_missing",
            Self::HighLatency => "high_latency",
            Self::ResourceUsage => "resource_usage",
            Self::QueueDepth => "queue_depth",
            Self::ErrorShare => "error_share",
            Self::EmptyShare => "empty_share",
            Self::UnsupportedShare => "unsupported_share",
            Self::Cost => "cost",
        }
    }

    /// Returns the threshold that holds without a file: that of `config/alerts.toml` where it has one. `None`: the alert
    /// is off unless a file sets a threshold, because no figure fits every service.
    #[must_use]
    pub const fn default_threshold(self) -> Option<f64> {
        match self {
            Self::ServiceDown | Self::ProcessMissing => Some(0.0),
            // Milliseconds: `engine_seconds`.
            Self::HighLatency => Some(20_000.0),
            // Percent: `kv_cache`.
            Self::ResourceUsage => Some(95.0),
            // `queue_calls`.
            Self::QueueDepth => Some(256.0),
            // `error_budget` times `fast_burn`.
            Self::ErrorShare => Some(0.144),
            Self::EmptyShare | Self::UnsupportedShare | Self::Cost => None,
        }
    }

    /// Returns the largest threshold that can be exceeded; `None`: any.
    #[must_use]
    pub const fn highest_threshold(self) -> Option<f64> {
        match self {
            Self::ResourceUsage => Some(100.0),
            Self::ErrorShare | Self::EmptyShare | Self::UnsupportedShare => Some(1.0),
            _ => None,
        }
    }
}

impl Rule {
    /// Returns a rule with the values that hold without a file; `None` if the alert is off without one.
    #[must_use]
    pub const fn default_of(kind: AlertKind) -> Option<Self> {
        match kind.default_threshold() {
            Some(threshold) => Some(Self { kind, threshold, consecutive: 3, cooldown: 900.0 }),
            None => None,
        }
    }

    /// Judges a snapshot.
    #[must_use]
    pub fn judge(&self, snapshot: &Snapshot) -> Judgement {
        match self.kind {
            AlertKind::ServiceDown => service_down(snapshot),
            AlertKind::ProcessMissing => process_missing(snapshot),
            AlertKind::HighLatency => self.latency(snapshot),
            AlertKind::ResourceUsage => self.resources(snapshot),
            AlertKind::QueueDepth => {
                let queue = snapshot.figures.fresh().map(|figures| figures.now.queue);
                self.above(queue, |queue| format!("{queue:.0} calls wait for a model server"))
            }
            AlertKind::ErrorShare => {
                self.share(snapshot, "of the notes failed", |period| (period.error_share, period.notes))
            }
            AlertKind::EmptyShare => {
                self.share(snapshot, "of the records are empty", |period| (period.empty_share, period.notes))
            }
            AlertKind::UnsupportedShare => {
                self.share(snapshot, "of the values have no support in their notes", |period| {
                    (period.unsupported_share, period.values)
                })
            }
            AlertKind::Cost => {
                let cost = snapshot.instance.as_ref().and_then(|instance| instance.fresh());
                let cost = cost.map(|instance| instance.cost_so_far_usd.unwrap_or_default());
                self.above(cost, |usd| format!("the box has cost {usd:.2} USD since its start"))
            }
        }
    }

    /// Judges one figure; `None`: it is not known.
    fn above(&self, figure: Option<f64>, text: impl Fn(f64) -> String) -> Judgement {
        match figure {
            None => Judgement::Unknown,
            Some(figure) if figure > self.threshold => {
                Judgement::Violated(Violation { value: Some(figure), text: text(figure) })
            }
            Some(_) => Judgement::Good,
        }
    }

    /// Judges a share of the window. Without enough notes it is good, so that an alert ends when no notes come.
    fn share(
        &self,
        snapshot: &Snapshot,
        what: &str,
        of: impl Fn(&super::figures::Period) -> (Option<f64>, f64),
    ) -> Judgement {
        let Some(figures) = snapshot.figures.fresh() else { return Judgement::Unknown };
        let Some(period) = &figures.window else { return Judgement::Unknown };
        match of(period) {
            (Some(share), count) if count >= LEAST => {
                self.above(Some(share), |share| format!("{:.1} % {what} in {:.0} s", share * 100.0, period.seconds))
            }
            _ => Judgement::Good,
        }
    }

    fn latency(&self, snapshot: &Snapshot) -> Judgement {
        let Some(figures) = snapshot.figures.fresh() else { return Judgement::Unknown };
        let Some(period) = &figures.window else { return Judgement::Unknown };
        let both = [("requests with one note", period.request), ("the engine", period.engine)];
        let slowest = both
            .into_iter()
            .filter(|(_, latency)| latency.count >= LEAST)
            .filter_map(|(name, latency)| Some((name, latency.p95?)))
            .max_by(|(_, one), (_, other)| one.seconds.total_cmp(&other.seconds));
        match slowest {
            None => Judgement::Good,
            Some((name, p95)) => {
                // A time over the last bound of the histogram is longer than its figure.
                let over = if p95.or_more { "over " } else { "" };
                let exceeds = p95.or_more && p95.seconds * 1000.0 >= self.threshold;
                let text = |seconds: f64| format!("one in twenty of {name} takes {over}{seconds:.1} s");
                let judged = self.above(Some(p95.seconds * 1000.0), |milliseconds| text(milliseconds / 1000.0));
                match judged {
                    Judgement::Good if exceeds => {
                        Judgement::Violated(Violation { value: Some(p95.seconds * 1000.0), text: text(p95.seconds) })
                    }
                    judged => judged,
                }
            }
        }
    }

    fn resources(&self, snapshot: &Snapshot) -> Judgement {
        let figures = snapshot.figures.fresh();
        let host = snapshot.host.as_ref().and_then(|host| host.fresh());
        #[expect(clippy::cast_precision_loss, reason = "a share of a disk")]
        let disk = host
            .filter(|host| host.disk_total > 0)
            .map(|host| host.disk_total.saturating_sub(host.disk_free) as f64 / host.disk_total as f64);
        let shares = [
            ("memory budget", figures.map(|figures| figures.now.memory_share)),
            ("KV cache", figures.and_then(|figures| figures.now.kv_cache_share)),
            ("disk", disk),
        ];
        let known = shares.into_iter().filter_map(|(name, share)| Some((name, share? * 100.0)));
        match known.max_by(|(_, one), (_, other)| one.total_cmp(other)) {
            None => Judgement::Unknown,
            Some((name, percent)) => self.above(Some(percent), |_| format!("{percent:.0} % of the {name} is used")),
        }
    }
}

fn violated(text: String) -> Judgement {
    Judgement::Violated(Violation { value: None, text })
}

fn service_down(snapshot: &Snapshot) -> Judgement {
    let gateway = &snapshot.gateway;
    let instance = snapshot.instance.as_ref().and_then(|instance| instance.fresh());
    if instance.is_some_and(|instance| !matches!(instance.state.as_str(), "running" | "pending")) {
        // Stopped by an operator or the idle stop, which is no fault.
        return Judgement::Unknown;
    }
    let Some(health) = gateway.fresh() else {
        return match &gateway.error {
            Some(error) => violated(format!("no good answer of the gateway: {error}")),
            None if gateway.stale => violated("the gateway does not answer".to_owned()),
            None => Judgement::Unknown,
        };
    };
    let now = snapshot.figures.fresh().map(|figures| (&figures.now, figures.since_start.seconds));
    match health.status.as_str() {
        "healthy" => Judgement::Good,
        // A load takes minutes and is no fault, unless it takes too long.
        "starting" if now.is_some_and(|(_, uptime)| uptime < LOADING_SECONDS) => Judgement::Good,
        status => {
            let reason = now.and_then(|(now, _)| now.reason.as_ref());
            let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            violated(format!("the gateway is {status}{reason}"))
        }
    }
}

fn process_missing(snapshot: &Snapshot) -> Judgement {
    let figures = snapshot.figures.fresh();
    let host = snapshot.host.as_ref().and_then(|host| host.fresh());
    if figures.is_none() && host.is_none() {
        return Judgement::Unknown;
    }
    let container = host
        .into_iter()
        .flat_map(|host| &host.services)
        .find(|service| service.state != "running" || service.health == "unhealthy");
    if let Some(service) = container {
        let health = if service.health.is_empty() { String::new() } else { format!(", {}", service.health) };
        return violated(format!("the container {} is {}{health}", service.name, service.state));
    }
    let server = figures
        .into_iter()
        .flat_map(|figures| &figures.now.model_servers)
        .find(|server| !matches!(server.state.as_str(), "ready" | "loading"));
    server.map_or(Judgement::Good, |server| violated(format!("the model server {} is {}", server.name, server.state)))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
