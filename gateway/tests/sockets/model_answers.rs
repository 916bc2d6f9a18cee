//! Requests to a model server, and the limits and checks on its answers.

use std::{collections::BTreeSet, io::Write, net::SocketAddr, sync::atomic::Ordering::SeqCst};

use gateway::{access, config::Settings, readiness::Reason};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{
    fake_vllm::RECORD,
    model_server::{Answer, NOTE, Server, adapter, base},
    served::{Served, code, pair, until, with_model},
};

/// Bytes: the most that the gateway reads of an answer, plus what socket buffers may hold.
const READ_AND_UNDER_WAY: usize = 48 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_model_server_is_read_up_to_a_bound() {
    let medical = || json!([{"id": "medical-ie", "max_model_len": 8_192}]);
    // An endless list of models makes the server not ready and uses little memory.
    let upstream = Server::with_models(medical()).set("/v1/models", Answer::Endless(200));
    let served = Served::start(with_model(&[upstream.clone().start().await])).await;
    until("the list was requested twice", async || upstream.looks.load(SeqCst) > 1).await;
    assert!(upstream.sent.load(SeqCst) / upstream.looks.load(SeqCst) < READ_AND_UNDER_WAY, "{:?}", upstream.sent);
    assert!(served.app.state.readiness.reason().is_some());
    // With endless metrics the gateway lacks only their values.
    let upstream = Server::with_models(medical()).set("/metrics", Answer::Endless(200));
    Served::ready(with_model(&[upstream.clone().start().await])).await;
    assert!(upstream.sent.load(SeqCst) < READ_AND_UNDER_WAY, "{:?}", upstream.sent);
    for status in [200, 400, 500, 503] {
        let upstream = Server::with_models(medical()).set("/v1/chat/completions", Answer::Endless(status));
        let served = Served::ready(with_model(&[upstream.clone().start().await])).await;
        let code = served.code(NOTE).await;
        assert!(code.0 >= 502, "{status}: {code:?}");
        assert!(upstream.sent.load(SeqCst) < READ_AND_UNDER_WAY, "{status}: {:?}", upstream.sent);
    }
}

/// Returns a completion with this token count and this log-probability of its last token, as Python may write them.
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

/// Returns the same completion as one event.
fn event_with(tokens: &str, logprob: &str) -> String {
    format!("data: {}\n\ndata: [DONE]\n\n", completion_with(tokens, logprob).replace("\"message\"", "\"delta\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_numbers_remove_the_confidence_and_keep_the_answer() {
    let upstream = Server::with_models(json!([base(8_192), adapter()]));
    let served = Served::ready(with_model(&[upstream.clone().start().await])).await;
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
            upstream.change("/v1/chat/completions", Answer::Text(completion));
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
async fn a_failed_or_truncated_stream_ends_with_an_error() {
    let upstream = Server::with_models(json!([base(8_192), adapter()]));
    let served = Served::ready(with_model(&[upstream.clone().start().await])).await;
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
        let events: Vec<String> = pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect();
        let events = events.concat();
        upstream.change("/v1/chat/completions", Answer::Text(format!("{events}data: [DONE]\n\n")));
        let asked = served.client.post(format!("http://{}/api/v1/extract/stream", served.address));
        let answer = asked.json(&json!({"text": NOTE})).send().await.unwrap().text().await.unwrap();
        let last = answer.trim().rsplit("event: ").next().unwrap();
        assert!(last.contains(expected), "{expected}: {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_servers_key_is_sent_to_it_and_never_shown() {
    let upstream = Server::with_models(json!([base(600), adapter()]));
    *upstream.authorization.lock().unwrap() = Some("Bearer made-up-server-key");
    let address = upstream.clone().start().await;
    let served = Served::start(with_model(&[address])).await;
    until("the server has refused the gateway", async || {
        served.app.state.readiness.reason() == Some(Reason::ModelMissing)
    })
    .await;
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"made-up-server-key\n").unwrap();
    let mut settings = with_model(&[address]);
    settings.vllm.api_key_file = Some(file.path().to_owned());
    let served = Served::ready(settings).await;
    // The gateway sends the key with requests for the token count too.
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    assert!(!format!("{:?}", served.app).contains("made-up-server-key"));
}

/// Returns settings with one client for each key, and the file that holds the keys.
fn with_keys(address: SocketAddr, keys: &[(&str, &str)]) -> (Settings, NamedTempFile) {
    let mut file = NamedTempFile::new().unwrap();
    for (name, key) in keys {
        file.write_all(access::line_for(name, key).unwrap().as_bytes()).unwrap();
        file.write_all(b"\n").unwrap();
    }
    (Settings { auth_keys_file: Some(file.path().to_owned()), ..with_model(&[address]) }, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_share_the_prefix_cache() {
    let upstream = Server::with_models(json!([base(8_192), adapter()]));
    let address = upstream.clone().start().await;
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
        upstream.completions().iter().map(|body| body["cache_salt"].as_str().unwrap().to_owned()).collect();
    assert!(salts.iter().all(|salt| salt.len() == 32), "{salts:?}");
    assert_eq!((&salts[0], &salts[3]), (&salts[2], &salts[4]), "each client keeps its own salt");
    assert!(salts[0] != salts[1] && salts[0] != salts[3] && salts[1] != salts[3], "{salts:?}");
    // A salt must not be a digest of the client's name, which others could compute.
    assert!(!salts.iter().any(|salt| salt.contains("one") || salt.contains("other")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_calls_have_one_id() {
    let upstream = Server::with_models(json!([base(8_192), adapter()]));
    let mut settings = with_model(&[upstream.clone().start().await]);
    settings.chunk.max_chars = 1_000;
    let served = Served::ready(settings).await;
    // One note is sent in chunks, and all requests have the same id.
    let long = "Stage IV lung adenocarcinoma, treated with osimertinib. ".repeat(60);
    for text in [&*long, NOTE, NOTE] {
        assert_eq!(code(served.extract(text).header("x-request-id", "same")).await, pair(200, "ok"));
    }
    // The gateway asks once more after an answer that is not a record.
    let upstream = upstream.says("I cannot read this.", "medical-ie");
    assert_eq!(code(served.extract(NOTE).header("x-request-id", "same")).await, pair(502, "output_unusable"));
    let posts = upstream.posts.lock().unwrap();
    let ids: Vec<&str> = posts.iter().map(|(_, headers, _)| headers["x-request-id"].to_str().unwrap()).collect();
    let different: BTreeSet<&&str> = ids.iter().collect();
    assert!(ids.len() >= 8 && different.len() == ids.len(), "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("same-")), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_limits_cap_max_tokens_and_temperature() {
    let upstream = Server::with_models(json!([base(8_192), adapter()]));
    let mut settings = with_model(&[upstream.clone().start().await]);
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
    // After a truncated answer the gateway retries once with more than 1024 tokens, up to the limit.
    let cut_off = json!({"message": {"content": "{\"cancer_type\": \"lu"}, "finish_reason": "length"});
    upstream.change("/v1/chat/completions", Answer::Json(200, json!({"choices": [cut_off]})));
    assert_eq!(served.code(NOTE).await, pair(502, "output_truncated"));
    let given: Vec<u64> = upstream.completions().iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!(given, [1_500, 1_024, 1_024, 1_500]);
}
