//! The gateway's checks of a server's models: the list, the context length, and whether the adapter is applied.

use gateway::readiness::Reason;
use serde_json::{Value, json};

use crate::{
    fake_vllm::RECORD,
    model_server::{Answer, NOTE, Server, adapter, base},
    served::{Served, code, pair, until, with_model},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_context_length_is_that_of_the_requested_model() {
    let embedding = |context: u32| json!({"id": "embedding", "root": "/models/e", "max_model_len": context});
    let long = format!("{NOTE} {}", "Seen in clinic. ".repeat(30));
    for models in [json!([embedding(256), adapter(), base(8_192)]), json!([base(8_192), adapter(), embedding(512)])] {
        let upstream = Server::with_models(models);
        let served = Served::ready(with_model(&[upstream.clone().start().await])).await;
        assert_eq!(served.code(&long).await, pair(200, "ok"));
        assert_eq!(upstream.completions()[0]["max_tokens"], 1_024);
        let health: Value = served.get("/health/vllm").send().await.unwrap().json().await.unwrap();
        assert_eq!(health["max_model_len"], 8_192);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_has_its_own_context_length() {
    let (small, large) = (json!([adapter(), base(600)]), json!([adapter(), base(8_192)]));
    let (small, large) = (Server::with_models(small), Server::with_models(large));
    let addresses = [small.clone().start().await, large.clone().start().await];
    let served = Served::start(with_model(&addresses)).await;
    let all_ready = || served.app.state.readiness.report().iter().all(|replica| replica.state == "ready");
    until("both are ready", async || all_ready()).await;
    for _ in 0..40 {
        assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    }
    for (upstream, max_tokens) in [(small, 500), (large, 1_024)] {
        let given: Vec<u64> = upstream.completions().iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
        assert!(given.len() > 3 && given.iter().all(|&tokens| tokens == max_tokens), "{max_tokens}: {given:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_list_the_model_gets_no_note() {
    let upstream = Server::with_models(json!([base(8_192), adapter()]));
    let served = Served::ready(with_model(&[upstream.clone().start().await])).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    // The adapter is gone. This server answers requests for it with the base model, and its answers do not show that.
    upstream.change("/v1/models", Answer::Json(200, json!({"data": [base(8_192)]})));
    until("the gateway misses the model", async || served.app.state.readiness.reason() == Some(Reason::ModelMissing))
        .await;
    let before = upstream.posts.lock().unwrap().len();
    assert_eq!(served.code(NOTE).await, pair(502, "upstream_rejected"));
    assert_eq!(upstream.posts.lock().unwrap().len(), before);
    upstream.change("/v1/models", Answer::Json(200, json!({"data": [base(8_192), adapter()]})));
    until("the gateway finds the model again", async || served.app.state.readiness.reason().is_none()).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_model_is_requested_from_a_replica_that_lists_it() {
    let further = json!({"id": "further", "root": "/adapters/further", "parent": "base"});
    let without = Server::with_models(json!([base(8_192), adapter()]));
    let with = Server::with_models(json!([base(8_192), adapter(), further]));
    let mut settings = with_model(&[without.clone().start().await, with.clone().start().await]);
    settings.vllm.models = vec!["further".to_owned()];
    let served = Served::start(settings).await;
    let all_ready = || served.app.state.readiness.report().iter().all(|replica| replica.state == "ready");
    until("both are ready", async || all_ready()).await;
    for _ in 0..20 {
        let asked = served.client.post(format!("http://{}/api/v1/extract", served.address));
        assert_eq!(code(asked.json(&json!({"text": NOTE, "model": "further"}))).await, pair(200, "ok"));
    }
    assert_eq!((without.completions().len(), with.completions().len()), (0, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_model_is_refused() {
    const EMPTY: &str = "{\"cancer_type\": null, \"stage\": null, \"gene_mutation\": null, \"biomarker\": null, \"treatment\": null, \"response\": null, \"metastasis_site\": null}";
    let second = json!({"id": "second-name", "root": "/models/base", "parent": null, "max_model_len": 8_192});
    for (configured, answering, content, expected) in [
        ("medical-ie", "medical-ie", EMPTY, pair(200, "ok")),
        ("medical-ie", "base", EMPTY, pair(502, "upstream_rejected")),
        ("medical-ie", "base", RECORD, pair(502, "upstream_rejected")),
        // If a model has several names, vLLM answers with the first.
        ("second-name", "base", EMPTY, pair(200, "ok")),
        ("second-name", "medical-ie", EMPTY, pair(502, "upstream_rejected")),
    ] {
        let models = json!([base(8_192), second, adapter()]);
        let upstream = Server::with_models(models).says(content, answering);
        let mut settings = with_model(&[upstream.start().await]);
        settings.vllm.model = configured.to_owned();
        let served = Served::ready(settings).await;
        let note = if content == EMPTY { "The patient was seen in clinic and feels well." } else { NOTE };
        assert_eq!(served.code(note).await, expected, "{configured} {answering}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_model_under_the_adapters_name_fails_the_trial_note() {
    let models = || json!([base(8_192), adapter()]);
    let refuses = Answer::Json(400, json!({"error": {"message": "stop_token_ids", "code": 400}}));
    let refuses = Server::with_models(models()).set("/v1/chat/completions", refuses);
    let prose = "The patient has lung adenocarcinoma, stage IV.";
    for (upstream, passes) in [
        (Server::with_models(models()).says(RECORD, "medical-ie"), true),
        (Server::with_models(models()).says(prose, "medical-ie"), false),
        (Server::with_models(models()).says(&format!("{prose} {RECORD}"), "medical-ie"), false),
        (Server::with_models(models()).says("{\"stage\": \"IV\"}", "medical-ie"), false),
        (Server::with_models(models()).says(RECORD, "base"), false),
        (refuses, false),
    ] {
        let mut settings = with_model(&[upstream.clone().start().await]);
        settings.vllm.trial_note = true;
        let served = Served::start(settings).await;
        until("the trial is over", async || served.app.state.readiness.reason() != Some(Reason::Loading)).await;
        let tried = upstream.completions();
        assert!(tried[0].get("structured_outputs").is_none() && tried[0]["model"] == "medical-ie", "{tried:?}");
        assert_eq!(served.app.state.readiness.reason().is_none(), passes, "{tried:?}");
        let expected = if passes { pair(200, "ok") } else { pair(502, "upstream_rejected") };
        assert_eq!(served.code(NOTE).await, expected);
        let notes = upstream.completions().iter().filter(|body| body.to_string().contains("treated with")).count();
        assert_eq!(notes, usize::from(passes), "a caller's note goes to the server only after a passed trial");
        // Once the server applies the adapter, the next trial passes.
        let upstream = upstream.says(RECORD, "medical-ie");
        until("it is ready", async || served.app.state.readiness.reason().is_none()).await;
        assert_eq!(served.code(NOTE).await, pair(200, "ok"));
        drop(upstream);
    }
    // Without the setting no trial note is sent.
    let upstream = Server::with_models(models());
    let served = Served::ready(with_model(&[upstream.clone().start().await])).await;
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
    assert_eq!(upstream.completions().len(), 1);
}
