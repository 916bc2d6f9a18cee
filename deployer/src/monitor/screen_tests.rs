use ratatui::{
    Terminal,
    backend::TestBackend,
    style::{Color, Modifier},
};

use super::{ScreenState, draw};
use crate::monitor::{
    Snapshot, Update, Watch,
    rules::{AlertKind, Rule},
    snapshot::{BoxState, GatewayHealth, GpuState, HostState, ServiceState},
    testing::sample,
    watch::Now,
};

const fn at(elapsed: f64) -> Now {
    Now { elapsed, wall: 8200.0 + elapsed }
}

/// Returns a watch of a box with two answers of each source.
fn watch() -> Watch {
    let rules = [
        Rule { kind: AlertKind::QueueDepth, threshold: 2.0, consecutive: 2, cooldown: 0.0 },
        Rule { kind: AlertKind::HighLatency, threshold: 20_000.0, consecutive: 3, cooldown: 0.0 },
    ];
    let mut watch = Watch::new(&rules, 5.0, Some(60.0));
    let health = GatewayHealth { status: "healthy".into(), version: "0.1.0".into(), engine: "vllm".into() };
    watch.record(Update::Health(Ok(health)), at(1.0));
    watch.record(Update::Metrics(Ok(Box::new(sample(90, 10)))), at(1.0));
    let service =
        |name: &str| ServiceState { name: name.into(), state: "running".into(), health: "healthy".into(), restarts: 0 };
    watch.record(
        Update::Box(Ok(BoxState {
            id: "i-0123456789abcdef0".into(),
            kind: "g6.2xlarge".into(),
            state: "running".into(),
            running_seconds: Some(7500),
            cost_so_far_usd: Some(2.08),
            usd_per_hour: 0.999,
        })),
        at(2.0),
    );
    watch.record(
        Update::Host(Ok(HostState {
            release: Some(7),
            services: vec![service("gateway"), service("vllm")],
            gpu: Some(GpuState {
                name: "NVIDIA L4".into(),
                memory_used_mib: 20_480,
                memory_total_mib: 23_034,
                utilization: 87,
            }),
            disk_free: 44 << 30,
            disk_total: 200 << 30,
        })),
        at(4.0),
    );
    watch.record(Update::Metrics(Ok(Box::new(sample(290, 10)))), at(6.0));
    watch
}

fn snapshot(watch: &Watch, elapsed: f64) -> Snapshot {
    watch.snapshot(at(elapsed), "2026-11-30T01:20:03.123Z".into(), Some("http://127.0.0.1:8080".into()), Vec::new())
}

fn drawn(snapshot: &Snapshot, width: u16, height: u16, state: &ScreenState) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, snapshot, state)).unwrap();
    terminal
}

fn text(snapshot: &Snapshot, width: u16, height: u16) -> String {
    drawn(snapshot, width, height, &ScreenState::default()).backend().to_string()
}

#[test]
fn a_box_fits_on_80_by_24() {
    let mut state = ScreenState::new(false);
    let mut watch = watch();
    state.remember(&snapshot(&watch, 7.0));
    for (elapsed, ok) in [(11.0, 400), (16.0, 600), (21.0, 610)] {
        let mut sample = sample(ok, 10);
        sample.counters.questions.ok = f64::from(ok) / 10.0;
        watch.record(Update::Metrics(Ok(Box::new(sample))), at(elapsed));
        state.remember(&snapshot(&watch, elapsed));
    }
    let terminal = drawn(&snapshot(&watch, 22.0), 80, 24, &state);
    insta::assert_snapshot!(terminal.backend().to_string());
}

#[test]
fn stale_values_and_alerts_say_so_in_words() {
    let mut watch = watch();
    watch.record(Update::Metrics(Ok(Box::new(sample(400, 10)))), at(11.0));
    watch.evaluate(at(11.0));
    watch.evaluate(at(16.0));
    watch.record(Update::Health(Err("no answer in 10 s".into())), at(20.0));
    let snapshot = snapshot(&watch, 90.0);
    insta::assert_snapshot!(text(&snapshot, 80, 24));
    // The same text in colour.
    let colored = drawn(&snapshot, 80, 24, &ScreenState::new(true)).backend().to_string();
    assert_eq!(colored, text(&snapshot, 80, 24));
}

#[test]
fn without_colour_no_cell_has_one() {
    let mut watch = watch();
    watch.evaluate(at(6.0));
    watch.evaluate(at(7.0));
    let snapshot = snapshot(&watch, 90.0);
    let colors = |state: &ScreenState| {
        let terminal = drawn(&snapshot, 80, 24, state);
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(colors(&ScreenState::new(false)), 0);
    assert!(colors(&ScreenState::new(true)) > 0);
    let terminal = drawn(&snapshot, 80, 24, &ScreenState::new(false));
    let cells = terminal.backend().buffer().content.iter();
    assert!(cells.filter(|cell| cell.modifier.contains(Modifier::REVERSED)).count() > 20);
}

#[test]
fn a_small_screen_says_so() {
    let snapshot = snapshot(&watch(), 7.0);
    for (width, height) in [(20, 24), (59, 24), (80, 19), (9, 2), (1, 1)] {
        let text = text(&snapshot, width, height);
        assert!(width < 9 || text.contains("too small"), "{width} {height}: {text}");
        assert!(!text.contains("gateway"), "{width} {height}");
    }
    assert!(text(&snapshot, 60, 20).contains("more lines"));
    assert!(!text(&snapshot, 80, 25).contains("more lines"));
}
