//! Down, restart, unlock.

use deployer::script::{Action, ActionOutcome, Service, Step};

use crate::{
    deploys::{assert_serves, served},
    support::{host::Host, wanted::act},
};

const DOWN: Action = Action::Down { drain: true };

fn stops(host: &Host) -> Vec<String> {
    let calls = host.calls();
    let short = |call: &String| call.split_once(" stop ").map(|(_, rest)| rest.to_owned());
    calls.iter().filter(|call| call.starts_with("docker.compose-stop")).filter_map(short).collect()
}

#[test]
fn down_lets_work_end_and_stops_the_gateway_first() {
    let host = served();
    let ran = host.run(&act(&DOWN));
    assert_eq!((ran.report().outcome, ran.report().warnings.len()), (ActionOutcome::Done, 0), "{ran:?}");
    assert_eq!(stops(&host), ["--timeout 45 gateway", "--timeout 30 vllm"]);
    assert_eq!((host.serving("gateway"), host.serving("vllm")), (None, None));
    assert_eq!(host.run(&act(&DOWN)).report().outcome, ActionOutcome::Done, "again is no failure");
}

#[test]
fn work_that_was_cut_off_is_said() {
    let host = served();
    host.set("exit_gateway", "137");
    let ran = host.run(&act(&DOWN));
    assert_eq!(ran.report().warnings.len(), 1);
    assert!(ran.report().warnings[0].contains("gateway did not end within 45 s"), "{ran:?}");
}

#[test]
fn down_now_does_not_wait() {
    let host = served();
    host.set("exit_gateway", "137");
    let ran = host.run(&act(&Action::Down { drain: false }));
    assert_eq!((ran.report().outcome, ran.report().warnings.len()), (ActionOutcome::Done, 0), "{ran:?}");
    assert_eq!(stops(&host), ["--timeout 1 gateway", "--timeout 1 vllm"]);
}

#[test]
fn down_that_fails_needs_a_person() {
    let host = served();
    host.fault("docker.compose-stop", "nothing");
    let ran = host.run(&act(&DOWN));
    assert_eq!((ran.code, ran.report().failed_step), (Some(4), Some(Step::Stop)), "{ran:?}");
    assert!(ran.report().message.contains("gateway still runs"));
    assert_eq!(Host::new().run(&act(&DOWN)).report().outcome, ActionOutcome::NothingToDo);
}

/// A full disk: nothing can be written to the folder of the releases.
#[test]
fn a_box_whose_disk_is_full_can_still_be_stopped_and_unlocked() {
    let host = served();
    // A folder where the file should come: also root cannot write it.
    std::fs::create_dir_all(host.at("root/lock.holder.new/full")).unwrap();
    for action in [Action::Unlock, DOWN] {
        let ran = host.run(&act(&action));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.report().warnings[0].contains("is the disk full?"), "{ran:?}");
        std::fs::create_dir_all(host.at("root/lock.holder.new/full")).unwrap();
    }
    assert_eq!(host.serving("gateway"), None);
}

#[test]
fn a_container_that_cannot_be_removed_keeps_nobody_from_down() {
    let host = served();
    host.set("oneoff/oneoff1", "");
    host.fault("docker.rm", "fail removal of container oneoff1 is already in progress");
    let ran = host.run(&act(&DOWN));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.report().warnings[0].contains("could not be removed"), "{ran:?}");
}

#[test]
fn a_down_that_fails_half_way_does_not_say_that_nothing_was_changed() {
    let host = served();
    host.fault("docker.compose-stop", "");
    let ran = host.run(&act(&DOWN));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let host = served();
    host.fault("docker.compose-stop", "always fail no");
    let ran = host.run(&act(&DOWN));
    assert!(ran.code == Some(4) && !ran.report().message.contains("othing was changed"), "{ran:?}");
}

#[test]
fn restart_starts_what_was_asked_for_and_verifies() {
    let host = served();
    let (g, v) = (host.started("gateway"), host.started("vllm"));
    let ran = host.run(&act(&Action::Restart { service: Some(Service::Gateway) }));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    assert_ne!(host.started("gateway"), g);
    assert_eq!(host.started("vllm"), v);
    assert_serves(&host, 1, 1);
    host.fault("start.vllm", "once");
    host.fault("docker.exec-selftest", "always fail no");
    let ran = host.run(&act(&Action::Restart { service: None }));
    assert_eq!((ran.code, ran.report().release), (Some(4), Some(1)), "{ran:?}");
    assert!(ran.report().message.contains("go back with deployer rollback"));
}

#[test]
fn unlock_clears_what_a_killed_run_left() {
    let host = served();
    host.fault("docker.compose-stop", "kill");
    assert_eq!(host.run_text(&act(&DOWN).text()).code, None);
    assert!(host.at("root/lock.holder").exists());
    assert_eq!(host.run(&act(&Action::Unlock)).report().outcome, ActionOutcome::Done);
    assert!(!host.at("root/lock.holder").exists());
}
