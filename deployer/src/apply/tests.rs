//! Applying against a fake world that fails at every call in turn. What must hold whatever fails: the lock is given
//! back or it is said, nothing counts as done that is not, and a box that was started in vain is stopped or named.

mod world;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::world::{World, image};
use super::{Applied, StopOnFailure, apply, lock::LockHolder, observe};
use crate::{
    approval::ApprovedPlan,
    cloud::{Cloud as _, Progress, Trouble},
    config::{Settings, Written, parse, resolve},
    exit::Exit,
    failure::Failure,
    interrupt,
    plan::{AutostopStep, Work},
    report::{Format, Report},
    script::{ComposeEnv, Deploy, Expect, ImageDigest, ImageWanted},
    site::Site,
};

const CONFIG: &str =
    "region = \"us-east-1\"\n[box]\ninstance_id = \"i-0123456789abcdef0\"\n[images]\nregistry = \"r.example\"\n";

async fn settings() -> Settings {
    let world = World::default();
    let written = Written { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
    resolve(&written, &async |name| (&world).parameter(name).await, "ada@laptop".to_owned()).await.unwrap()
}

fn up(config_hash: &str, expect: Expect) -> Work {
    let image = |name: &str| ImageWanted::Digest(ImageDigest::parse(&image(name)).unwrap());
    let deploy = Box::new(Deploy {
        gateway: image("gateway"),
        vllm: image("vllm"),
        files: Vec::new(),
        env: ComposeEnv::default(),
        commit: "c".to_owned(),
        config_hash: config_hash.to_owned(),
        restart_vllm: false,
    });
    Work::Up { deploy, expect, autostop: AutostopStep::Keep }
}

fn work(name: &str) -> Work {
    match name {
        "up" => up("h", Expect::Anything),
        "rollback" => Work::Rollback { to: None, expect: Expect::Release(3) },
        "restart" => Work::Restart { service: None, expect: Expect::Release(2) },
        "down" => Work::Down { drain: true },
        "down now" => Work::Down { drain: false },
        _ => panic!("no work {name}"),
    }
}

async fn run(world: &World, name: &str) -> Result<Applied, Failure> {
    run_work(world, work(name)).await
}

async fn run_work(world: &World, work: Work) -> Result<Applied, Failure> {
    run_stopping(world, work, StopOnFailure::Yes).await
}

async fn run_stopping(world: &World, work: Work, stop: StopOnFailure) -> Result<Applied, Failure> {
    let report = Report::new(true, Format::Text);
    let (end, interrupt) = interrupt::channel();
    *world.interrupter.borrow_mut() = Some(end);
    let written = Written { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
    let site = Site { written, settings: settings().await, ports: world, report: &report, interrupt: &interrupt };
    apply(&site, &ApprovedPlan::in_a_test(work), stop).await
}

fn world(name: &str, outcome: &str) -> World {
    let world = World::default();
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
            // `down --now` stops the box whatever the host says, unless somebody is at work there.
            let exit = if name == "down now" && exit != Some(Exit::Locked) { None } else { exit };
            assert_eq!(found, exit, "{name}: {outcome}");
            assert!(!world.lock(), "{name}: {outcome}");
            if name == "up" && !matches!(exit, None | Some(Exit::RolledBack | Exit::Locked)) {
                assert!(!world.running.get(), "started in vain: {outcome}");
            }
            if exit == Some(Exit::Locked) && name == "up" {
                assert!(world.running.get(), "somebody is at work there");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_the_lock_is_given_back_and_nothing_is_done_that_is_not() {
    for name in ALL {
        let well = world(name, "done");
        run(&well, name).await.unwrap();
        let calls = well.calls.borrow().clone();
        assert!(calls.len() > 8, "{calls:?}");
        let refusals = [Trouble::Denied, Trouble::Other, Trouble::Network, Trouble::Throttled, Trouble::Credentials];
        let all = refusals.map(|trouble| (trouble, false)).into_iter().chain([(Trouble::Network, true)]);
        for (trouble, heard) in all {
            for (index, call) in calls.iter().enumerate() {
                let world = World { fails: Some((index + 1, trouble)), heard, ..world(name, "done") };
                let result = run(&world, name).await;
                let at = format!("{name}: call {} ({call}) fails with {trouble:?}, heard: {heard}", index + 1);
                for action in ["deploy", "rollback", "restart", "down"] {
                    assert!(world.sent(action) <= 1, "{at}: {action} was sent twice");
                }
                if matches!(*call, "look" | "send") && matches!(trouble, Trouble::Network | Trouble::Throttled) {
                    assert!(result.is_ok(), "{at}: a lost answer is no failed script: {result:?}");
                }
                // The last two calls give the lock back: what cannot be given back stays, and is said.
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
                        assert!(name != "up" || stopped, "{at}: the box runs on unnamed: {failure:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_somebody_else_stops_everything() {
    for name in ALL {
        let world = world(name, "done");
        let theirs = r#"{"operator":"bob@desk","action":"up","since":1,"run":"1"}"#;
        world.parameters.borrow_mut().insert("/extraction-gateway/lock".to_owned(), theirs.to_owned());
        let failure = run(&world, name).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Locked);
        assert!(failure.what.contains("bob@desk (up, for "), "{failure}");
        assert!(world.scripts.borrow().is_empty() && world.lock(), "{name}");
    }
}

/// For what looks at a world without changing it.
macro_rules! site {
    ($world:expr, $site:ident) => {
        let report = Report::new(true, Format::Text);
        let (_end, interrupt) = interrupt::channel();
        let written = Written { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
        let $site = Site { written, settings: settings().await, ports: $world, report: &report, interrupt: &interrupt };
    };
}

#[tokio::test(start_paused = true)]
async fn the_host_of_these_tests_is_understood() {
    let world = world("restart", "done");
    site!(&world, site);
    let (report, status) = observe::ask(&site).await.unwrap();
    assert_eq!(report.release, Some(2));
    assert!(observe::healthy(&status));
}

/// A script that was killed: what is said of it, and how it ends, by what is on the host then.
#[tokio::test(start_paused = true)]
async fn without_a_report_the_host_says_what_became_of_it() {
    let not_ready = json!({"gateway": "{\"ready\": false}"});
    let cut_off = json!({"half_done": true});
    let nothing = Value::Null;
    for (odd, verify, hash, expect, exit, words) in [
        // It was done, and only its report is lost.
        (&nothing, "done", "h", Expect::Release(1), None, ""),
        (&nothing, "done", "other", Expect::Release(2), Some(Exit::FailedUnchanged), "still serves: release 2"),
        (&nothing, "done", "h", Expect::Release(2), Some(Exit::FailedUnchanged), "release 2 serves and was verified"),
        (&nothing, "failed_unchanged", "h", Expect::Release(1), Some(Exit::NeedsAPerson), "could not be verified"),
        (
            &cut_off,
            "done",
            "h",
            Expect::Release(1),
            Some(Exit::NeedsAPerson),
            "release 2 is current and serves for now, and was",
        ),
        (&cut_off, "failed_unchanged", "h", Expect::Release(1), Some(Exit::NeedsAPerson), "verified: said."),
        (&not_ready, "done", "h", Expect::Release(1), Some(Exit::NeedsAPerson), "Nothing serves on the host"),
    ] {
        let mut world = world("restart", "");
        world.odd = odd.clone();
        world.verify.set(verify);
        let end = run_work(&world, up(hash, expect)).await;
        let at = format!("{odd} {verify} {hash} {expect:?}: {end:?}");
        assert_eq!(end.as_ref().err().map(|failure| failure.exit), exit, "{at}");
        assert!(end.err().is_none_or(|failure| failure.what.contains(words)), "{at}");
        assert!(!world.lock(), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_ends_the_command_and_says_what_serves() {
    for (ends, expect, exit, words) in [
        (Progress::Cancelled, Expect::Release(2), Some(Exit::Interrupted), "release 2 serves and was verified"),
        (Progress::Cancelled, Expect::Release(1), Some(Exit::Interrupted), "release 2 is what was wanted"),
        // It had ended by itself: its report counts.
        (Progress::Ended(0), Expect::Release(1), None, ""),
        (Progress::Running, Expect::Release(1), Some(Exit::Interrupted), "has not confirmed"),
    ] {
        let world = World { ends: Some(ends.clone()), ctrl_c: Some("look"), ..world("restart", "done") };
        let end = run_work(&world, up("h", expect)).await;
        assert_eq!(end.as_ref().err().map(|failure| failure.exit), exit, "{ends:?}: {end:?}");
        assert!(end.err().is_none_or(|failure| failure.what.contains(words)), "{ends:?}: {words}");
        assert!(!world.lock() && world.sent("deploy") == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stays_lost_is_never_said_to_be_nothing() {
    // The command is heard or not, and AWS cannot be asked which: nobody knows what it does.
    for ctrl_c in [None, Some("find")] {
        let world = World { away: &["send", "find"], heard: true, ctrl_c, ..world("restart", "done") };
        let failure = run(&world, "restart").await.unwrap_err();
        let exit = if ctrl_c.is_some() { Exit::Interrupted } else { Exit::NeedsAPerson };
        assert_eq!(failure.exit, exit, "{failure:?}");
        assert!(!failure.what.contains("nothing was changed") && !failure.what.contains("before the host was asked"));
        assert_eq!(world.sent("restart"), 1, "{failure:?}");
    }
    // It shows up once AWS can be asked: Ctrl-C has it cancelled.
    let away = World {
        fails: Some((2, Trouble::Network)),
        heard: true,
        ends: Some(Progress::Cancelled),
        ctrl_c: Some("find"),
        ..world("restart", "done")
    };
    let failure = run(&away, "restart").await.unwrap_err();
    assert!(failure.exit == Exit::Interrupted && failure.what.contains("was killed"), "{failure:?}");
    assert!(away.calls.borrow().contains(&"cancel"));
}

#[tokio::test(start_paused = true)]
async fn what_was_done_stays_done_where_the_rest_cannot_be_looked_up() {
    // A rollback asks for the box first: it may have to be started.
    let world = World { away: &["instance"], ..world("restart", "done") };
    let applied = run(&world, "restart").await.unwrap();
    assert!(applied.report.is_some() && applied.url.is_none());
    let last = world.parameters.borrow()["/extraction-gateway/last"].clone();
    assert!(last.contains("\"config_hash\":\"h\""), "{last}");
    for what in ["rollback", "restart"] {
        let world = World { odd: json!({"containers": 1}), ..self::world(what, "done") };
        run(&world, what).await.unwrap();
        let last = world.parameters.borrow()["/extraction-gateway/last"].clone();
        assert!(!last.contains("config_hash") && last.contains(&image("gateway")), "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn down_now_does_not_depend_on_systems_manager() {
    for away in [&["agent"][..], &["send", "find"], &["look"]] {
        let world = World { away, ..world("down now", "done") };
        run(&world, "down now").await.unwrap();
        assert!(!world.running.get(), "{away:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unlock_takes_the_lock_from_whom_it_was_approved_for_and_no_other() {
    let holder = |operator: &str| LockHolder {
        operator: operator.to_owned(),
        action: "up".to_owned(),
        since: 1,
        run: "1".to_owned(),
    };
    let put = |world: &World, operator| {
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
        // A host with another trouble needs the next `up`, and that needs the lock.
        (Some("bob"), Some("bob"), "failed_unchanged", &[], None),
        (Some("bob"), Some("bob"), "", &[], None),
        (Some("bob"), Some("bob"), "done", &["agent"], None),
        (Some("bob"), Some("bob"), "done", &["send"], None),
    ] {
        let world = World { away, ..world("unlock", outcome) };
        if let Some(held) = held {
            put(&world, held);
        }
        let end = run_work(&world, Work::Unlock { holder: approved.map(holder) }).await;
        let at = format!("{approved:?} {held:?} {outcome} {away:?}: {end:?}");
        assert_eq!(end.as_ref().err().map(|failure| failure.exit), exit, "{at}");
        assert_eq!(world.lock(), exit.is_some(), "{at}");
        if held == Some("eve") {
            assert!(end.unwrap_err().what.contains("eve (up, for "), "says who");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_was_lost_is_a_start() {
    // The box runs by then; the agent never answers: what was started in vain is stopped again.
    let world = World { fails: Some((4, Trouble::Network)), heard: true, away: &["agent"], ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert_eq!(world.calls.borrow()[3], "start");
    assert!(failure.what.contains("The box was stopped again.") && !world.running.get(), "{failure:?}");
}

/// AWS that says again and again that the state is changing, while nothing changes.
#[tokio::test(start_paused = true)]
async fn a_start_that_never_fits_the_state_is_given_up() {
    let world = World { always: Some(("start", Trouble::Race)), ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(failure.what.contains("does not get on") && !world.lock(), "{failure:?}");
}

/// One refused look, or several, at a deploy that goes on: credentials are loaded again, and nothing is stopped.
#[tokio::test(start_paused = true)]
async fn a_refused_look_is_no_failed_deploy() {
    for (trouble, times, well) in [
        (Trouble::Credentials, 1, true),
        (Trouble::Denied, 1, true),
        (Trouble::Clock, 1, true),
        (Trouble::Credentials, 8, true),
        // They stay away.
        (Trouble::Credentials, u32::MAX, false),
        (Trouble::Denied, u32::MAX, false),
    ] {
        let world = World { refuses: Some(("look", trouble)), refusals: times.into(), ..world("up", "done") };
        let end = run(&world, "up").await;
        let at = format!("{trouble:?} {times} times: {end:?}");
        assert!(world.renewals.get() > 0, "{at}");
        assert!(world.running.get() && world.sent("deploy") == 1, "{at}");
        match end {
            Ok(_) => assert!(well, "{at}"),
            Err(failure) => {
                assert!(!well && failure.exit == Exit::NeedsAPerson && failure.goes_on, "{at}");
                assert!(failure.next.contains("deployer status shows how it ended"), "{at}");
                assert!(failure.next.contains("The box was not stopped"), "{at}");
            }
        }
    }
}

/// The same at a box that this run has started, which is neither stopped nor given up for that.
#[tokio::test(start_paused = true)]
async fn a_refused_look_does_not_stop_a_box_that_starts() {
    let (expired, clock) = (Trouble::Credentials, Trouble::Clock);
    for (call, trouble, times, well) in [
        ("instance", expired, 1, true),
        ("instance", Trouble::Denied, 1, true),
        ("instance", clock, 1, true),
        ("instance", expired, 8, true),
        ("agent", expired, 1, true),
        // They stay away.
        ("instance", expired, u32::MAX, false),
        ("instance", clock, u32::MAX, false),
        ("agent", expired, u32::MAX, false),
    ] {
        let refuses = Some((call, trouble));
        let world = World { refuses, refusals: times.into(), refuses_after: "start", ..world("up", "done") };
        let end = run(&world, "up").await;
        let at = format!("{call} {trouble:?} {times} times: {end:?}");
        assert!(world.renewals.get() > 0 && world.running.get(), "{at}");
        assert!(!world.calls.borrow().contains(&"stop"), "{at}");
        assert_eq!((end.is_ok(), world.sent("deploy")), (well, usize::from(well)), "{at}");
        if let Err(failure) = end {
            assert!(failure.exit == Exit::NeedsAPerson && failure.what.contains("the box goes on starting"), "{at}");
            assert!(failure.next.contains("Then deployer status shows what became of the box"), "{at}");
            assert!(failure.next.contains("The box was not stopped"), "{at}");
        }
    }
    // A right that is missing for good is no session that has ended: what was started in vain is stopped.
    let refuses = Some(("agent", Trouble::Denied));
    let world = World { refuses, refusals: u32::MAX.into(), refuses_after: "start", ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(failure.exit == Exit::FailedUnchanged && !world.running.get(), "{failure:?}");
}

/// A session that was made with a code is not brought back by loading what is there, and nobody is asked here.
#[tokio::test(start_paused = true)]
async fn a_session_of_a_second_factor_is_not_loaded_again() {
    for (times, well) in [(1, true), (u32::MAX, false)] {
        let refuses = Some(("look", Trouble::Credentials));
        let world = World { refuses, refusals: times.into(), second_factor: true, ..world("up", "done") };
        let began = tokio::time::Instant::now();
        let end = run(&world, "up").await;
        assert_eq!((end.is_ok(), world.renewals.get(), world.running.get()), (well, 0, true), "{times}: {end:?}");
        assert!(began.elapsed() < std::time::Duration::from_mins(2), "{:?}", began.elapsed());
        assert!(!world.calls.borrow().contains(&"renew_with"));
    }
}

/// After an idle stop the containers come back when the box boots: one that serves is not taken from its users.
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
        // What runs there ends its work first.
        (StopOnFailure::Ask, &loading, Some(1), ""),
        (StopOnFailure::Yes, &Value::Null, Some(1), ""),
        (StopOnFailure::Yes, &nothing, Some(0), ""),
        (StopOnFailure::No, &Value::Null, None, "The box runs and costs 0.98 USD an hour"),
    ] {
        let world = World { odd: odd.clone(), ..world("up", "failed_unchanged") };
        let failure = run_stopping(&world, work("up"), stop).await.unwrap_err();
        let at = format!("{stop:?} {odd}: {failure:?}");
        assert_eq!((failure.exit, world.running.get()), (Exit::FailedUnchanged, drained.is_none()), "{at}");
        assert_eq!(world.sent("down"), drained.unwrap_or(0), "{at}");
        assert_eq!(failure.what.contains("The box was stopped again."), drained.is_some(), "{at}");
        assert!(failure.next.contains(words), "{at}");
    }
}

/// Ctrl-C in a look says nothing of a start that nobody asked for.
#[tokio::test(start_paused = true)]
async fn ctrl_c_says_that_the_box_starts_only_where_this_run_starts_it() {
    for (name, away, ctrl_c, words) in [
        ("down", &["instance"][..], "instance", "interrupted while AWS was asked about the box"),
        ("up", &["instance"], "instance", "interrupted while AWS was asked about the box"),
        ("rollback", &["agent"], "agent", "interrupted while the box was waited for; nothing was changed"),
        ("up", &[], "start", "interrupted while the box was starting"),
    ] {
        let world = World { away, ctrl_c: Some(ctrl_c), ..world(name, "done") };
        let failure = run(&world, name).await.unwrap_err();
        assert!(failure.exit == Exit::Interrupted && failure.what.starts_with(words), "{name} {away:?}: {failure:?}");
    }
}

/// An agent that takes a command and never runs it.
#[tokio::test(start_paused = true)]
async fn a_lost_command_is_noticed_in_two_minutes_and_sent_once_more() {
    for name in ["up", "rollback", "restart", "down"] {
        let began = tokio::time::Instant::now();
        let world = World { swallows: 1, cancels: true, ..world(name, "done") };
        run(&world, name).await.unwrap();
        assert!(began.elapsed() < std::time::Duration::from_mins(2), "{name}: {:?}", began.elapsed());
        let action = if name == "up" { "deploy" } else { name };
        assert_eq!(world.sent(action), 2, "{name}");
        assert!(!world.lock(), "{name}");
    }
    // It cannot be cancelled, so it may run yet: it is not sent again, and the box is not stopped under it.
    let began = tokio::time::Instant::now();
    let odd = json!({"config_hash": "other"});
    let world = World { swallows: 1, odd, ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(began.elapsed() < std::time::Duration::from_mins(3), "{:?}", began.elapsed());
    assert!(failure.what.contains("took the command and does not run it") && failure.goes_on, "{failure:?}");
    assert!(world.sent("deploy") == 1 && world.running.get(), "{failure:?}");
    // Twice.
    let world = World { swallows: 2, cancels: true, ..self::world("restart", "done") };
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("took the command twice") && world.sent("restart") == 2, "{failure:?}");
}

/// A command that goes on for long is left alone.
#[tokio::test(start_paused = true)]
async fn a_command_that_is_at_work_is_not_taken_for_lost() {
    let odd = json!({"runs": [{"action": "restart", "pid": 7, "run": "ECHO", "since": 1}]});
    let world = World { swallows: 1, cancels: true, odd, ..world("restart", "done") };
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("has not ended in"), "{failure:?}");
    assert!(world.sent("restart") == 1 && !world.calls.borrow().contains(&"cancel"), "{failure:?}");
}

/// The document names other programs: the box is not started for nothing, and the command that names this one leaves
/// the instance as it is.
#[tokio::test(start_paused = true)]
async fn a_program_that_the_document_does_not_name_is_refused_before_the_box_starts() {
    let (old, own) = ("0".repeat(64), crate::script::program_sha256());
    let world = World { programs: Some(vec![old.clone()]), ..world("up", "done") };
    let failure = run(&world, "up").await.unwrap_err();
    assert!(!world.running.get() && !world.calls.borrow().contains(&"start") && !world.lock());
    let named = format!("ProgramSha256,ParameterValue=\"{old} {own}\" ParameterKey=ImageId,ParameterValue=ami-1");
    assert!(failure.next.contains(&named), "{failure:?}");
    let world = World { programs: Some(vec![old, own]), ..self::world("up", "done") };
    run(&world, "up").await.unwrap();
    // What cannot be read is for the host to decide.
    let world = World { always: Some(("programs", Trouble::Denied)), ..self::world("up", "done") };
    run(&world, "up").await.unwrap();
}

/// What a killed command left is cleared, or it is said.
#[tokio::test(start_paused = true)]
async fn after_ctrl_c_the_host_is_cleared() {
    let ended = World { ends: Some(Progress::Cancelled), ctrl_c: Some("look"), ..world("restart", "done") };
    run_work(&ended, up("h", Expect::Release(2))).await.unwrap_err();
    assert_eq!(ended.sent("unlock"), 1);
    let unconfirmed = World { ends: Some(Progress::Running), ctrl_c: Some("look"), ..world("restart", "done") };
    let failure = run_work(&unconfirmed, up("h", Expect::Release(2))).await.unwrap_err();
    assert!(unconfirmed.sent("unlock") == 0 && failure.goes_on, "{failure:?}");
}

/// AWS lists no commands to this operator, and the answer to `SendCommand` is lost: the host is asked.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_asked_of_the_host_where_aws_lists_no_commands() {
    let calls = {
        let well = world("restart", "done");
        run(&well, "restart").await.unwrap();
        well.calls.borrow().clone()
    };
    let send = calls.iter().position(|call| *call == "send").unwrap() + 1;
    let lost = |heard, odd| World {
        fails: Some((send, Trouble::Network)),
        heard,
        odd,
        always: Some(("find", Trouble::Denied)),
        ..world("restart", "done")
    };
    // It ended there.
    let world = lost(true, json!({"ended": ["ECHO"]}));
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("the command ended on the host") && !failure.goes_on, "{failure:?}");
    assert_eq!(world.sent("restart"), 1);
    // It goes on there.
    let world = lost(true, json!({"runs": [{"run": "ECHO"}]}));
    let failure = run(&world, "restart").await.unwrap_err();
    assert!(failure.what.contains("has not ended on the host") && failure.goes_on, "{failure:?}");
    assert_eq!(world.sent("restart"), 1);
    // It was never heard.
    let world = lost(false, Value::Null);
    run(&world, "restart").await.unwrap();
    assert_eq!(world.sent("restart"), 1);
}
