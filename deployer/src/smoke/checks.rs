//! The checks, one function each: it sends a request, judges the answer and describes it in a finding.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    CheckOutcome::{Failed, Odd, Passed},
    CheckResult,
    client::{Client, HttpAnswer},
    note,
};

const EXTRACT: &str = "/api/v1/extract";
/// An origin that no configuration allows. No name under `.invalid` can be registered (RFC 2606).
const OTHER_ORIGIN: &str = "https://stranger.invalid";

fn no_answer(check: &'static str, error: String) -> CheckResult {
    CheckResult::new(check, Failed, error, None)
}

/// Checks that the gateway is healthy and that its model server is available.
pub(super) async fn health(client: &Client) -> CheckResult {
    let check = "health";
    let answer = match client.get("/health").await {
        Ok(answer) => answer,
        Err(error) => return no_answer(check, error),
    };
    let took = Some(answer.milliseconds);
    let status = answer.text("status");
    if !answer.is_ok() || status.is_empty() {
        return CheckResult::new(check, Failed, answer.said(), took);
    }
    let found = format!("{status}, version {}, engine {}", answer.text("version"), answer.text("engine"));
    let notices: Vec<&str> =
        answer.body.get("notices").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if status != "healthy" || answer.body.get("vllm_available") != Some(&Value::Bool(true)) {
        return CheckResult::new(check, Failed, format!("{found}; the model server is not available"), took);
    }
    if notices.is_empty() {
        return CheckResult::new(check, Passed, found, took);
    }
    CheckResult::new(check, Odd, format!("{found}; notices: {}", notices.join(", ")), took)
}

/// Checks that the gateway is ready to read notes.
pub(super) async fn readiness(client: &Client) -> CheckResult {
    let check = "readiness";
    match client.get("/health/ready").await {
        Err(error) => no_answer(check, error),
        Ok(answer) => {
            let took = Some(answer.milliseconds);
            if answer.is_ok() && answer.body.get("ready") == Some(&Value::Bool(true)) {
                return CheckResult::new(check, Passed, "ready", took);
            }
            let reason = answer.text("reason");
            let found =
                if reason.is_empty() { answer.said() } else { format!("{}, not ready: {reason}", answer.status) };
            CheckResult::new(check, Failed, found, took)
        }
    }
}

/// Checks that a caller without a key is refused. The note is blank, so that a service without keys does not run the
/// model for it.
pub(super) async fn without_a_key(client: &Client) -> CheckResult {
    let check = "keys";
    match client.post(EXTRACT, &json!({"text": " "})).await {
        Err(error) => no_answer(check, error),
        Ok(answer) if answer.status == 401 && answer.text("code") == "unauthorized" => {
            CheckResult::new(check, Passed, "a caller without a key is refused", Some(answer.milliseconds))
        }
        // A failing proxy or a failing gateway answers like this, whether keys are required or not.
        Ok(answer) if answer.status >= 500 || answer.body.is_null() => {
            let found = format!("{}; this does not show whether the service requires a key", answer.said());
            CheckResult::new(check, Failed, found, Some(answer.milliseconds))
        }
        Ok(answer) => {
            let found = format!("{}; anyone who knows the address can use the service", answer.said());
            CheckResult::new(check, Failed, found, Some(answer.milliseconds))
        }
    }
}

/// Checks that the gateway answers a note with the expected form, engine, values and latency.
pub(super) async fn note(client: &Client, slowest: Duration) -> Vec<CheckResult> {
    let answer = match client.post_with_key(EXTRACT, &note::request()).await {
        Ok(answer) => answer,
        Err(error) => return vec![no_answer("note", error)],
    };
    if !answer.is_ok() || answer.body.is_null() {
        let key = if answer.status == 401 { " Give a key with --api-key-file." } else { "" };
        return vec![CheckResult::new("note", Failed, format!("{}{key}", answer.said()), Some(answer.milliseconds))];
    }
    vec![shape(&answer), engine(&answer), values(&answer), latency(&answer, slowest)]
}

fn shape(answer: &HttpAnswer) -> CheckResult {
    let malformed = note::malformed(&answer.body);
    let took = Some(answer.milliseconds);
    if malformed.is_empty() {
        return CheckResult::new("note", Passed, "seven fields, each a text or null", took);
    }
    CheckResult::new("note", Failed, format!("neither a text nor null: {}", malformed.join(", ")), took)
}

fn engine(answer: &HttpAnswer) -> CheckResult {
    let (engine, model) = (answer.text("engine"), answer.text("model"));
    let degraded = answer.body.get("degraded") != Some(&Value::Bool(false)) || !answer.header("x-degraded").is_empty();
    if engine == "vllm" && !degraded {
        return CheckResult::new("engine", Passed, format!("{engine}, model {model}, not degraded"), None);
    }
    let found =
        if engine == "vllm" { "vllm, but degraded".to_owned() } else { format!("`{engine}` answered, not vllm") };
    CheckResult::new("engine", Failed, found, None)
}

fn values(answer: &HttpAnswer) -> CheckResult {
    let (verdict, mismatches) = note::unexpected(&answer.body);
    let found = if mismatches.is_empty() { "all seven as expected".to_owned() } else { mismatches.join("; ") };
    CheckResult::new("values", verdict, found, None)
}

fn latency(answer: &HttpAnswer, slowest: Duration) -> CheckResult {
    let limit = u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX);
    let verdict = if answer.milliseconds <= limit { Passed } else { Failed };
    let found = format!("the note took {} ms; at most {limit} ms are allowed", answer.milliseconds);
    CheckResult::new("latency", verdict, found, None)
}

/// Checks that a blank note is refused as the client's mistake.
pub(super) async fn blank_note(client: &Client) -> CheckResult {
    refusal("422", client.post_with_key(EXTRACT, &json!({"text": " "})).await, 422, "invalid_request")
}

/// Checks that an unknown path is answered with a problem in JSON.
pub(super) async fn unknown_path(client: &Client) -> CheckResult {
    refusal("404", client.get_with_key("/api/v1/no-such-path").await, 404, "not_found")
}

fn refusal(check: &'static str, answer: Result<HttpAnswer, String>, status: u16, code: &str) -> CheckResult {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return no_answer(check, error),
    };
    let problem = answer.header("content-type").starts_with("application/problem+json");
    let expected = answer.status == status && answer.text("code") == code && problem;
    let (verdict, found) = if expected {
        (Passed, format!("{code}, as a problem in JSON"))
    } else {
        (Failed, format!("{}; expected {status} {code} as application/problem+json", answer.said()))
    };
    CheckResult::new(check, verdict, found, Some(answer.milliseconds))
}

/// Checks CORS: pages of the configured origin may call the service, pages of other origins may not.
pub(super) async fn origins(client: &Client, origin: Option<&str>) -> CheckResult {
    let check = "cors";
    let other = match client.preflight(EXTRACT, OTHER_ORIGIN).await {
        Ok(answer) => answer,
        Err(error) => return no_answer(check, error),
    };
    let took = Some(other.milliseconds);
    let allowed = |answer: &HttpAnswer| answer.header("access-control-allow-origin").to_owned();
    if !allowed(&other).is_empty() {
        return CheckResult::new(check, Failed, "pages of other origins may call", took);
    }
    let Some(origin) = origin else {
        return CheckResult::new(
            check,
            Passed,
            "no origin is configured, and pages of other origins may not call",
            took,
        );
    };
    match client.preflight(EXTRACT, origin).await {
        Err(error) => no_answer(check, error),
        Ok(answer) if allowed(&answer) == origin && answer.header("access-control-allow-methods").contains("POST") => {
            CheckResult::new(
                check,
                Passed,
                format!("pages of {origin} may call, those of other origins may not"),
                Some(answer.milliseconds),
            )
        }
        Ok(answer) => {
            let found = format!("pages of {origin} may not call (preflight: {})", answer.status);
            CheckResult::new(check, Failed, found, Some(answer.milliseconds))
        }
    }
}
