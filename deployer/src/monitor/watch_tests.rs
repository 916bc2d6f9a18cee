use super::{Now, Update, Watch};
use crate::monitor::{
    alerts::{AlertPhase, NoticeKind},
    rules::{AlertKind, Rule},
    snapshot::GatewayHealth,
    testing::sample,
};

const fn at(elapsed: f64) -> Now {
    Now { elapsed, wall: 2000.0 + elapsed }
}

fn health() -> Update {
    Update::Health(Ok(GatewayHealth { status: "healthy".into(), version: "0.1.0".into(), engine: "rules".into() }))
}

fn down() -> Update {
    Update::Health(Err("no connection: Connection refused".into()))
}

fn watch() -> Watch {
    let rule = Rule { kind: AlertKind::ServiceDown, threshold: 0.0, consecutive: 2, cooldown: 60.0 };
    Watch::new(&[rule], 5.0, None)
}

fn snapshot(watch: &Watch, elapsed: f64) -> crate::monitor::Snapshot {
    watch.snapshot(at(elapsed), "2026-11-30T01:00:00.000Z".into(), Some("http://127.0.0.1:1".into()), Vec::new())
}

#[test]
fn the_last_good_values_stay_and_are_marked() {
    let mut watch = watch();
    assert!(!watch.has_values());
    watch.record(health(), at(1.0));
    watch.record(Update::Metrics(Ok(Box::new(sample(90, 10)))), at(1.0));
    assert!(watch.has_values());
    let good = snapshot(&watch, 3.0);
    assert_eq!((good.gateway.stale, good.gateway.age_seconds), (false, Some(2.0)));
    watch.record(down(), at(6.0));
    let after = snapshot(&watch, 7.0);
    assert!(after.gateway.stale);
    assert_eq!(after.gateway.value, good.gateway.value);
    assert_eq!(after.gateway.age_seconds, Some(6.0));
    assert_eq!(after.gateway.error.as_deref(), Some("no connection: Connection refused"));
    // The other source is fresh until it is too old, also without an error: a request may hang.
    assert!(!after.figures.stale);
    assert!(!snapshot(&watch, 26.0).figures.stale && snapshot(&watch, 26.1).figures.stale);
    watch.record(health(), at(30.0));
    let again = snapshot(&watch, 30.0).gateway;
    assert_eq!((again.stale, again.error, again.age_seconds), (false, None, Some(0.0)));
}

#[test]
fn a_source_that_never_answers_is_stale_in_the_end() {
    let watch = watch();
    let early = snapshot(&watch, 20.0).gateway;
    assert!(!early.stale && !early.was_asked());
    assert!(snapshot(&watch, 26.0).gateway.stale);
}

#[test]
fn alerts_fire_and_recover() {
    let mut watch = watch();
    // No source has answered yet, so nothing is known.
    assert_eq!(watch.evaluate(at(0.0)), []);
    watch.record(down(), at(1.0));
    assert_eq!(watch.evaluate(at(5.0)), []);
    assert_eq!(snapshot(&watch, 5.0).alerts.first().unwrap().state, AlertPhase::Pending);
    let notices = watch.evaluate(at(10.0));
    assert_eq!(notices.first().unwrap().event, NoticeKind::Fired);
    assert_eq!(snapshot(&watch, 15.0).alerts.first().unwrap().firing_seconds, Some(5.0));
    watch.record(health(), at(16.0));
    assert_eq!(watch.evaluate(at(20.0)), []);
    let notices = watch.evaluate(at(25.0));
    assert_eq!(
        notices.first().unwrap().line(),
        "RECOVERED service_down (it was: no good answer from the gateway: no connection: Connection refused)"
    );
    assert_eq!(snapshot(&watch, 25.0).alerts, []);
}

#[test]
fn a_wrong_scrape_does_not_replace_a_good_one() {
    let mut watch = watch();
    watch.record(Update::Metrics(Ok(Box::new(sample(90, 10)))), at(1.0));
    watch.record(Update::Metrics(Err("line 3 of /metrics is not a Prometheus sample".into())), at(6.0));
    let figures = snapshot(&watch, 6.0).figures;
    assert!(figures.stale && figures.value.unwrap().since_start.notes > 99.0);
}
