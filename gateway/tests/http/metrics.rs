//! Tests `/metrics`: its two formats, the series that exist before the first request, and the time of streamed answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use gateway::{config::Settings, http};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::{
    exposition::{Family, Labels, families, parse, scrape},
    fake_vllm::{RECORD, UpstreamBehaviour, start},
    faults::serving,
    rules, send,
};

pub(crate) const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";
const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";
const STREAM: &str = "/api/v1/extract/stream";

#[tokio::test]
async fn both_formats_parse_and_agree() {
    let router = rules();
    let (headers, text) = scrape(&router, "*/*").await;
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(headers["vary"], "Accept");
    let text = parse(&text, false);
    let (headers, openmetrics) = scrape(&router, OPENMETRICS).await;
    assert_eq!(headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let openmetrics = parse(&openmetrics, true);
    let in_text = |name: &str, family: &Family| {
        if family.kind == "counter" { format!("{name}_total") } else { name.to_owned() }
    };
    assert_eq!(text.len(), openmetrics.len());
    for (name, family) in &openmetrics {
        let other = &text[&in_text(name, family)];
        assert_eq!((&family.kind, &family.help), (&other.kind, &other.help), "{name}");
        assert!(family.help.len() > 5 && family.help.ends_with('.'), "{name}: {}", family.help);
        // The first scrape is in the second.
        if !name.starts_with("process_") && !name.contains("http_") {
            assert_eq!(family.samples, other.samples, "{name}");
        }
        let has_unit = ["_seconds", "_bytes"].iter().any(|unit| name.ends_with(unit)) && family.kind != "counter";
        assert!(family.unit.is_some() || !has_unit || name == "process_cpu_seconds", "{name}");
    }
    let buckets = openmetrics["gateway_http_request_seconds"].values("le");
    for bound in ["4.0", "5.0", "6.0", "8.0", "10.0", "15.0", "20.0"] {
        assert!(buckets.contains(bound), "{bound} in {buckets:?}");
    }
    let at = |name: &str| openmetrics[name].value("", &[]);
    assert!(at("process_start_time_seconds") > 1.7e9 && at("process_max_fds") >= at("process_open_fds"));
    assert!((at("gateway_ready") - 1.0).abs() < 0.1);
    let build = openmetrics["gateway_build_info"].label_sets();
    let expected = [("version", env!("CARGO_PKG_VERSION")), ("engine", "rules")];
    assert_eq!(build, [expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()].into());
}

/// A label and its values, if they are listed.
pub(crate) type DocumentedLabel = (String, Option<BTreeSet<String>>);

/// The tables of the document: name of a family, its labels, and the values of a label if they are listed.
pub(crate) fn documented() -> BTreeMap<String, Vec<DocumentedLabel>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .filter(|line| ["| `gateway_", "| `process_", "| `http_"].iter().any(|start| line.starts_with(start)));
    let families = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let labels = cells[1].split(';').flat_map(|part| {
            let (names, values) = part.split_once(':').map_or((part, None), |(names, values)| (names, Some(values)));
            let values = values.map(|values| values.split(',').map(|value| value.trim().to_owned()).collect());
            let names = names.split(',').map(|name| name.trim().trim_matches('`').to_owned());
            names.filter(|name| !name.is_empty()).map(move |name| (name, values.clone())).collect::<Vec<_>>()
        });
        (cells[0].trim_matches('`').to_owned(), labels.collect())
    });
    families.collect()
}

/// Returns the gateway before one model server that gives these answers.
pub(crate) async fn with_model(acts: Vec<UpstreamBehaviour>) -> Router {
    serving(&start(acts).await, Settings::default()).await
}

#[tokio::test]
async fn every_member_of_a_closed_set_is_there_at_the_start() {
    let families = families(&with_model(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await).await;
    let mut documented = documented();
    // They exist as long as the model server reports them, and this one does not.
    for figure in ["requests_running", "requests_waiting", "kv_cache_usage", "preemptions"] {
        assert!(documented.remove(&format!("gateway_vllm_{figure}")).is_some(), "{figure}");
    }
    assert_eq!(families.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
    for (name, labels) in &documented {
        let family = &families[name];
        assert!(!family.samples.is_empty(), "{name} has no series");
        let names: BTreeSet<&str> = labels.iter().map(|(label, _)| label.as_str()).collect();
        for set in family.label_sets() {
            assert_eq!(set.keys().map(String::as_str).collect::<BTreeSet<_>>(), names, "{name}");
        }
        for (label, values) in labels {
            if name != "gateway_build_info"
                && let Some(values) = values
            {
                assert_eq!(&family.values(label), values, "{name} {label}");
            }
        }
    }

    // The sets that the OpenAPI document lists come from the types themselves.
    let document = http::document(&http::DocumentSettings::default());
    let members = |schema: &str| -> BTreeSet<String> {
        let values = document["components"]["schemas"][schema]["enum"].as_array().unwrap();
        values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for (name, label, schema) in [
        ("gateway_values", "field", "FieldName"),
        ("gateway_values", "kind", "Basis"),
        ("gateway_values_left_out", "field", "FieldName"),
        ("gateway_cross_check", "field", "FieldName"),
        ("gateway_cross_check", "kind", "Agreement"),
        ("gateway_repairs", "kind", "RepairCode"),
        ("gateway_empty_records", "engine", "EngineName"),
    ] {
        assert_eq!(families[name].values(label), members(schema), "{name} {label}");
    }
    let in_record = ["present", "probable", "unknown"].map(str::to_owned).into();
    let left_out = &members("Assertion") - &in_record;
    assert_eq!(families["gateway_values_left_out"].values("kind"), left_out);
    let codes = &members("ErrorCode") | &["ok", "caller_vanished"].map(str::to_owned).into();
    assert_eq!(families["gateway_http_requests"].values("code"), codes);
    // Each member with each other: seven fields with four outcomes, and one model with two kinds of tokens.
    for (name, series) in [
        ("gateway_cross_check", 28),
        ("gateway_values", 28),
        ("gateway_model_tokens", 2),
        ("gateway_empty_records", 6),
        ("gateway_upstream_replicas", 5),
    ] {
        assert_eq!(families[name].samples.len(), series, "{name}");
    }
    let states = &families["gateway_upstream_replicas"];
    assert!(states.is("", &[("state", "ready")], 1.0) && states.is("", &[("state", "unreachable")], 0.0));
}

#[tokio::test]
async fn requests_and_notes_add_no_series() {
    let unusable = UpstreamBehaviour::Text("nothing".to_owned());
    let router = with_model(vec![
        UpstreamBehaviour::Text(RECORD.to_owned()),
        UpstreamBehaviour::Status(400, json!({})),
        unusable,
    ])
    .await;
    let series = async || -> BTreeMap<String, BTreeSet<Labels>> {
        let families = families(&router).await;
        let closed = families.iter().filter(|(name, _)| !name.starts_with("http_server"));
        closed.map(|(name, family)| (name.clone(), family.label_sets())).collect()
    };
    let before = series().await;
    let note = json!({"text": NOTE}).to_string();
    let batch = json!({"notes": [{"text": NOTE}, {"text": ""}]}).to_string();
    let question = json!({"text": NOTE, "question": "Stage?"}).to_string();
    for (method, path, kind, body) in [
        ("POST", "/api/v1/extract", "application/json", note.as_str()),
        ("POST", "/api/v1/extract", "application/json", &note),
        ("POST", "/api/v1/extract", "application/json", &note),
        ("POST", "/api/v1/extract", "application/json", "{"),
        ("POST", "/api/v1/extract", "application/json", "{}"),
        ("POST", "/api/v1/extract", "text/plain", &note),
        ("POST", STREAM, "application/json", &note),
        ("POST", STREAM, "application/json", "{}"),
        ("POST", "/api/v1/extract/batch", "application/json", &batch),
        ("POST", "/api/v1/extract/batch", "application/x-ndjson", &note),
        ("POST", "/api/v1/extract/batch", "text/plain", &note),
        ("POST", "/api/v1/patient", "application/json", &batch),
        ("GET", "/api/v1/extract", "", ""),
        ("GET", "/health?verbose=1", "", ""),
        ("GET", "/health/live", "", ""),
        ("GET", "/health/ready", "", ""),
        ("GET", "/health/vllm", "", ""),
        ("POST", "/api/v1/ask", "application/json", &question),
        ("POST", "/api/v1/ask", "application/json", "{}"),
        ("POST", "/api/v1/ask/stream", "application/json", &question),
        ("GET", "/api/v1/models", "", ""),
        ("GET", "/api/v1/schema", "", ""),
        ("GET", "/openapi.json", "", ""),
        ("GET", "/docs", "", ""),
        ("GET", "/docs/", "", ""),
        ("GET", "/docs/nothing", "", ""),
        ("GET", "/", "", ""),
        ("GET", "/ui", "", ""),
        ("GET", "/ui/", "", ""),
        ("GET", "/ui/app.js", "", ""),
        ("GET", "/ui/nothing", "", ""),
        ("GET", "/nothing", "", ""),
        ("DELETE", "/health", "", ""),
        ("OPTIONS", "/", "", ""),
    ] {
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        send(&router, request.body(Body::from(body.to_owned())).unwrap()).await;
    }
    // A browser is redirected to the page.
    send(&router, Request::get("/").header("accept", "text/html").body(Body::empty()).unwrap()).await;
    let after = series().await;
    let unseen = BTreeSet::new();
    for (name, sets) in &after {
        assert_eq!(sets - before.get(name).unwrap_or(&unseen), unseen, "{name}");
    }
}

/// Returns a request for one note whose answer is streamed.
fn streamed(path: &str, kind: &str) -> Request<Body> {
    let body = json!({"text": NOTE}).to_string();
    Request::post(path).header("content-type", kind).body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn streamed_answers_are_timed_to_their_end() {
    const HELD: Duration = Duration::from_millis(120);
    for (path, kind) in [
        (STREAM, "application/json"),
        ("/api/v1/extract/batch", "application/x-ndjson"),
        ("/api/v1/extract/batch", "application/json"),
    ] {
        for leaves in [false, true] {
            let permits = Arc::new(Semaphore::new(0));
            let act = if path == STREAM {
                let (first, rest) = RECORD.split_at(40);
                UpstreamBehaviour::Pieces(vec![first, rest], Arc::clone(&permits))
            } else {
                UpstreamBehaviour::Hold(Arc::clone(&permits))
            };
            let router = with_model(vec![act]).await;
            let request = if kind == "application/json" && path != STREAM {
                let body = json!({"notes": [{"text": NOTE}]}).to_string();
                Request::post(path).header("content-type", kind).body(Body::from(body)).unwrap()
            } else {
                streamed(path, kind)
            };
            let response = router.clone().oneshot(request).await.unwrap();
            let route = [("route", path)];
            let requests = async |count| families(&router).await["gateway_http_requests"].is("_total", &route, count);
            // The head is answered, the body not.
            assert!(response.status().is_success() && requests(0.0).await, "{path}");
            // This is the time that is measured.
            tokio::time::sleep(HELD).await;
            let code = if leaves {
                drop(response);
                "caller_vanished"
            } else {
                permits.add_permits(9);
                response.into_body().collect().await.unwrap();
                "ok"
            };
            let families = families(&router).await;
            let labels = [("route", path), ("status", "200"), ("code", code)];
            assert!(families["gateway_http_requests"].is("_total", &labels, 1.0), "{path} {code}");
            assert!(requests(1.0).await, "{path} {code}");
            assert!(families["gateway_callers_vanished"].is("_total", &[], f64::from(u8::from(leaves))));
            let seconds = families["gateway_http_request_seconds"].value("_sum", &route);
            assert!(seconds >= HELD.as_secs_f64(), "{path} {code}: {seconds}");
            let labels = [("http_route", path), ("http_request_method", "POST"), ("http_response_status_code", "200")];
            let same = families["http_server_request_duration_seconds"].value("_sum", &labels);
            assert!((same - seconds).abs() < 1e-9, "{same} {seconds}");
            let first_fields = f64::from(u8::from(path == STREAM && !leaves));
            assert!(families["gateway_first_field_seconds"].is("_count", &[], first_fields), "{path} {code}");
        }
    }
}

#[tokio::test]
async fn tokens_are_counted_by_kind_also_of_unusable_answers() {
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100});
    let nothing = json!({"choices": [{"message": {"content": "nothing"}, "finish_reason": "stop"}], "usage": usage});
    let router = with_model(vec![UpstreamBehaviour::Completion(nothing)]).await;
    let (status, ..) = send(&router, streamed("/api/v1/extract", "application/json")).await;
    assert_eq!(status.as_u16(), 502);
    let families = families(&router).await;
    // The model is asked twice.
    let tokens = &families["gateway_model_tokens"];
    for (kind, expected) in [("prompt", 180.0), ("answer", 20.0)] {
        assert!(tokens.is("_total", &[("model", "medical-ie"), ("kind", kind)], expected), "{tokens:?}");
    }
    assert!(families["gateway_tokens"].is("_total", &[], 0.0));
    let lengths = &families["gateway_note_chars"];
    assert!(lengths.is("_sum", &[], 44.0) && lengths.is("_count", &[], 1.0), "{lengths:?}");
}
