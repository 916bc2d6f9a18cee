//! Runs that were killed at any point, runs at the same time, and what repairs them.

use deployer::script::{Action, ActionOutcome, Script};

use crate::{
    deploys::{assert_serves, served},
    support::{
        emulator::until,
        host::Host,
        wanted::{act, deploy, gateway, vllm},
    },
};

/// Kills the script at a call of a tool; nothing of it runs on, and no report comes.
fn killed(host: &Host, script: &Script, tool: &str, fault: &str) {
    killed_text(host, &script.text(), tool, fault);
}

/// The same without the process that waits for the end of a run and cleans up.
fn killed_unguarded(host: &Host, script: &Script, tool: &str, fault: &str) {
    killed_text(host, &script.text().replace("guard() {", "guard() {\n  return 0"), tool, fault);
}

fn killed_text(host: &Host, text: &str, tool: &str, fault: &str) {
    host.fault(tool, fault);
    let ran = host.run_text(text);
    assert_eq!((ran.code, ran.report.is_none()), (None, true), "{tool} {fault}: {ran:?}");
    host.no_faults();
}

/// Downloads that are under way.
fn oneoffs(host: &Host) -> usize {
    std::fs::read_dir(host.at("state/oneoff")).unwrap().count()
}

/// Where a deploy of two new images can be killed.
const POINTS: [(&str, &str); 16] = [
    ("docker.info", "kill"),
    ("nvidia-smi", "kill"),
    ("docker.login", "kill-after"),
    ("docker.pull", "kill"),
    ("docker.pull", "kill-after"),
    ("docker.compose-config", "kill-after"),
    ("docker.compose-up", "kill"),
    ("docker.compose-up", "kill-after"),
    ("docker.ps", "kill"),
    ("docker.inspect", "kill"),
    ("docker.exec-healthcheck", "kill"),
    ("docker.exec-healthcheck", "kill-after"),
    ("docker.exec-selftest", "kill"),
    ("docker.exec-selftest", "kill-after"),
    ("docker.image-ls", "kill"),
    ("docker.image-ls", "kill-after"),
];

#[test]
fn wherever_a_deploy_is_killed_the_next_one_serves() {
    for (tool, fault) in POINTS {
        let host = served();
        killed(&host, &deploy(2, 2), tool, fault);
        let ran = host.run(&deploy(2, 2));
        assert_eq!(ran.code, Some(0), "{tool} {fault}: {ran:?}");
        assert_serves(&host, 2, 2);
        assert!(!host.at("root/switching").exists(), "{tool} {fault}");
        assert!(ran.report().release.unwrap() <= 3, "{tool} {fault}");
    }
}

#[test]
fn wherever_a_deploy_is_killed_a_failing_next_one_goes_back_or_changes_nothing() {
    for (tool, fault) in POINTS {
        let host = served();
        killed(&host, &deploy(2, 2), tool, fault);
        let half = host.at("root/switching").exists();
        host.fault("docker.info", "fail Cannot connect to the Docker daemon");
        let ran = host.run(&deploy(2, 2));
        let recorded = tool == "docker.image-ls";
        assert_eq!(ran.code, Some(if half { 3 } else { 1 }), "{tool} {fault}: {ran:?}");
        let serves = if recorded { 2 } else { 1 };
        assert_serves(&host, serves, serves);
        assert_eq!(ran.report().release, Some(u32::from(serves)), "{tool} {fault}");
    }
}

/// The restart of a release that was good is interrupted, and then another one does not serve.
#[test]
fn a_good_release_whose_start_was_cut_off_is_still_the_way_back() {
    let host = served();
    assert_eq!(host.run(&act(&Action::Down { drain: true })).code, Some(0));
    killed(&host, &deploy(1, 1), "docker.compose-up", "kill");
    host.behave(&vllm(2), "crash");
    let ran = host.run(&deploy(1, 2));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(1)), "{ran:?}");
    assert_serves(&host, 1, 1);
}

#[test]
fn a_rollback_that_was_cut_off_goes_on() {
    let host = served();
    assert_eq!(host.run(&deploy(2, 2)).code, Some(0));
    killed(&host, &act(&Action::Rollback { to: None }), "docker.compose-up", "kill");
    assert_eq!(host.run(&act(&Action::Releases)).report().rollback_target(), Some(1));
    // A wrong word does not bring back the release that was to be left.
    host.fault("docker.info", "fail no");
    let ran = host.run(&deploy(3, 3));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(1)), "{ran:?}");
    assert_serves(&host, 1, 1);
    assert_eq!(host.root("releases/1/state"), "good");
    killed(&host, &deploy(2, 2), "docker.compose-up", "kill");
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().release, Some(1));
    assert_serves(&host, 1, 1);
}

/// Rolled back from 2 to 1, interrupted in the switch.
fn rolling_back() -> Host {
    let host = served();
    assert_eq!(host.run(&deploy(2, 2)).code, Some(0));
    killed(&host, &act(&Action::Rollback { to: None }), "docker.compose-up", "kill");
    host
}

#[test]
fn a_rollback_that_goes_on_and_fails_goes_back_to_where_it_came_from() {
    let host = rolling_back();
    host.behave(&gateway(1), "unhealthy");
    let ran = host.run(&act(&Action::Rollback { to: None }));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(2)), "{ran:?}");
    assert_serves(&host, 2, 2);
}

#[test]
fn what_a_cut_off_rollback_left_is_left() {
    // Another release replaces it, or fails to.
    for (g, serves) in [(3, 3), (9, 1)] {
        let host = rolling_back();
        assert_eq!(host.run(&deploy(g, 1)).report().release, Some(serves));
        assert_eq!(host.root("releases/2/state"), "reverted", "{g}");
        assert_eq!(host.root(&format!("releases/{serves}/state")), "good");
        let ledger = host.run(&act(&Action::Releases)).report().releases();
        assert!(ledger.iter().all(|entry| entry.outcome == "good"), "what was not tried has no verdict: {ledger:?}");
    }
}

#[test]
fn what_is_cut_off_before_its_verdict_is_not_called_failed() {
    let host = served();
    killed(&host, &deploy(2, 2), "docker.compose-up", "kill");
    host.fault("docker.info", "fail no");
    assert_eq!(host.run(&deploy(2, 2)).report().rolled_back_to, Some(1));
    assert_eq!(host.root("releases/2/state"), "interrupted");
    let ledger = host.run(&act(&Action::Releases)).report().releases();
    assert_eq!(ledger.last().map(|entry| (entry.release, &*entry.outcome)), Some((2, "interrupted")));
}

#[test]
fn a_killed_first_deploy_is_taken_over() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    // The guard of a killed run is killed too, perhaps with the agent's service.
    killed_unguarded(&host, &deploy(1, 1), "docker.compose-run", "kill-after");
    assert!(
        !host.leaks().is_empty() && host.leaks().iter().all(|file| file.ends_with("hf_token")),
        "{:?}",
        host.leaks()
    );
    // Docker does not end what compose started only because compose was killed.
    assert_eq!(oneoffs(&host), 1);
    killed(&host, &deploy(1, 1), "docker.compose-up", "kill-after");
    let ran = host.run(&deploy(1, 1));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    assert_serves(&host, 1, 1);
    assert!(host.leaks().is_empty() && host.has_no_temporary_folders(), "what the killed run left in memory is gone");
    assert_eq!(oneoffs(&host), 0, "and the download that continued with the token");
}

#[test]
fn what_a_killed_look_left_in_memory_is_gone_too() {
    let host = served();
    killed_unguarded(&host, &act(&Action::Doctor { images: vec![] }), "docker.login", "kill-after");
    assert!(!host.has_no_temporary_folders(), "a login");
    assert_eq!(host.run(&act(&Action::Unlock)).code, Some(0));
    assert!(host.has_no_temporary_folders());
}

#[test]
fn a_rollback_and_an_unlock_see_what_was_cut_off() {
    let host = served();
    killed(&host, &deploy(2, 2), "docker.compose-up", "kill-after");
    let ran = host.run(&act(&Action::Unlock));
    assert!(ran.report().message.contains("An earlier switch was interrupted"), "{ran:?}");
    assert!(host.run(&act(&Action::Status)).report().status().unwrap().half_done);
    let ran = host.run(&act(&Action::Restart { service: None }));
    assert!(ran.code == Some(1) && ran.report().message.contains("interrupted"), "{ran:?}");
    let ran = host.run(&act(&Action::Rollback { to: None }));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(1)), "{ran:?}");
    assert_serves(&host, 1, 1);
}

#[test]
fn two_at_once_and_the_second_is_told_who_holds_the_lock() {
    let host = served();
    host.fault("docker.pull", "hold");
    let first = host.spawn(&deploy(2, 2).text());
    until("the first is at its pull", || host.at("state/held").exists());
    for action in [Action::Rollback { to: None }, Action::Down { drain: false }, Action::Unlock] {
        let ran = host.run(&act(&action));
        let report = ran.report();
        assert_eq!((ran.code, report.outcome), (Some(5), ActionOutcome::Locked), "{ran:?}");
        let holder = report.holder.clone().unwrap();
        assert_eq!((&*holder.operator, &*holder.action, &*holder.step), ("ada's laptop", "deploy", "pull"), "{ran:?}");
        assert!(report.message.contains("ada's laptop is at work") && holder.since > 1_700_000_000);
    }
    assert_eq!(host.run(&deploy(2, 2)).code, Some(5));
    // A status query is always possible, and names the holder of the lock.
    let status = host.run(&act(&Action::Status)).report().status().unwrap();
    assert_eq!(status.holder.unwrap().step, "pull");
    assert!(host.at("root/releases/.next").exists(), "the files that the first unpacked were not changed");
    host.set("go", "");
    assert_eq!(Host::wait(first).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 2, 2);
    assert!(host.run(&act(&Action::Status)).report().status().unwrap().holder.is_none());
}

#[test]
fn a_terminated_script_ends_in_good_order() {
    let host = served();
    host.fault("docker.pull", "hold");
    let first = host.spawn(&deploy(2, 2).text());
    until("it is at its pull", || host.at("state/held").exists());
    let id = first.id().to_string();
    // The shell waits for the tool that it started, then its trap runs.
    std::process::Command::new("pkill").args(["-TERM", "-P", &id]).status().unwrap();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    host.set("go", "");
    let ran = Host::wait(first);
    assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged, "{ran:?}");
    assert_serves(&host, 1, 1);
    assert!(!host.at("root/lock.holder").exists());
}
