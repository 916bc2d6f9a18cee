//! `--format json`: every command prints one document on standard output and events on standard error, also if it
//! fails.

use serde_json::Value;

use crate::{
    gateway::{Fault, Gateway},
    laptop::{Ended, Laptop, WRITTEN_OUT},
};

/// Every command with valid arguments. The tests run them without a configuration.
const COMMANDS: &[&[&str]] = &[
    &["init"],
    &["doctor"],
    &["plan"],
    &["up", "--yes"],
    &["down", "--yes"],
    &["status"],
    &["logs"],
    &["monitor", "--once"],
    &["exec", "disk"],
    &["restart", "--yes"],
    &["releases"],
    &["rollback", "--yes"],
    &["unlock", "--yes"],
    &["autostop", "status"],
    &["prune", "--yes"],
    &["keys", "list"],
    &["model", "list"],
    &["port-forward"],
    &["url"],
    &["smoke"],
    &["cost"],
    &["policy"],
];

/// Returns the document and the events of a run.
fn read(ended: &Ended) -> (Value, Vec<Value>) {
    let document = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.shown()));
    let event = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", ended.shown()));
    let events: Vec<Value> = ended.stderr.lines().map(event).collect();
    for event in &events {
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && event["event"].is_string(), "{event}");
    }
    (document, events)
}

#[test]
fn every_command_prints_a_document() {
    let laptop = Laptop::new(WRITTEN_OUT);
    let help = laptop.run(&["--help"], None, "").stdout;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let mut in_help: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    in_help.retain(|name| *name != "help");
    let in_test: Vec<&str> = COMMANDS.iter().map(|arguments| arguments[0]).collect();
    assert_eq!(in_test, in_help, "this test lists other commands than --help, or in another order");
    for arguments in COMMANDS {
        // A folder instead of a configuration file can be neither read nor written.
        let all = [&["--config", "."], *arguments, &["--format", "json"]].concat();
        let ended = laptop.run_plain(&all);
        let (document, events) = read(&ended);
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.shown());
        assert_eq!(
            (&document["ok"], &document["exit"], &document["code"]),
            (&false.into(), &2.into(), &"usage".into())
        );
        assert!(document["what"].as_str().is_some_and(|what| !what.is_empty()), "{document}");
        let [.., failure, next] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&failure["event"], &failure["text"]), (&"failure".into(), &document["what"]), "{arguments:?}");
        assert_eq!((&next["event"], &next["text"]), (&"next".into(), &document["next"]), "{arguments:?}");
    }
}

#[test]
fn invalid_arguments_print_a_document_too() {
    let laptop = Laptop::new(WRITTEN_OUT);
    for arguments in [&["status", "--frobnicate", "--format", "json"][..], &["--format=json", "frobnicate"]] {
        let ended = laptop.run_plain(arguments);
        let (document, events) = read(&ended);
        assert_eq!((ended.code, &document["exit"]), (2, &2.into()), "{document}");
        assert!(document["what"].as_str().unwrap().contains("frobnicate") && events.len() == 2, "{document}");
    }
    let text = laptop.run_plain(&["status", "--frobnicate"]);
    assert!(text.code == 2 && text.stdout.is_empty() && text.stderr.contains("Usage: deployer"), "{}", text.shown());
    let help = laptop.run_plain(&["status", "--help", "--format", "json"]);
    assert!(help.code == 0 && help.stdout.contains("Usage: deployer"), "{}", help.shown());
}

#[test]
fn the_document_of_a_failure_contains_the_findings() {
    let gateway = Gateway::start(Fault::Degraded);
    let laptop = Laptop::new(WRITTEN_OUT);
    let ended = laptop.run_plain(&["smoke", "--url", &gateway.url, "--format", "json"]);
    let (document, events) = read(&ended);
    assert_eq!((&document["ok"], &document["exit"], &document["passed"]), (&false.into(), &1.into(), &false.into()));
    let checks = document["checks"].as_array().unwrap().len();
    assert_eq!(events.iter().filter(|event| event["event"] == "log").count(), checks, "{events:?}");
}

#[test]
fn a_policy_is_a_document() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["policy", "operator", "--format", "json"], None, "");
    let (document, _) = read(&ended);
    assert_eq!((&document["ok"], &document["policy"]["Version"]), (&true.into(), &"2012-10-17".into()));
    // The operator needs the hash to create the stack, which comes before the configuration.
    let arguments = ["--config", "no/such/file.toml", "policy", "program", "--format", "json"];
    let ended = Laptop::new(WRITTEN_OUT).run_plain(&arguments);
    assert_eq!(read(&ended).0["program_sha256"].as_str().unwrap().len(), 64);
}
