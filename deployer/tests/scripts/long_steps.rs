//! Steps that take minutes: their progress, when they hang, and what a run that is killed in them leaves.

use deployer::script::{Action, ActionOutcome, RunId, Step, script};

use crate::{
    deploys::{assert_serves, served},
    support::{
        emulator::until,
        host::Host,
        wanted::{act, deploy, gateway, settings, vllm},
    },
};

fn empty() -> Host {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    host
}

fn oneoffs(host: &Host) -> usize {
    std::fs::read_dir(host.at("state/oneoff")).map_or(0, Iterator::count)
}

/// The test's host checks and reports without delay.
fn impatient(text: &str, stall: u32, tell: u32) -> String {
    let text = text.replace("stall=${EXTRACTION_GATEWAY_STALL:-300}", &format!("stall={stall}"));
    assert!(text.contains(&format!("stall={stall} ")), "the program's own words");
    text.replace("tell_every=${EXTRACTION_GATEWAY_TELL:-15}", &format!("tell_every={tell}"))
}

#[test]
fn a_download_without_a_new_byte_is_ended_and_said() {
    let host = empty();
    host.set("download_hangs", "");
    let ran = host.run_text(&impatient(&deploy(1, 1).text(), 1, 15));
    let report = ran.report();
    assert_eq!((report.outcome, report.failed_step), (ActionOutcome::FailedUnchanged, Some(Step::Download)), "{ran:?}");
    assert!(report.message.contains("no new byte for 1 seconds") && report.message.contains("kept"), "{ran:?}");
    assert_eq!(oneoffs(&host), 0, "the container with the token is gone");
    assert!(host.leaks().is_empty() && host.has_no_temporary_folders());
    std::fs::remove_file(host.at("state/download_hangs")).unwrap();
    assert_eq!(host.run(&deploy(1, 1)).report().outcome, ActionOutcome::Done);
}

#[test]
fn a_download_that_grows_is_told_and_not_ended() {
    let host = empty();
    host.fault("docker.compose-run", "hold");
    host.set("volumes/extraction-gateway_model-cache/created", "2026-11-21T09:00:00Z\n");
    let run = host.spawn(&impatient(&deploy(1, 1).text(), 3, 0));
    until("the download", || host.at("state/held").exists());
    // For longer than the limit for a hang, until the run ends.
    let file = host.at("state/volumes/extraction-gateway_model-cache/part");
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = std::sync::Arc::clone(&ended);
    let grow = std::thread::spawn(move || {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let open = std::fs::OpenOptions::new().append(true).create(true).open(&file);
            if open.and_then(|mut file| std::io::Write::write_all(&mut file, &vec![1; 2 << 20])).is_err() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    });
    std::thread::sleep(std::time::Duration::from_secs(7));
    let holder = host.run(&act(&Action::Status)).report().status().unwrap().holder.unwrap();
    assert!(holder.progress.starts_with("download "), "{holder:?}");
    host.set("go", "");
    let ran = Host::wait(run);
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    grow.join().unwrap();
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    let told: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("progress: download "))
        .map(|rest| rest.split(' ').collect())
        .collect();
    let last = told.last().unwrap_or_else(|| panic!("{ran:?}"));
    assert!(last[0].parse::<u64>().unwrap() > 4 << 20, "{told:?}");
    assert_eq!(last[1], (20_u64 << 30).to_string(), "{told:?}");
    assert!(told.iter().any(|line| line[2].parse::<u64>().is_ok()), "seconds left: {told:?}");
}

/// Systems Manager returns 24,000 characters: a deploy of two hours must leave room for its report.
#[test]
fn progress_of_hours_fits_beside_the_report() {
    let text = act(&Action::Status).text();
    let (_, program) = text.split_once("tell_progress() {").unwrap();
    let (body, _) = program.split_once("\n}\n").unwrap();
    let script = format!(
        "tell_every=15 next_told=15 locked='' step=download\nsay() {{ printf '%s\\n' \"$1\"; }}\ntell_progress() {{{body}\n}}\n\
         for ((now = 0; now < 7200; now += 10)); do SECONDS=$now; tell_progress 33000000000 33000000000 6000; done"
    );
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!((40..100).contains(&told.lines().count()) && told.len() < 5_000, "{} {}", told.lines().count(), told.len());
}

#[test]
fn a_run_that_is_terminated_in_a_download_ends_at_once_and_leaves_nothing() {
    let host = empty();
    host.set("download_hangs", "");
    let run = host.spawn(&deploy(1, 1).text());
    until("the download", || oneoffs(&host) == 1);
    std::process::Command::new("pkill").args(["-TERM", "-P", &run.id().to_string()]).status().unwrap();
    let ran = Host::wait(run);
    assert_eq!(
        (ran.report().outcome, ran.report().failed_step),
        (ActionOutcome::FailedUnchanged, Some(Step::Download)),
        "{ran:?}"
    );
    assert!(ran.report().message.contains("by the signal TERM"), "{ran:?}");
    assert_eq!(oneoffs(&host), 0);
    assert!(host.leaks().is_empty() && host.has_no_temporary_folders());
}

/// The agent kills a cancelled command with all its processes: no trap runs.
#[test]
fn a_run_that_is_killed_leaves_no_token_no_login_and_no_download() {
    let host = empty();
    host.fault("docker.compose-run", "kill-after");
    assert_eq!(host.run_text(&deploy(1, 1).text()).code, None);
    until("the token is gone, and the container that had it", || {
        oneoffs(&host) == 0 && host.has_no_temporary_folders()
    });
    assert!(host.leaks().is_empty(), "{:?}", host.leaks());
    // Neither its lock nor its note blocks the next run.
    assert_eq!(host.run(&deploy(1, 1)).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 1, 1);
    // A status query has a login, too.
    let host = served();
    host.fault("docker.login", "kill-after");
    assert_eq!(host.run_text(&act(&Action::Doctor { images: vec![] }).text()).code, None);
    until("the login is gone", || host.has_no_temporary_folders());
}

#[test]
fn a_run_is_found_by_its_name() {
    let host = served();
    let named = |action: &Action, name: &str| script(action, &settings()).named(&RunId::new(name).unwrap());
    host.fault("docker.pull", "hold");
    let first = host.spawn(&deploy(2, 2).named(&RunId::new("first-run-1").unwrap()).text());
    until("it is at its pull", || host.at("state/held").exists());
    let status = host.run(&named(&Action::Status, "a-look-0001")).report().status().unwrap();
    let runs: Vec<(&str, &str)> = status.runs.iter().map(|run| (&*run.action, &*run.run)).collect();
    assert_eq!(runs, [("deploy", "first-run-1")]);
    assert!(status.runs[0].pid > 1 && status.runs[0].since > 1_700_000_000, "{status:?}");
    assert_eq!(status.holder.unwrap().run, "first-run-1");
    host.set("go", "");
    assert_eq!(Host::wait(first).report().outcome, ActionOutcome::Done);
    let status = host.run(&act(&Action::Status)).report().status().unwrap();
    assert_eq!(
        (status.runs.len(), status.ended.as_slice()),
        (0, &["a-look-0001".to_owned(), "first-run-1".to_owned()][..])
    );
    for bad in ["", "short", "with space 12", "quote'12345", &"x".repeat(65)] {
        assert_eq!(RunId::new(bad), None, "{bad}");
    }
}

#[test]
fn a_login_that_ends_within_a_pull_is_made_again_once() {
    let host = served();
    let logins = host.called("docker.login");
    host.fault("docker.pull", "fail denied: Your authorization token has expired. Reauthenticate and try again.");
    assert_eq!(host.run(&deploy(2, 2)).report().outcome, ActionOutcome::Done);
    assert_eq!(host.called("docker.login"), logins + 2);
    // A refusal that persists is a failure.
    let host = served();
    host.fault("docker.pull", "always fail denied: Your authorization token has expired");
    let ran = host.run(&deploy(2, 2));
    assert!(ran.code == Some(1) && ran.report().message.contains("refused the pull"), "{ran:?}");
    assert_eq!(host.called("docker.pull"), 4);
}
