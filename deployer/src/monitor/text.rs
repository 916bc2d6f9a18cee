//! Writes a snapshot as lines for a person: the same lines for `--once` and for the screen. No meaning depends on a
//! colour alone: words mark what is stale, pending or firing. Pure.

use super::{
    alerts::{AlertPhase, AlertStatus},
    channels::ChannelStatus,
    figures::{Figures, Latency, Period},
    histogram::Quantile,
    snapshot::{BoxState, GatewayHealth, HostState, Reading, Snapshot},
};
use crate::console::{duration, money};

/// The meaning of a line. The screen's colour follows it and repeats the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The name of a group of lines, with the age of its figures.
    Title,
    /// Figures that are valid.
    Plain,
    /// Figures that are no longer valid.
    Stale,
    /// Something that may become an alert, or a failure of the monitor.
    Warning,
    /// An alert that fires.
    Alarm,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLine {
    /// Its meaning.
    pub tone: Tone,
    /// Its text.
    pub text: String,
}

/// Returns the lines of a snapshot, alerts first.
#[must_use]
pub fn lines(snapshot: &Snapshot) -> Vec<TextLine> {
    let mut lines = Lines(Vec::new());
    lines.alerts(snapshot);
    lines.group("gateway", &snapshot.gateway, gateway);
    if let Some(instance) = &snapshot.instance {
        lines.group("box", instance, |instance| vec![("box", boxed(instance))]);
    }
    if let Some(host) = &snapshot.host {
        lines.group("host", host, host_lines);
    }
    lines.group("notes", &snapshot.figures, figures);
    for channel in &snapshot.channels {
        lines.channel(channel);
    }
    lines.0
}

struct Lines(Vec<TextLine>);

impl Lines {
    fn add(&mut self, tone: Tone, text: String) {
        self.0.push(TextLine { tone, text });
    }

    fn alerts(&mut self, snapshot: &Snapshot) {
        if snapshot.alerts.is_empty() {
            self.add(Tone::Plain, format!("alerts      none of {} fires", snapshot.watched.len()));
        }
        let firing = |alert: &&AlertStatus| alert.state == AlertPhase::Firing;
        for alert in snapshot.alerts.iter().filter(firing) {
            let since = alert.firing_seconds.map_or_else(String::new, |seconds| format!(" for {}", age(seconds)));
            self.add(Tone::Alarm, format!("!! FIRING{since} {}: {}", name(alert), alert.text));
        }
        for alert in snapshot.alerts.iter().filter(|alert| !firing(alert)) {
            let count = format!("{} of {}", alert.violations, alert.needed);
            self.add(Tone::Warning, format!("?  pending {count} {}: {}", name(alert), alert.text));
        }
    }

    /// Adds a group: its title with the age of its figures, and its lines.
    fn group<T>(&mut self, title: &str, reading: &Reading<T>, of: impl Fn(&T) -> Vec<(&'static str, String)>) {
        let state = match (&reading.age_seconds, &reading.error, reading.stale) {
            (None, None, false) => "not read yet".to_owned(),
            (None, None, true) => "NO ANSWER".to_owned(),
            (None, Some(error), _) => format!("NO VALUES: {error}"),
            (Some(seconds), None, false) => format!("{} ago", age(*seconds)),
            (Some(seconds), None, true) => format!("STALE, {} old", age(*seconds)),
            (Some(seconds), Some(error), _) => format!("STALE, {} old: {error}", age(*seconds)),
        };
        self.add(if reading.stale { Tone::Warning } else { Tone::Title }, format!("-- {title}, {state}"));
        let tone = if reading.stale { Tone::Stale } else { Tone::Plain };
        for (name, text) in reading.value.iter().flat_map(of) {
            self.add(tone, format!("{name:<11} {text}"));
        }
    }

    fn channel(&mut self, status: &ChannelStatus) {
        let ChannelStatus { channel, sent, failed_attempts, lost, error } = status;
        match error {
            None => self.add(Tone::Plain, format!("channel     {channel}: {sent} sent")),
            Some(error) => self.add(
                Tone::Warning,
                format!("channel     {channel} FAILED: {error} ({sent} sent, {failed_attempts} attempts failed, {lost} lost)"),
            ),
        }
    }
}

fn name(alert: &AlertStatus) -> &'static str {
    alert.alert.name()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an age is positive and short")]
fn age(seconds: f64) -> String {
    duration(seconds.max(0.0).round() as u64)
}

fn gateway(health: &GatewayHealth) -> Vec<(&'static str, String)> {
    vec![("gateway", format!("{}, version {}, engine {}", health.status, health.version, health.engine))]
}

fn boxed(instance: &BoxState) -> String {
    let BoxState { id: _, kind, state, running_seconds, cost_so_far_usd, usd_per_hour } = instance;
    match (running_seconds, cost_so_far_usd) {
        (Some(seconds), Some(usd)) => {
            format!("{state} {}, {} so far, {} an hour, {kind}", duration(*seconds), money(*usd), money(*usd_per_hour))
        }
        _ => format!("{state}, {} an hour, {kind}", money(*usd_per_hour)),
    }
}

fn host_lines(host: &HostState) -> Vec<(&'static str, String)> {
    let service = |service: &super::snapshot::ServiceState| {
        let health = if service.health.is_empty() { String::new() } else { format!(" ({})", service.health) };
        let restarts =
            if service.restarts > 0 { format!(", restarted {} times", service.restarts) } else { String::new() };
        format!("{} {}{health}{restarts}", service.name, service.state)
    };
    let services: Vec<String> = host.services.iter().map(service).collect();
    let release = host.release.map_or_else(|| "none".to_owned(), |release| release.to_string());
    let gpu = host.gpu.as_ref().map_or_else(
        || "none answers".to_owned(),
        |gpu| {
            format!(
                "{}, {} of {} MiB in use, {} % busy",
                gpu.name, gpu.memory_used_mib, gpu.memory_total_mib, gpu.utilization
            )
        },
    );
    vec![
        ("services", services.join(", ")),
        ("gpu", gpu),
        ("disk", format!("{} of {} GiB free; release {release}", host.disk_free >> 30, host.disk_total >> 30)),
    ]
}

fn figures(figures: &Figures) -> Vec<(&'static str, String)> {
    let (now, start) = (&figures.now, &figures.since_start);
    let window = figures.window.as_ref();
    let in_window = |text: &dyn Fn(&Period) -> String| window.map_or_else(|| "after the next reading".to_owned(), text);
    let share = |of: fn(&Period) -> Option<f64>| {
        format!("{}; since start {}", in_window(&|period| percent(of(period))), percent(of(start)))
    };
    let time = |of: fn(&Period) -> &Latency| {
        format!("{}; since start {}", in_window(&|period| latency(of(period))), latency(of(start)))
    };
    let cache = now.kv_cache_share.map_or_else(String::new, |used| format!(", KV cache {}", percent(Some(used))));
    let mut lines = Vec::new();
    if let Some(reason) = now.reason.as_ref().filter(|_| !now.ready) {
        lines.push(("ready", format!("NO: {reason}")));
    }
    if !now.model_servers.is_empty() {
        let servers: Vec<String> =
            now.model_servers.iter().map(|server| format!("{} {}", server.name, server.state)).collect();
        lines.push(("models", servers.join(", ")));
    }
    lines.push((
        "notes",
        format!(
            "{}; {:.0} since its start {} ago",
            in_window(&|period| format!(
                "{:.0} in {}, {:.1} a second",
                period.notes,
                age(period.seconds),
                period.notes_per_second
            )),
            start.notes,
            age(start.seconds)
        ),
    ));
    if start.questions + start.uploads > 0.0 {
        let others =
            |period: &Period| format!("{:.0} questions, {:.0} recordings and scans", period.questions, period.uploads);
        let since = format!("since start {:.0} and {:.0}", start.questions, start.uploads);
        lines.push(("others", format!("{}; {since}", in_window(&others))));
    }
    lines.extend([
        (
            "queue",
            format!(
                "{:.0} calls wait, {:.0} at the model servers, {:.0} notes in work",
                now.queue, now.calls, now.running
            ),
        ),
        ("requests", time(|period| &period.request)),
        ("engine", time(|period| &period.engine)),
        ("errors", share(|period| period.error_share)),
        ("empty", share(|period| period.empty_share)),
        ("unsupported", share(|period| period.unsupported_share)),
        ("memory", format!("{} of the budget{cache}", percent(Some(now.memory_share)))),
    ]);
    lines
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "none".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn latency(latency: &Latency) -> String {
    let time = |Quantile { seconds, or_more }: Quantile| {
        let over = if or_more { "over " } else { "" };
        if seconds < 1.0 { format!("{over}{:.1} ms", seconds * 1000.0) } else { format!("{over}{seconds:.1} s") }
    };
    match (latency.p50, latency.p95) {
        (None, _) | (_, None) => "none".to_owned(),
        (Some(p50), Some(p95)) => format!("p50 {}, p95 {}", time(p50), time(p95)),
    }
}
