//! The hours of the idle stop: when the box is stopped by the clock, and what that waits for.

use deployer::script::{Action, ActionOutcome, Autostop, Schedule};

use crate::{
    autostops::{state, stopped, up_for},
    deploys::served,
    support::{
        emulator::until,
        host::Host,
        wanted::{act, deploy, gateway},
    },
};

/// Friday, 27 November 2026, 12:00 in Berlin.
const NOON: u64 = 1_795_777_200;
const HOUR: u64 = 3_600;
/// Of that day, in Berlin.
const EIGHT: u64 = NOON + 8 * HOUR;

fn clock(host: &Host, now: u64) {
    host.set("now", &now.to_string());
}

fn schedule(stop_at: &str, open_at: Option<&str>, days: &[&str], zone: &str) -> Schedule {
    let days: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
    Schedule::new(stop_at, open_at, &days, zone).unwrap()
}

fn on(schedule: Option<Schedule>) -> Action {
    Action::Autostop(Autostop::On { idle_minutes: 600, max_uptime_hours: None, schedule })
}

/// Serves since eight in the morning, in use, and stops at 20:00 on working days.
fn with(schedule: Schedule) -> Host {
    let host = served();
    clock(&host, NOON);
    up_for(&host, 4 * 3_600);
    host.set("in_flight", "1");
    let ran = host.run(&act(&on(Some(schedule))));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    host
}

fn office() -> Schedule {
    schedule("20:00", Some("07:00"), &["mon", "tue", "wed", "thu", "fri"], "Europe/Berlin")
}

/// A check of the timer at that time, with the uptime that belongs to it.
fn look(host: &Host, now: u64) {
    clock(host, now);
    up_for(host, u32::try_from(now - NOON).unwrap() + 4 * 3_600);
    let ran = host.tick();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn it_stops_at_its_hour_whatever_is_in_use() {
    let host = with(office());
    for before in [NOON + 60, EIGHT - 1] {
        look(&host, before);
        assert_eq!((&*state(&host).decision, stopped(&host)), ("active", false), "{before}");
    }
    assert!(!state(&host).due && state(&host).closed == Some(false));
    look(&host, EIGHT);
    assert!(stopped(&host) && state(&host).reason.contains("ended at 20:00"), "{:?}", state(&host));
    assert!(host.root("audit.jsonl").contains(r#""operator":"autostop","action":"stop","outcome":"done""#));
    // As `down` does it: running work first, for which the gateway needs the model server.
    let stops: Vec<String> = host.calls().into_iter().filter(|call| call.starts_with("docker.stop")).collect();
    let id = |service: &str| host.get(&format!("containers/{service}/id"));
    assert_eq!(stops, [format!("docker.stop -t 45 {}", id("gateway")), format!("docker.stop -t 30 {}", id("vllm"))]);
    let calls = host.calls();
    let at = |start: &str| calls.iter().rposition(|call| call.starts_with(start)).unwrap();
    assert!(at("aws.stop-instances") > at("docker.stop"), "{calls:?}");
    assert!(host.root("lock.holder").is_empty());
}

#[test]
fn what_it_is_set_to_and_when_it_stops_next() {
    let host = with(office());
    let seen = state(&host);
    assert_eq!(seen.set_to(), Autostop::On { idle_minutes: 600, max_uptime_hours: None, schedule: Some(office()) });
    assert_eq!((seen.next_stop, &*seen.next_stop_local), (Some(EIGHT), "Fri 2026-11-27 20:00 CET"));
    assert_eq!((seen.closed, seen.drain_seconds), (Some(false), 45));
    // From Friday evening to Monday morning it should be off.
    for (hours, closed) in [(8, true), (19, true), (48, true), (66, true), (67, false)] {
        clock(&host, NOON + hours * HOUR);
        let seen = state(&host);
        assert_eq!((seen.closed, seen.next_stop), (Some(closed), Some(EIGHT + 72 * HOUR)), "{hours}");
    }
    assert_eq!(host.run(&act(&on(None))).code, Some(0));
    let seen = state(&host);
    assert_eq!((seen.on, &*seen.stop_at, seen.next_stop, seen.closed), (true, "", None, None));
    look(&host, EIGHT);
    assert!(!stopped(&host), "no hours any more");
    assert_eq!(host.run(&act(&Action::Autostop(Autostop::Off))).code, Some(0));
    assert!(state(&host).stop_at.is_empty());
}

/// The clocks go back in the night to 25 October 2026 and forward in that to 28 March 2027: 20:00 stays 20:00.
#[test]
fn the_clock_is_that_of_the_zone() {
    for (zone, now, next) in [
        ("Europe/Berlin", 1_792_872_000, 1_792_954_800),
        ("Europe/Berlin", 1_806_177_600, 1_806_256_800),
        ("America/New_York", NOON, 1_795_827_600),
        ("UTC", NOON, 1_795_809_600),
    ] {
        let host = with(schedule("20:00", None, &[], zone));
        clock(&host, now);
        assert_eq!(state(&host).next_stop, Some(next), "{zone} {now}: {:?}", state(&host));
    }
}

#[test]
fn a_box_that_is_started_after_the_hour_goes_on() {
    let host = with(office());
    // It boots at 20:10; its stored state was in memory.
    std::fs::remove_dir_all(host.at("run")).unwrap();
    clock(&host, EIGHT + 720);
    up_for(&host, 120);
    assert_eq!(host.tick().code, Some(0));
    assert!(!stopped(&host) && state(&host).closed == Some(true), "{:?}", state(&host));
    // A box that booted at 19:59 is stopped, although no check came before the hour.
    std::fs::remove_dir_all(host.at("run")).unwrap();
    clock(&host, EIGHT + 60);
    up_for(&host, 120);
    assert_eq!(host.tick().code, Some(0));
    assert!(stopped(&host));
}

#[test]
fn hours_that_are_set_after_they_ended_count_from_the_next_day() {
    let host = with(office());
    assert_eq!(host.run(&act(&on(None))).code, Some(0));
    look(&host, EIGHT + 60);
    clock(&host, EIGHT + 120);
    assert_eq!(host.run(&act(&on(Some(office())))).code, Some(0));
    look(&host, EIGHT + 180);
    assert!(!stopped(&host), "{:?}", state(&host));
    look(&host, EIGHT + 72 * HOUR);
    assert!(stopped(&host));
}

#[test]
fn a_deploy_under_way_puts_it_off_to_its_end() {
    let host = with(office());
    look(&host, EIGHT - 60);
    host.fault("docker.login", "hold");
    host.push(&[&gateway(2)]);
    let deploying = host.spawn(&deploy(2, 1).text());
    until("it is at its login", || host.at("state/held").exists());
    look(&host, EIGHT);
    let seen = state(&host);
    assert!(!stopped(&host) && seen.due, "{seen:?}");
    assert!(seen.reason.contains("works on the host; the stop at 20:00 waits"), "{seen:?}");
    host.set("go", "");
    assert_eq!(Host::wait(deploying).code, Some(0));
    assert!(!stopped(&host));
    look(&host, EIGHT + 600);
    assert!(stopped(&host) && host.called("docker.stop") == 2);
}

#[test]
fn services_do_not_stop_on_a_box_that_cannot() {
    let host = with(office());
    host.fault("aws.stop-instances", "fail UnauthorizedOperation");
    clock(&host, EIGHT);
    let ran = host.tick();
    assert_eq!((ran.code, &*state(&host).decision, host.called("docker.stop")), (Some(1), "failed", 0), "{ran:?}");
    // The next check has the right again.
    look(&host, EIGHT + 60);
    assert!(stopped(&host) && host.called("docker.stop") == 2);
}

#[test]
fn a_docker_that_does_not_answer_keeps_no_box_running() {
    let host = with(office());
    host.fault("docker.ps", "always fail Cannot connect to the Docker daemon");
    look(&host, EIGHT);
    assert!(stopped(&host));
}

#[test]
fn a_zone_that_the_host_does_not_know_is_refused() {
    let host = with(office());
    let ran = host.run(&act(&on(Some(schedule("20:00", None, &[], "Europe/Atlantis")))));
    assert!(ran.code == Some(1) && ran.report().message.contains("time zone Europe/Atlantis"), "{ran:?}");
    assert_eq!(
        state(&host).set_to(),
        Autostop::On { idle_minutes: 600, max_uptime_hours: None, schedule: Some(office()) }
    );
}
