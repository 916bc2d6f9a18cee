//! Tests what keys may do: scopes of keys, `GET /api/v1/usage`, and the budgets of keys.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use gateway::{
    access,
    config::{AuditSettings, Settings},
    http::{self, App},
    server::Gateway,
};
use serde_json::{Value, json};

use crate::{
    fake_vllm::{self, RECORD, UpstreamBehaviour},
    send,
};

const NOTE: &str = "Stage IV lung adenocarcinoma with EGFR L858R.";
const EXTRACT: &str = "/api/v1/extract";
const USAGE: &str = "/api/v1/usage";

/// A gateway with keys whose names are their keys' first letters, and its folder.
struct Keyed {
    folder: tempfile::TempDir,
    router: Router,
    app: App,
}

/// Returns the key with a name.
fn key(name: &str) -> String {
    name.repeat(40).chars().take(40).collect()
}

fn key_file(folder: &Path, lines: &[(&str, &str)]) -> PathBuf {
    let path = folder.join("keys");
    let text = lines.iter().fold(String::new(), |mut text, (name, words)| {
        let _ = writeln!(text, "{} {words}", access::line_for(name, &key(name)).unwrap());
        text
    });
    std::fs::write(&path, text).unwrap();
    path
}

fn settings(folder: &Path, lines: &[(&str, &str)]) -> Settings {
    let audit = AuditSettings { path: Some(folder.join("audit.jsonl")), ..AuditSettings::default() };
    Settings { auth_keys_file: Some(key_file(folder, lines)), audit, ..Settings::default() }
}

impl Keyed {
    fn new(lines: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), lines);
        Self::with(folder, settings)
    }

    fn with(folder: tempfile::TempDir, settings: Settings) -> Self {
        let app = Gateway::new(settings).unwrap().app;
        Self { folder, router: http::router(app.clone(), Vec::new()), app }
    }

    /// Ends this gateway and starts another with the same files.
    fn restarted(self, lines: &[(&str, &str)]) -> Self {
        assert_eq!(self.app.state.audit.as_ref().unwrap().close(), 0);
        let settings = settings(self.folder.path(), lines);
        Self::with(self.folder, settings)
    }

    async fn ask(&self, name: &str, method: &str, path: &str, body: &str) -> (StatusCode, HeaderMap, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("x-api-key", key(name)).body(Body::from(body.to_owned())).unwrap();
        let (status, headers, body) = send(&self.router, request).await;
        (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn get(&self, name: &str, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.ask(name, "GET", path, "").await;
        (status, body)
    }

    async fn extract(&self, name: &str) -> StatusCode {
        self.ask(name, "POST", EXTRACT, &json!({"text": NOTE}).to_string()).await.0
    }

    /// Returns `used`, `in_flight` and `left` of a key's budget.
    async fn budget(&self, name: &str) -> [u64; 3] {
        let (status, body) = self.get(name, USAGE).await;
        assert_eq!(status, 200, "{body}");
        ["used", "in_flight", "left"].map(|part| body["budgets"][0][part].as_u64().unwrap())
    }
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let keyed = Keyed::new(&[
        ("a", ""),
        ("e", "scopes=extract"),
        ("m", "metrics"),
        ("n", "scopes=metrics"),
        ("u", "scopes=usage"),
        ("x", "scopes=admin"),
        ("y", "scopes=extract,usage"),
    ]);
    let routes = [
        ("POST", EXTRACT, "extract", "aey"),
        ("POST", "/api/v1/extract/batch", "extract", "aey"),
        ("POST", "/api/v1/extract/lines", "extract", "aey"),
        ("POST", "/api/v1/extract/stream", "extract", "aey"),
        ("POST", "/api/v1/patient", "extract", "aey"),
        ("GET", "/api/v1/jobs", "extract", "aey"),
        ("DELETE", "/api/v1/jobs/1", "extract", "aey"),
        ("GET", "/api/v1/models", "extract", "aey"),
        ("GET", "/health/vllm", "extract", "aey"),
        ("GET", "/metrics", "metrics", "amn"),
        ("GET", "/health?verbose=1", "metrics", "amn"),
        ("GET", USAGE, "usage", "uxy"),
        // Any key opens what is open without one, and what does not exist.
        ("GET", "/health", "", "aemnuxy"),
        ("GET", "/nope", "", "aemnuxy"),
    ];
    for (method, path, scope, allowed) in routes {
        for name in ["a", "e", "m", "n", "u", "x", "y"] {
            let (status, _, body) = keyed.ask(name, method, path, "{}").await;
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(refused, !allowed.contains(name), "{name} {method} {path}: {status}");
            if refused {
                assert_eq!(body["code"], "insufficient_scope");
                let detail = body["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("the scope `{scope}`")) && !detail.contains(&key(name)), "{detail}");
            }
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{name} {method} {path}");
        }
    }
    let (_, body) = keyed.get("m", "/api/v1/models").await;
    assert!(body["detail"].as_str().unwrap().contains("this key has: metrics."), "{body}");
}

#[test]
fn the_document_says_which_scope_an_operation_needs() {
    let settings = http::DocumentSettings { guarded: true, ..http::DocumentSettings::default() };
    let mut scopes = BTreeMap::new();
    for document in [http::document(&settings), http::document_3_0(&settings)] {
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let needs_key = !operation["security"].as_array().unwrap().is_empty();
                assert_eq!(operation["x-scope"].is_string(), needs_key, "{path}");
                assert_eq!(operation["responses"].get("403").is_some(), needs_key, "{path}");
                if needs_key {
                    scopes.insert(path.clone(), operation["x-scope"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    let of = |path: &str| scopes[path].as_str();
    assert_eq!([of(EXTRACT), of("/metrics"), of(USAGE)], ["extract", "metrics", "usage"]);
}

#[tokio::test]
async fn usage_is_one_s_own_and_that_of_all_for_an_admin() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [("a", "scopes=extract,usage"), ("b", "scopes=extract,usage budget=9/month"), ("x", "scopes=admin")];
    let mut with_cost = settings(folder.path(), &lines);
    with_cost.usage.month_cost = Some(90.0);
    let keyed = Keyed::with(folder, with_cost);
    assert_eq!(
        keyed.get("a", USAGE).await.1,
        json!({"rows": [], "budgets": [], "token_budgets": [], "complete": true, "lines_lost": 0})
    );
    for name in ["a", "a", "b"] {
        assert_eq!(keyed.extract(name).await, 200);
    }
    assert_eq!(keyed.ask("a", "POST", EXTRACT, "{\"text\": \" \"}").await.0, 422);
    let (_, own) = keyed.get("a", USAGE).await;
    let row = &own["rows"][0];
    assert_eq!((own["rows"].as_array().unwrap().len(), &row["key"], &own["budgets"]), (1, &json!("a"), &json!([])));
    let chars = 2 * NOTE.chars().count();
    for (part, expected) in
        [("notes", 3), ("answered", 2), ("failed", 1), ("cached", 0), ("characters", chars), ("tokens", 0)]
    {
        assert_eq!(row[part], json!(expected), "{part}");
    }
    assert!(row["cost"].is_number() && row["engine_seconds"].is_number(), "{row}");
    let (_, all) = keyed.get("x", USAGE).await;
    // A note may take less than a millisecond, and then cost nothing; together they cost the month.
    let cost: f64 = all["rows"].as_array().unwrap().iter().map(|row| row["cost"].as_f64().unwrap()).sum();
    assert!((cost - 90.0).abs() < 0.02, "{all}");
    let keys = |body: &Value| {
        let rows = body["rows"].as_array().unwrap();
        rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((keys(&all), &all["budgets"][0]["key"]), (vec!["a".to_owned(), "b".to_owned()], &json!("b")));
    assert_eq!((all["budgets"][0]["used"].as_u64(), all["budgets"][0]["left"].as_u64()), (Some(1), Some(8)));
    assert_eq!(keys(&keyed.get("x", "/api/v1/usage?key=b").await.1), ["b"]);
    assert_eq!(keys(&keyed.get("a", "/api/v1/usage?key=a&since=2020-01").await.1), ["a"]);
    assert_eq!(keyed.get("a", "/api/v1/usage?since=2999-01").await.1["rows"], json!([]));
    let (status, body) = keyed.get("a", "/api/v1/usage?key=b").await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
    assert!(body["detail"].as_str().unwrap().contains("the scope `admin`"), "{body}");
    for query in ["since=2026", "since=2026-13", "key=", "key=%20", "until=2026-11"] {
        let (status, body) = keyed.get("x", &format!("/api/v1/usage?{query}")).await;
        assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_request")), "{query}");
    }
    // After a restart the gateway reads the same values from the audit.
    let again = keyed.restarted(&lines);
    let (_, row) = again.get("a", USAGE).await;
    assert_eq!((&row["rows"][0]["notes"], &row["rows"][0]["cost"]), (&json!(3), &Value::Null));
    let audit = std::fs::read_to_string(again.folder.path().join("audit.jsonl")).unwrap();
    assert_eq!(audit.lines().count(), 4);
}

#[tokio::test]
async fn without_an_audit_usage_is_off_and_a_budget_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut without = settings(folder.path(), &[("u", "scopes=usage")]);
    without.audit = AuditSettings::default();
    let keyed = Keyed::with(folder, without);
    let (status, body) = keyed.get("u", USAGE).await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("usage_off")));
    assert!(body["detail"].as_str().unwrap().contains("audit.path"), "{body}");
    for path in [None, Some("/dev/null".into())] {
        let mut settings = settings(keyed.folder.path(), &[("b", "budget=5/month")]);
        settings.audit = AuditSettings { path, ..AuditSettings::default() };
        let errors = [Gateway::new(settings.clone()).unwrap_err(), Gateway::check(&settings).unwrap_err()];
        for error in errors {
            assert!(error.is_usage() && error.to_string().contains("budget= needs an audit file"), "{error}");
        }
    }
}

#[tokio::test]
async fn all_callers_without_keys_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let with_keys = Keyed::with(folder, Settings::default());
    assert_eq!(with_keys.get("-", USAGE).await.1["code"], "usage_off");
    let folder = tempfile::tempdir().unwrap();
    let mut open = settings(folder.path(), &[("a", "scopes=extract,usage")]);
    let keyed = Keyed::with(folder, open.clone());
    assert_eq!(keyed.extract("a").await, 200);
    keyed.app.state.audit.as_ref().unwrap().close();
    open.auth_keys_file = None;
    let open = Keyed::with(keyed.folder, open);
    assert_eq!(open.extract("a").await, 200);
    // The usage of keys is not shown to every caller.
    for path in [USAGE, "/api/v1/usage?key=a"] {
        let rows = open.get("a", path).await.1["rows"].clone();
        assert_eq!((rows.as_array().unwrap().len(), &rows[0]["key"], &rows[0]["notes"]), (1, &json!("-"), &json!(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_never_exceeded_by_any_route() {
    let lines = [("b", "scopes=extract,usage budget=30/month"), ("m", "metrics")];
    let keyed = Keyed::new(&lines);
    let one = json!({"text": NOTE}).to_string();
    let batch = json!({"notes": vec![json!({"text": NOTE}); 10]}).to_string();
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.extend([
            (EXTRACT, &one),
            ("/api/v1/extract/stream", &one),
            ("/api/v1/extract/batch", &batch),
            ("/api/v1/patient", &batch),
        ]);
    }
    let answers = asked.into_iter().map(|(path, body)| {
        let request = Request::post(path).header("content-type", "application/json").header("x-api-key", key("b"));
        let (router, request) = (keyed.router.clone(), request.body(Body::from(body.clone())).unwrap());
        tokio::spawn(async move {
            let (status, _, body) = send(&router, request).await;
            (path, status, String::from_utf8(body).unwrap())
        })
    });
    let mut read = 0;
    for answer in answers.collect::<Vec<_>>() {
        let (path, status, body) = answer.await.unwrap();
        read += match (path, status.as_u16()) {
            (EXTRACT, 200) => 1,
            ("/api/v1/extract/stream", 200) => body.matches("event: result").count(),
            (EXTRACT | "/api/v1/extract/stream", 429) => 0,
            (_, 200) => {
                let body: Value = serde_json::from_str(&body).unwrap();
                let notes = body.get("results").or(body.get("notes")).unwrap().as_array().unwrap();
                let refused = notes.iter().filter(|note| note["status"] != 200);
                let refused = refused.inspect(|note| assert_eq!(note["error"]["code"], "budget_exhausted"));
                let refused = refused.inspect(|note| assert!(note["error"]["retry_after"].as_u64() > Some(0)));
                assert_eq!(notes.len(), 10);
                notes.len() - refused.count()
            }
            other => panic!("{other:?}: {body}"),
        };
    }
    assert_eq!((read, keyed.budget("b").await), (30, [30, 0, 0]));
    let (status, headers, body) = keyed.ask("b", "POST", EXTRACT, &one).await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("budget_exhausted")));
    assert!(body["detail"].as_str().unwrap().contains("30 notes a month"), "{body}");
    let seconds: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=31 * 86_400).contains(&seconds), "{seconds}");
    let request = Request::get("/metrics").header("x-api-key", key("m")).body(Body::empty()).unwrap();
    let metrics = String::from_utf8(send(&keyed.router, request).await.2).unwrap();
    for line in ["gateway_budget_notes_total{outcome=\"counted\"} 30\n", "gateway_budgets_exhausted 1\n"] {
        assert!(metrics.contains(line), "{line}");
    }
    // The budget survives a restart. A larger one applies at once.
    let again = keyed.restarted(&lines);
    assert_eq!(again.extract("b").await, 429);
    let larger = again.restarted(&[("b", "scopes=extract,usage budget=31/month")]);
    assert_eq!((larger.extract("b").await.as_u16(), larger.extract("b").await.as_u16()), (200, 429));
}

#[tokio::test]
async fn a_budget_of_tokens_ends_the_notes_of_its_key_also_after_a_restart() {
    // Each answer reports 100 tokens.
    let fake = fake_vllm::start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let start = async |folder: tempfile::TempDir, budget: &str| {
        let mut settings = settings(folder.path(), &[("t", &format!("scopes=extract,usage {budget}"))]);
        settings.vllm.url = Some(format!("http://{}", fake.address));
        let keyed = Keyed::with(folder, settings);
        while keyed.app.state.readiness.reason().is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        keyed
    };
    let keyed = start(tempfile::tempdir().unwrap(), "token_budget=250/month").await;
    let state = async |keyed: &Keyed| keyed.get("t", USAGE).await.1["token_budgets"][0].clone();
    assert_eq!(state(&keyed).await["left"], 250);
    // The third note is accepted because something is left.
    for _ in 0..3 {
        assert_eq!(keyed.extract("t").await, 200);
    }
    let (status, _, body) = keyed.ask("t", "POST", EXTRACT, &json!({"text": NOTE}).to_string()).await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("budget_exhausted")));
    assert!(body["detail"].as_str().unwrap().contains("250 tokens a month"), "{body}");
    let spent = state(&keyed).await;
    let parts = ["tokens", "used", "in_flight", "left"].map(|part| spent[part].as_u64().unwrap());
    assert_eq!(parts, [250, 300, 0, 0]);
    assert_eq!(keyed.app.state.audit.as_ref().unwrap().close(), 0);
    let again = start(keyed.folder, "token_budget=250/month budget=9/month").await;
    assert_eq!(again.extract("t").await, 429);
    assert_eq!(again.app.state.audit.as_ref().unwrap().close(), 0);
    let larger = start(again.folder, "token_budget=301/month").await;
    assert_eq!((larger.extract("t").await.as_u16(), larger.extract("t").await.as_u16()), (200, 429));
}

#[tokio::test]
async fn a_note_that_is_not_read_costs_nothing() {
    let keyed = Keyed::new(&[("b", "scopes=extract,usage budget=2/month rate=3/h")]);
    for (body, status) in [("{", 400), ("{\"text\": \" \"}", 422)] {
        assert_eq!(keyed.ask("b", "POST", EXTRACT, body).await.0, status);
    }
    assert_eq!(keyed.budget("b").await, [0, 0, 2]);
    assert_eq!(keyed.extract("b").await, 200);
    // The rate of three an hour is used up, by notes that were not read too.
    assert_eq!(keyed.ask("b", "POST", EXTRACT, "{}").await.2["code"], "rate_limited");
    assert_eq!(keyed.budget("b").await, [1, 0, 1]);
}
