//! `--format json` from the first `up` to `down`: what a pipeline reads.

use serde_json::Value;

use crate::{
    account,
    laptop::{CommandOutput, Laptop, said},
    served,
};

/// Runs a command for a program; every line of it can be read.
fn read(ada: &Laptop<'_>, arguments: &[&str]) -> (CommandOutput, Value) {
    let said = ada.run(&[arguments, &["--format", "json"]].concat());
    let document = said.json();
    assert_eq!(document["exit"], said.code.unwrap(), "{said}");
    assert_eq!(document["ok"], said.code == Some(0), "{said}");
    let last = said.events().pop().unwrap();
    assert_eq!((&last["event"], &last["text"]), (&"next".into(), &document["next"]), "{said}");
    (said, document)
}

fn up(gateway: u8, vllm: u8) -> Vec<String> {
    ["up", "--yes"].into_iter().map(str::to_owned).chain(Laptop::images(gateway, vllm)).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn texts<'a>(events: &'a [Value], event: &str) -> Vec<&'a str> {
    events.iter().filter(|found| found["event"] == event).map(|found| found["text"].as_str().unwrap()).collect()
}

#[test]
fn a_life_of_documents() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let (_, none) = read(&ada, &["status"]);
    assert_eq!((&none["serves"], &none["instance"]["state"]), (&false.into(), &"stopped".into()));
    let (_, none) = read(&ada, &["status", "--check"]);
    assert_eq!((&none["exit"], &none["code"], &none["serves"]), (&1.into(), &"failed_unchanged".into(), &false.into()));
    let (first, document) = read(&ada, &words(&up(1, 1)));
    assert_eq!((&document["release"], &document["outcome"]), (&1.into(), &"done".into()));
    assert_eq!(document["url"], "http://203.0.113.10:8080");
    assert_eq!(document["images"]["gateway"], crate::support::wanted::gateway(1));
    let events = first.events();
    assert_eq!(texts(&events, "step"), ["starting the box", "deploying"]);
    assert!(events.iter().any(|event| event["event"] == "plan" && event["lines"].as_array().unwrap().len() > 3));
    let host = texts(&events, "host");
    assert!(host.contains(&"prune: images older than the previous release"), "{host:?}");
    assert!(events.windows(2).all(|two| two[0]["time"].as_str() <= two[1]["time"].as_str()));
    let (_, again) = read(&ada, &words(&up(1, 1)));
    assert_eq!((&again["outcome"], &again["release"]), (&"nothing_to_do".into(), &1.into()));
    for (arguments, field) in [
        (&["plan"][..], "changes"),
        (&["status", "--check"], "serves"),
        (&["releases"], "releases"),
        (&["logs"], "lines"),
        (&["url"], "url"),
        (&["cost"], "running"),
        (&["keys", "list"], "keys"),
        (&["autostop", "on", "--yes"], "autostop"),
        (&["autostop", "status"], "idle_minutes"),
        (&["restart", "--service", "gateway", "--yes"], "release"),
        (&["rollback", "--to", "1", "--dry-run"], "script"),
        (&["exec", "disk"], "exit_status"),
        (&["prune", "--models"], "free_before"),
        (&["unlock", "--yes"], "taken_from"),
        (&["down", "--yes"], "instance"),
    ] {
        let (said, document) = read(&ada, arguments);
        assert!(said.code == Some(0) && document.get(field).is_some(), "{arguments:?} lacks {field}: {said}");
    }
}

#[test]
fn failures_have_a_code_and_a_step() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.host.behave(&crate::vllm(2), "crash");
    let (said, back) = read(&ada, &words(&up(1, 2)));
    let found = (said.code, &back["code"], &back["failed_step"]);
    assert_eq!(found, (Some(3), &"rolled_back".into(), &"switch".into()), "{said}");
    assert!(!back["lines"].as_array().unwrap().is_empty() && back["what"].as_str().unwrap().contains("serves again"));
    // A program is not asked.
    let (_, asked) = read(&ada, &["restart"]);
    assert_eq!((&asked["exit"], &asked["code"]), (&2.into(), &"usage".into()));
    let (_, doctor) = read(&ada, &["doctor"]);
    assert_eq!(doctor["exit"], 1);
    assert!(doctor["checks"].as_array().unwrap().len() > 10);
}

#[test]
fn the_step_that_runs_is_told_while_it_runs() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits("capacity_seconds = 3\ndeploy_seconds = 60\nprogress_seconds = 1", "");
    let wanted = up(2, 1);
    let mut arguments = words(&wanted);
    arguments.extend(["--format", "json"]);
    let mut child = ada.start_until_held("docker.pull", &arguments);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    // Systems Manager shows nothing of a command that runs; this line appears anyway.
    let mut before = Vec::new();
    loop {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let pull = event["event"] == "host" && event["text"].as_str().unwrap().starts_with("pull: running services");
        before.push(event);
        if pull {
            break;
        }
    }
    ada.go();
    before.extend(lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
    assert_eq!(said(child).code, Some(0));
    let host = texts(&before, "host");
    let once = |text: &str| host.iter().filter(|line| line.starts_with(text)).count();
    assert_eq!((once("lock:"), once("pull: running services"), once("record:")), (1, 1, 1), "{host:?}");
}
