//! The thresholds of the alert rules, read from a file such as `config/alerts.toml`.

use serde::{Deserialize, Serialize};

/// The thresholds. A key that a file does not name keeps its default.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Share of the notes that may fail, such as 0.01.
    pub error_budget: f64,
    /// Multiple of the budget at which notes fail fast.
    pub fast_burn: f64,
    /// Multiple of the budget at which notes fail slowly.
    pub slow_burn: f64,
    /// With fewer notes than this in a window, neither a share of failures nor the latency is evaluated.
    pub least_notes: u32,
    /// Minutes without a model server that is ready.
    pub no_server_minutes: u32,
    /// Minutes that a model server may load. Below `vllm.startup_minutes`, after which it counts as unreachable.
    pub loading_minutes: u32,
    /// Seconds of the engine's 95th percentile; at most 30, because of the histogram's buckets.
    pub engine_seconds: f64,
    /// Calls that may wait for ten minutes.
    pub queue_calls: u32,
    /// Used share of the KV cache, while sequences are preempted.
    pub kv_cache: f64,
    /// Share of notes with an unusable or truncated output.
    pub unusable: f64,
    /// Multiple of the usual share of empty records or unsupported values.
    pub drift_factor: f64,
    /// With fewer notes or values than this in six hours, drift is not evaluated.
    pub drift_least: u32,
    /// Fewer notes or values than this in the week before do not make a usual share.
    pub drift_usual_least: u32,
    /// Free share of a disk.
    pub disk_free: f64,
    /// Days until a certificate expires.
    pub certificate_days: u32,
    /// Minutes without a note on a box with a model.
    pub idle_minutes: u32,
    /// Temperature of a GPU, in degrees Celsius.
    pub gpu_celsius: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            error_budget: 0.01,
            fast_burn: 14.4,
            slow_burn: 6.0,
            least_notes: 20,
            no_server_minutes: 2,
            loading_minutes: 12,
            engine_seconds: 20.0,
            queue_calls: 256,
            kv_cache: 0.95,
            unusable: 0.02,
            drift_factor: 2.0,
            drift_least: 200,
            drift_usual_least: 1_000,
            disk_free: 0.15,
            certificate_days: 14,
            idle_minutes: 60,
            gpu_celsius: 85,
        }
    }
}

/// Why thresholds cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidThresholds {
    /// The text is not TOML, or has an unknown key or a value of another type.
    #[error("the thresholds cannot be read: {0}")]
    Syntax(String),
    /// A value is outside of its range, so its rule would always or never fire.
    #[error("the threshold {name} is {value}: it must be {range}")]
    Range {
        /// The key.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        range: &'static str,
    },
}

impl Thresholds {
    /// Reads thresholds from TOML.
    pub fn parse(text: &str) -> Result<Self, InvalidThresholds> {
        let file = config::File::from_str(text, config::FileFormat::Toml);
        let read = config::Config::builder().add_source(file).build().and_then(config::Config::try_deserialize);
        let thresholds: Self = read.map_err(|error| InvalidThresholds::Syntax(error.to_string()))?;
        thresholds.check()?;
        Ok(thresholds)
    }

    fn check(&self) -> Result<(), InvalidThresholds> {
        let refuse = |name, value, range| Err(InvalidThresholds::Range { name, value, range });
        for (name, value) in [
            ("error_budget", self.error_budget),
            ("kv_cache", self.kv_cache),
            ("unusable", self.unusable),
            ("disk_free", self.disk_free),
            ("error_budget * fast_burn", self.error_budget * self.fast_burn),
            ("error_budget * slow_burn", self.error_budget * self.slow_burn),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return refuse(name, value, "between 0 and 1");
            }
        }
        // The last bucket of the histogram ends at 60 s: a percentile in it is never above that.
        if !(self.engine_seconds > 0.0 && self.engine_seconds <= 30.0) {
            return refuse("engine_seconds", self.engine_seconds, "above 0 and at most 30");
        }
        if !(self.drift_factor > 1.0 && self.drift_factor.is_finite()) {
            return refuse("drift_factor", self.drift_factor, "above 1");
        }
        for (name, value) in [
            ("least_notes", self.least_notes),
            ("no_server_minutes", self.no_server_minutes),
            ("loading_minutes", self.loading_minutes),
            ("queue_calls", self.queue_calls),
            ("drift_least", self.drift_least),
            ("drift_usual_least", self.drift_usual_least),
            ("certificate_days", self.certificate_days),
            ("idle_minutes", self.idle_minutes),
            ("gpu_celsius", self.gpu_celsius),
        ] {
            if value == 0 {
                return refuse(name, f64::from(value), "at least 1");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_would_silence_a_rule_is_refused() {
        for (text, said) in [
            ("error_budget = 0.0", "error_budget is 0"),
            ("error_budget = 0.2", "error_budget * fast_burn"),
            ("slow_burn = -1.0", "error_budget * slow_burn"),
            ("disk_free = 15", "disk_free is 15"),
            ("kv_cache = nan", "kv_cache is NaN"),
            ("engine_seconds = 45", "at most 30"),
            ("drift_factor = 1.0", "above 1"),
            ("drift_factor = inf", "above 1"),
            ("idle_minutes = 0", "at least 1"),
            ("idle_minutes = -5", "idle_minutes"),
            ("idle_hours = 1", "unknown field"),
            ("gpu_celsius = \"warm\"", "gpu_celsius"),
            ("gpu_celsius", "cannot be read"),
        ] {
            let error = Thresholds::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert_eq!(Thresholds::parse("").unwrap(), Thresholds::default());
        assert_eq!(Thresholds::parse("queue_calls = 9").unwrap().queue_calls, 9);
    }
}
