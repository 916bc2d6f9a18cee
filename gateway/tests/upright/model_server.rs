//! What the gateway believes of a model server: how much it reads of it, which models it lists, whose context counts.

use std::{
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

use crate::{
    fake_vllm::RECORD,
    served::{Served, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma, treated with osimertinib.";

/// What a path answers: a status, and a body that may have no end.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Json(u16, Value),
    Endless(u16),
}

/// A model server of which each path's answer can be set while it runs.
#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<Vec<(&'static str, Answer)>>>,
    /// Path, headers and body of each POST.
    pub(crate) posts: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
    looks: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(self)).await });
        address
    }

    /// A server of these models that reads notes well.
    pub(crate) fn with_models(models: Value) -> Self {
        let choice = json!({"message": {"content": RECORD}, "finish_reason": "stop"});
        Self::default()
            .set("/v1/models", Answer::Json(200, json!({"data": models})))
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
}

async fn answer(State(server): State<Server>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == "/v1/models" {
        server.looks.fetch_add(1, SeqCst);
    }
    if head.method == "POST" {
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        server.posts.lock().unwrap().push((path.clone(), head.headers, serde_json::from_slice(&body).unwrap()));
    }
    let found = server.answers.lock().unwrap().iter().find(|(other, _)| *other == path).map(|(_, found)| found.clone());
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    match found {
        None => StatusCode::OK.into_response(),
        Some(Answer::Json(code, body)) => (status(code), axum::Json(body)).into_response(),
        Some(Answer::Endless(code)) => {
            const PIECE: usize = 1 << 18;
            let sent = Arc::clone(&server.sent);
            let pieces = stream::iter(0..LONG_ENOUGH / PIECE).map(move |_| {
                sent.fetch_add(PIECE, SeqCst);
                Ok::<_, io::Error>(Bytes::from(vec![b' '; PIECE]))
            });
            (status(code), Body::from_stream(pieces)).into_response()
        }
    }
}

/// More than any socket holds, and little enough for a test that fails.
const LONG_ENOUGH: usize = 256 << 20;
/// What is read at most, and what the sockets of this machine may hold beside it.
const READ_AND_UNDER_WAY: usize = 48 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_model_server_is_read_up_to_a_bound() {
    let medical = || json!([{"id": "medical-ie", "max_model_len": 8_192}]);
    // A list of models without end: the server is no good one, and costs no memory.
    let server = Server::with_models(medical()).set("/v1/models", Answer::Endless(200));
    let served = Served::start(with_model(&[server.clone().start().await])).await;
    until("it was looked at twice", async || server.looks.load(SeqCst) > 1).await;
    assert!(server.sent.load(SeqCst) / server.looks.load(SeqCst) < READ_AND_UNDER_WAY, "{:?}", server.sent);
    assert!(served.app.readiness.reason().is_some());
    // Metrics without end cost only what they would say.
    let server = Server::with_models(medical()).set("/metrics", Answer::Endless(200));
    Served::ready(with_model(&[server.clone().start().await])).await;
    assert!(server.sent.load(SeqCst) < READ_AND_UNDER_WAY, "{:?}", server.sent);
    for status in [200, 400, 500, 503] {
        let server = Server::with_models(medical()).set("/v1/chat/completions", Answer::Endless(status));
        let served = Served::ready(with_model(&[server.clone().start().await])).await;
        let code = served.code(NOTE).await;
        assert!(code.0 >= 502, "{status}: {code:?}");
        assert!(server.sent.load(SeqCst) < READ_AND_UNDER_WAY, "{status}: {:?}", server.sent);
    }
}
