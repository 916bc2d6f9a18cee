use super::{AlertKind, Judgement, LEAST, LOADING_SECONDS, Rule, judge};
use crate::monitor::{
    Reading, Snapshot,
    figures::Window,
    snapshot::{BoxState, GatewayHealth, HostState, ServiceState},
    testing::sample,
};

/// Returns a snapshot in which all is well: 100 notes in 10 s, none failed.
fn good() -> Snapshot {
    let mut window = Window::default();
    window.push(0.0, sample(0, 0));
    let mut second = sample(100, 0);
    second.now.model_servers.retain(|server| server.state == "ready");
    window.push(10.0, second);
    let health = GatewayHealth { status: "healthy".into(), version: "0.1.0".into(), engine: "vllm".into() };
    let service =
        |name: &str| ServiceState { name: name.into(), state: "running".into(), health: "healthy".into(), restarts: 0 };
    Snapshot {
        time: String::new(),
        url: None,
        instance: Some(fresh(BoxState {
            id: "i-0".into(),
            kind: "g6.2xlarge".into(),
            state: "running".into(),
            running_seconds: Some(7200),
            cost_so_far_usd: Some(2.03),
            usd_per_hour: 1.015,
        })),
        host: Some(fresh(HostState {
            release: Some(3),
            services: vec![service("gateway"), service("vllm")],
            gpu: None,
            disk_free: 50,
            disk_total: 100,
        })),
        gateway: fresh(health),
        figures: fresh(window.figures(2000.0).unwrap()),
        watched: Vec::new(),
        alerts: Vec::new(),
        channels: Vec::new(),
    }
}

fn fresh<T>(value: T) -> Reading<T> {
    Reading { value: Some(value), age_seconds: Some(1.0), stale: false, error: None }
}

fn rule(kind: AlertKind, threshold: f64) -> Rule {
    Rule { kind, threshold, consecutive: 1, cooldown: 0.0 }
}

/// Returns an alert's judgement of a changed snapshot: `good`, `unknown`, or the violation's text.
fn judged(kind: AlertKind, threshold: f64, change: impl Fn(&mut Snapshot)) -> String {
    let mut snapshot = good();
    change(&mut snapshot);
    match judge(&rule(kind, threshold), &snapshot) {
        Judgement::Good => "good".to_owned(),
        Judgement::Unknown => "unknown".to_owned(),
        Judgement::Violated(violation) => violation.text,
    }
}

fn set_ratio(snapshot: &mut Snapshot, notes: f64, share: f64) {
    let window = snapshot.figures.value.as_mut().unwrap().window.as_mut().unwrap();
    (window.notes, window.values) = (notes, notes);
    (window.error_share, window.empty_share, window.unsupported_share) = (Some(share), Some(share), Some(share));
}

#[test]
fn every_alert_is_silent_when_all_is_well() {
    for kind in AlertKind::ALL {
        let threshold = kind.default_threshold().unwrap_or(0.5).max(0.5) + 2.0;
        assert_eq!(judged(kind, threshold, |_| {}), "good", "{kind:?}");
    }
}

#[test]
fn a_gateway_that_does_not_answer_is_down() {
    let judged = |change: &dyn Fn(&mut Snapshot)| judged(AlertKind::ServiceDown, 0.0, change);
    assert_eq!(
        judged(&|snapshot| (snapshot.gateway.error, snapshot.gateway.stale) = (Some("no connection".into()), true)),
        "no good answer from the gateway: no connection"
    );
    assert_eq!(judged(&|snapshot| snapshot.gateway.stale = true), "the gateway does not answer");
    assert_eq!(judged(&|snapshot| snapshot.gateway.value = None), "unknown");
    let status = |snapshot: &mut Snapshot, status: &str| {
        snapshot.gateway.value.as_mut().unwrap().status = status.into();
        snapshot.figures.value.as_mut().unwrap().now.reason = Some("unreachable".into());
    };
    assert_eq!(judged(&|snapshot| status(snapshot, "degraded")), "the gateway is degraded (unreachable)");
    assert_eq!(judged(&|snapshot| status(snapshot, "draining")), "the gateway is draining (unreachable)");
    // A model loads for minutes, which is not a fault until it takes too long.
    let loading = |snapshot: &mut Snapshot, seconds: f64| {
        status(snapshot, "starting");
        snapshot.figures.value.as_mut().unwrap().since_start.seconds = seconds;
    };
    assert_eq!(judged(&|snapshot| loading(snapshot, LOADING_SECONDS - 1.0)), "good");
    assert_eq!(judged(&|snapshot| loading(snapshot, LOADING_SECONDS)), "the gateway is starting (unreachable)");
}

#[test]
fn a_box_that_was_stopped_is_no_alert() {
    let stopped = |snapshot: &mut Snapshot| {
        snapshot.instance.as_mut().unwrap().value.as_mut().unwrap().state = "stopped".into();
        (snapshot.gateway.stale, snapshot.gateway.error) = (true, Some("no connection".into()));
    };
    assert_eq!(judged(AlertKind::ServiceDown, 0.0, stopped), "unknown");
}

#[test]
fn a_missing_process_is_named() {
    let judged = |change: &dyn Fn(&mut Snapshot)| judged(AlertKind::ProcessMissing, 0.0, change);
    let service = |snapshot: &mut Snapshot, state: &str, health: &str| {
        let services = &mut snapshot.host.as_mut().unwrap().value.as_mut().unwrap().services;
        let last = services.last_mut().unwrap();
        (last.state, last.health) = (state.into(), health.into());
    };
    assert_eq!(judged(&|snapshot| service(snapshot, "exited", "")), "the container vllm is exited");
    assert_eq!(
        judged(&|snapshot| service(snapshot, "running", "unhealthy")),
        "the container vllm is running, unhealthy"
    );
    assert_eq!(judged(&|snapshot| service(snapshot, "running", "starting")), "good");
    let server = |snapshot: &mut Snapshot, state: &str| {
        let servers = &mut snapshot.figures.value.as_mut().unwrap().now.model_servers;
        servers.first_mut().unwrap().state = state.into();
    };
    assert_eq!(judged(&|snapshot| server(snapshot, "unreachable")), "the model server a is unreachable");
    assert_eq!(judged(&|snapshot| server(snapshot, "loading")), "good");
    let unseen = |snapshot: &mut Snapshot| {
        snapshot.host = None;
        snapshot.figures.stale = true;
    };
    assert_eq!(judged(&unseen), "unknown");
}

#[test]
fn shares_need_enough_notes() {
    for (kind, text) in [
        (AlertKind::ErrorShare, "20.0 % of the notes and questions failed in 10 s"),
        (AlertKind::EmptyShare, "20.0 % of the records are empty in 10 s"),
        (AlertKind::UnsupportedShare, "20.0 % of the values have no support in their notes in 10 s"),
    ] {
        assert_eq!(judged(kind, 0.1, |snapshot| set_ratio(snapshot, LEAST, 0.2)), text);
        assert_eq!(judged(kind, 0.1, |snapshot| set_ratio(snapshot, LEAST - 1.0, 0.2)), "good");
        assert_eq!(judged(kind, 0.2, |snapshot| set_ratio(snapshot, LEAST, 0.2)), "good");
        assert_eq!(judged(kind, 0.1, |snapshot| snapshot.figures.stale = true), "unknown");
        let first = |snapshot: &mut Snapshot| snapshot.figures.value.as_mut().unwrap().window = None;
        assert_eq!(judged(kind, 0.1, first), "unknown");
    }
}

#[test]
fn failing_questions_are_errors_and_no_notes() {
    let ask = |snapshot: &mut Snapshot| {
        set_ratio(snapshot, 0.0, 0.2);
        snapshot.figures.value.as_mut().unwrap().window.as_mut().unwrap().questions = LEAST;
    };
    assert_eq!(judged(AlertKind::ErrorShare, 0.1, ask), "20.0 % of the notes and questions failed in 10 s");
    assert_eq!(judged(AlertKind::EmptyShare, 0.1, ask), "good");
}

#[test]
fn the_slower_of_requests_and_engine_counts() {
    let slow = |snapshot: &mut Snapshot, seconds: f64, or_more: bool| {
        let window = snapshot.figures.value.as_mut().unwrap().window.as_mut().unwrap();
        let p95 = window.engine.p95.as_mut().unwrap();
        (p95.seconds, p95.or_more) = (seconds, or_more);
    };
    let judged = |change: &dyn Fn(&mut Snapshot)| judged(AlertKind::HighLatency, 20_000.0, change);
    assert_eq!(judged(&|snapshot| slow(snapshot, 21.0, false)), "one in twenty of the engine takes 21.0 s");
    assert_eq!(judged(&|snapshot| slow(snapshot, 20.0, false)), "good");
    // Over the last bound of the histogram, which is the threshold: it is longer.
    assert_eq!(judged(&|snapshot| slow(snapshot, 20.0, true)), "one in twenty of the engine takes over 20.0 s");
}

#[test]
fn resources_queue_and_cost() {
    let full = |snapshot: &mut Snapshot| snapshot.host.as_mut().unwrap().value.as_mut().unwrap().disk_free = 2;
    assert_eq!(judged(AlertKind::ResourceUsage, 95.0, full), "98 % of the disk is used");
    let cache = |snapshot: &mut Snapshot| {
        snapshot.figures.value.as_mut().unwrap().now.kv_cache_share = Some(0.99);
    };
    assert_eq!(judged(AlertKind::ResourceUsage, 95.0, cache), "99 % of the KV cache is used");
    assert_eq!(judged(AlertKind::QueueDepth, 2.0, |_| {}), "3 calls wait for a model server");
    assert_eq!(judged(AlertKind::QueueDepth, 3.0, |_| {}), "good");
    assert_eq!(judged(AlertKind::Cost, 2.0, |_| {}), "the box has cost 2.03 USD since its start");
    assert_eq!(judged(AlertKind::Cost, 2.0, |snapshot| snapshot.instance = None), "unknown");
}

#[test]
fn the_defaults_are_those_of_alerts_toml() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/alerts.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let value = |name: &str| {
        let value = table.get(name).unwrap();
        value.as_float().or_else(|| value.as_integer().map(|number| f64::from(i32::try_from(number).unwrap())))
    };
    let close = |kind: AlertKind, expected: f64| {
        assert!((kind.default_threshold().unwrap() - expected).abs() < 1e-9, "{kind:?}");
    };
    close(AlertKind::HighLatency, value("engine_seconds").unwrap() * 1000.0);
    close(AlertKind::ResourceUsage, value("kv_cache").unwrap() * 100.0);
    close(AlertKind::QueueDepth, value("queue_calls").unwrap());
    close(AlertKind::ErrorShare, value("error_budget").unwrap() * value("fast_burn").unwrap());
    assert_eq!((Some(LEAST), Some(LOADING_SECONDS / 60.0)), (value("least_notes"), value("loading_minutes")));
}
