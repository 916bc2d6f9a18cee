//! Tests that the emulator behaves like AWS, as the deployer's tests rely on it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use deployer::script::{ActionOutcome, Script, parse_report};
use serde_json::{Value, json};
use support::{
    emulator::{Emulator, until},
    wanted::{act, deploy, gateway, vllm},
};

fn send(emulator: &Emulator, commands: &[&str]) -> String {
    let arguments = json!({"InstanceIds": [emulator.instance_id], "DocumentName": "AWS-RunShellScript",
        "Parameters": {"commands": commands, "executionTimeout": ["60"]}});
    emulator.aws("ssm", "send_command", &arguments)["Command"]["CommandId"].as_str().unwrap().to_owned()
}

fn command(emulator: &Emulator, id: &str) -> Value {
    emulator.commands().into_iter().find(|command| command["id"] == id).unwrap()
}

fn wait_for_end(emulator: &Emulator, id: &str) -> Value {
    until("the command ends", || {
        !["Pending", "InProgress", "Cancelling"].contains(&command(emulator, id)["status"].as_str().unwrap())
    });
    command(emulator, id)
}

#[test]
fn a_stopped_instance_starts_runs_a_deploy_and_stops_itself_when_idle() {
    let emulator = Emulator::start();
    let host = &emulator.host;
    host.push(&[&gateway(1), &vllm(1)]);
    assert_eq!(emulator.instance_state(), "stopped");
    emulator.set(&json!({"boot": 0.5}));
    emulator.aws("ec2", "start_instances", &json!({"InstanceIds": [emulator.instance_id]}));
    assert_eq!(emulator.instance_state(), "pending");
    emulator.boot();
    let run = |script: &Script| {
        let result = wait_for_end(&emulator, &send(&emulator, &[&script.command()]));
        parse_report(result["out"].as_str().unwrap()).unwrap_or_else(|| panic!("{result}"))
    };
    assert_eq!(run(&deploy(1, 1)).outcome, ActionOutcome::Done);
    assert_eq!(run(&deploy(1, 1)).outcome, ActionOutcome::NothingToDo);
    let on = deployer::script::Autostop::On { idle_minutes: 30, max_uptime_hours: None, schedule: None };
    assert_eq!(run(&act(&deployer::script::Action::Autostop(on))).outcome, ActionOutcome::Done);
    host.set("idle_seconds", "1800");
    host.set("uptime", "9000.00 1.00");
    let tick = send(&emulator, &[host.at("root/autostop/autostop.sh").to_str().unwrap()]);
    emulator.until_state("stopped");
    // The command that stopped the instance has ended too.
    assert!(!wait_for_end(&emulator, &tick)["status"].as_str().unwrap().is_empty());
    assert_eq!(emulator.everything().matches("hf_CANARY").count(), 0);
}

#[test]
fn output_is_truncated_and_a_cancelled_command_is_killed_with_its_children() {
    let emulator = Emulator::start();
    emulator.boot();
    let long = wait_for_end(
        &emulator,
        &send(&emulator, &["#!/bin/bash", "printf 'x%.0s' {1..30000}", "printf 'y%.0s' {1..9000} >&2"]),
    );
    assert_eq!((long["out"].as_str().unwrap().len(), long["err"].as_str().unwrap().len()), (24_000, 8_000));
    let mark = emulator.host.at("mark");
    let script =
        format!("#!/bin/bash\ntrap 'echo trapped > {0}' EXIT TERM\ntouch {0}\nsleep 60 & wait", mark.display());
    let id = send(&emulator, &[&script]);
    until("the command runs", || mark.exists());
    emulator.aws("ssm", "cancel_command", &json!({"CommandId": id}));
    assert_eq!(wait_for_end(&emulator, &id)["status"], "Cancelled");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "", "the traps of the command do not run");
}

#[test]
fn the_deployers_document_accepts_packed_values_and_a_program() {
    let emulator = Emulator::start();
    emulator.host.push(&[&gateway(1), &vllm(1)]);
    emulator.boot();
    let lines = [
        "#!/bin/bash",
        "set -Eeuo pipefail",
        "folder=$(mktemp -d)",
        "{ printf '#!/bin/bash\\nset -Eeuo pipefail\\numask 077\\n\\n'",
        "base64 -d <<<'{{ Values }}' | gzip -d",
        "base64 -d <<<'{{ Program }}' | gzip -d; } >\"$folder/script\"",
        "bash \"$folder/script\"",
    ];
    let content = json!({"schemaVersion": "2.2", "parameters": {"Values": {"type": "String"}, "Program": {"type": "String"}},
        "mainSteps": [{"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": lines}}]});
    emulator.aws(
        "ssm",
        "create_document",
        &json!({"Name": "gateway-run", "DocumentType": "Command", "Content": content.to_string()}),
    );
    let script = deploy(1, 1);
    let arguments = json!({"InstanceIds": [emulator.instance_id], "DocumentName": "gateway-run",
        "Parameters": {"Values": [script.values()], "Program": [script.program()]}});
    let id = emulator.aws("ssm", "send_command", &arguments)["Command"]["CommandId"].as_str().unwrap().to_owned();
    let result = wait_for_end(&emulator, &id);
    assert_eq!(
        parse_report(result["out"].as_str().unwrap()).unwrap_or_else(|| panic!("{result}")).outcome,
        ActionOutcome::Done
    );
}

/// Sends a request as a client of AWS would, and returns the raw answer.
fn answer(emulator: &Emulator, header: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(emulator.url.trim_start_matches("http://")).unwrap();
    let length = body.len();
    write!(stream, "POST / HTTP/1.0\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    // Reading from a connection that breaks may return an error.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn each_fault_occurs_once_in_the_format_of_its_service() {
    let emulator = Emulator::start();
    emulator.fault(&json!({"action": "GetParameter", "code": "ThrottlingException", "message": "Rate exceeded"}));
    emulator.fault(&json!({"action": "StartInstances", "code": "InsufficientInstanceCapacity", "status": 500}));
    emulator.fault(&json!({"action": "StopInstances", "drop": true}));
    let throttled = answer(&emulator, "X-Amz-Target: AmazonSSM.GetParameter", r#"{"Name": "/x"}"#);
    assert!(throttled.contains(" 400 ") && throttled.contains(r#"{"__type": "ThrottlingException""#), "{throttled}");
    let again = answer(&emulator, "X-Amz-Target: AmazonSSM.GetParameter", r#"{"Name": "/x"}"#);
    assert!(!again.is_empty() && !again.contains("Throttling"), "the fault occurs once: {again}");
    let full = answer(&emulator, "X-A: b", "Action=StartInstances");
    assert!(full.contains(" 500 ") && full.contains("<Code>InsufficientInstanceCapacity</Code>"), "{full}");
    assert_eq!(answer(&emulator, "X-A: b", "Action=StopInstances"), "", "the connection closes without an answer");
    assert_eq!(emulator.calls(), ["GetParameter", "GetParameter", "StartInstances", "StopInstances"]);
}
