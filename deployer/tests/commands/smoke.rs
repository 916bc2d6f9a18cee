//! `smoke`, which checks a service from outside: a good service passes, and each fault fails the right checks.

use std::net::TcpListener;

use serde_json::Value;

use crate::{
    gateway::{Fault, Gateway, KEY, ORIGIN},
    laptop::{Ended, Laptop, WRITTEN_OUT},
};

fn smoke(gateway: &Gateway, arguments: &[&str]) -> Ended {
    let laptop = Laptop::new(WRITTEN_OUT);
    laptop.write("key", &format!("{KEY}\n"));
    let all = [&["smoke", "--url", &gateway.url, "--api-key-file", "key", "--origin", ORIGIN], arguments].concat();
    laptop.run(&all, None, "")
}

/// Returns the output with all times replaced by `N ms`, for snapshots.
fn without_times(ended: &Ended) -> String {
    let shown = ended.shown();
    let mut parts: Vec<&str> = shown.split(" ms").collect();
    let last = parts.pop().unwrap();
    let mut parts: Vec<&str> = parts.iter().map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
    parts.push(last);
    parts.join("N ms")
}

#[test]
fn a_good_service_passes() {
    let gateway = Gateway::start(Fault::None);
    insta::assert_snapshot!("smoke_passes", without_times(&smoke(&gateway, &[])));
    let requests = gateway.asked.lock().unwrap().join("\n");
    // The note is sent once, in the form of the Vercel route.
    assert_eq!(requests.matches("lung adenocarcinoma").count(), 1, "{requests}");
}

#[test]
fn each_fault_fails_its_checks() {
    for (fault, failed) in [
        (Fault::Loading, "health, readiness, note"),
        (Fault::Rules, "health, engine"),
        (Fault::Degraded, "engine"),
        (Fault::Open, "keys"),
        (Fault::AnObjectInAField, "note, values"),
        (Fault::MissesTheStage, "values"),
        (Fault::Html404, "404"),
        (Fault::Html422, "422"),
        (Fault::AnyOrigin, "cors"),
        (Fault::NoOrigin, "cors"),
        (Fault::Overloaded, "note"),
        (Fault::NotAGateway, "health, readiness, keys, note, 422, 404, cors"),
    ] {
        let ended = smoke(&Gateway::start(fault), &["--format", "json"]);
        assert_eq!(ended.code, 1, "{fault:?}: {}", ended.shown());
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["passed"], false);
        let checks = report["checks"].as_array().unwrap().iter();
        let found: Vec<&str> =
            checks.filter(|check| check["verdict"] == "failed").map(|check| check["check"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = failed.split(", ").collect();
        let mut sorted = found.clone();
        expected.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{fault:?}: {}", ended.stdout);
        // Only a gateway without keys gets the warning about keys. A server that is not a gateway does not.
        assert_eq!(ended.stdout.contains("anyone who knows the address"), fault == Fault::Open, "{}", ended.stdout);
        assert!(ended.stderr.contains(&format!("failed from outside: {}", found.join(", "))), "{}", ended.stderr);
    }
}

#[test]
fn other_wording_is_odd_and_no_failure() {
    let ended = smoke(&Gateway::start(Fault::OddWording), &[]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("odd  values     response lacks partial"), "{}", ended.stdout);
}

#[test]
fn a_slow_note_is_a_failure() {
    let ended = smoke(&Gateway::start(Fault::Slow), &["--max-seconds", "1"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("failed from outside: latency"), "{}", ended.stderr);
}

#[test]
fn text_output_for_faults() {
    insta::assert_snapshot!("smoke_loading", without_times(&smoke(&Gateway::start(Fault::Loading), &[])));
    insta::assert_snapshot!("smoke_not_a_gateway", without_times(&smoke(&Gateway::start(Fault::NotAGateway), &[])));
}

#[test]
fn without_a_connection_no_further_checks_run() {
    // The listener is dropped at once, so nothing listens on this port.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = Laptop::new("").run(&["smoke", "--url", &format!("http://{address}")], None, "");
    insta::assert_snapshot!("smoke_nobody", without_times(&ended));
}

#[test]
fn without_a_key_the_failure_names_the_option() {
    let gateway = Gateway::start(Fault::None);
    let ended = Laptop::new("").run(&["smoke", "--url", &gateway.url], None, "");
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.contains("FAIL note       401 unauthorized: A sentence. Give a key with --api-key-file."),
        "{}",
        ended.stdout
    );
}

#[test]
fn the_key_is_sent_and_never_shown() {
    for fault in [Fault::None, Fault::NotAGateway] {
        let gateway = Gateway::start(fault);
        let ended = smoke(&gateway, &[]);
        assert!(gateway.asked.lock().unwrap().join("\n").contains(KEY));
        assert!(!ended.shown().contains(KEY));
    }
}

#[test]
fn invalid_addresses_and_key_files_are_usage_errors() {
    let laptop = Laptop::new(WRITTEN_OUT);
    laptop.write("line", &format!("vercel {}", "0".repeat(64)));
    for (arguments, word) in [
        (&["--url", "http://127.0.0.1:1/"][..], "must not end in /"),
        (&["--url", "http://127.0.0.1:1/t/KEY"], "without a path"),
        (&["--url", "http://127.0.0.1:1", "--api-key-file", "line"], "exactly one API key"),
        (&["--url", "http://127.0.0.1:1", "--api-key-file", "absent"], "cannot be read"),
    ] {
        let ended = laptop.run(&[&["smoke"], arguments].concat(), None, "");
        assert_eq!(ended.code, 2, "{}", ended.shown());
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
}

#[test]
fn plain_http_to_another_machine_prints_a_warning() {
    // An address of TEST-NET-1 (RFC 5737) with port 0, which TCP does not have, so nothing is sent.
    let ended = Laptop::new("").run(&["smoke", "--url", "http://192.0.2.1:0"], None, "");
    assert!(ended.stderr.contains("warning: plain HTTP"), "{}", ended.stderr);
    assert_eq!(ended.code, 1);
}
