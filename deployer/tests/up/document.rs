//! The stack's own SSM document, as config/cloudformation.yaml makes it, in place of AWS-RunShellScript.

use std::fs;

use serde_json::json;

use crate::{account, laptop::Laptop, lock, support::emulator::Emulator};

/// Makes the template's document in the account, naming programs by these SHA-256. moto's `CloudFormation` needs more
/// than is installed here; `.ci/run stack` makes the whole template there.
fn make(emulator: &Emulator, programs: &str) {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cloudformation.yaml")).unwrap();
    let (_, document) = template.split_once("\n  RunDocument:\n").unwrap();
    let (_, content) = document.split_once("\n      Content:\n").unwrap();
    let (content, _) = content.split_once("\n\n").unwrap();
    let content = content.replace("!Sub ", "").replace("${ProgramSha256}", programs);
    assert!(content.contains(programs) && !content.contains("${") && !content.contains(" !"), "{content}");
    let document = json!({"Name": "box-run", "DocumentType": "Command", "DocumentFormat": "YAML", "Content": content});
    emulator.aws("ssm", "create_document", &document);
}

/// A laptop whose commands go through that document.
fn laptop(emulator: &Emulator) -> Laptop<'_> {
    let ada = Laptop::new(emulator, "ada@laptop");
    let config = fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    ada.write("config/deployment.toml", &config.replace("[box]\n", "[box]\ndocument = \"box-run\"\n"));
    ada
}

#[test]
fn it_runs_the_program_that_the_stack_names() {
    let emulator = account();
    let ada = laptop(&emulator);
    let printed = ada.run(&["policy", "program"]);
    printed.ended(0, &["ProgramSha256"]);
    make(&emulator, &format!("{} {}", "0".repeat(64), printed.out.trim()));
    let up = ada.up(1, 1);
    up.ended(0, &["Release 1 serves and was verified."]);
    ada.run(&["status"]).ended(0, &[]);
    ada.run(&["logs"]).ended(0, &[]);
    ada.run(&["down", "--yes"]).ended(0, &["The box is stopped."]);
    let documents: Vec<String> = emulator.commands().iter().map(|command| command["document"].to_string()).collect();
    assert!(documents.len() >= 4 && documents.iter().all(|name| name == "\"box-run\""), "{documents:?}");
    assert!(emulator.everything().contains("/extraction-gateway/extraction-gateway"), "the stack's log group");
}

#[test]
fn it_refuses_a_program_that_the_stack_does_not_name() {
    let emulator = account();
    make(&emulator, &"0".repeat(64));
    let ada = laptop(&emulator);
    let words = ["does not know this version of the deployer's program", "deployer policy program prints"];
    // What to do, so that it can be copied: the older programs stay, and the instance keeps its image.
    let found = emulator.aws("ec2", "describe_instances", &json!({"InstanceIds": [emulator.instance_id]}));
    let image = found["Reservations"][0]["Instances"][0]["ImageId"].as_str().unwrap();
    let own = ada.run(&["policy", "program"]).out;
    let parameters = format!(
        "ParameterKey=ProgramSha256,ParameterValue=\"{} {}\" ParameterKey=ImageId,ParameterValue={image}",
        "0".repeat(64),
        own.trim()
    );
    let refused = ada.up(1, 1);
    refused.ended(1, &words).ended(1, &["aws cloudformation update-stack --region us-east-1", &parameters]);
    // The checkout's template may be another one than the stack's: its changes must not be applied.
    assert!(refused.err.contains("--use-previous-template") && !refused.err.contains("--template-file"), "{refused}");

    assert!(!emulator.calls().contains(&"StartInstances".to_owned()), "started for nothing: {refused}");
    assert_eq!((lock(&emulator), emulator.instance_state()), (None, "stopped".to_owned()));
    let doctor = ada.run(&["doctor"]);
    assert!(doctor.out.contains("BAD  document") && doctor.out.contains(&parameters), "{doctor}");
    emulator.boot();
    for command in ["status", "logs", "releases"] {
        ada.run(&[command]).ended(1, &words).ended(1, &[&parameters]);
    }
    assert_eq!(emulator.host.serving("gateway"), None);
}
