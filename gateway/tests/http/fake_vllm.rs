//! A fake vLLM server on a free port, which fails as a test says.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
};

/// A complete record in the format of the training set.
pub(crate) const RECORD: &str = "{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": \"IV\", \"gene_mutation\": null, \"biomarker\": null, \"treatment\": \"osimertinib\", \"response\": null, \"metastasis_site\": null}";

/// What the server does with a completion request.
#[derive(Clone, Debug)]
pub(crate) enum UpstreamBehaviour {
    /// Answers with this text.
    Text(String),
    /// Answers with this completion object.
    Completion(Value),
    /// Answers with half a record and the finish reason `length`.
    CutOff,
    /// Answers with a record without `usage`.
    NoUsage,
    /// Answers with log-probabilities, one token per byte, if the request asks for them.
    WithLogprobs,
    NoChoices,
    Html,
    Status(u16, Value),
    /// Never answers.
    Hang,
    /// Closes the connection before the first byte of an answer.
    Reset,
    /// Breaks the connection in the middle of an answer.
    BreakOff,
    /// Answers with a complete response whose JSON text is cut in half.
    HalfJson,
    /// Answers with JSON whose members have other types than those of vLLM.
    WrongTypes,
    /// Answers 200 and then an error as a server-sent event, as a dying server does.
    ErrorEvent(Value),
    /// Answers correctly, but with one byte every 100 ms.
    SlowBytes,
    /// Answers correctly once there is a permit.
    Hold(Arc<Semaphore>),
    /// Streams these pieces, each once there is a permit.
    Pieces(Vec<&'static str>, Arc<Semaphore>),
    /// Begins a correct stream, then sends the error or breaks the connection.
    BrokenStream(Option<Value>),
    /// Ends the stream after a complete record, without the final events.
    UnfinishedStream,
}

/// The address of the server and the requests that it received.
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) bodies: Arc<Mutex<Vec<Value>>>,
    /// `x-request-id` and `traceparent` of each completion request.
    pub(crate) headers: Arc<Mutex<Vec<[Option<String>; 2]>>>,
}

#[derive(Clone)]
struct Script {
    acts: Arc<Vec<UpstreamBehaviour>>,
    calls: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Value>>>,
    headers: Arc<Mutex<Vec<[Option<String>; 2]>>>,
}

/// Starts a server that follows `acts` in order and repeats the last one for ever.
pub(crate) async fn start(acts: Vec<UpstreamBehaviour>) -> FakeServer {
    start_with_context(acts, 8_192).await
}

/// Starts a server whose model has the given context length, in tokens.
pub(crate) async fn start_with_context(acts: Vec<UpstreamBehaviour>, context: u32) -> FakeServer {
    serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), acts, context)
}

/// Starts a server that says in its metrics how many tokens its KV cache holds.
pub(crate) async fn start_with_cache(acts: Vec<UpstreamBehaviour>, tokens: u64) -> FakeServer {
    let metrics = format!("vllm:cache_config_info{{block_size=\"16\",kv_cache_size_tokens=\"{tokens}\"}} 1.0\n");
    serve_with_metrics(TcpListener::bind("127.0.0.1:0").await.unwrap(), acts, 8_192, metrics)
}

/// Starts a server on an existing socket.
pub(crate) fn serve(listener: TcpListener, acts: Vec<UpstreamBehaviour>, context: u32) -> FakeServer {
    serve_with_metrics(listener, acts, context, String::new())
}

fn serve_with_metrics(
    listener: TcpListener,
    acts: Vec<UpstreamBehaviour>,
    context: u32,
    metrics: String,
) -> FakeServer {
    let script =
        Script { acts: Arc::new(acts), calls: Arc::default(), bodies: Arc::default(), headers: Arc::default() };
    let (calls, bodies, headers) = (Arc::clone(&script.calls), Arc::clone(&script.bodies), Arc::clone(&script.headers));
    let models = json!({"data": [{"id": "medical-ie", "max_model_len": context}]});
    let router = Router::new()
        .route("/v1/models", get(async move || Json(models)))
        .route("/metrics", get(async move || metrics))
        .route("/tokenize", post(async || Json(json!({"count": 9_000, "max_model_len": 8_192}))))
        .route("/v1/chat/completions", post(completion))
        .with_state(script);
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    FakeServer { address, calls, bodies, headers }
}

async fn completion(State(script): State<Script>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    script.headers.lock().await.push(["x-request-id", "traceparent"].map(header));
    let call = script.calls.fetch_add(1, SeqCst);
    let wants_logprobs = body.get("logprobs").is_some();
    let streams = body["stream"] == true;
    script.bodies.lock().await.push(body);
    let act = script.acts.get(call).or(script.acts.last()).unwrap().clone();
    let say = |text: &str, finish: &str| {
        json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
               "usage": {"total_tokens": 100}})
    };
    match act {
        UpstreamBehaviour::Text(text) => answer(say(&text, "stop"), streams),
        UpstreamBehaviour::Completion(completion_body) if streams => {
            event_stream(stream::iter(events_of(completion_body).into_iter().map(Ok)))
        }
        UpstreamBehaviour::Completion(completion_body) => Json(completion_body).into_response(),
        UpstreamBehaviour::CutOff => answer(say("{\"cancer_type\": \"lu", "length"), streams),
        UpstreamBehaviour::NoUsage => {
            let mut completion_body = say(RECORD, "stop");
            completion_body["usage"] = Value::Null;
            answer(completion_body, streams)
        }
        UpstreamBehaviour::WithLogprobs => {
            let mut completion_body = say(RECORD, "stop");
            if wants_logprobs {
                let stage = RECORD.find("IV").unwrap();
                let token = |(at, byte): (usize, u8)| {
                    let probability: f64 = if (stage..stage + 2).contains(&at) { 0.25 } else { 0.5 };
                    json!({"token": "?", "bytes": [byte], "logprob": probability.ln()})
                };
                completion_body["choices"][0]["logprobs"]["content"] = RECORD.bytes().enumerate().map(token).collect();
            }
            answer(completion_body, streams)
        }
        UpstreamBehaviour::NoChoices => Json(json!({"choices": []})).into_response(),
        UpstreamBehaviour::Html => Html("<h1>It works</h1>").into_response(),
        UpstreamBehaviour::Status(status, body) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        UpstreamBehaviour::Hang => std::future::pending().await,
        UpstreamBehaviour::Hold(permits) => {
            permits.acquire().await.unwrap().forget();
            answer(say(RECORD, "stop"), streams)
        }
        UpstreamBehaviour::Pieces(pieces, permits) => {
            let pieces = stream::iter(pieces.into_iter().map(|piece| event(&piece_of(piece))));
            let end = stream::iter(final_events("stop", &json!({"total_tokens": 100})));
            event_stream(pieces.chain(end).then(move |event| {
                let permits = Arc::clone(&permits);
                async move {
                    permits.acquire().await.unwrap().forget();
                    Ok(event)
                }
            }))
        }
        UpstreamBehaviour::UnfinishedStream => event_stream(stream::iter([Ok(event(&piece_of(RECORD)))])),
        UpstreamBehaviour::BrokenStream(error) => {
            let beginning =
                stream::iter([Ok(event(&piece_of("{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": ")))]);
            match error {
                Some(error) => event_stream(beginning.chain(stream::iter([Ok(event(&error)), Ok(done())]))),
                None => event_stream(beginning.chain(stream::iter([Err(io::Error::other("broken off"))])).then(
                    async |part| {
                        tokio::task::yield_now().await;
                        part
                    },
                )),
            }
        }
        // A panic in a handler closes its connection.
        UpstreamBehaviour::Reset => std::panic::resume_unwind(Box::new("reset")),
        UpstreamBehaviour::BreakOff => {
            // The yield lets the server send the first half before the error.
            let broken = stream::iter([Ok(half(&say(RECORD, "stop"))), Err(io::Error::other("broken off"))]);
            Body::from_stream(broken.then(async |part| {
                tokio::task::yield_now().await;
                part
            }))
            .into_response()
        }
        UpstreamBehaviour::HalfJson => Body::from(half(&say(RECORD, "stop"))).into_response(),
        UpstreamBehaviour::WrongTypes => {
            Json(json!({"choices": {"message": 5}, "usage": {"total_tokens": "many"}})).into_response()
        }
        UpstreamBehaviour::ErrorEvent(error) => {
            ([("content-type", "text/event-stream")], format!("data: {error}\n\ndata: [DONE]\n\n")).into_response()
        }
        UpstreamBehaviour::SlowBytes => {
            let text = say(RECORD, "stop").to_string().into_bytes();
            let bytes = stream::iter(text).then(async |byte| {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, io::Error>(Bytes::from(vec![byte]))
            });
            Body::from_stream(bytes).into_response()
        }
    }
}

/// Returns a completion as one object or, if the request streams, as events.
fn answer(completion_body: Value, streams: bool) -> Response {
    if !streams {
        return Json(completion_body).into_response();
    }
    let text = completion_body["choices"][0]["message"]["content"].as_str().unwrap();
    let letters: Vec<char> = text.chars().collect();
    let logprobs = completion_body["choices"][0]["logprobs"]["content"].as_array();
    // With log-probabilities each piece is one token, here of one byte.
    let piece_length = if logprobs.is_some() { 1 } else { 3 };
    let pieces = letters.chunks(piece_length).map(|piece| piece.iter().collect::<String>()).enumerate();
    let mut events: Vec<Bytes> = pieces
        .map(|(at, piece)| {
            let mut data = piece_of(&piece);
            if let Some(logprobs) = logprobs {
                data["choices"][0]["logprobs"] = json!({"content": [logprobs[at]]});
            }
            event(&data)
        })
        .collect();
    events.extend(final_events(
        completion_body["choices"][0]["finish_reason"].as_str().unwrap(),
        &completion_body["usage"],
    ));
    event_stream(stream::iter(events.into_iter().map(Ok)))
}

/// Returns a completion as events: one event with all its members but the end, then the final events.
fn events_of(mut completion_body: Value) -> Vec<Bytes> {
    let usage = completion_body["usage"].take();
    let mut reason = Value::Null;
    for choice in completion_body["choices"].as_array_mut().unwrap() {
        choice["delta"] = choice["message"].take();
        reason = choice["finish_reason"].take();
    }
    let last = json!({"choices": [{"delta": {}, "finish_reason": reason}]});
    vec![event(&completion_body), event(&last), event(&json!({"choices": [], "usage": usage})), done()]
}

fn piece_of(text: &str) -> Value {
    json!({"choices": [{"delta": {"content": text}, "finish_reason": null}], "usage": null})
}

fn final_events(finish: &str, usage: &Value) -> [Bytes; 3] {
    let last = json!({"choices": [{"delta": {"content": ""}, "finish_reason": finish}]});
    [event(&last), event(&json!({"choices": [], "usage": usage})), done()]
}

fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn done() -> Bytes {
    Bytes::from_static(b"data: [DONE]\n\n")
}

fn event_stream(events: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    ([("content-type", "text/event-stream; charset=utf-8")], Body::from_stream(events)).into_response()
}

fn half(answer: &Value) -> Bytes {
    let mut text = answer.to_string();
    text.truncate(text.len() / 2);
    Bytes::from(text)
}
