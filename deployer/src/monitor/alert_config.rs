//! Reads a file in the form of `alert_config.json`: alerts with their thresholds, and the channels that get notices. A
//! key that is not known, and a value with which an alert would always or never fire, are refused. The file holds no
//! secret: it names files that do.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    channels::{
        ChannelConfig,
        mail::{MailConfig, MailTls},
    },
    rules::{AlertKind, Rule},
};
use crate::failure::Failure;

/// The content of a file.
#[derive(Debug)]
pub struct AlertConfig {
    /// The alerts that are on.
    pub rules: Vec<Rule>,
    /// Whether notices are also printed to standard output.
    pub console: bool,
    /// The channels that are on.
    pub channels: Vec<ChannelConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertFile {
    alerts: Alerts,
    #[serde(default)]
    notification_channels: ChannelTables,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alerts {
    service_down: Option<Plain>,
    process_missing: Option<Plain>,
    high_latency: Option<Milliseconds>,
    resource_usage: Option<Limit>,
    queue_depth: Option<Limit>,
    error_share: Option<Limit>,
    empty_share: Option<Limit>,
    unsupported_share: Option<Limit>,
    cost: Option<Limit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    #[serde(default = "yes")]
    enabled: bool,
    consecutive_violations: Option<u32>,
    cooldown_minutes: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Milliseconds {
    #[serde(default = "yes")]
    enabled: bool,
    threshold_ms: Option<f64>,
    consecutive_violations: Option<u32>,
    cooldown_minutes: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    #[serde(default = "yes")]
    enabled: bool,
    threshold: Option<f64>,
    consecutive_violations: Option<u32>,
    cooldown_minutes: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ChannelTables {
    console: Switch,
    log_file: LogFile,
    email: Option<Email>,
    slack: WebhookTable,
    webhook: WebhookTable,
    command: CommandTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogFile {
    enabled: bool,
    #[serde(default)]
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Email {
    enabled: bool,
    #[serde(default)]
    smtp_host: String,
    smtp_port: Option<u16>,
    #[serde(default)]
    tls: MailTls,
    #[serde(default)]
    username: String,
    password_file: Option<PathBuf>,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    enabled: bool,
    #[serde(default)]
    url_file: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandTable {
    enabled: bool,
    #[serde(default)]
    program: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl AlertConfig {
    /// Returns the alerts and channels that apply without a file.
    #[must_use]
    pub fn default_rules() -> Self {
        let rules = AlertKind::ALL.into_iter().filter_map(Rule::default_of).collect();
        Self { rules, console: true, channels: Vec::new() }
    }

    /// Reads a file. Paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::usage(
                format!("{}: {why}", path.display()),
                "deployer/docs/monitor.md lists the keys and their values.",
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let file: AlertFile = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        file.checked(folder).map_err(wrong)
    }
}

impl AlertFile {
    fn checked(self, folder: &Path) -> Result<AlertConfig, String> {
        let Alerts {
            service_down,
            process_missing,
            high_latency,
            resource_usage,
            queue_depth,
            error_share,
            empty_share,
            unsupported_share,
            cost,
        } = self.alerts;
        let plain = |found: Option<Plain>| {
            found.map(|one| (one.enabled, None, one.consecutive_violations, one.cooldown_minutes))
        };
        let with = |found: Option<Limit>| {
            found.map(|one| (one.enabled, one.threshold, one.consecutive_violations, one.cooldown_minutes))
        };
        let latency =
            high_latency.map(|one| (one.enabled, one.threshold_ms, one.consecutive_violations, one.cooldown_minutes));
        let named = [
            (AlertKind::ServiceDown, plain(service_down)),
            (AlertKind::ProcessMissing, plain(process_missing)),
            (AlertKind::HighLatency, latency),
            (AlertKind::ResourceUsage, with(resource_usage)),
            (AlertKind::QueueDepth, with(queue_depth)),
            (AlertKind::ErrorShare, with(error_share)),
            (AlertKind::EmptyShare, with(empty_share)),
            (AlertKind::UnsupportedShare, with(unsupported_share)),
            (AlertKind::Cost, with(cost)),
        ];
        let mut rules = Vec::new();
        for (kind, found) in named {
            let Some((enabled, threshold, consecutive, cooldown)) = found else { continue };
            let rule = rule(kind, threshold, consecutive, cooldown)?;
            rules.extend(enabled.then_some(rule));
        }
        if rules.is_empty() {
            return Err("no alert is on".to_owned());
        }
        let channels = self.notification_channels;
        Ok(AlertConfig { rules, console: channels.console.enabled, channels: channels.checked(folder)? })
    }
}

fn rule(
    kind: AlertKind,
    threshold: Option<f64>,
    consecutive: Option<u32>,
    cooldown: Option<f64>,
) -> Result<Rule, String> {
    let name = kind.name();
    let Some(threshold) = threshold.or(kind.default_threshold()) else {
        return Err(format!("alerts.{name} needs a threshold: no value fits every service"));
    };
    let highest = kind.highest_threshold();
    if threshold < 0.0 || highest.is_some_and(|highest| threshold >= highest) {
        let range = highest.map_or_else(String::new, |highest| format!(" and below {highest}"));
        return Err(format!("the threshold of alerts.{name} is {threshold}: it must be 0 or more{range}"));
    }
    let consecutive = consecutive.unwrap_or(3);
    if !(1..=1000).contains(&consecutive) {
        return Err(format!("alerts.{name}.consecutive_violations is {consecutive}: it must be 1 to 1000"));
    }
    let minutes = cooldown.unwrap_or(15.0);
    if !(0.0..=10_080.0).contains(&minutes) {
        return Err(format!("alerts.{name}.cooldown_minutes is {minutes}: it must be 0 to 10080"));
    }
    Ok(Rule { kind, threshold, consecutive, cooldown: minutes * 60.0 })
}

impl ChannelTables {
    /// Checks the channels that are on, also whether their files can be read.
    fn checked(self, folder: &Path) -> Result<Vec<ChannelConfig>, String> {
        let mut channels = Vec::new();
        if self.log_file.enabled {
            if self.log_file.path.as_os_str().is_empty() {
                return Err("notification_channels.log_file needs a path".to_owned());
            }
            channels.push(ChannelConfig::log_file(folder.join(self.log_file.path))?);
        }
        if let Some(email) = self.email.filter(|email| email.enabled) {
            channels.push(ChannelConfig::mail(&MailConfig {
                host: email.smtp_host,
                port: email.smtp_port,
                tls: email.tls,
                username: email.username,
                password_file: email.password_file.map(|path| folder.join(path)),
                from: email.from,
                to: email.to,
            })?);
        }
        for (name, webhook) in [("slack", self.slack), ("webhook", self.webhook)] {
            if webhook.enabled {
                if webhook.url_file.as_os_str().is_empty() {
                    return Err(format!("notification_channels.{name} needs url_file: a file with its secret address"));
                }
                channels.push(ChannelConfig::webhook(name, &folder.join(webhook.url_file))?);
            }
        }
        if self.command.enabled {
            channels.push(ChannelConfig::command(self.command.program, folder)?);
        }
        Ok(channels)
    }
}

#[cfg(test)]
#[path = "alert_config_tests.rs"]
mod tests;
