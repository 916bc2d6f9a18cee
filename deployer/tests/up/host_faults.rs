//! Faults of the host: each with its message, its exit code, and what serves afterwards.

use serde_json::json;

use crate::{
    account,
    laptop::{Laptop, said},
    lock, served,
    support::{
        emulator::{Emulator, until},
        wanted::{gateway, vllm},
    },
};

/// Release 1 serves; with `fault` an `up` of release 2 ends with `code` and `words`, and release 1 still serves.
#[track_caller]
fn up_fails(fault: impl FnOnce(&Emulator), code: i32, words: &[&str]) {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    fault(&emulator);
    let said = ada.up(2, 2);
    said.ended(code, words);
    assert_eq!(
        (emulator.host.serving("gateway"), emulator.host.serving("vllm")),
        (Some(gateway(1)), Some(vllm(1))),
        "{said}"
    );
    assert_eq!(lock(&emulator), None);
}

#[test]
fn a_bad_image_rolls_back_to_what_served() {
    for (behaviour, words) in [
        ("unhealthy", "did not become healthy"),
        ("slow", "did not become healthy"),
        ("crash", "does not stay up"),
        ("oom", "ran out of memory"),
    ] {
        up_fails(
            |emulator| emulator.host.behave(&vllm(2), behaviour),
            3,
            &[words, "Release 1 serves again and was verified."],
        );
    }
}

#[test]
fn an_answer_from_the_rules_engine_is_no_deployment() {
    up_fails(|emulator| emulator.host.behave(&gateway(2), "rules"), 3, &["rules engine", "Release 1 serves again"]);
}

#[test]
fn a_first_release_that_fails_needs_a_person_and_the_box_is_stopped() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.host.behave(&vllm(1), "crash");
    ada.up(1, 1).ended(4, &["does not stay up", "nothing serves", "The box was stopped again."]);
    assert_eq!(emulator.instance_state(), "stopped");
}

#[test]
fn a_full_disk_is_seen_before_and_while_pulling() {
    up_fails(
        |emulator| emulator.host.set("disk_free", "1000000000"),
        1,
        &["disk has 1 GiB free", "nothing was changed"],
    );
    up_fails(
        |emulator| emulator.host.fault("docker.pull", "fail write /var/lib/docker: no space left on device"),
        1,
        &["disk filled up", "What served before still serves."],
    );
}

#[test]
fn a_wrong_tag_a_refused_and_an_expired_login() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.run(&["up", "--yes", "--tag", "nowhere"]).ended(1, &["The registry has no such image", "still serves"]);
    up_fails(
        |emulator| emulator.host.fault("docker.login", "fail Error response from daemon: 403 Forbidden: token expired"),
        1,
        &["refused the login"],
    );
    up_fails(
        |emulator| {
            emulator.host.fault("docker.pull", "fail denied: User is not authorized to perform: ecr:BatchGetImage");
        },
        1,
        &["registry refused the pull"],
    );
    up_fails(|emulator| emulator.host.set("registry", "nothing"), 1, &["registry has no such image"]);
}

#[test]
fn a_secret_that_is_missing_denied_or_malformed() {
    for (fault, words) in [
        ("missing", "does not exist"),
        ("denied", "may not read the secret"),
        ("malformed", "does not have the format"),
    ] {
        let emulator = account();
        let ada = Laptop::new(&emulator, "ada@laptop");
        match fault {
            "missing" => std::fs::remove_dir_all(emulator.host.at("state/secrets")).unwrap(),
            "denied" => emulator.host.fault("aws.get-secret-value", "fail An error occurred (AccessDeniedException) when calling the GetSecretValue operation: not authorized"),
            _ => emulator.host.secret("{\"token\": \"hf_x\"}"),
        }
        let said = ada.up(1, 1);
        said.ended(1, &[words, "The box was stopped again."]);
    }
}

#[test]
fn a_command_killed_on_the_host_leaves_the_truth() {
    // Before the switch, and in it: no report comes, so the host is asked.
    up_fails(
        |emulator| emulator.host.fault("docker.pull", "kill"),
        1,
        &["left no report", "What served before still serves: release 1 was verified."],
    );
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.host.fault("docker.compose-up", "kill");
    ada.up(2, 2).ended(4, &["left no report", "The switch to another release was interrupted", "deployer up"]);
    ada.up(2, 2).ended(0, &["this run repairs it", "Release 2 serves"]);
}

#[test]
fn a_command_over_its_time_or_cancelled_by_somebody() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits("deploy_seconds = 10", "");
    let images = Laptop::images(2, 1);
    let up: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    said(ada.start_until_held("docker.pull", &up)).ended(1, &["exceeded its time limit", "still serves: release 1"]);
    std::fs::remove_file(emulator.host.at("state/held")).unwrap();
    ada.configure("");
    let child = ada.start_until_held("docker.pull", &up);
    let id = emulator.commands().last().unwrap()["id"].clone();
    emulator.aws("ssm", "cancel_command", &json!({"CommandId": id}));
    said(child).ended(1, &["the command was cancelled", "still serves: release 1"]);
    assert_eq!(lock(&emulator), None);
}

#[test]
fn the_box_goes_away_under_a_deploy() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(2, 1);
    let up: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let child = ada.start_until_held("docker.pull", &up);
    emulator.aws("ec2", "stop_instances", &json!({"InstanceIds": [emulator.instance_id]}));
    let said = said(child);
    assert!(matches!(said.code, Some(1 | 4)), "{said}");
    assert!(said.err.contains("error: "), "{said}");
    assert_eq!(lock(&emulator), None);
    emulator.until_state("stopped");
    ada.go();
    ada.up(2, 1).ended(0, &["Release 2 serves"]);
}

#[test]
fn what_a_host_prints_beyond_its_limit_does_not_hide_the_end() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let long = format!("2026-11-21T11:00:00.000000000Z {}\n", "x".repeat(900)).repeat(100);
    emulator.host.set("logs/vllm", &long);
    let said = ada.run(&["logs", "--lines", "1000"]);
    said.ended(0, &[]);
    assert!(said.out.len() > 10_000 && said.out.len() < 24_000, "{}", said.out.len());
}

#[test]
fn somebody_at_work_on_the_host_itself_is_exit_5() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(2, 1);
    let up: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let child = ada.start_until_held("docker.pull", &up);
    // Another person removed the operators' lock; the lock on the host still holds.
    emulator.aws("ssm", "delete_parameter", &json!({"Name": "/extraction-gateway/lock"}));
    let bob = Laptop::new(&emulator, "bob@desk");
    bob.up(3, 1).ended(5, &["ada@laptop is at work on the host (deploy)"]);
    ada.go();
    said(child).ended(0, &["Release 2 serves"]);
    until("no lock is left", || lock(&emulator).is_none());
}
