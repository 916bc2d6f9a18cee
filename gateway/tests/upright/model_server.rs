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
    served::{Served, code, pair, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma, treated with osimertinib.";

/// What a path answers: a status, and a body that may have no end.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Json(u16, Value),
    /// The body to the letter, as JSON or as an event stream.
    Text(String),
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
    /// What every request must be authorised with.
    authorization: Option<&'static str>,
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

    /// What it is told to say in its completions.
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

async fn answer(State(server): State<Server>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == "/v1/models" {
        server.looks.fetch_add(1, SeqCst);
    }
    if head.method == "POST" {
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        server.posts.lock().unwrap().push((path.clone(), head.headers.clone(), serde_json::from_slice(&body).unwrap()));
    }
    let given = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    if server.authorization.is_some() && given != server.authorization {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": "Unauthorized"}))).into_response();
    }
    let found = server.answers.lock().unwrap().iter().find(|(other, _)| *other == path).map(|(_, found)| found.clone());
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    match found {
        None => StatusCode::OK.into_response(),
        Some(Answer::Json(code, body)) => (status(code), axum::Json(body)).into_response(),
        Some(Answer::Text(text)) => {
            let kind = if text.starts_with("data:") { "text/event-stream" } else { "application/json" };
            ([("content-type", kind)], text).into_response()
        }
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

fn adapter() -> Value {
    json!({"id": "medical-ie", "root": "/adapters/medical-ie", "parent": "base", "max_model_len": null})
}

fn base(context: u32) -> Value {
    json!({"id": "base", "root": "/models/base", "parent": null, "max_model_len": context})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_is_that_of_the_model_that_is_asked_for() {
    let embedding = |context: u32| json!({"id": "embedding", "root": "/models/e", "max_model_len": context});
    let long = format!("{NOTE} {}", "Seen in clinic. ".repeat(30));
    for models in [json!([embedding(256), adapter(), base(8_192)]), json!([base(8_192), adapter(), embedding(512)])] {
        let server = Server::with_models(models);
        let served = Served::ready(with_model(&[server.clone().start().await])).await;
        assert_eq!(served.code(&long).await, pair(200, "ok"));
        assert_eq!(server.completions()[0]["max_tokens"], 1_024);
        let told: Value = served.get("/health/vllm").send().await.unwrap().json().await.unwrap();
        assert_eq!(told["max_model_len"], 8_192);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_has_its_own_context() {
    let (small, large) = (json!([adapter(), base(600)]), json!([adapter(), base(8_192)]));
    let (small, large) = (Server::with_models(small), Server::with_models(large));
    let addresses = [small.clone().start().await, large.clone().start().await];
    let served = Served::start(with_model(&addresses)).await;
    let all_ready = || served.app.readiness.report().iter().all(|replica| replica.state == "ready");
    until("both are ready", async || all_ready()).await;
    for _ in 0..40 {
        assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    }
    for (server, most) in [(small, 500), (large, 1_024)] {
        let given: Vec<u64> = server.completions().iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
        assert!(given.len() > 3 && given.iter().all(|&tokens| tokens == most), "{most}: {given:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_listed_is_sent_no_note() {
    let server = Server::with_models(json!([base(8_192), adapter()]));
    let served = Served::ready(with_model(&[server.clone().start().await])).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    // The adapter is gone. This server answers its name with the base model, and says so nowhere.
    server.change("/v1/models", Answer::Json(200, json!({"data": [base(8_192)]})));
    until("that is seen", async || served.app.readiness.reason() == Some(gateway::readiness::Reason::ModelMissing))
        .await;
    let before = server.posts.lock().unwrap().len();
    assert_eq!(served.code(NOTE).await, pair(502, "upstream_rejected"));
    assert_eq!(server.posts.lock().unwrap().len(), before);
    server.change("/v1/models", Answer::Json(200, json!({"data": [base(8_192), adapter()]})));
    until("it is back", async || served.app.readiness.reason().is_none()).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_model_is_asked_for_where_it_is_listed() {
    let further = json!({"id": "further", "root": "/adapters/further", "parent": "base"});
    let without = Server::with_models(json!([base(8_192), adapter()]));
    let with = Server::with_models(json!([base(8_192), adapter(), further]));
    let mut settings = with_model(&[without.clone().start().await, with.clone().start().await]);
    settings.vllm.models = vec!["further".to_owned()];
    let served = Served::start(settings).await;
    let all_ready = || served.app.readiness.report().iter().all(|replica| replica.state == "ready");
    until("both are ready", async || all_ready()).await;
    for _ in 0..20 {
        let asked = served.client.post(format!("http://{}/api/v1/extract", served.address));
        assert_eq!(code(asked.json(&json!({"text": NOTE, "model": "further"}))).await, pair(200, "ok"));
    }
    assert_eq!((without.completions().len(), with.completions().len()), (0, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_record_in_the_name_of_another_model_is_not_believed() {
    const EMPTY: &str = "{\"cancer_type\": null, \"stage\": null, \"gene_mutation\": null, \"biomarker\": null, \"treatment\": null, \"response\": null, \"metastasis_site\": null}";
    let second = json!({"id": "second-name", "root": "/models/base", "parent": null, "max_model_len": 8_192});
    for (configured, said, content, expected) in [
        ("medical-ie", "medical-ie", EMPTY, pair(200, "ok")),
        ("medical-ie", "base", EMPTY, pair(502, "output_unusable")),
        // Its values stand in the note, or not, whoever wrote them.
        ("medical-ie", "base", RECORD, pair(200, "ok")),
        // Of several names of one model vLLM answers with the first.
        ("second-name", "base", EMPTY, pair(200, "ok")),
        ("second-name", "medical-ie", EMPTY, pair(502, "output_unusable")),
    ] {
        let models = json!([base(8_192), second, adapter()]);
        let server = Server::with_models(models).says(content, said);
        let mut settings = with_model(&[server.start().await]);
        settings.vllm.model = configured.to_owned();
        let served = Served::ready(settings).await;
        let note = if content == EMPTY { "The patient was seen in clinic and feels well." } else { NOTE };
        assert_eq!(served.code(note).await, expected, "{configured} {said}");
    }
}

/// A completion as Python may write it: the count of its tokens, and the log-probability of the last of them.
fn completion_with(tokens: &str, logprob: &str) -> String {
    let content = json!(RECORD);
    let (most, last) = RECORD.split_at(RECORD.len() - 1);
    let logprobs = format!(
        r#"{{"content": [{{"token": {}, "logprob": -0.1}}, {{"token": {}, "logprob": {logprob}}}]}}"#,
        json!(most),
        json!(last)
    );
    let choice = format!(r#"{{"message": {{"content": {content}}}, "finish_reason": "stop", "logprobs": {logprobs}}}"#);
    format!(r#"{{"choices": [{choice}], "usage": {{"total_tokens": {tokens}}}}}"#)
}

/// The same in one event.
fn event_with(tokens: &str, logprob: &str) -> String {
    format!("data: {}\n\ndata: [DONE]\n\n", completion_with(tokens, logprob).replace("\"message\"", "\"delta\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_none_costs_the_confidence_and_not_the_answer() {
    let server = Server::with_models(json!([base(8_192), adapter()]));
    let served = Served::ready(with_model(&[server.clone().start().await])).await;
    for (tokens, logprob, counted, confident) in [
        ("7", "-0.5", 7, true),
        ("7", "NaN", 7, false),
        ("7", "-Infinity", 7, false),
        ("7", "Infinity", 7, false),
        ("7", "-1e999", 7, false),
        ("7", "null", 7, false),
        ("1e999", "-0.5", 0, true),
        ("NaN", "-0.5", 0, true),
        ("-Infinity", "NaN", 0, false),
    ] {
        for stream in [false, true] {
            let completion = if stream { event_with(tokens, logprob) } else { completion_with(tokens, logprob) };
            server.change("/v1/chat/completions", Answer::Text(completion));
            let path = if stream { "extract/stream" } else { "extract" };
            let asked = served.client.post(format!("http://{}/api/v1/{path}", served.address));
            let answer = asked.json(&json!({"text": NOTE, "confidence": true})).send().await.unwrap();
            let answer = answer.text().await.unwrap();
            let result = answer.rsplit_once("event: result\ndata: ").map_or(&*answer, |(_, result)| result);
            let answer: Value = serde_json::from_str(result.trim()).unwrap();
            let shown = format!("{tokens} {logprob} {stream}: {answer}");
            assert_eq!((&answer["stage"], &answer["tokens_used"]), (&json!("IV"), &json!(counted)), "{shown}");
            assert_eq!(answer["evidence"]["stage"][0]["confidence"].is_object(), confident, "{shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_or_ran_out_of_tokens_is_no_answer() {
    let server = Server::with_models(json!([base(8_192), adapter()]));
    let served = Served::ready(with_model(&[server.clone().start().await])).await;
    let text = |text: &str| json!({"choices": [{"delta": {"content": text}, "finish_reason": null}]});
    let end = |reason: &str| json!({"choices": [{"delta": {}, "finish_reason": reason}]});
    let (half, rest) = RECORD.split_at(40);
    let with_error = |mut piece: Value| {
        piece["error"] = json!({"message": "CUDA error", "code": 500});
        piece
    };
    for (pieces, expected) in [
        (vec![text(half), text(rest), end("stop")], "result"),
        (vec![text(half), with_error(text(rest)), end("stop")], "upstream_failed"),
        (vec![text(RECORD), with_error(end("stop"))], "upstream_failed"),
        (vec![text(RECORD), end("length"), end("stop")], "output_truncated"),
        (vec![text(RECORD), end("stop"), end("length")], "output_truncated"),
    ] {
        let events: String = pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect();
        server.change("/v1/chat/completions", Answer::Text(format!("{events}data: [DONE]\n\n")));
        let asked = served.client.post(format!("http://{}/api/v1/extract/stream", served.address));
        let answer = asked.json(&json!({"text": NOTE})).send().await.unwrap().text().await.unwrap();
        let last = answer.trim().rsplit("event: ").next().unwrap();
        assert!(last.contains(expected), "{expected}: {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_key_is_given_it_and_nobody_else() {
    let mut server = Server::with_models(json!([base(600), adapter()]));
    server.authorization = Some("Bearer made-up-server-key");
    let address = server.clone().start().await;
    let served = Served::start(with_model(&[address])).await;
    until("it was refused", async || served.app.readiness.reason() == Some(gateway::readiness::Reason::ModelMissing))
        .await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"made-up-server-key\n").unwrap();
    let mut settings = with_model(&[address]);
    settings.vllm.api_key_file = Some(file.path().to_owned());
    let served = Served::ready(settings).await;
    // The count of tokens is asked for too.
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    assert!(!format!("{:?}", served.app).contains("made-up-server-key"));
}

/// A gateway with these keys, each for a client of its own, and the file that holds them.
fn with_keys(address: SocketAddr, keys: &[(&str, &str)]) -> (gateway::config::Settings, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (name, key) in keys {
        std::io::Write::write_all(&mut file, gateway::access::line_for(name, key).unwrap().as_bytes()).unwrap();
        std::io::Write::write_all(&mut file, b"\n").unwrap();
    }
    (gateway::config::Settings { auth_keys_file: Some(file.path().to_owned()), ..with_model(&[address]) }, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_share_the_prefix_cache() {
    let server = Server::with_models(json!([base(8_192), adapter()]));
    let address = server.clone().start().await;
    let (one, other) = ("o".repeat(32), "p".repeat(32));
    let (settings, _file) = with_keys(address, &[("one", &one), ("other", &other)]);
    let served = Served::ready(settings).await;
    for key in [&one, &other, &one] {
        assert_eq!(code(served.extract(NOTE).bearer_auth(key)).await, pair(200, "ok"));
    }
    let again = Served::ready(with_model(&[address])).await;
    for _ in 0..2 {
        assert_eq!(again.code(NOTE).await, pair(200, "ok"));
    }
    let salts: Vec<String> =
        server.completions().iter().map(|body| body["cache_salt"].as_str().unwrap().to_owned()).collect();
    assert!(salts.iter().all(|salt| salt.len() == 32), "{salts:?}");
    assert_eq!((&salts[0], &salts[3]), (&salts[2], &salts[4]), "each his own, again");
    assert!(salts[0] != salts[1] && salts[0] != salts[3] && salts[1] != salts[3], "{salts:?}");
    // It is no digest of the name that somebody else could make.
    assert!(!salts.iter().any(|salt| salt.contains("one") || salt.contains("other")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_calls_have_one_id() {
    let server = Server::with_models(json!([base(8_192), adapter()]));
    let mut settings = with_model(&[server.clone().start().await]);
    settings.chunk.max_chars = 1_000;
    let served = Served::ready(settings).await;
    // A note in parts, and callers with one id.
    let long = "Stage IV lung adenocarcinoma, treated with osimertinib. ".repeat(60);
    for text in [&*long, NOTE, NOTE] {
        assert_eq!(code(served.extract(text).header("x-request-id", "same")).await, pair(200, "ok"));
    }
    // Answers that are no record are asked for once more.
    let server = server.says("I cannot read this.", "medical-ie");
    assert_eq!(code(served.extract(NOTE).header("x-request-id", "same")).await, pair(502, "output_unusable"));
    let posts = server.posts.lock().unwrap();
    let ids: Vec<&str> = posts.iter().map(|(_, headers, _)| headers["x-request-id"].to_str().unwrap()).collect();
    let different: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert!(ids.len() >= 8 && different.len() == ids.len(), "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("same-")), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_caps_what_callers_may_ask_for() {
    let server = Server::with_models(json!([base(8_192), adapter()]));
    let mut settings = with_model(&[server.clone().start().await]);
    (settings.limits.max_tokens, settings.limits.max_temperature) = (1_500, 0.5);
    let served = Served::ready(settings).await;
    let asked = async |options: Value| {
        let mut body = options;
        body["text"] = json!(NOTE);
        code(served.client.post(format!("http://{}/api/v1/extract", served.address)).json(&body)).await
    };
    for (options, expected) in [
        (json!({"max_tokens": 1_501}), pair(422, "invalid_request")),
        (json!({"temperature": 0.6}), pair(422, "invalid_request")),
        (json!({"max_tokens": 1_500, "temperature": 0.5}), pair(200, "ok")),
        (json!({}), pair(200, "ok")),
    ] {
        assert_eq!(asked(options.clone()).await, expected, "{options}");
    }
    // Over 1024 it may be widened once, and to no more than the cap.
    let cut_off = json!({"message": {"content": "{\"cancer_type\": \"lu"}, "finish_reason": "length"});
    server.change("/v1/chat/completions", Answer::Json(200, json!({"choices": [cut_off]})));
    assert_eq!(served.code(NOTE).await, pair(502, "output_truncated"));
    let given: Vec<u64> = server.completions().iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!(given, [1_500, 1_024, 1_024, 1_500]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_model_in_the_adapters_name_fails_its_trial_note() {
    let models = || json!([base(8_192), adapter()]);
    let refuses = Answer::Json(400, json!({"error": {"message": "stop_token_ids", "code": 400}}));
    let refuses = Server::with_models(models()).set("/v1/chat/completions", refuses);
    let prose = "The patient has lung adenocarcinoma, stage IV.";
    for (server, passes) in [
        (Server::with_models(models()).says(RECORD, "medical-ie"), true),
        (Server::with_models(models()).says(prose, "medical-ie"), false),
        (Server::with_models(models()).says(&format!("{prose} {RECORD}"), "medical-ie"), false),
        (Server::with_models(models()).says("{\"stage\": \"IV\"}", "medical-ie"), false),
        (Server::with_models(models()).says(RECORD, "base"), false),
        (refuses, false),
    ] {
        let mut settings = with_model(&[server.clone().start().await]);
        settings.vllm.trial_note = true;
        let served = Served::start(settings).await;
        until("the trial is over", async || served.app.readiness.reason() != Some(gateway::readiness::Reason::Loading))
            .await;
        let tried = server.completions();
        assert!(tried[0].get("structured_outputs").is_none() && tried[0]["model"] == "medical-ie", "{tried:?}");
        assert_eq!(served.app.readiness.reason().is_none(), passes, "{tried:?}");
        let expected = if passes { pair(200, "ok") } else { pair(502, "upstream_rejected") };
        assert_eq!(served.code(NOTE).await, expected);
        let notes = server.completions().iter().filter(|body| body.to_string().contains("treated with")).count();
        assert_eq!(notes, usize::from(passes), "no note of a caller is sent to it");
        // Once the adapter is there, the next trial finds that.
        let server = server.says(RECORD, "medical-ie");
        until("it is ready", async || served.app.readiness.reason().is_none()).await;
        assert_eq!(served.code(NOTE).await, pair(200, "ok"));
        drop(server);
    }
    // Who does not ask for it pays nothing for it.
    let server = Server::with_models(models());
    let served = Served::ready(with_model(&[server.clone().start().await])).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    assert_eq!(server.completions().len(), 1);
}
