//! Tests notes that a running gateway reads: a real gateway, and a fake one that fails in many ways.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use serde_json::{Value, json};

use crate::{
    command::{Workspace, failure, lines},
    fake_gateway::{Answer, FakeGateway, read, refused},
};

/// A real gateway with the rules engine.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) url: String,
}

impl Gateway {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["serve", "--engine", "rules", "--listen", "127.0.0.1:0"]).env_remove("RUST_LOG");
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the gateway ended before it listened");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        // The log is read and discarded, so that the gateway never blocks on a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, url: format!("http://{address}") }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn all_read(_: usize, notes: &[Value]) -> Answer {
    Answer::Lines((0..notes.len()).map(read).collect())
}

#[test]
fn a_gateway_gives_the_same_results_as_this_process() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", format!("{}{{\n{{\"id\": \"blank\", \"text\": \" \"}}\n", lines(0..1_200)));
    let gateway = Gateway::start(&[]);
    assert_eq!(workspace.run(&["in.jsonl", "--out", "local.jsonl"]).code, Some(3));
    let output = workspace.run(&["in.jsonl", "--out", "remote.jsonl", "--server", &gateway.url]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.err.contains("1,200 read, 2 failed (1 invalid_json, 1 invalid_request)"), "{}", output.err);
    let (mut local, mut remote) = (workspace.results("local.jsonl"), workspace.results("remote.jsonl"));
    for line in local.values_mut().chain(remote.values_mut()) {
        for part in ["result", "error"] {
            line.get_mut(part).and_then(Value::as_object_mut).map(|part| part.remove("request_id"));
        }
    }
    // The command and the gateway describe the fault of this note in different words.
    for results in [&mut local, &mut remote] {
        assert_eq!(failure(&results.remove("blank").unwrap()), (422, "invalid_request", "not_blank"));
    }
    assert_eq!(local, remote);
}

#[test]
fn a_key_is_read_from_its_file_and_printed_nowhere() {
    let workspace = Workspace::new();
    let key = "a-key-of-this-test-0123456789abcdef";
    let mut hash = Command::new(env!("CARGO_BIN_EXE_gateway"));
    let mut hash = hash.args(["hash-key", "study"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut hash.stdin.take().unwrap(), key.as_bytes()).unwrap();
    workspace.put("keys.txt", hash.wait_with_output().unwrap().stdout);
    workspace.put("good.key", format!("{key}\n"));
    workspace.put("bad.key", "another-key-that-nobody-knows-at-all\n");
    workspace.put("in.jsonl", lines(0..3));
    let keys = workspace.path("keys.txt");
    let gateway = Gateway::start(&[("GATEWAY_AUTH_KEYS_FILE", keys.to_str().unwrap())]);
    let base = ["in.jsonl", "--out", "out.jsonl", "--server", &gateway.url];
    for wrong_key in [&[][..], &["--api-key-file", "bad.key"]] {
        let output = workspace.run(&[&base[..], wrong_key].concat());
        assert_eq!(output.code, Some(1), "{}", output.err);
        assert!(output.err.contains("refuses the key") && !output.err.contains("nobody-knows"), "{}", output.err);
        assert!(!workspace.path("out.jsonl").exists(), "nothing was read, so that no output may remain");
    }
    let output = workspace.run(&[&base[..], &["--api-key-file", "good.key"]].concat());
    assert_eq!((output.code, output.err.contains(key)), (Some(0), false), "{}", output.err);
    assert_eq!(workspace.results("out.jsonl").len(), 3);
}

#[test]
fn the_model_that_is_named_reads() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..3));
    let gateway = Gateway::start(&[("GATEWAY_VLLM__MODELS", "other@0123abcd")]);
    let run = |model: &str| {
        workspace.run(&["in.jsonl", "--out", "out.jsonl", "--force", "--server", &gateway.url, "--model", model])
    };
    let output = run("other@0123abcd");
    assert_eq!(output.code, Some(0), "{}", output.err);
    // The server refuses a name that it does not know, so the name reached it.
    let output = run("nobody@0123abcd");
    assert!(output.code.is_some_and(|code| code != 0), "{}", output.err);
}

#[test]
fn a_gateway_that_goes_away_during_a_run_loses_no_note() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..600));
    let fake = FakeGateway::start(|batch, notes| match batch {
        0 => all_read(batch, notes),
        _ => Answer::DiesAfter((0..100).map(read).collect()),
    });
    let arguments = ["in.jsonl", "--out", "out.jsonl", "--retries", "1"];
    let output = workspace.run(&[&arguments[..], &["--server", &fake.url()]].concat());
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.err.contains("were not tried") && output.err.contains("--resume"), "{}", output.err);
    let results = workspace.results("out.jsonl");
    let read = results.values().filter(|line| line["status"] == 200).count();
    // The number of notes in a batch depends on how fast they are read.
    let sizes = fake.sizes();
    let read_by_dying: usize = sizes[1..].iter().map(|size| size.min(&100)).sum();
    assert_eq!((results.len(), read), (600, sizes[0] + read_by_dying), "{sizes:?}");
    let failed = results.values().find(|line| line["status"] != 200).unwrap();
    assert_eq!(failure(failed), (503, "server_unreachable", ""));
    assert!(sizes.len() > 1 && read < 600, "{sizes:?}");

    let gateway = Gateway::start(&[]);
    let output = workspace.run(&[&arguments[..], &["--resume", "--server", &gateway.url]].concat());
    assert_eq!(output.code, Some(0), "{}", output.err);
    let resumed = format!("{read} notes are done, {} failed notes are tried again", 600 - read);
    assert!(output.err.contains(&resumed), "{}", output.err);
    let results = workspace.results("out.jsonl");
    assert!(results.len() == 600 && results.values().all(|line| line["status"] == 200));
}

#[test]
fn without_a_server_the_run_fails_and_writes_no_output() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..3));
    // The port was free a moment ago, so that nothing listens on it.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--server", &format!("http://{address}/t/SECRET")]);
    assert_eq!(output.code, Some(1), "{}", output.err);
    assert!(output.err.contains(&address.to_string()) && output.err.contains("Nothing was read"), "{}", output.err);
    assert!(!output.err.contains("SECRET") && !workspace.path("out.jsonl").exists(), "{}", output.err);
}

#[test]
fn notes_that_are_refused_temporarily_are_sent_again() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..90));
    let mut seen: HashMap<String, u32> = HashMap::new();
    let fake = FakeGateway::start(move |_, notes| {
        // Every third note is refused twice, each time with another code. Every tenth note cannot be read at all.
        let answer = |(index, note): (usize, &Value)| {
            let text = note["text"].as_str().unwrap();
            let number: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
            let tries = seen.entry(text.to_owned()).or_default();
            *tries += 1;
            match (number % 10, number % 3, *tries) {
                (0, ..) => refused(index, 502, "output_unusable", None),
                (_, 0, 1) => refused(index, 429, "rate_limited", Some(0)),
                (_, 0, 2) => refused(index, 503, "overloaded", Some(0)),
                _ => read(index),
            }
        };
        // The answers come in another order than the notes.
        let mut lines: Vec<Value> = notes.iter().enumerate().map(answer).collect();
        lines.reverse();
        Answer::Lines(lines)
    });
    let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--server", &fake.url()]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.err.contains("81 read, 9 failed (9 output_unusable)"), "{}", output.err);
    assert_eq!(workspace.results("out.jsonl").len(), 90);
    // Batches are smaller after a refusal, so that there are several.
    let sizes = fake.sizes();
    assert!(sizes.len() >= 3 && sizes.iter().all(|size| *size <= 256), "{sizes:?}");
}

#[test]
fn retries_of_a_busy_server_end() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..5));
    let fake = FakeGateway::start(|_, notes| {
        Answer::Lines((0..notes.len()).map(|index| refused(index, 429, "rate_limited", Some(0))).collect())
    });
    let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--retries", "2", "--server", &fake.url()]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.err.contains("5 failed (5 rate_limited)"), "{}", output.err);
    let results = workspace.results("out.jsonl");
    assert_eq!(failure(&results["n-0"]), (429, "rate_limited", ""));
    assert!((3..=15).contains(&fake.sizes().len()));
}

#[test]
fn a_batch_that_is_refused_as_a_whole_is_retried_or_ends_the_run() {
    let problem = |status: u16, code: &str| json!({"status": status, "code": code, "detail": "No."});
    for (status, headers, code, expected) in [
        (503, "Retry-After: 0\r\n", "overloaded", (Some(0), 4, "")),
        (429, "Retry-After: 0\r\n", "rate_limited", (Some(0), 4, "")),
        (500, "", "internal", (Some(0), 4, "")),
        (413, "", "body_too_large", (Some(0), 4, "")),
        (401, "", "unauthorized", (Some(1), 0, "refuses the key")),
        (404, "", "not_found", (Some(1), 0, "no route for batches")),
    ] {
        let workspace = Workspace::new();
        workspace.put("in.jsonl", lines(0..4));
        let once = AtomicBool::new(false);
        let fake = FakeGateway::start(move |batch, notes| {
            // A note alone that is too large is not sent again, and the first batch may have one only.
            if (status != 413 || notes.len() > 1) && !once.swap(true, Relaxed) {
                return Answer::Refused(status, headers, problem(status, code));
            }
            all_read(batch, notes)
        });
        let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--server", &fake.url()]);
        let (exit, read, words) = expected;
        assert_eq!(output.code, exit, "{status}: {}", output.err);
        assert!(output.err.contains(words), "{status}: {}", output.err);
        if read > 0 {
            assert_eq!(workspace.results("out.jsonl").len(), read, "{status}");
        }
        if status == 413 {
            assert_eq!(fake.sizes(), [4, 2, 2]);
        }
    }
}

#[test]
fn after_a_batch_that_ends_early_the_remaining_notes_are_sent_again() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..10));
    let fake = FakeGateway::start(|batch, notes| match batch {
        0 => Answer::Lines(vec![read(0), refused(1, 503, "draining", Some(0))]),
        _ => all_read(batch, notes),
    });
    let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--server", &fake.url()]);
    assert_eq!((output.code, workspace.results("out.jsonl").len()), (Some(0), 10), "{}", output.err);
}
