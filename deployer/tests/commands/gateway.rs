//! A fake gateway that answers like the real one, except for one fault.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Answer, Asked, serve};

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ORIGIN: &str = "https://notes.example.org";

/// The fault of the fake gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Loading,
    Rules,
    Degraded,
    Open,
    AnObjectInAField,
    MissesTheStage,
    OddWording,
    Html404,
    Html422,
    AnyOrigin,
    NoOrigin,
    Overloaded,
    Slow,
    NotAGateway,
}

pub(crate) struct Gateway {
    pub(crate) url: String,
    /// Method, path, headers and body of every request.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    pub(crate) fn start(fault: Fault) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        let url = serve(move |request| {
            record.lock().unwrap().push(request.text());
            answer(request, fault)
        });
        Self { url, asked }
    }
}

fn problem(status: u16, code: &str) -> Answer {
    let body = json!({"type": "about:blank", "status": status, "code": code, "detail": "A sentence."});
    Answer::new(status, "application/problem+json", body.to_string())
}

fn html(status: u16) -> Answer {
    Answer::new(status, "text/html", "<html>nginx</html>")
}

fn good(body: &Value) -> Answer {
    Answer::new(200, "application/json", body.to_string())
}

fn answer(request: &Asked, fault: Fault) -> Answer {
    if fault == Fault::NotAGateway {
        return html(200);
    }
    if request.method == "OPTIONS" {
        return preflight(request.header("origin"), fault);
    }
    let authorized = request.header("authorization") == format!("Bearer {KEY}");
    match request.path.as_str() {
        "/health" => health(fault),
        "/health/ready" if fault == Fault::Loading => {
            Answer::new(503, "application/json", json!({"ready": false, "reason": "loading"}).to_string())
        }
        "/health/ready" => good(&json!({"ready": true, "reason": null})),
        _ if !authorized && fault != Fault::Open => problem(401, "unauthorized"),
        "/api/v1/extract" => {
            if fault == Fault::Slow {
                // Longer than the test's time limit for a note.
                std::thread::sleep(std::time::Duration::from_millis(1100));
            }
            extract(&request.body, fault)
        }
        _ if fault == Fault::Html404 => html(404),
        _ => problem(404, "not_found"),
    }
}

fn health(fault: Fault) -> Answer {
    let healthy = !matches!(fault, Fault::Loading | Fault::Rules);
    let status = if fault == Fault::Loading { "starting" } else { "healthy" };
    let engine = if fault == Fault::Rules { "rules" } else { "vllm" };
    let mut health = json!({"status": status, "vllm_available": healthy, "version": "0.1.0", "engine": engine});
    if fault == Fault::Open {
        health["notices"] = json!(["auth_off"]);
    }
    good(&health)
}

fn preflight(origin: &str, fault: Fault) -> Answer {
    let mut answer = Answer::new(200, "text/plain", "");
    if fault == Fault::AnyOrigin || (origin == ORIGIN && fault != Fault::NoOrigin) {
        answer.headers.push(format!("Access-Control-Allow-Origin: {origin}"));
        answer.headers.push("Access-Control-Allow-Methods: GET,POST".to_owned());
    }
    answer
}

fn extract(body: &str, fault: Fault) -> Answer {
    let request: Value = serde_json::from_str(body).unwrap();
    if request["text"].as_str().unwrap().trim().is_empty() {
        return if fault == Fault::Html422 { html(422) } else { problem(422, "invalid_request") };
    }
    match fault {
        Fault::Loading => return problem(503, "model_loading"),
        Fault::Overloaded => return problem(503, "overloaded"),
        _ => {}
    }
    let mut record = json!({
        "cancer_type": "lung adenocarcinoma", "stage": "IV", "gene_mutation": "EGFR exon 19 deletion", "biomarker": "PD-L1 40%",
        "treatment": "osimertinib", "response": "partial response", "metastasis_site": "brain",
        "engine": "vllm", "model": "medical-ie", "degraded": false,
    });
    match fault {
        Fault::Rules => (record["engine"], record["model"]) = (json!("rules"), json!("rules")),
        Fault::Degraded => record["degraded"] = json!(true),
        Fault::AnObjectInAField => record["treatment"] = json!({"name": "osimertinib"}),
        Fault::MissesTheStage => record["stage"] = Value::Null,
        Fault::OddWording => record["response"] = json!("PR"),
        _ => {}
    }
    good(&record)
}
