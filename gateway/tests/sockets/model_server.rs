//! A fake model server. Tests set the answer of each path while it runs.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Request, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fake_vllm::RECORD;

pub(crate) const NOTE: &str = "Stage IV lung adenocarcinoma, treated with osimertinib.";

/// The answer of a path. The numbers of `Json` and `Endless` are the status.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Json(u16, Value),
    /// Status 200 with exactly this body: an event stream if it starts with `data:`, otherwise JSON.
    Text(String),
    /// A body of [`LONG_ENOUGH`] spaces.
    Endless(u16),
    /// Never answers.
    Hang,
}

/// A fake model server. Clones share its answers, and a path without an answer returns an empty 200.
#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<Vec<(&'static str, Answer)>>>,
    /// Path, headers and body of each POST.
    pub(crate) posts: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
    /// The answers to notes for these models, in place of the answer of the path.
    by_model: Arc<Mutex<HashMap<String, Answer>>>,
    /// Requests for the list of models.
    pub(crate) looks: Arc<AtomicUsize>,
    /// Bytes of endless bodies that it produced.
    pub(crate) sent: Arc<AtomicUsize>,
    /// The `Authorization` header that every request must carry, if any.
    pub(crate) authorization: Arc<Mutex<Option<&'static str>>>,
}

impl Server {
    pub(crate) async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(self)).await });
        address
    }

    /// Returns a server that lists these models and answers every note with a valid record.
    pub(crate) fn with_models(models: Value) -> Self {
        let choice = json!({"message": {"content": RECORD}, "finish_reason": "stop"});
        Self::default()
            .set("/v1/models", Answer::Json(200, Value::from_iter([("data", models)])))
            .set("/tokenize", Answer::Json(200, json!({"count": 100})))
            .set("/v1/chat/completions", Answer::Json(200, json!({"choices": [choice]})))
    }

    pub(crate) fn set(self, path: &'static str, answer: Answer) -> Self {
        self.change(path, answer);
        self
    }

    pub(crate) fn change(&self, path: &'static str, answer: Answer) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(other, _)| *other != path);
        answers.push((path, answer));
    }

    /// Sets the answer to every note for a model.
    pub(crate) fn of_model(&self, model: &str, answer: Answer) {
        self.by_model.lock().unwrap().insert(model.to_owned(), answer);
    }

    /// Makes every completion return this content in the name of this model.
    pub(crate) fn says(self, content: &str, model: &str) -> Self {
        let choice = json!({"message": {"content": content}, "finish_reason": "stop"});
        let usage = json!({"prompt_tokens": 90, "completion_tokens": 40, "total_tokens": 130});
        let answer = json!({"model": model, "choices": [choice], "usage": usage});
        self.set("/v1/chat/completions", Answer::Json(200, answer))
    }

    pub(crate) fn completions(&self) -> Vec<Value> {
        let posts = self.posts.lock().unwrap();
        posts.iter().filter(|(path, ..)| path != "/tokenize").map(|(.., body)| body.clone()).collect()
    }
}

async fn answer(State(upstream): State<Server>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == "/v1/models" {
        upstream.looks.fetch_add(1, SeqCst);
    }
    let mut of_model = None;
    if head.method == "POST" {
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        of_model = body["model"].as_str().and_then(|model| upstream.by_model.lock().unwrap().get(model).cloned());
        upstream.posts.lock().unwrap().push((path.clone(), head.headers.clone(), body));
    }
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let required = *upstream.authorization.lock().unwrap();
    if required.is_some() && authorization != required {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": "Unauthorized"}))).into_response();
    }
    let found =
        upstream.answers.lock().unwrap().iter().find(|(other, _)| *other == path).map(|(_, found)| found.clone());
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    match of_model.or(found) {
        Some(Answer::Hang) => std::future::pending().await,
        None => StatusCode::OK.into_response(),
        Some(Answer::Json(code, body)) => (status(code), axum::Json(body)).into_response(),
        Some(Answer::Text(text)) => {
            let kind = if text.starts_with("data:") { "text/event-stream" } else { "application/json" };
            ([("content-type", kind)], text).into_response()
        }
        Some(Answer::Endless(code)) => {
            const PIECE: usize = 1 << 18;
            let sent = Arc::clone(&upstream.sent);
            let pieces = stream::iter(0..LONG_ENOUGH / PIECE).map(move |_| {
                sent.fetch_add(PIECE, SeqCst);
                Ok::<_, io::Error>(Bytes::from(vec![b' '; PIECE]))
            });
            (status(code), Body::from_stream(pieces)).into_response()
        }
    }
}

/// Bytes of an endless body: more than any socket buffers, and few enough that a failing test ends.
const LONG_ENOUGH: usize = 256 << 20;

/// An adapter as vLLM lists it.
pub(crate) fn adapter() -> Value {
    json!({"id": "medical-ie", "root": "/adapters/medical-ie", "parent": "base", "max_model_len": null})
}

/// A base model as vLLM lists it.
pub(crate) fn base(context: u32) -> Value {
    json!({"id": "base", "root": "/models/base", "parent": null, "max_model_len": context})
}
