//! Interrupted runs: Ctrl-C, a laptop that fails, two laptops at once, a lock that a dead run leaves.

use serde_json::json;

use crate::{
    account,
    laptop::{Laptop, said, signal},
    lock, served,
    support::{emulator::until, wanted::gateway},
};

fn up(gateway: u8, vllm: u8) -> Vec<String> {
    ["up".to_owned(), "--yes".to_owned()].into_iter().chain(Laptop::images(gateway, vllm)).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn ctrl_c_before_the_switch_leaves_what_served_and_no_lock() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.pull", &words(&up(2, 1)));
    assert!(lock(&emulator).unwrap().contains("ada@laptop"));
    signal(&child, "INT");
    said(child).ended(130, &["was killed", "What served before still serves: release 1 was verified."]);
    assert_eq!(lock(&emulator), None);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
    ada.go();
    ada.up(2, 1).ended(0, &["Release 2 serves"]);
}

#[test]
fn ctrl_c_in_a_download_leaves_no_token_no_login_and_no_container() {
    let emulator = account();
    emulator.boot();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.compose-run", &words(&up(1, 1)));
    let left = || -> Vec<String> {
        let folders = std::fs::read_dir(emulator.host.at("run")).into_iter().flatten().flatten();
        folders
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| name.starts_with("deploy."))
            .collect()
    };
    assert_eq!(left().len(), 1, "the token is there while the download runs");
    signal(&child, "INT");
    said(child).ended(130, &["was cleared", "Nothing serves on the host"]);
    assert_eq!(left(), Vec::<String>::new());
    assert_eq!(lock(&emulator), None);
    ada.go();
}

#[test]
fn ctrl_c_in_the_middle_of_the_switch_says_so_and_up_mends_it() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.compose-up", &words(&up(2, 1)));
    signal(&child, "INT");
    said(child).ended(130, &["The switch to another release was interrupted", "deployer rollback"]);
    assert_eq!(lock(&emulator), None);
    ada.go();
    let status = ada.run(&["status", "--format", "json"]);
    assert_eq!(status.json()["host"]["half_done"], true);
    ada.up(2, 1).ended(0, &["an earlier switch was interrupted; this run repairs it", "Release 2 serves"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(2)));
}

#[test]
fn ctrl_c_while_the_box_starts_leaves_no_lock() {
    let emulator = account();
    emulator.set(&json!({"boot": 30.0}));
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start(&words(&up(1, 1)));
    emulator.until_state("pending");
    signal(&child, "INT");
    // There is no terminal to ask at, so the box that this run started is stopped again.
    said(child).ended(130, &["interrupted while the box was starting", "stopped again"]);
    assert_eq!(lock(&emulator), None);
}

#[test]
fn a_terminal_that_is_closed_leaves_no_lock() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let mut child = ada.start_until_held("docker.pull", &words(&up(2, 1)));
    // No output arrives any more.
    drop((child.stdout.take(), child.stderr.take()));
    signal(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(lock(&emulator), None);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
}

#[test]
fn with_nohup_it_outlives_its_terminal() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.host.fault("docker.pull", "hold");
    let child = ada.start_with_nohup(&words(&up(2, 1)));
    until("it pulls", || emulator.host.at("state/held").exists());
    signal(&child, "HUP");
    ada.go();
    said(child).ended(0, &["Release 2 serves"]);
}

#[test]
fn ctrl_c_when_all_was_done_says_what_serves() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.image-ls", &words(&up(2, 1)));
    // The new release is recorded by then, and the run searches for old images.
    signal(&child, "INT");
    said(child).ended(130, &["release 2 is the wanted release, serves and was verified"]);
    assert_eq!((lock(&emulator), emulator.host.serving("gateway")), (None, Some(gateway(2))));
    ada.go();
}

#[test]
fn a_plan_that_was_made_on_another_release_is_refused() {
    let emulator = served();
    let (ada, bob) = (Laptop::new(&emulator, "ada@laptop"), Laptop::new(&emulator, "bob@desk"));
    let another = up(3, 1);
    for (old, command) in (1..).zip([words(&another), vec!["rollback", "--yes"], vec!["restart", "--yes"]]) {
        let locks = || emulator.calls().iter().filter(|call| *call == "PutParameter").count();
        let before = locks();
        // Her plan is approved, and her laptop delays the lock.
        emulator.fault(&json!({"action": "PutParameter", "hold": true}));
        let child = ada.start(&command);
        until("the lock is wanted", || locks() > before);
        let new = old + 1;
        bob.up(if new % 2 == 0 { 2 } else { 1 }, 1).ended(0, &[&format!("Release {new} serves")]);
        let serves = emulator.host.started("gateway");
        emulator.release();
        let changed = format!("its release is {new} now, not {old}; nothing was changed");
        said(child).ended(1, &[&changed, "Run this again"]);
        assert_eq!((lock(&emulator), emulator.host.started("gateway")), (None, serves), "{command:?}");
    }
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let emulator = served();
    emulator.set(&json!({"delivery": 0.0}));
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.pull", &words(&up(2, 1)));
    emulator.fault(&json!({"action": "CancelCommand", "delay": 5}));
    signal(&child, "INT");
    until("the cancel request was sent", || emulator.calls().iter().any(|call| call == "CancelCommand"));
    signal(&child, "INT");
    said(child).ended(130, &["ended at once", "deployer unlock"]);
    assert!(lock(&emulator).is_some(), "that is what it said");
}

#[test]
fn a_laptop_that_dies_in_the_middle_is_recovered_from() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.pull", &words(&up(2, 1)));
    signal(&child, "KILL");
    assert_eq!(said(child).code, None);
    // The host continues to work: neither another up nor unlock may interfere.
    ada.up(2, 1).ended(5, &["ada@laptop (up, for ", "you, in another run", "deployer unlock"]);
    ada.run(&["unlock", "--yes"]).ended(5, &["is at work on the host (deploy)"]);
    assert!(lock(&emulator).is_some());
    ada.go();
    until("the host is done", || {
        emulator.host.serving("gateway") == Some(gateway(2)) && emulator.host.root("lock.holder").is_empty()
    });
    ada.run(&["unlock", "--yes"])
        .ended(0, &["release the lock of ada@laptop", "No run is at work on the host.", "The lock is free."]);
    ada.up(2, 1).ended(0, &["Nothing to do."]);
}

#[test]
fn a_laptop_and_its_command_that_die_in_the_switch_are_recovered_from() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("docker.compose-up", &words(&up(2, 1)));
    signal(&child, "KILL");
    said(child);
    let id = emulator.commands().last().unwrap()["id"].clone();
    emulator.aws("ssm", "cancel_command", &json!({"CommandId": id}));
    until("the command is dead", || emulator.commands().last().unwrap()["status"] == "Cancelled");
    ada.go();
    ada.run(&["unlock", "--yes"]).ended(0, &["An earlier switch was interrupted", "The lock is free."]);
    ada.run(&["rollback", "--yes"]).ended(0, &["Release 1 serves again"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
}

#[test]
fn two_laptops_at_once() {
    let emulator = served();
    let (ada, bob) = (Laptop::new(&emulator, "ada@laptop"), Laptop::new(&emulator, "bob@desk"));
    let child = ada.start_until_held("docker.pull", &words(&up(2, 1)));
    for arguments in [
        &["down", "--yes"][..],
        &["restart", "--yes"],
        &["rollback", "--to", "1", "--yes"],
        &["autostop", "off", "--yes"],
    ] {
        bob.run(arguments).ended(5, &["ada@laptop (up, for ", "nothing was changed"]);
    }
    bob.up(3, 1).ended(5, &["ada@laptop (up, for ", "nothing was changed"]);
    bob.run(&["status"]).ended(0, &[]);
    ada.go();
    said(child).ended(0, &["Release 2 serves"]);
    bob.up(3, 1).ended(0, &["Release 3 serves"]);
}

#[test]
fn a_lock_left_behind_is_shown_with_its_age_and_taken_by_unlock_alone() {
    let emulator = served();
    let bob = Laptop::new(&emulator, "bob@desk");
    let old = json!({"operator": "eve@gone", "action": "down", "since": 1, "run": "1"}).to_string();
    emulator.aws("ssm", "put_parameter", &json!({"Name": "/extraction-gateway/lock", "Type": "String", "Value": old}));
    bob.up(2, 1).ended(5, &["eve@gone (down, for ", " days)", "deployer unlock"]);
    assert_eq!(lock(&emulator), Some(old));
    bob.run(&["unlock", "--yes"]).ended(0, &["release the lock of eve@gone", "The lock is free."]);
    bob.run(&["unlock", "--yes"]).ended(0, &["no run holds it", "There was no lock."]);
    bob.up(2, 1).ended(0, &["Release 2 serves"]);
}
