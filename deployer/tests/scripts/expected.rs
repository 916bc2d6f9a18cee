//! A plan is valid only for the release that it was made on.

use deployer::script::{Action, ActionOutcome, ExpectedRelease};

use crate::{
    deploys::{assert_serves, served},
    support::{
        host::Host,
        wanted::{act, deploy},
    },
};

#[test]
fn a_plan_for_another_release_changes_nothing() {
    let host = served();
    let (model, gateway) = (host.started("vllm"), host.started("gateway"));
    for script in [deploy(2, 1), act(&Action::Rollback { to: Some(1) }), act(&Action::Restart { service: None })] {
        for (expect, word) in [(ExpectedRelease::Release(7), "not 7"), (ExpectedRelease::NoRelease, "not none")] {
            let ran = host.run(&script.clone().expecting(expect));
            assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged, "{ran:?}");
            let message = &ran.report().message;
            assert!(message.contains("its release is 1 now") && message.contains(word), "{message}");
            assert_eq!((host.started("vllm"), host.started("gateway")), (model.clone(), gateway.clone()));
            assert!(host.root("switching").is_empty() && host.has_no_temporary_folders());
        }
    }
    assert_serves(&host, 1, 1);
}

#[test]
fn a_plan_for_this_release_or_for_an_unseen_host_goes_on() {
    let host = Host::new();
    host.push(&[&crate::support::wanted::gateway(1), &crate::support::wanted::vllm(1)]);
    let ran = host.run(&deploy(1, 1).expecting(ExpectedRelease::Release(1)));
    assert!(ran.report().message.contains("its release is none now, not 1"), "{ran:?}");
    for (expect, outcome) in [
        (ExpectedRelease::NoRelease, ActionOutcome::Done),
        (ExpectedRelease::Release(1), ActionOutcome::NothingToDo),
        (ExpectedRelease::Any, ActionOutcome::NothingToDo),
    ] {
        let ran = host.run(&deploy(1, 1).expecting(expect));
        assert_eq!(ran.report().outcome, outcome, "{expect:?}: {ran:?}");
    }
}
