//! The token is found nowhere but in the secret store, whatever happens.

use deployer::script::{Action, ActionOutcome, Autostop, Step};

use crate::{
    deploys::served,
    support::{
        host::{CANARY, Host, ScriptRun, holds_the_token},
        wanted::{act, deploy, gateway, vllm},
    },
};

fn clean(host: &Host, ran: &ScriptRun) {
    assert!(!holds_the_token(ran.stdout.as_bytes()) && !holds_the_token(ran.stderr.as_bytes()), "{ran:?}");
    assert!(host.leaks().is_empty(), "{:?}", host.leaks());
}

#[test]
fn the_canary_would_be_found() {
    let host = Host::new();
    host.set("calls", &format!("docker run -e HF_TOKEN={}", &CANARY[..20]));
    assert_eq!(host.leaks().len(), 1);
}

#[test]
fn no_failure_and_no_success_leaves_the_token_anywhere() {
    for (tool, fault) in [
        ("none", ""),
        ("aws.get-secret-value", "partial"),
        ("docker.compose-run", "fail 401 Client Error"),
        ("docker.compose-run", "fail token hf_CANARYxQzNoOtherFileMayHoldThisWord42 was refused"),
        ("docker.compose-config", "fail no"),
        ("docker.compose-up", "fail no"),
        ("docker.exec-selftest", "always fail no"),
    ] {
        let host = Host::new();
        host.push(&[&gateway(1), &vllm(1)]);
        host.fault(tool, fault);
        let ran = host.run(&deploy(1, 1));
        assert_eq!(ran.code == Some(0), tool == "none", "{ran:?}");
        // What a tool itself printed is masked in the report; its own output is in memory until the boot.
        let quoted = std::fs::read_to_string(host.at("run/deploy.log")).unwrap_or_default().contains("was refused");
        if quoted {
            std::fs::remove_file(host.at("run/deploy.log")).unwrap();
            assert!(ran.stdout.contains("token hf_*** was refused"), "{ran:?}");
            host.no_faults();
        }
        clean(&host, &ran);
        assert!(host.has_no_temporary_folders());
    }
}

#[test]
fn every_other_action_is_clean_too() {
    let host = served();
    host.set("logs/vllm", "2026-11-21T10:00:00.1Z a model that prints hf_CANARYxQzNoOtherFileMayHoldThisWord42\n");
    for action in [
        Action::Status,
        Action::Doctor { images: vec![] },
        Action::Verify,
        Action::Logs { service: None, lines: 50, since: None },
        Action::Releases,
        Action::Restart { service: None },
        Action::Autostop(Autostop::On { idle_minutes: 5, max_uptime_hours: None, schedule: None }),
        Action::Down { drain: true },
        Action::Rollback { to: None },
        Action::Unlock,
    ] {
        let ran = host.run(&act(&action));
        assert!(!holds_the_token(ran.stdout.as_bytes()), "{action:?} {ran:?}");
        assert!(host.has_no_temporary_folders(), "{action:?}");
    }
    host.set("logs/vllm", "");
    assert!(host.leaks().is_empty(), "{:?}", host.leaks());
}

#[test]
fn a_secret_of_another_shape_is_refused_without_a_word_of_it() {
    for text in [
        "CANARYxQzNoOtherFileMayHoldThisWord42",
        "{\"token\": \"hf_CANARYxQzNoOtherFileMayHoldThisWord42\"}",
        "hf_short",
        "hf_CANARYxQzNoOtherFileMayHoldThisWord42\nhf_CANARYxQzNoOtherFileMayHoldThisWord42",
        "hf_CANARYxQzNoOtherFile MayHoldThisWord42",
        "",
    ] {
        let host = Host::new();
        host.push(&[&gateway(1), &vllm(1)]);
        host.secret(text);
        let ran = host.run(&deploy(1, 1));
        assert_eq!(
            (ran.report().outcome, ran.report().failed_step),
            (ActionOutcome::FailedUnchanged, Some(Step::Token)),
            "{text}"
        );
        assert!(ran.report().message.contains("does not have the format"), "{ran:?}");
        clean(&host, &ran);
        assert_eq!(host.called("docker.compose-run"), 0);
    }
}

#[test]
fn a_token_is_never_written_to_a_disk() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    let text = deploy(1, 1).text().replace("stat --file-system --format=%T \"$run\"", "echo ext2/ext3");
    let ran = host.run_text(&text);
    assert_eq!((ran.code, ran.report().failed_step), (Some(1), Some(Step::Token)));
    assert_eq!(host.called("aws.get-secret-value"), 0);
}
