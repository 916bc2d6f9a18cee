//! `monitor` against a fake gateway: one snapshot, and what is refused before anything is asked.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use serde_json::Value;

use crate::{
    gateway::KEY,
    http::{Answer, serve},
    laptop::{Ended, Laptop},
};

/// A gateway's metrics after some notes, the figures being those of the lib's own tests.
fn metrics(ok: u32) -> String {
    let bucket = |name: &str, labels: &str| {
        ["0.5", "+Inf"].map(|le| format!("{name}_bucket{{{labels},le=\"{le}\"}} {ok}\n")).concat()
    };
    format!(
        "gateway_notes_total{{code=\"ok\"}} {ok}\ngateway_notes_total{{code=\"internal\"}} 0\n\
         gateway_empty_records_total{{outcome=\"answered\"}} 0\ngateway_values_total{{kind=\"stated\"}} {ok}\n\
         {}{}gateway_ready 1\ngateway_extractions_running 0\ngateway_upstream_in_flight 0\ngateway_queue_depth 300\n\
         gateway_memory_held_bytes 1\ngateway_memory_budget_bytes 10\nprocess_start_time_seconds 1000\n",
        bucket("gateway_http_request_seconds", "route=\"/api/v1/extract\""),
        bucket("gateway_stage_seconds", "stage=\"engine\""),
    )
}

/// A gateway with a key for `/metrics`, which reads 30 notes between two scrapes.
fn gateway() -> String {
    let scrapes = AtomicU32::new(0);
    serve(move |request| match request.path.as_str() {
        "/health" => Answer::new(
            200,
            "application/json",
            r#"{"status": "healthy", "vllm_available": false, "version": "0.1.0\u001b[2J", "engine": "rules"}"#,
        ),
        "/metrics" if request.header("authorization") != format!("Bearer {KEY}") => {
            Answer::new(401, "application/problem+json", "{}")
        }
        "/metrics" => Answer::new(200, "text/plain", metrics(100 + 30 * scrapes.fetch_add(1, Relaxed))),
        _ => Answer::new(404, "text/plain", ""),
    })
}

fn once(url: &str, arguments: &[&str]) -> Ended {
    let laptop = Laptop::new("");
    laptop.write("key", &format!("{KEY}\n"));
    laptop.run_plain(&[&["monitor", "--url", url, "--once"], arguments].concat())
}

#[test]
fn a_snapshot_has_figures_alerts_and_no_key() {
    let ended = once(&gateway(), &["--key-file", "key", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let window = &document["figures"]["value"]["window"];
    assert_eq!((&window["notes"], &window["error_share"]), (&30.0.into(), &0.0.into()));
    assert_eq!(document["gateway"]["value"]["engine"], "rules");
    assert_eq!(document["alerts"][0]["alert"], "queue_depth");
    assert_eq!(document["alerts"][0]["state"], "pending");
    assert_eq!(document["box"], Value::Null);
    assert!(!ended.shown().contains(KEY));
}

#[test]
fn the_text_has_no_control_characters_of_the_gateway() {
    let ended = once(&gateway(), &["--key-file", "key"]);
    assert!(ended.stdout.contains("healthy, version 0.1.0?[2J, engine rules"), "{}", ended.stdout);
    assert!(ended.stdout.contains("30 in 2 s"), "{}", ended.stdout);
    assert!(ended.stdout.contains("?  pending 1 of 3 queue_depth: 300 calls wait for a model server"));
    assert!(!ended.shown().contains('\u{1b}'));
}

#[test]
fn check_ends_with_1_if_an_alert_is_violated() {
    let ended = once(&gateway(), &["--key-file", "key", "--check"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("violated: queue_depth"), "{}", ended.stderr);
}

#[test]
fn without_the_key_the_figures_say_what_is_missing() {
    let ended = once(&gateway(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let wanted = "-- notes, NO VALUES: 401 at /metrics: a key with the scope metrics is needed (--key-file)";
    assert!(ended.stdout.contains(wanted), "{}", ended.stdout);
}

#[test]
fn nothing_that_answers_is_a_failure() {
    // The listener is dropped at once, so nothing listens on this port.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = once(&format!("http://{address}"), &[]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("nothing can be watched: no connection"), "{}", ended.stderr);
    let web = serve(|_| Answer::new(200, "text/html", "<html>nginx</html>"));
    let ended = once(&web, &[]);
    assert!(ended.stderr.contains("/health did not return the gateway's health"), "{}", ended.stderr);
    assert!(ended.stdout.contains("line 1 of /metrics is not a Prometheus sample"), "{}", ended.stdout);
    assert!(!ended.shown().contains("nginx"));
}

/// A gateway that accepts and never answers.
fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    url
}

#[test]
fn a_gateway_that_hangs_ends_in_time() {
    let started = std::time::Instant::now();
    let ended = once(&hanging(), &[]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("no answer in 10 s"), "{}", ended.stderr);
    // Both questions are asked at once.
    assert!(started.elapsed().as_secs() < 18);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_asked() {
    let laptop = Laptop::new("");
    laptop.write("alerts.json", r#"{"alerts": {"service_dwon": {}}}"#);
    for (arguments, word) in [
        (&["--url", "http://127.0.0.1:1"][..], "standard output is not a terminal"),
        (&["--url", "http://127.0.0.1:1", "--format", "json"], "not for the dashboard"),
        (&["--url", "http://127.0.0.1:1/metrics", "--once"], "without a path"),
        (&["--url", "http://127.0.0.1:1", "--once", "--key-file", "absent"], "cannot be read"),
        (&["--url", "http://127.0.0.1:1", "--headless", "--alerts", "alerts.json"], "unknown field `service_dwon`"),
        (&["--url", "http://127.0.0.1:1", "--once", "--headless"], "cannot be used with"),
        (&["--with-box", "--once"], "--url"),
        (&["--once", "--interval", "0", "--url", "http://127.0.0.1:1"], "0 is not in 1..=3600"),
        // Also without --url: before the configuration is read.
        (&[], "standard output is not a terminal"),
    ] {
        let ended = laptop.run_plain(&[&["monitor"], arguments].concat());
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.shown());
        assert!(ended.shown().contains(word), "{arguments:?}: {}", ended.shown());
    }
}

#[test]
fn the_schema_in_the_documents_is_that_of_the_snapshot() {
    let ended = Laptop::new("").run_plain(&["monitor", "--schema"]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitor.schema.json");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(ended.stdout, written, "deployer monitor --schema >deployer/docs/monitor.schema.json writes it again");
}
