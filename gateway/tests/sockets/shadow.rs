//! The shadow model: what is counted, and that callers do not notice it.

use std::time::{Duration, Instant};

use gateway::config::Settings;
use serde_json::json;

use crate::{
    fake_vllm::RECORD,
    model_routing::{NEW, OLD, routed, two_models},
    model_server::{Answer, NOTE, Server},
    served::{Served, pair, until},
};

async fn with_shadow(upstream: &Server) -> Settings {
    let mut settings = routed(upstream.clone().start().await, &[(OLD, 100)]);
    (settings.routing.shadow, settings.routing.shadow_percent) = (Some(NEW.to_owned()), 100);
    settings
}

fn record(record: &str) -> Answer {
    let choice = json!({"message": {"content": record}, "finish_reason": "stop"});
    Answer::Json(
        200,
        json!({"choices": [choice], "usage": {"prompt_tokens": 90, "completion_tokens": 40, "total_tokens": 130}}),
    )
}

/// Returns the value of a series of `/metrics`.
async fn series(served: &Served, wanted: &str) -> u64 {
    let url = format!("http://{}/metrics", served.metrics_address);
    let text = served.client.get(url).send().await.unwrap().text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no series {wanted}")).parse().unwrap()
}

async fn shadow_notes(served: &Served, outcome: &str) -> u64 {
    series(served, &format!("gateway_shadow_notes_total{{model=\"{NEW}\",outcome=\"{outcome}\"}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_compared_and_only_counts_are_kept() {
    let upstream = two_models();
    // It finds another stage, no treatment, and a response that the note does not have.
    let other = RECORD
        .replace("\"IV\"", "\"IIIB\"")
        .replace("\"osimertinib\"", "null")
        .replace("\"response\": null", "\"response\": \"complete response\"");
    upstream.of_model(NEW, record(&other));
    let served = Served::ready(with_shadow(&upstream).await).await;
    for _ in 0..3 {
        let compared = shadow_notes(&served, "compared").await;
        let answer: serde_json::Value = served.extract(NOTE).send().await.unwrap().json().await.unwrap();
        assert_eq!((&answer["model"], &answer["stage"]), (&json!(OLD), &json!("IV")));
        until("the shadow has read", async || shadow_notes(&served, "compared").await > compared).await;
    }
    let field = |field: &str, kind: &str| {
        let labels = format!("{{model=\"{NEW}\",field=\"{field}\",kind=\"{kind}\"}}");
        let name = format!("gateway_shadow_fields_total{labels}");
        let served = &served;
        async move { series(served, &name).await }
    };
    for (name, kind) in
        [("cancer_type", "agree"), ("stage", "differ"), ("treatment", "only_answer"), ("response", "only_shadow")]
    {
        for other in ["agree", "differ", "only_answer", "only_shadow"] {
            assert_eq!(field(name, other).await, if kind == other { 3 } else { 0 }, "{name} {other}");
        }
    }
    for (reader, unsupported) in [("answer", 0), ("shadow", 6)] {
        let labels = format!("{{model=\"{NEW}\",reader=\"{reader}\",kind=\"unsupported\"}}");
        assert_eq!(series(&served, &format!("gateway_shadow_values_total{labels}")).await, unsupported, "{reader}");
    }
    // The notes are the callers' alone.
    assert_eq!(series(&served, &format!("gateway_model_notes_total{{model=\"{OLD}\",outcome=\"answered\"}}")).await, 3);
    assert_eq!(series(&served, &format!("gateway_model_notes_total{{model=\"{NEW}\",outcome=\"answered\"}}")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_fails_takes_no_server_from_the_callers() {
    let upstream = two_models();
    upstream.of_model(NEW, Answer::Json(500, json!({"error": {"message": "x"}})));
    let served = Served::ready(with_shadow(&upstream).await).await;
    for number in 0..12 {
        let failed = shadow_notes(&served, "failed").await;
        assert_eq!(served.code(&format!("Note {number}. {NOTE}")).await, pair(200, "ok"));
        until("the shadow has failed", async || shadow_notes(&served, "failed").await > failed).await;
    }
    assert_eq!(served.metric("gateway_upstream_ejections_total").await.to_bits(), 0.0_f64.to_bits());
    assert_eq!(series(&served, "gateway_upstream_attempts_total{outcome=\"failed\"}").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_hangs_gives_its_slot_to_a_caller_and_ends_at_shutdown() {
    let upstream = two_models();
    upstream.of_model(NEW, Answer::Hang);
    let mut settings = with_shadow(&upstream).await;
    settings.admission.in_flight = 1;
    let mut served = Served::ready(settings).await;
    let hangs = async || served.app.extractor.pipeline.admission().counts().in_flight == 1;
    for number in 0..5 {
        // The only slot is the shadow's, until a caller needs it.
        assert_eq!(served.code(&format!("Note {number}. {NOTE}")).await, pair(200, "ok"));
        until("the shadow reads", hangs).await;
        assert_eq!(shadow_notes(&served, "dropped").await, number);
    }
    let counts = served.app.extractor.pipeline.admission().counts();
    assert_eq!((counts.refused, counts.queued), (0, 0));
    let stopped = Instant::now();
    served.stop();
    served.ended().await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(20), "the drain takes up to 30 s for a caller's note");
}
