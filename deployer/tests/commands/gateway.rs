//! A gateway that answers as the real one does, or wrongly in one way.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ORIGIN: &str = "https://notes.example.org";

/// What is wrong with it.
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
    /// Every request's method, path, headers and body.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Shared {
    fault: Fault,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    pub(crate) fn start(fault: Fault) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let app = Router::new().fallback(answer).with_state(Shared { fault, asked: Arc::clone(&asked) });
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { url, asked, _runtime: runtime }
    }
}

fn problem(status: u16, code: &str) -> Response {
    let body = json!({"type": "about:blank", "status": status, "code": code, "detail": "A sentence."}).to_string();
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

fn html(status: u16) -> Response {
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "text/html")], "<html>nginx</html>").into_response()
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = parts.uri.path().to_owned();
    shared.asked.lock().unwrap().push(format!("{} {path} {:?} {body}", parts.method, parts.headers));
    let fault = shared.fault;
    if fault == Fault::NotAGateway {
        return html(200);
    }
    if parts.method == Method::OPTIONS {
        return preflight(&parts.headers, fault);
    }
    let known = parts.headers.get(header::AUTHORIZATION).is_some_and(|value| value == &format!("Bearer {KEY}"));
    match path.as_str() {
        "/health" => {
            let healthy = !matches!(fault, Fault::Loading | Fault::Rules);
            let status = if fault == Fault::Loading { "starting" } else { "healthy" };
            let engine = if fault == Fault::Rules { "rules" } else { "vllm" };
            let mut health = json!({"status": status, "vllm_available": healthy, "version": "0.1.0", "engine": engine});
            if fault == Fault::Open {
                health["notices"] = json!(["auth_off"]);
            }
            Json(health).into_response()
        }
        "/health/ready" if fault == Fault::Loading => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"ready": false, "reason": "loading"}))).into_response()
        }
        "/health/ready" => Json(json!({"ready": true, "reason": null})).into_response(),
        _ if !known && fault != Fault::Open => problem(401, "unauthorized"),
        "/api/v1/extract" => {
            if fault == Fault::Slow {
                // Longer than the test allows a note.
                tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
            }
            extract(&body, fault)
        }
        _ if fault == Fault::Html404 => html(404),
        _ => problem(404, "not_found"),
    }
}

fn preflight(headers: &HeaderMap, fault: Fault) -> Response {
    let origin = headers.get(header::ORIGIN).unwrap().to_str().unwrap();
    let allowed = fault == Fault::AnyOrigin || (origin == ORIGIN && fault != Fault::NoOrigin);
    if !allowed {
        return StatusCode::OK.into_response();
    }
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin), (header::ACCESS_CONTROL_ALLOW_METHODS, "GET,POST")];
    (StatusCode::OK, headers.map(|(name, value)| (name, value.to_owned()))).into_response()
}

fn extract(body: &str, fault: Fault) -> Response {
    let asked: Value = serde_json::from_str(body).unwrap();
    if asked["text"].as_str().unwrap().trim().is_empty() {
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
    Json(record).into_response()
}
