//! The start of the box: requests that AWS refuses or loses, and what happens to a box that a failed run started.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_was_lost_counts_as_a_start() {
    // The box runs, but the agent never answers: the box is stopped again.
    let world = SimulatedCloud {
        fails: Some((4, CloudErrorKind::Network)),
        heard: true,
        away: &["agent"],
        ..world("up", "done")
    };
    let failure = run(&world, "up").await.unwrap_err();
    assert_eq!(world.calls.borrow()[3], "start");
    assert!(failure.what.contains("The box was stopped again.") && !world.running.get(), "{failure:?}");
}

/// AWS keeps answering that the state is changing, while nothing changes.
#[tokio::test(start_paused = true)]
async fn a_start_that_aws_keeps_rejecting_for_the_state_is_given_up() {
    let world = SimulatedCloud { always: Some(("start", CloudErrorKind::Race)), ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(failure.what.contains("neither starts nor stops") && !world.lock(), "{failure:?}");
}

/// Refused status requests during a deploy: credentials are loaded again, and nothing is stopped.
#[tokio::test(start_paused = true)]
async fn a_refused_status_request_does_not_fail_a_deploy() {
    for (kind, times, succeeds) in [
        (CloudErrorKind::Credentials, 1, true),
        (CloudErrorKind::Denied, 1, true),
        (CloudErrorKind::Clock, 1, true),
        (CloudErrorKind::Proxy, 1, true),
        (CloudErrorKind::Credentials, 8, true),
        // AWS refuses permanently.
        (CloudErrorKind::Credentials, u32::MAX, false),
        (CloudErrorKind::Denied, u32::MAX, false),
        (CloudErrorKind::Proxy, u32::MAX, false),
    ] {
        let world = SimulatedCloud { refuses: Some(("look", kind)), refusals: times.into(), ..world("up", "done") };
        let end = run(&world, "up").await;
        let at = format!("{kind:?} {times} times: {end:?}");
        assert!(world.renewals.get() > 0, "{at}");
        assert!(world.running.get() && world.sent("deploy") == 1, "{at}");
        match end {
            Ok(_) => assert!(succeeds, "{at}"),
            Err(failure) => {
                assert!(!succeeds && failure.exit == Exit::NeedsAPerson && failure.may_still_run, "{at}");
                assert!(failure.next.contains("deployer status shows how it ended"), "{at}");
                assert!(failure.next.contains("The box was not stopped"), "{at}");
            }
        }
    }
}

/// Refused requests while a box starts: the box is neither stopped nor given up.
#[tokio::test(start_paused = true)]
async fn a_refused_request_does_not_stop_a_starting_box() {
    let (expired, clock) = (CloudErrorKind::Credentials, CloudErrorKind::Clock);
    for (call, kind, times, succeeds) in [
        ("instance", expired, 1, true),
        ("instance", CloudErrorKind::Denied, 1, true),
        ("instance", clock, 1, true),
        ("instance", CloudErrorKind::Proxy, 1, true),
        ("instance", expired, 8, true),
        ("agent", expired, 1, true),
        // AWS refuses permanently.
        ("instance", expired, u32::MAX, false),
        ("instance", clock, u32::MAX, false),
        ("agent", CloudErrorKind::Proxy, u32::MAX, false),
        ("agent", expired, u32::MAX, false),
    ] {
        let refuses = Some((call, kind));
        let world = SimulatedCloud { refuses, refusals: times.into(), refuses_after: "start", ..world("up", "done") };
        let end = run(&world, "up").await;
        let at = format!("{call} {kind:?} {times} times: {end:?}");
        assert!(world.renewals.get() > 0 && world.running.get(), "{at}");
        assert!(!world.calls.borrow().contains(&"stop"), "{at}");
        assert_eq!((end.is_ok(), world.sent("deploy")), (succeeds, usize::from(succeeds)), "{at}");
        if let Err(failure) = end {
            assert!(failure.exit == Exit::NeedsAPerson && failure.what.contains("the box continues to start"), "{at}");
            assert!(failure.next.contains("Then deployer status shows the state of the box"), "{at}");
            assert!(failure.next.contains("The box was not stopped"), "{at}");
        }
    }
    // A missing right is not an expired session: the box is stopped again.
    let refuses = Some(("agent", CloudErrorKind::Denied));
    let world = SimulatedCloud { refuses, refusals: u32::MAX.into(), refuses_after: "start", ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(failure.exit == Exit::FailedUnchanged && !world.running.get(), "{failure:?}");
}

/// A session that was made with a code cannot be renewed by loading credentials, and there is no terminal to ask at.
#[tokio::test(start_paused = true)]
async fn credentials_of_a_second_factor_session_are_not_loaded_again() {
    for (times, succeeds) in [(1, true), (u32::MAX, false)] {
        let refuses = Some(("look", CloudErrorKind::Credentials));
        let world = SimulatedCloud { refuses, refusals: times.into(), second_factor: true, ..world("up", "done") };
        let began = tokio::time::Instant::now();
        let end = run(&world, "up").await;
        assert_eq!((end.is_ok(), world.renewals.get(), world.running.get()), (succeeds, 0, true), "{times}: {end:?}");
        assert!(began.elapsed() < std::time::Duration::from_mins(2), "{:?}", began.elapsed());
        assert!(!world.calls.borrow().contains(&"renew_with"));
    }
}

/// After an idle stop, the containers start again when the box boots. A box that serves is not taken from its users.
#[tokio::test(start_paused = true)]
async fn a_box_that_serves_is_not_stopped_for_a_failed_up() {
    let loading = json!({"gateway": "{\"ready\": false}"});
    let idle_stop = json!({"autostop": {"on": true}});
    let nothing = json!({"containers": []});
    for (stop, odd, drained, words) in [
        (
            StopOnFailure::Ask,
            &Value::Null,
            None,
            "because release 2 serves on it; it costs 0.98 USD an hour until deployer down stops it.",
        ),
        (StopOnFailure::Ask, &idle_stop, None, "until deployer down or the idle stop stops it."),
        // Running work ends first.
        (StopOnFailure::Ask, &loading, Some(1), ""),
        (StopOnFailure::Yes, &Value::Null, Some(1), ""),
        (StopOnFailure::Yes, &nothing, Some(0), ""),
        (StopOnFailure::No, &Value::Null, None, "The box runs and costs 0.98 USD an hour"),
    ] {
        let world = SimulatedCloud { odd: odd.clone(), ..world("up", "failed_unchanged") };
        let failure = run_stopping(&world, operation("up"), stop).await.unwrap_err();
        let at = format!("{stop:?} {odd}: {failure:?}");
        assert_eq!((failure.exit, world.running.get()), (Exit::FailedUnchanged, drained.is_none()), "{at}");
        assert_eq!(world.sent("down"), drained.unwrap_or(0), "{at}");
        assert_eq!(failure.what.contains("The box was stopped again."), drained.is_some(), "{at}");
        assert!(failure.next.contains(words), "{at}");
    }
}

/// After Ctrl-C, the message mentions a starting box only if this run starts it.
#[tokio::test(start_paused = true)]
async fn ctrl_c_says_that_the_box_starts_only_where_this_run_starts_it() {
    for (name, away, ctrl_c, words) in [
        ("down", &["instance"][..], "instance", "interrupted while AWS was asked about the box"),
        ("up", &["instance"], "instance", "interrupted while AWS was asked about the box"),
        ("rollback", &["agent"], "agent", "interrupted while waiting for the box; nothing was changed"),
        ("up", &[], "start", "interrupted while the box was starting"),
    ] {
        let world = SimulatedCloud { away, ctrl_c: Some(ctrl_c), ..world(name, "done") };
        let failure = run(&world, name).await.unwrap_err();
        assert!(failure.exit == Exit::Interrupted && failure.what.starts_with(words), "{name} {away:?}: {failure:?}");
    }
}
