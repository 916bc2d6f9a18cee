//! Judges a snapshot by the alerts' thresholds. Pure.

use super::{
    rules::{AlertKind, Judgement, Rule, Violation},
    snapshot::Snapshot,
};

/// The least number of notes or values in the window for a share to be evaluated; `least_notes` of
/// `config/alerts.toml`.
const LEAST: f64 = 20.0;
/// How long a model may load, in seconds; `loading_minutes` of `config/alerts.toml`.
const LOADING_SECONDS: f64 = 12.0 * 60.0;

/// Judges a snapshot.
#[must_use]
pub fn judge(rule: &Rule, snapshot: &Snapshot) -> Judgement {
    match rule.kind {
        AlertKind::ServiceDown => service_down(snapshot),
        AlertKind::ProcessMissing => process_missing(snapshot),
        AlertKind::HighLatency => latency(rule, snapshot),
        AlertKind::ResourceUsage => resources(rule, snapshot),
        AlertKind::QueueDepth => {
            let queue = snapshot.figures.fresh().map(|figures| figures.now.queue);
            above(rule, queue, |queue| format!("{queue:.0} calls wait for a model server"))
        }
        AlertKind::ErrorShare => {
            share(rule, snapshot, "of the notes and questions failed", |period| (period.error_share, period.requests()))
        }
        AlertKind::EmptyShare => {
            share(rule, snapshot, "of the records are empty", |period| (period.empty_share, period.notes))
        }
        AlertKind::UnsupportedShare => {
            share(rule, snapshot, "of the values have no support in their notes", |period| {
                (period.unsupported_share, period.values)
            })
        }
        AlertKind::Cost => {
            let cost = snapshot.instance.as_ref().and_then(|instance| instance.fresh());
            let cost = cost.map(|instance| instance.cost_so_far_usd.unwrap_or_default());
            above(rule, cost, |usd| format!("the box has cost {usd:.2} USD since its start"))
        }
    }
}

/// Judges one figure; `None`: it is not known.
fn above(rule: &Rule, figure: Option<f64>, text: impl Fn(f64) -> String) -> Judgement {
    match figure {
        None => Judgement::Unknown,
        Some(figure) if figure > rule.threshold => {
            Judgement::Violated(Violation { value: Some(figure), text: text(figure) })
        }
        Some(_) => Judgement::Good,
    }
}

/// Judges a share of the window. Without enough notes it is good, so that an alert ends when no notes come.
fn share(
    rule: &Rule,
    snapshot: &Snapshot,
    what: &str,
    of: impl Fn(&super::figures::Period) -> (Option<f64>, f64),
) -> Judgement {
    let Some(figures) = snapshot.figures.fresh() else { return Judgement::Unknown };
    let Some(period) = &figures.window else { return Judgement::Unknown };
    match of(period) {
        (Some(share), count) if count >= LEAST => {
            above(rule, Some(share), |share| format!("{:.1} % {what} in {:.0} s", share * 100.0, period.seconds))
        }
        _ => Judgement::Good,
    }
}

fn latency(rule: &Rule, snapshot: &Snapshot) -> Judgement {
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
            let exceeds = p95.or_more && p95.seconds * 1000.0 >= rule.threshold;
            let text = |seconds: f64| format!("one in twenty of {name} takes {over}{seconds:.1} s");
            let judged = above(rule, Some(p95.seconds * 1000.0), |milliseconds| text(milliseconds / 1000.0));
            match judged {
                Judgement::Good if exceeds => {
                    Judgement::Violated(Violation { value: Some(p95.seconds * 1000.0), text: text(p95.seconds) })
                }
                judged => judged,
            }
        }
    }
}

fn resources(rule: &Rule, snapshot: &Snapshot) -> Judgement {
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
        Some((name, percent)) => above(rule, Some(percent), |_| format!("{percent:.0} % of the {name} is used")),
    }
}

fn violated(text: String) -> Judgement {
    Judgement::Violated(Violation { value: None, text })
}

fn service_down(snapshot: &Snapshot) -> Judgement {
    let gateway = &snapshot.gateway;
    let instance = snapshot.instance.as_ref().and_then(|instance| instance.fresh());
    if instance.is_some_and(|instance| !matches!(instance.state.as_str(), "running" | "pending")) {
        // Stopped by an operator or the idle stop, which is not a fault.
        return Judgement::Unknown;
    }
    let Some(health) = gateway.fresh() else {
        return match &gateway.error {
            Some(error) => violated(format!("no good answer from the gateway: {error}")),
            None if gateway.stale => violated("the gateway does not answer".to_owned()),
            None => Judgement::Unknown,
        };
    };
    let now = snapshot.figures.fresh().map(|figures| (&figures.now, figures.since_start.seconds));
    match health.status.as_str() {
        "healthy" => Judgement::Good,
        // A load takes minutes and is not a fault, unless it takes too long.
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
#[path = "judge_tests.rs"]
mod tests;
