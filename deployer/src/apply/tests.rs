//! Applies plans in a simulated account that fails at each call in turn. Whatever fails: the lock is given back or the
//! operator is told, no failed work counts as done, and a box that a failed run started is stopped, or the failure
//! says that it runs.

mod commands;
mod start;
mod world;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::world::{SimulatedCloud, image};
use super::{ApplyOutcome, StopOnFailure, apply, observe};
use crate::plan::LockHolder;
use crate::{
    approval::ApprovedPlan,
    cloud::{Cloud as _, CloudErrorKind, CommandProgress},
    config::{ConfigFile, Settings, parse, resolve},
    console::{Console, Format},
    context::DeployContext,
    exit::Exit,
    failure::Failure,
    interrupt,
    plan::{AutostopStep, Operation},
    script::{ComposeEnv, Deploy, ExpectedRelease, ImageDigest, ImageWanted},
};

const CONFIG: &str =
    "region = \"us-east-1\"\n[box]\ninstance_id = \"i-0123456789abcdef0\"\n[images]\nregistry = \"r.example\"\n";

async fn settings() -> Settings {
    let world = SimulatedCloud::default();
    let config_file = ConfigFile { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
    resolve(&config_file, &async |name| (&world).parameter(name).await, "ada@laptop".to_owned()).await.unwrap()
}

fn up(config_hash: &str, expect: ExpectedRelease) -> Operation {
    let image = |name: &str| ImageWanted::Digest(ImageDigest::parse(&image(name)).unwrap());
    let deploy = Box::new(Deploy {
        gateway: image("gateway"),
        vllm: image("vllm"),
        files: Vec::new(),
        env: ComposeEnv::default(),
        commit: "c".to_owned(),
        config_hash: config_hash.to_owned(),
        restart_vllm: false,
        download_only: false,
    });
    Operation::Up { deploy, expect, autostop: AutostopStep::Keep }
}

fn operation(name: &str) -> Operation {
    match name {
        "up" => up("h", ExpectedRelease::Any),
        "rollback" => Operation::Rollback { to: None, expect: ExpectedRelease::Release(3) },
        "restart" => Operation::Restart { service: None, expect: ExpectedRelease::Release(2) },
        "down" => Operation::Down { drain: true },
        "down now" => Operation::Down { drain: false },
        _ => panic!("no work {name}"),
    }
}

async fn run(world: &SimulatedCloud, name: &str) -> Result<ApplyOutcome, Failure> {
    run_operation(world, operation(name)).await
}

async fn run_operation(world: &SimulatedCloud, operation: Operation) -> Result<ApplyOutcome, Failure> {
    run_stopping(world, operation, StopOnFailure::Yes).await
}

async fn run_stopping(
    world: &SimulatedCloud,
    operation: Operation,
    stop: StopOnFailure,
) -> Result<ApplyOutcome, Failure> {
    let console = Console::new(true, Format::Text);
    let (end, interrupt) = interrupt::channel();
    *world.interrupter.borrow_mut() = Some(end);
    let config_file = ConfigFile { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
    let context = DeployContext {
        config_file,
        settings: settings().await,
        ports: world,
        console: &console,
        interrupt: &interrupt,
    };
    apply(&context, &ApprovedPlan::in_a_test(operation), stop).await
}

fn world(name: &str, outcome: &str) -> SimulatedCloud {
    let world = SimulatedCloud::default();
    world.running.set(name != "up");
    outcome.clone_into(&mut world.outcome.borrow_mut());
    world
}

const ALL: [&str; 5] = ["up", "rollback", "restart", "down", "down now"];

#[tokio::test(start_paused = true)]
async fn every_outcome_has_its_exit_code_and_gives_the_lock_back() {
    for name in ALL {
        for (outcome, exit) in [
            ("done", None),
            ("nothing_to_do", None),
            ("failed_unchanged", Some(Exit::FailedUnchanged)),
            ("rolled_back", Some(Exit::RolledBack)),
            ("needs_a_person", Some(Exit::NeedsAPerson)),
            ("locked", Some(Exit::Locked)),
        ] {
            let world = world(name, outcome);
            let found = run(&world, name).await.err().map(|failure| failure.exit);
            // `down --now` stops the box even if the host reports a failure, unless another operator is at work there.
            let exit = if name == "down now" && exit != Some(Exit::Locked) { None } else { exit };
            assert_eq!(found, exit, "{name}: {outcome}");
            assert!(!world.lock(), "{name}: {outcome}");
            if name == "up" && !matches!(exit, None | Some(Exit::RolledBack | Exit::Locked)) {
                assert!(!world.running.get(), "the box must be stopped again: {outcome}");
            }
            if exit == Some(Exit::Locked) && name == "up" {
                assert!(world.running.get(), "another operator is at work on the box");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_failed_call_leaves_no_lock_and_no_false_success() {
    for name in ALL {
        let unfailing = world(name, "done");
        run(&unfailing, name).await.unwrap();
        let calls = unfailing.calls.borrow().clone();
        assert!(calls.len() > 8, "{calls:?}");
        let refusals = [
            CloudErrorKind::Denied,
            CloudErrorKind::Other,
            CloudErrorKind::Network,
            CloudErrorKind::Throttled,
            CloudErrorKind::Credentials,
            CloudErrorKind::Proxy,
        ];
        let all = refusals.map(|kind| (kind, false)).into_iter().chain([(CloudErrorKind::Network, true)]);
        for (kind, heard) in all {
            for (index, call) in calls.iter().enumerate() {
                let world = SimulatedCloud { fails: Some((index + 1, kind)), heard, ..world(name, "done") };
                let result = run(&world, name).await;
                let at = format!("{name}: call {} ({call}) fails with {kind:?}, heard: {heard}", index + 1);
                for action in ["deploy", "rollback", "restart", "down"] {
                    assert!(world.sent(action) <= 1, "{at}: {action} was sent twice");
                }
                if matches!(*call, "look" | "send")
                    && matches!(kind, CloudErrorKind::Network | CloudErrorKind::Throttled)
                {
                    assert!(result.is_ok(), "{at}: a lost answer must not fail the script: {result:?}");
                }
                // The last two calls give the lock back. If they fail, the lock stays and the operator is told.
                assert!(!world.lock() || index + 2 >= calls.len(), "{at}: the lock is left");
                match result {
                    Ok(_) if name.starts_with("down") => assert!(!world.running.get(), "{at}: not stopped"),
                    Ok(_) => {
                        assert!(world.running.get() && !world.scripts.borrow().is_empty(), "{at}: nothing was done");
                    }
                    Err(failure) => {
                        assert_ne!(failure.exit, Exit::Done, "{at}");
                        assert!(!failure.what.is_empty() && !failure.next.is_empty(), "{at}");
                        let stopped = !world.running.get() || failure.exit == Exit::NeedsAPerson;
                        assert!(
                            name != "up" || stopped,
                            "{at}: the box runs and the failure does not say so: {failure:?}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_another_operator_stops_everything() {
    for name in ALL {
        let world = world(name, "done");
        let lock = r#"{"operator":"bob@desk","action":"up","since":1,"run":"1"}"#;
        world.parameters.borrow_mut().insert("/extraction-gateway/lock".to_owned(), lock.to_owned());
        let failure = run(&world, name).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Locked);
        assert!(failure.what.contains("bob@desk (up, for "), "{failure}");
        assert!(world.scripts.borrow().is_empty() && world.lock(), "{name}");
    }
}

/// Builds a context for tests that read a simulated account and change nothing.
macro_rules! context {
    ($world:expr, $context:ident) => {
        let console = Console::new(true, Format::Text);
        let (_end, interrupt) = interrupt::channel();
        let config_file = ConfigFile { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
        let $context = DeployContext {
            config_file,
            settings: settings().await,
            ports: $world,
            console: &console,
            interrupt: &interrupt,
        };
    };
}

#[tokio::test(start_paused = true)]
async fn the_report_of_the_simulated_host_is_parsed() {
    let world = world("restart", "done");
    context!(&world, context);
    let (report, status) = observe::ask_status(&context).await.unwrap();
    assert_eq!(report.release, Some(2));
    assert!(observe::healthy(&status));
}

/// After a killed script, the message and the exit code depend on the state of the host.
#[tokio::test(start_paused = true)]
async fn without_a_report_the_host_is_asked_for_the_result() {
    let not_ready = json!({"gateway": "{\"ready\": false}"});
    let cut_off = json!({"half_done": true});
    let nothing = Value::Null;
    for (odd, verify, hash, expect, exit, words) in [
        // The work is complete; only its report is lost.
        (&nothing, "done", "h", ExpectedRelease::Release(1), None, ""),
        (
            &nothing,
            "done",
            "other",
            ExpectedRelease::Release(2),
            Some(Exit::FailedUnchanged),
            "still serves: release 2",
        ),
        (
            &nothing,
            "done",
            "h",
            ExpectedRelease::Release(2),
            Some(Exit::FailedUnchanged),
            "release 2 serves and was verified",
        ),
        (
            &nothing,
            "failed_unchanged",
            "h",
            ExpectedRelease::Release(1),
            Some(Exit::NeedsAPerson),
            "could not be verified",
        ),
        (
            &cut_off,
            "done",
            "h",
            ExpectedRelease::Release(1),
            Some(Exit::NeedsAPerson),
            "release 2 is current and serves for now, and was",
        ),
        (&cut_off, "failed_unchanged", "h", ExpectedRelease::Release(1), Some(Exit::NeedsAPerson), "verified: said."),
        (&not_ready, "done", "h", ExpectedRelease::Release(1), Some(Exit::NeedsAPerson), "Nothing serves on the host"),
    ] {
        let mut world = world("restart", "");
        world.odd = odd.clone();
        world.verify.set(verify);
        let end = run_operation(&world, up(hash, expect)).await;
        let at = format!("{odd} {verify} {hash} {expect:?}: {end:?}");
        assert_eq!(end.as_ref().err().map(|failure| failure.exit), exit, "{at}");
        assert!(end.err().is_none_or(|failure| failure.what.contains(words)), "{at}");
        assert!(!world.lock(), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_cancels_the_command_and_says_what_serves() {
    for (ends, expect, exit, words) in [
        (
            CommandProgress::Cancelled,
            ExpectedRelease::Release(2),
            Some(Exit::Interrupted),
            "release 2 serves and was verified",
        ),
        (
            CommandProgress::Cancelled,
            ExpectedRelease::Release(1),
            Some(Exit::Interrupted),
            "release 2 is the wanted release",
        ),
        // The command had ended by itself, so its report counts.
        (CommandProgress::Ended(0), ExpectedRelease::Release(1), None, ""),
        (CommandProgress::Running, ExpectedRelease::Release(1), Some(Exit::Interrupted), "has not confirmed"),
    ] {
        let world = SimulatedCloud { ends: Some(ends.clone()), ctrl_c: Some("look"), ..world("restart", "done") };
        let end = run_operation(&world, up("h", expect)).await;
        assert_eq!(end.as_ref().err().map(|failure| failure.exit), exit, "{ends:?}: {end:?}");
        assert!(end.err().is_none_or(|failure| failure.what.contains(words)), "{ends:?}: {words}");
        assert!(!world.lock() && world.sent("deploy") == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_never_reported_as_nothing_changed() {
    // AWS may or may not have received the command and cannot be asked, so the state of the command is unknown.
    for ctrl_c in [None, Some("find")] {
        let world = SimulatedCloud { away: &["send", "find"], heard: true, ctrl_c, ..world("restart", "done") };
        let failure = run(&world, "restart").await.unwrap_err();
        let exit = if ctrl_c.is_some() { Exit::Interrupted } else { Exit::NeedsAPerson };
        assert_eq!(failure.exit, exit, "{failure:?}");
        assert!(!failure.what.contains("nothing was changed") && !failure.what.contains("before the host was asked"));
        assert_eq!(world.sent("restart"), 1, "{failure:?}");
    }
    // The command shows up once AWS can be asked, and Ctrl-C cancels it.
    let away = SimulatedCloud {
        fails: Some((2, CloudErrorKind::Network)),
        heard: true,
        ends: Some(CommandProgress::Cancelled),
        ctrl_c: Some("find"),
        ..world("restart", "done")
    };
    let failure = run(&away, "restart").await.unwrap_err();
    assert!(failure.exit == Exit::Interrupted && failure.what.contains("was killed"), "{failure:?}");
    assert!(away.calls.borrow().contains(&"cancel"));
}

#[tokio::test(start_paused = true)]
async fn a_done_action_succeeds_even_if_the_box_cannot_be_looked_up_after_it() {
    // A rollback looks up the box first, because it may have to start it. So only a restart is tested here.
    let world = SimulatedCloud { away: &["instance"], ..world("restart", "done") };
    let applied = run(&world, "restart").await.unwrap();
    assert!(applied.report.is_some() && applied.url.is_none());
    let last = world.parameters.borrow()["/extraction-gateway/last"].clone();
    assert!(last.contains("\"config_hash\":\"h\""), "{last}");
    for what in ["rollback", "restart"] {
        let world = SimulatedCloud { odd: json!({"containers": 1}), ..self::world(what, "done") };
        run(&world, what).await.unwrap();
        let last = world.parameters.borrow()["/extraction-gateway/last"].clone();
        assert!(!last.contains("config_hash") && last.contains(&image("gateway")), "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn down_now_does_not_depend_on_systems_manager() {
    for away in [&["agent"][..], &["send", "find"], &["look"]] {
        let world = SimulatedCloud { away, ..world("down now", "done") };
        run(&world, "down now").await.unwrap();
        assert!(!world.running.get(), "{away:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unlock_takes_the_lock_only_from_the_approved_holder() {
    let holder = |operator: &str| LockHolder {
        operator: operator.to_owned(),
        action: "up".to_owned(),
        since: 1,
        run: "1".to_owned(),
    };
    let put = |world: &SimulatedCloud, operator| {
        let text = serde_json::to_string(&holder(operator)).unwrap();
        world.parameters.borrow_mut().insert("/extraction-gateway/lock".to_owned(), text);
    };
    for (approved, held, outcome, away, exit) in [
        (Some("bob"), Some("bob"), "done", &[][..], None),
        (Some("bob"), None, "done", &[], None),
        (None, None, "done", &[], None),
        (Some("bob"), Some("eve"), "done", &[], Some(Exit::Locked)),
        (None, Some("eve"), "done", &[], Some(Exit::Locked)),
        (Some("bob"), Some("bob"), "locked", &[], Some(Exit::Locked)),
        // A host with another fault needs the next `up`, and `up` needs the lock.
        (Some("bob"), Some("bob"), "failed_unchanged", &[], None),
        (Some("bob"), Some("bob"), "", &[], None),
        (Some("bob"), Some("bob"), "done", &["agent"], None),
        (Some("bob"), Some("bob"), "done", &["send"], None),
    ] {
        let world = SimulatedCloud { away, ..world("unlock", outcome) };
        if let Some(held) = held {
            put(&world, held);
        }
        let end = run_operation(&world, Operation::Unlock { holder: approved.map(holder) }).await;
        let at = format!("{approved:?} {held:?} {outcome} {away:?}: {end:?}");
        assert_eq!(end.as_ref().err().map(|failure| failure.exit), exit, "{at}");
        assert_eq!(world.lock(), exit.is_some(), "{at}");
        if held == Some("eve") {
            assert!(end.unwrap_err().what.contains("eve (up, for "), "the failure must name the holder");
        }
    }
}
