//! The idle stop: what it decides, and how it comes and goes.

use deployer::script::{Action, ActionOutcome, Autostop, AutostopState};

use crate::{
    deploys::served,
    support::{
        host::{Host, ScriptRun},
        wanted::{act, deploy, gateway, vllm},
    },
};

pub(crate) const ON: Autostop = Autostop::On { idle_minutes: 30, max_uptime_hours: Some(12), schedule: None };

/// Installed on a host that serves and is up for three hours.
fn armed() -> Host {
    let host = served();
    up_for(&host, 10_800);
    let ran = host.run(&act(&Action::Autostop(ON)));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    host
}

pub(crate) fn up_for(host: &Host, seconds: u32) {
    host.set("uptime", &format!("{seconds}.25 1.00\n"));
}

pub(crate) fn state(host: &Host) -> AutostopState {
    let ran = host.run(&act(&Action::Autostop(Autostop::Status)));
    ran.report().autostop().unwrap_or_else(|| panic!("{ran:?}"))
}

pub(crate) fn stopped(host: &Host) -> bool {
    host.calls().iter().any(|call| call.starts_with("aws.stop-instances") && !call.contains("--dry-run"))
}

#[test]
fn on_status_off() {
    let host = armed();
    let seen = state(&host);
    assert_eq!((seen.on, seen.idle_minutes, seen.max_uptime_hours, &*seen.decision), (true, 30, 12, ""));
    let timer = std::fs::read_to_string(host.at("units/extraction-gateway-autostop.timer")).unwrap();
    assert!(timer.contains("OnUnitActiveSec=1min") && timer.contains("WantedBy=timers.target"));
    let service = std::fs::read_to_string(host.at("units/extraction-gateway-autostop.service")).unwrap();
    assert!(service.contains(&format!("ExecStart={}", host.at("root/autostop/autostop.sh").display())));
    assert_eq!(host.called("systemctl.enable enable --now"), 1);
    let again = Autostop::On { idle_minutes: 5, max_uptime_hours: None, schedule: None };
    assert_eq!(host.run(&act(&Action::Autostop(again))).code, Some(0));
    assert_eq!((state(&host).idle_minutes, state(&host).max_uptime_hours), (5, 0));
    assert_eq!(host.run(&act(&Action::Autostop(Autostop::Off))).code, Some(0));
    assert!(!state(&host).on && !host.at("root/autostop").exists());
    assert_eq!(std::fs::read_dir(host.at("units")).unwrap().count(), 0);
    assert_eq!(host.run(&act(&Action::Autostop(Autostop::Off))).code, Some(0), "again is no failure");
}

#[test]
fn a_timer_that_does_not_run_is_said() {
    let host = served();
    host.fault("systemctl.enable", "nothing");
    let ran = host.run(&act(&Action::Autostop(ON)));
    assert!(ran.code == Some(1) && ran.report().message.contains("The timer does not run"), "{ran:?}");
}

#[test]
fn what_it_decides() {
    for (name, idle, in_flight, queued, uptime, decision, stops) in [
        ("just used", 7, 0, 0, 10_800, "idle", false),
        ("nearly", 1_799, 0, 0, 10_800, "idle", false),
        ("idle", 1_800, 0, 0, 10_800, "stopping", true),
        ("one runs", 90_000, 1, 0, 10_800, "active", false),
        ("one waits", 90_000, 0, 1, 10_800, "active", false),
        // A gateway cannot have been idle for longer than the machine is up.
        ("just booted", 90_000, 0, 0, 600, "idle", false),
        ("the hard limit", 0, 9, 9, 43_200, "stopping", true),
        ("just before it", 0, 9, 9, 43_199, "active", false),
    ] {
        let host = armed();
        up_for(&host, uptime);
        for (file, value) in [("idle_seconds", idle), ("in_flight", in_flight), ("queued", queued)] {
            host.set(file, &value.to_string());
        }
        let ran = host.tick();
        assert_eq!((&*state(&host).decision, stopped(&host), ran.code), (decision, stops, Some(0)), "{name}: {ran:?}");
    }
}

#[test]
fn the_time_left_is_told() {
    let host = armed();
    host.set("idle_seconds", "600");
    host.tick();
    let seen = state(&host);
    assert_eq!((&*seen.decision, seen.stops_in), ("idle", Some(1_200)));
    assert!(seen.at > 1_700_000_000 && seen.reason.contains("600 s"), "{seen:?}");
}

fn unknown(host: &Host, name: &str) {
    // Unknown at first, and for an hour.
    let ran: ScriptRun = host.tick();
    assert_eq!((&*state(host).decision, stopped(host), ran.code), ("unknown", false, Some(0)), "{name}: {ran:?}");
    up_for(host, 10_800 + 3_599);
    host.tick();
    assert_eq!((stopped(host), state(host).stops_in), (false, Some(1)), "{name}");
    up_for(host, 10_800 + 3_600);
    host.tick();
    assert!(stopped(host) && state(host).reason.contains("unknown for an hour"), "{name}");
}

#[test]
fn what_is_not_known_counts_as_active_for_an_hour() {
    for (tool, fault) in [
        ("docker.ps", "always fail Cannot connect to the Docker daemon"),
        ("docker.ps", "always nothing"),
        ("docker.exec-healthcheck", "always fail no"),
        ("docker.exec-healthcheck", "always nothing"),
    ] {
        let host = armed();
        host.set("idle_seconds", "90000");
        host.fault(tool, fault);
        unknown(&host, tool);
    }
    let host = armed();
    host.behave(&gateway(1), "silent");
    unknown(&host, "silent");
}

#[test]
fn an_answer_in_between_starts_the_hour_anew() {
    let host = armed();
    host.fault("docker.exec-healthcheck", "fail no");
    host.tick();
    up_for(&host, 14_000);
    host.tick();
    assert_eq!(state(&host).decision, "idle");
    host.fault("docker.exec-healthcheck", "fail no");
    up_for(&host, 14_500);
    host.tick();
    assert_eq!((&*state(&host).decision, state(&host).stops_in), ("unknown", Some(3_600)));
}

#[test]
fn a_boot_resets_the_clock() {
    let host = armed();
    host.fault("docker.ps", "always fail no");
    host.tick();
    // Its stored state is in memory.
    std::fs::remove_dir_all(host.at("run")).unwrap();
    up_for(&host, 120);
    host.tick();
    assert_eq!((stopped(&host), state(&host).stops_in), (false, Some(3_600)));
}

#[test]
fn a_deploy_at_work_is_no_idle_time() {
    let host = armed();
    host.set("idle_seconds", "90000");
    host.fault("docker.login", "hold");
    host.push(&[&gateway(2)]);
    let deploying = host.spawn(&deploy(2, 1).text());
    crate::support::emulator::until("it is at its login", || host.at("state/held").exists());
    host.tick();
    assert_eq!((&*state(&host).decision, stopped(&host), state(&host).stops_in), ("active", false, Some(10_800)));
    // Longer than what is unknown may last, but not for ever.
    up_for(&host, 10_800 + 10_799);
    host.tick();
    assert_eq!((stopped(&host), state(&host).stops_in), (false, Some(1)));
    host.set("go", "");
    assert_eq!(Host::wait(deploying).code, Some(0));
    // Half an hour from its end.
    host.tick();
    assert_eq!((&*state(&host).decision, stopped(&host)), ("active", false));
    up_for(&host, 10_800 + 10_799 + 1_800);
    host.tick();
    assert!(stopped(&host));
}

#[test]
fn an_operator_who_works_for_three_hours_is_not_believed() {
    let host = armed();
    host.fault("docker.login", "hold");
    host.push(&[&gateway(2)]);
    let deploying = host.spawn(&deploy(2, 1).text());
    crate::support::emulator::until("it is at its login", || host.at("state/held").exists());
    host.tick();
    up_for(&host, 21_600);
    host.tick();
    assert!(stopped(&host) && state(&host).reason.contains("for 3 hours"));
    host.set("go", "");
    Host::wait(deploying);
}

#[test]
fn an_hour_of_the_unknown_is_not_cut_short_by_what_was_before_an_operators_work() {
    let host = armed();
    host.fault("docker.exec-healthcheck", "always fail no");
    host.tick();
    up_for(&host, 10_800 + 3_000);
    host.fault("docker.login", "hold");
    host.push(&[&gateway(2)]);
    let deploying = host.spawn(&deploy(2, 1).text());
    crate::support::emulator::until("it is at its login", || host.at("state/held").exists());
    host.tick();
    host.set("go", "");
    Host::wait(deploying);
    up_for(&host, 10_800 + 3_600);
    host.tick();
    assert_eq!((&*state(&host).decision, stopped(&host), state(&host).stops_in), ("unknown", false, Some(3_600)));
}

#[test]
fn the_time_of_a_model_load_is_no_idle_time() {
    let host = armed();
    host.behave(&vllm(1), "loading");
    // Since its own start, which the load is part of.
    host.set("idle_seconds", "1800");
    host.tick();
    assert_eq!((&*state(&host).decision, stopped(&host)), ("unknown", false));
    assert!(state(&host).reason.contains("not ready"));
    host.behave(&vllm(1), "");
    up_for(&host, 10_800 + 60);
    host.set("idle_seconds", "1860");
    host.tick();
    assert_eq!((&*state(&host).decision, state(&host).stops_in), ("idle", Some(1_740)));
    // A model that never loads is not a reason to pay for ever.
    host.behave(&vllm(1), "loading");
    host.tick();
    up_for(&host, 10_800 + 60 + 3_600);
    host.tick();
    assert!(stopped(&host));
}

#[test]
fn a_model_that_fails_again_and_again_is_no_use() {
    let host = armed();
    host.set("idle_seconds", "600");
    host.tick();
    host.behave(&vllm(1), "loading");
    up_for(&host, 12_000);
    host.tick();
    assert_eq!((&*state(&host).decision, stopped(&host)), ("unknown", false));
    host.behave(&vllm(1), "");
    host.set("idle_seconds", "1860");
    up_for(&host, 12_060);
    host.tick();
    assert!(stopped(&host), "idle for all that time");
}

#[test]
fn work_that_runs_counts_also_where_the_model_server_is_away() {
    let host = armed();
    host.behave(&vllm(1), "loading");
    host.set("in_flight", "3");
    for seconds in [10_800, 14_400, 18_000] {
        up_for(&host, seconds);
        host.tick();
        assert_eq!((&*state(&host).decision, stopped(&host)), ("active", false), "{seconds}");
    }
}

#[test]
fn limits_that_cannot_be_relied_on_replace_none() {
    let host = armed();
    host.fault("curl", "fail timed out");
    let ran =
        host.run(&act(&Action::Autostop(Autostop::On { idle_minutes: 600, max_uptime_hours: None, schedule: None })));
    assert!(
        ran.code == Some(1) && ran.report().message.contains("not known whether the instance may stop itself"),
        "{ran:?}"
    );
    assert_eq!((state(&host).on, state(&host).idle_minutes), (true, 30), "as before");
}

#[test]
fn a_box_that_may_not_stop_itself_is_found_before_it_is_relied_on() {
    let host = served();
    for (tool, fault, says) in [
        ("aws.stop-instances", "fail UnauthorizedOperation", "may not stop itself"),
        ("curl", "fail no metadata", "not known whether the instance may stop itself"),
    ] {
        host.fault(tool, fault);
        let ran = host.run(&act(&Action::Autostop(ON)));
        assert!(ran.code == Some(1) && ran.report().message.contains(says), "{ran:?}");
        assert!(!state(&host).on);
    }
    assert_eq!(host.run(&act(&Action::Autostop(ON))).code, Some(0));
    assert!(!stopped(&host), "asked, not done");
}

#[test]
fn it_finds_its_tools_where_the_program_found_them() {
    let host = armed();
    let line = |text: &str| {
        text.lines().find(|line| line.starts_with("export PATH=")).unwrap().split(" #").next().unwrap().to_owned()
    };
    assert_eq!(line(&host.root("autostop/autostop.sh")), line(&deployer::script::program()));
}

#[test]
fn it_names_the_instance_it_runs_on_and_tries_again_when_it_may_not() {
    let host = armed();
    host.set("instance_id", "i-0fedcba9876543210");
    host.set("idle_seconds", "90000");
    for (tool, fault) in [("curl", "fail no"), ("aws.stop-instances", "fail UnauthorizedOperation")] {
        host.fault(tool, fault);
        let ran = host.tick();
        assert_eq!((ran.code, &*state(&host).decision), (Some(1), "failed"), "{tool}: {ran:?}");
        assert_eq!(host.get("stopped"), "");
    }
    assert_eq!(host.tick().code, Some(0));
    assert_eq!(host.get("stopped"), "i-0fedcba9876543210\n");
    assert!(host.calls().iter().all(|call| !call.contains("session-of-the-shim")), "the session is in no argument");
    assert!(host.root("audit.jsonl").contains(r#""operator":"autostop","action":"stop""#));
}

/// Like a deploy that takes the lock and writes its holder.
fn works(host: &Host, run: &str) -> std::process::Child {
    let held = host.at(&format!("held-{run}"));
    let holder = format!(r#"{{"operator":"ada","action":"deploy","since":1,"run":"{run}"}}"#);
    std::fs::write(host.at("root/lock.holder"), holder).unwrap();
    let mut child = std::process::Command::new("flock")
        .arg(host.at("root/lock"))
        .args(["sh", "-c", "touch \"$0\"; exec cat"])
        .arg(&held)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    crate::support::emulator::until("it has the lock", || held.exists() || child.try_wait().unwrap().is_some());
    child
}

#[test]
fn runs_that_follow_each_other_have_three_hours_each() {
    let host = armed();
    host.run(&act(&Action::Autostop(Autostop::On { idle_minutes: 30, max_uptime_hours: None, schedule: None })));
    // No check falls between the end of one and the beginning of the next.
    for (uptime, run, left) in [
        (1_000, "first-run", 10_800),
        (11_000, "second-run", 10_800),
        (11_801, "third-run", 10_800),
        (21_801, "third-run", 800),
    ] {
        up_for(&host, uptime);
        let mut child = works(&host, run);
        host.tick();
        let seen = state(&host);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!((&*seen.decision, seen.stops_in), ("active", Some(left)), "{run} {uptime}");
    }
    up_for(&host, 22_601);
    let mut child = works(&host, "third-run");
    host.tick();
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(stopped(&host) && state(&host).reason.contains("3 hours"));
}
