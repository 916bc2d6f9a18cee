//! The alerts and their thresholds. Pure. Alerts over hours and weeks (burn rates, unusual shares) are those of
//! Prometheus: `config/alerts.yaml`.

use schemars::JsonSchema;
use serde::Serialize;

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

    /// Returns the threshold that applies without a file: that of `config/alerts.toml` where it has one. `None`: the
    /// alert is off unless a file sets a threshold, because no figure fits every service.
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
    /// Returns a rule with the values that apply without a file; `None` if the alert is off without one.
    #[must_use]
    pub const fn default_of(kind: AlertKind) -> Option<Self> {
        match kind.default_threshold() {
            Some(threshold) => Some(Self { kind, threshold, consecutive: 3, cooldown: 900.0 }),
            None => None,
        }
    }
}
