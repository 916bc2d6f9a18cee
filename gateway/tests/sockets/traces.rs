//! Audit records, trace headers to the model server, cached answers, and metrics.

use serde_json::Value;

use crate::{
    fake_vllm::{RECORD, UpstreamBehaviour, start},
    served::{Served, pair, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";

#[tokio::test(flavor = "multi_thread")]
async fn each_extraction_leaves_an_audit_record_without_text_of_the_note() {
    let fake = start(vec![
        UpstreamBehaviour::Text(RECORD.to_owned()),
        UpstreamBehaviour::Status(500, Value::Null),
        UpstreamBehaviour::Hang,
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut settings = with_model(&[fake.address]);
    settings.audit.path = Some(path.clone());
    let mut served = Served::ready(settings).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    assert_eq!(served.code(NOTE).await, pair(502, "upstream_failed"));
    assert_eq!(served.code(" ").await, pair(422, "invalid_request"));
    let aborted = tokio::spawn(served.extract(NOTE).send());
    until("the request is running", async || served.app.state.in_flight.running() == 1).await;
    aborted.abort();
    until("the request has ended", async || served.app.state.in_flight.running() == 0).await;
    served.stop();
    served.ended().await.unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains("adenocarcinoma") && !text.contains("osimertinib"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> =
        lines.iter().map(|line| (line["status"].as_u64().unwrap(), line["code"].as_str().unwrap())).collect();
    assert_eq!(codes, [(200, "ok"), (502, "upstream_failed"), (422, "invalid_request"), (499, "caller_vanished")]);
    let first = &lines[0];
    assert_eq!(first["fields"], serde_json::json!(["cancer_type", "stage", "treatment"]));
    assert_eq!(
        (&first["engine"], &first["model"], &first["tokens"]),
        (&"vllm".into(), &"medical-ie".into(), &100.into())
    );
    assert_eq!(first["note_chars"], NOTE.len());
    // Equal notes have equal HMACs. A rejected note has none.
    assert!(first["note_hmac"].is_string() && first["note_hmac"] == lines[1]["note_hmac"]);
    assert!(lines[2].get("note_hmac").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_and_stops_no_request() {
    let mut settings = gateway::config::Settings::default();
    settings.audit.path = Some("/dev/full".into());
    let served = Served::ready(settings).await;
    for _ in 0..3 {
        assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    }
    until("the lost lines are counted", async || {
        (served.metric("gateway_audit_lines_lost_total").await - 3.0).abs() < 0.1
    })
    .await;
    let health: Value = served.get("/health").send().await.unwrap().json().await.unwrap();
    assert_eq!((&health["status"], &health["notices"]), (&"degraded".into(), &serde_json::json!(["audit_failing"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_again_only_where_it_would_be_the_same() {
    let fake = start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let mut settings = with_model(&[fake.address]);
    settings.cache.entries = 10;
    let served = Served::ready(settings).await;
    let ask = async |body: Value| {
        let request = served.client.post(format!("http://{}/api/v1/extract", served.address)).json(&body);
        let response = request.send().await.unwrap();
        let cache = response.headers()["x-cache"].to_str().unwrap().to_owned();
        (cache, response.json::<Value>().await.unwrap())
    };
    let note = serde_json::json!({"text": NOTE});
    let (first, second) = (ask(note.clone()).await, ask(note.clone()).await);
    assert_eq!((first.0.as_str(), second.0.as_str()), ("miss", "hit"));
    assert_ne!(first.1["request_id"], second.1["request_id"]);
    assert_eq!((&first.1["stage"], &first.1["evidence"]), (&second.1["stage"], &second.1["evidence"]));
    for different in [
        serde_json::json!({"text": NOTE, "offsets": "byte"}),
        serde_json::json!({"text": format!("{NOTE} ")}),
        serde_json::json!({"text": NOTE, "temperature": 0.5}),
    ] {
        assert_eq!(ask(different).await.0, "miss");
    }
    assert_eq!(fake.calls.load(std::sync::atomic::Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_two_requests() {
    let fake =
        start(vec![UpstreamBehaviour::Text(RECORD.to_owned()), UpstreamBehaviour::Status(503, Value::Null)]).await;
    let served = Served::ready(with_model(&[fake.address])).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    assert_eq!(served.code(NOTE).await, pair(503, "upstream_unavailable"));
    for (name, value) in [
        ("gateway_http_requests_total", 2.0),
        ("gateway_stage_seconds_count", 8.0),
        ("gateway_upstream_attempts_total", 3.0),
        ("gateway_leases_given_total", 2.0),
        ("gateway_leases_returned_total", 2.0),
        ("gateway_tokens_total", 100.0),
        ("gateway_values_total", 3.0),
        ("gateway_upstream_replicas", 1.0),
        ("gateway_queue_depth", 0.0),
        ("gateway_extractions_running", 0.0),
        ("gateway_log_lines_dropped_total", 0.0),
    ] {
        let found = served.metric(name).await;
        // Earlier scrapes count as requests too.
        let scrapes = name.starts_with("gateway_http") && found >= value;
        assert!(scrapes || (found - value).abs() < 0.01, "{name}: {found}");
    }
    for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
        assert!(served.metric(name).await > 0.0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_id_and_trace_reach_the_model_server() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let fake = start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let served = Served::ready(with_model(&[fake.address])).await;
    let traced = served.extract(NOTE).header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert_eq!(crate::served::code(traced.header("x-request-id", "my-id")).await, pair(200, "ok"));
    assert_eq!(crate::served::code(served.extract(NOTE).header("traceparent", "nonsense")).await, pair(200, "ok"));
    let headers = fake.headers.lock().await;
    let [id, trace] = &headers[0];
    let call = id.as_deref().unwrap().strip_prefix("my-id-").unwrap();
    assert!(call.len() == 8 && call.bytes().all(|byte| byte.is_ascii_hexdigit()), "{call}");
    let trace = trace.as_deref().unwrap();
    assert!(trace.starts_with(&format!("00-{TRACE}-")) && trace.ends_with("-01"), "{trace}");
    assert!(!trace.contains("00f067aa0ba902b7"), "the call has its own span id: {trace}");
    assert_eq!(headers[1][1], None);
    drop(headers);
}
