//! Commands that the agent loses, that are killed, or that the document refuses.

use super::*;

/// The agent takes a command and never runs it.
#[tokio::test(start_paused = true)]
async fn a_lost_command_is_noticed_in_two_minutes_and_sent_once_more() {
    for name in ["up", "rollback", "restart", "down"] {
        let began = tokio::time::Instant::now();
        let world = SimulatedCloud { swallows: 1, cancels: true, ..world(name, "done") };
        run(&world, name).await.unwrap();
        assert!(began.elapsed() < std::time::Duration::from_mins(2), "{name}: {:?}", began.elapsed());
        let action = if name == "up" { "deploy" } else { name };
        assert_eq!(world.sent(action), 2, "{name}");
        assert!(!world.lock(), "{name}");
    }
    // A command that cannot be cancelled may still run: it is not sent again, and the box is not stopped.
    let began = tokio::time::Instant::now();
    let odd = json!({"config_hash": "other"});
    let world = SimulatedCloud { swallows: 1, odd, ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(began.elapsed() < std::time::Duration::from_mins(3), "{:?}", began.elapsed());
    assert!(failure.what.contains("took the command and does not run it") && failure.may_still_run, "{failure:?}");
    assert!(world.sent("deploy") == 1 && world.running.get(), "{failure:?}");
    // The agent loses both commands.
    let world = SimulatedCloud { swallows: 2, cancels: true, ..self::world("restart", "done") };
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("took the command twice") && world.sent("restart") == 2, "{failure:?}");
}

/// A command that runs for long is not cancelled.
#[tokio::test(start_paused = true)]
async fn a_running_command_does_not_count_as_lost() {
    let odd = json!({"runs": [{"action": "restart", "pid": 7, "run": "ECHO", "since": 1}]});
    let world = SimulatedCloud { swallows: 1, cancels: true, odd, ..world("restart", "done") };
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("has not ended in"), "{failure:?}");
    assert!(world.sent("restart") == 1 && !world.calls.borrow().contains(&"cancel"), "{failure:?}");
}

/// The document names other programs: the box is not started, and the failure has the command that names this program
/// and leaves the instance as it is.
#[tokio::test(start_paused = true)]
async fn a_program_that_the_document_does_not_name_is_refused_before_the_box_starts() {
    let (old, current) = ("0".repeat(64), crate::script::program_sha256());
    let world = SimulatedCloud { programs: Some(vec![old.clone()]), ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(!world.running.get() && !world.calls.borrow().contains(&"start") && !world.lock());
    let named = format!("ProgramSha256,ParameterValue=\"{old} {current}\" ParameterKey=ImageId,ParameterValue=ami-1");
    assert!(failure.next.contains(&named), "{failure:?}");
    let world = SimulatedCloud { programs: Some(vec![old, current]), ..self::world("up", "done") };
    run(&world, "up").await.unwrap();
    // If the document cannot be read, the host decides.
    let world = SimulatedCloud { always: Some(("programs", CloudErrorKind::Denied)), ..self::world("up", "done") };
    run(&world, "up").await.unwrap();
}

/// The host is cleared after a killed command, but not while the command may still run.
#[tokio::test(start_paused = true)]
async fn after_ctrl_c_the_host_is_cleared() {
    let ended =
        SimulatedCloud { ends: Some(CommandProgress::Cancelled), ctrl_c: Some("look"), ..world("restart", "done") };
    run_operation(&ended, up("h", ExpectedRelease::Release(2))).await.unwrap_err();
    assert_eq!(ended.sent("unlock"), 1);
    let unconfirmed =
        SimulatedCloud { ends: Some(CommandProgress::Running), ctrl_c: Some("look"), ..world("restart", "done") };
    let failure = run_operation(&unconfirmed, up("h", ExpectedRelease::Release(2))).await.unwrap_err();
    assert!(unconfirmed.sent("unlock") == 0 && failure.may_still_run, "{failure:?}");
}

/// This operator may not list commands, and the answer to `SendCommand` is lost: the host is asked.
#[tokio::test(start_paused = true)]
async fn without_the_right_to_list_commands_the_host_is_asked_about_a_lost_answer() {
    let calls = {
        let unfailing = world("restart", "done");
        run(&unfailing, "restart").await.unwrap();
        unfailing.calls.borrow().clone()
    };
    let send = calls.iter().position(|call| *call == "send").unwrap() + 1;
    let lost = |heard, odd| SimulatedCloud {
        fails: Some((send, CloudErrorKind::Network)),
        heard,
        odd,
        always: Some(("find", CloudErrorKind::Denied)),
        ..world("restart", "done")
    };
    // The command ended on the host.
    let world = lost(true, json!({"ended": ["ECHO"]}));
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("the command ended on the host") && !failure.may_still_run, "{failure:?}");
    assert_eq!(world.sent("restart"), 1);
    // The command still runs on the host.
    let world = lost(true, json!({"runs": [{"run": "ECHO"}]}));
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("has not ended on the host") && failure.may_still_run, "{failure:?}");
    assert_eq!(world.sent("restart"), 1);
    // AWS never received the command.
    let world = lost(false, Value::Null);
    run(&world, "restart").await.unwrap();
    assert_eq!(world.sent("restart"), 1);
}
