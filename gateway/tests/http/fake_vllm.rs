//! A vLLM that misbehaves on demand, on a free port.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex};

/// A whole record in the training format.
pub(crate) const RECORD: &str = "{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": \"IV\", \"gene_mutation\": null, \"biomarker\": null, \"treatment\": \"osimertinib\", \"response\": null, \"metastasis_site\": null}";

/// What the next completion does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(String),
    CutOff,
    NoUsage,
    NoChoices,
    Html,
    Status(u16, Value),
    Hang,
}

/// The server's address and what it has seen.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) bodies: Arc<Mutex<Vec<Value>>>,
}

#[derive(Clone)]
struct Script {
    acts: Arc<Vec<Act>>,
    calls: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Value>>>,
}

/// Starts a server that acts as listed, the last for ever.
pub(crate) async fn start(acts: Vec<Act>) -> Fake {
    let script = Script { acts: Arc::new(acts), calls: Arc::default(), bodies: Arc::default() };
    let (calls, bodies) = (Arc::clone(&script.calls), Arc::clone(&script.bodies));
    let models = json!({"data": [{"id": "medical-ie", "max_model_len": 8192}]});
    let router = Router::new()
        .route("/v1/models", get(async move || Json(models)))
        .route("/tokenize", post(async || Json(json!({"count": 9_000, "max_model_len": 8_192}))))
        .route("/v1/chat/completions", post(completion))
        .with_state(script);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Fake { address, calls, bodies }
}

async fn completion(State(script): State<Script>, Json(body): Json<Value>) -> Response {
    let call = script.calls.fetch_add(1, SeqCst);
    script.bodies.lock().await.push(body);
    let act = script.acts.get(call).or(script.acts.last()).unwrap().clone();
    let say = |text: &str, finish: &str| {
        json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
               "usage": {"total_tokens": 100}})
    };
    match act {
        Act::Say(text) => Json(say(&text, "stop")).into_response(),
        Act::CutOff => Json(say("{\"cancer_type\": \"lu", "length")).into_response(),
        Act::NoUsage => {
            let mut answer = say(RECORD, "stop");
            answer["usage"] = Value::Null;
            Json(answer).into_response()
        }
        Act::NoChoices => Json(json!({"choices": []})).into_response(),
        Act::Html => Html("<h1>It works</h1>").into_response(),
        Act::Status(status, body) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        Act::Hang => std::future::pending().await,
    }
}
