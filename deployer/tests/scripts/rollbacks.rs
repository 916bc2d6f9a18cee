//! Back to an earlier release.

use deployer::script::{Action, ActionOutcome, Step};

use crate::{
    deploys::{assert_serves, served},
    support::{
        host::Host,
        wanted::{act, deploy, gateway, vllm},
    },
};

fn back(host: &Host, to: Option<u32>) -> crate::support::host::ScriptRun {
    host.run(&act(&Action::Rollback { to }))
}

#[test]
fn to_the_release_before_and_then_to_the_one_before_that() {
    let host = served();
    for (g, v) in [(2, 1), (3, 2)] {
        assert_eq!(host.run(&deploy(g, v)).report().outcome, ActionOutcome::Done);
    }
    let ran = back(&host, None);
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(2)), "{ran:?}");
    assert_serves(&host, 2, 1);
    // Its images were pruned: they are pulled again, by digest.
    let ran = back(&host, None);
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(1)), "{ran:?}");
    assert_serves(&host, 1, 1);
    let ran = back(&host, None);
    assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged);
    assert!(ran.report().message.contains("no earlier release"), "{ran:?}");
    let ledger = host.run(&act(&Action::Releases)).report().releases();
    let seen: Vec<_> = ledger.iter().map(|entry| (entry.release, &*entry.action, &*entry.outcome)).collect();
    let deploys = [(1, "deploy", "good"), (2, "deploy", "good"), (3, "deploy", "good")];
    assert_eq!(seen, [&deploys[..], &[(2, "rollback", "good"), (1, "rollback", "good")]].concat());
    assert_eq!(
        (&*ledger[0].operator, &*ledger[0].commit, &*ledger[2].gateway),
        ("ada's laptop", "39f5335", &*gateway(3))
    );
}

#[test]
fn what_was_rolled_back_from_is_no_way_back() {
    let host = served();
    for g in [2, 3] {
        assert_eq!(host.run(&deploy(g, 1)).code, Some(0));
    }
    // 3 and 2 passed the checks, but the operator rejected them.
    assert_eq!(back(&host, Some(1)).report().release, Some(1));
    assert_eq!((&*host.root("releases/2/state"), &*host.root("releases/3/state")), ("reverted", "reverted"));
    host.push(&[&gateway(4)]);
    assert_eq!(host.run(&deploy(4, 1)).report().release, Some(4));
    assert!(host.get("images").contains(&gateway(1)), "the image of the way back is kept");
    assert!(!host.get("images").contains(&gateway(2)));
    assert_eq!(host.run(&act(&Action::Releases)).report().rollback_target(), Some(1));
    assert_eq!(back(&host, None).report().release, Some(1));
    assert_serves(&host, 1, 1);
    // By its number it is a release like others.
    assert_eq!(back(&host, Some(3)).report().release, Some(3));
    assert_eq!(back(&host, None).report().release, Some(1));
}

#[test]
fn a_release_that_was_good_stays_so_when_it_fails_once() {
    let host = served();
    assert_eq!(host.run(&deploy(2, 1)).code, Some(0));
    host.fault("start.gateway", "unhealthy");
    assert_eq!(back(&host, None).report().rolled_back_to, Some(2));
    assert_eq!(host.root("releases/1/state"), "good");
    let ledger = host.run(&act(&Action::Releases)).report().releases();
    assert_eq!(ledger.last().map(|entry| (entry.release, &*entry.outcome)), Some((1, "failed")));
    assert_eq!(back(&host, None).report().release, Some(1));
}

#[test]
fn a_host_where_nothing_serves_goes_back_to_the_last_good_release() {
    let host = served();
    std::fs::remove_file(host.at("root/current")).unwrap();
    assert_eq!(back(&host, None).report().release, Some(1));
    assert_serves(&host, 1, 1);
}

#[test]
fn to_a_number() {
    let host = served();
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    let ran = back(&host, Some(7));
    assert!(ran.code == Some(1) && ran.report().message.contains("Release 7 is not on the host"), "{ran:?}");
    assert_eq!(back(&host, Some(2)).report().outcome, ActionOutcome::NothingToDo);
    assert_eq!(back(&host, Some(1)).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 1, 1);
    // Forward again: a release is a release.
    assert_eq!(back(&host, Some(2)).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 2, 1);
}

#[test]
fn one_that_fails_leaves_what_served_serving() {
    let host = served();
    assert_eq!(host.run(&deploy(2, 2)).report().outcome, ActionOutcome::Done);
    host.behave(&vllm(1), "crash");
    let ran = back(&host, None);
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(2)), "{ran:?}");
    assert_serves(&host, 2, 2);
    host.set("images", &format!("{}\n{}\n", gateway(2), vllm(2)));
    host.set("registry", "");
    let ran = back(&host, Some(1));
    assert_eq!((ran.code, ran.report().failed_step), (Some(1), Some(Step::Pull)), "{ran:?}");
    assert_serves(&host, 2, 2);
}

#[test]
fn on_an_empty_host_there_is_nothing_to_go_back_to() {
    let ran = back(&Host::new(), None);
    assert_eq!(ran.code, Some(1));
    assert!(ran.report().message.contains("no earlier release"), "{ran:?}");
}
