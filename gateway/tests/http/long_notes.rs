//! Tests notes in chunks, values that the note contradicts, the cross-check by the rules, and the confidence of the
//! model.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::http::StatusCode;
use gateway::config::Settings;
use serde_json::{Value, json};

use crate::{
    fake_vllm::{RECORD, UpstreamBehaviour, start, start_with_context},
    faults::{gateway, serving},
    post,
};

const DEADLINE: Duration = Duration::from_secs(50);

fn record_with(stage: &str, treatment: &str) -> UpstreamBehaviour {
    UpstreamBehaviour::Text(RECORD.replace("\"IV\"", stage).replace("\"osimertinib\"", treatment))
}

/// Returns a note of three chunks, each with another stage or treatment.
fn long_note() -> String {
    let filler = "The patient feels well and walks daily with her dog. ".repeat(95);
    format!(
        "Ms A has lung adenocarcinoma, stage II.\n\n{filler}\n\nStage IV since May.\n{filler}\n\nOn osimertinib.\n{filler}"
    )
}

#[tokio::test]
async fn chunks_are_read_and_merged() {
    let fake = start(vec![
        record_with("\"II\"", "null"),
        record_with("\"IV\"", "null"),
        record_with("null", "\"osimertinib\""),
    ])
    .await;
    let note = long_note();
    let (status, answer) = post(&gateway(&fake, DEADLINE).await, json!({"text": note}).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!((&answer["chunks"], &answer["tokens_used"]), (&json!(3), &json!(300)));
    assert_eq!((&answer["cancer_type"], &answer["treatment"]), (&json!("lung adenocarcinoma"), &json!("osimertinib")));
    assert_eq!(answer["stage"], "II; IV");
    assert_eq!(answer["warnings"][0]["code"], "conflicting_values");
    assert!(answer["warnings"][0]["message"].as_str().unwrap().contains("II and IV"));
    let raw: Value = serde_json::from_str(answer["raw_output"].as_str().unwrap()).unwrap();
    assert_eq!(raw["stage"], "II; IV");
    let finding = &answer["evidence"]["treatment"][0];
    let place = |key: &str| usize::try_from(finding[key].as_u64().unwrap()).unwrap();
    assert_eq!(
        (note.get(place("start")..place("end")), &finding["quote"]),
        (Some("osimertinib"), &json!("osimertinib"))
    );
    let bodies = fake.bodies.lock().await;
    for body in bodies.iter() {
        let sent = body["messages"][1]["content"].as_str().unwrap();
        assert!(sent.contains("Ms A has lung adenocarcinoma") && sent.chars().count() < 6_100);
    }
}

#[tokio::test]
async fn one_failed_chunk_fails_the_note_unless_partial_answers_are_allowed() {
    let broken = || UpstreamBehaviour::Status(500, json!({}));
    let good = || record_with("\"II\"", "null");
    let note = long_note();
    for (acts, allow, status) in [
        (vec![good(), broken(), good()], false, 502),
        (vec![good(), broken(), good()], true, 200),
        (vec![broken()], true, 502),
    ] {
        let fake = start(acts).await;
        let body = json!({"text": note, "allow_partial": allow}).to_string();
        let (answered_status, answer) = post(&gateway(&fake, DEADLINE).await, body).await;
        assert_eq!(answered_status.as_u16(), status, "{answer}");
        if status == 200 {
            let unread = answer["unread"].as_array().unwrap();
            assert!(unread.len() == 1 && unread[0]["start"].as_u64() < unread[0]["end"].as_u64());
            assert!(answer["warnings"].to_string().contains("partly_unread"));
        } else {
            assert_eq!(answer["code"], "upstream_failed");
        }
    }
}

#[tokio::test]
async fn a_short_context_halves_the_note_until_it_cannot_be_halved() {
    // The letters take two bytes each. By the token count of the fake server the whole note is too long, its halves are
    // not.
    let fake = start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let text = format!("Lung adenocarcinoma, stage IV, on osimertinib. {}", "\u{e9}\u{e9}\u{e9}. ".repeat(990));
    let (status, answer) = post(&gateway(&fake, DEADLINE).await, json!({"text": text}).to_string()).await;
    assert_eq!((status, &answer["chunks"]), (StatusCode::OK, &json!(2)), "{answer}");
    let fake = start_with_context(vec![UpstreamBehaviour::NoUsage], 300).await;
    let (status, problem) = post(&gateway(&fake, DEADLINE).await, json!({"text": text}).to_string()).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["rule"]), (422, &json!("fits_context")));
    assert_eq!(fake.calls.load(SeqCst), 0);
}

#[tokio::test]
async fn a_value_that_the_note_denies_is_only_in_the_evidence() {
    let fake = start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let settings = Settings { cross_check: true, ..Settings::default() };
    let text = "Lung adenocarcinoma, stage IIIA. The patient declined osimertinib.";
    let (status, answer) = post(&serving(&fake, settings).await, json!({"text": text}).to_string()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["treatment"], Value::Null, "{answer}");
    let finding = &answer["evidence"]["treatment"][0];
    assert_eq!((&finding["in_record"], &finding["assertion"]), (&json!(false), &json!("declined")));
    assert_eq!((&answer["stage"], &answer["evidence"]["stage"][0]["basis"]), (&json!("IV"), &json!("unsupported")));
    let codes: Vec<_> = answer["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
    assert_eq!(codes, ["unsupported_value", "contradicted_value"]);
    assert!(answer["raw_output"].as_str().unwrap().contains("osimertinib"));
    let agreement = |field: &str| answer["cross_check"][field].as_str().unwrap();
    assert_eq!((agreement("cancer_type"), agreement("stage"), agreement("treatment")), ("agree", "differ", "agree"));
}

#[tokio::test]
async fn confidence_comes_from_the_tokens_of_the_value() {
    let fake = start(vec![UpstreamBehaviour::WithLogprobs]).await;
    let router = gateway(&fake, DEADLINE).await;
    let text = "Lung adenocarcinoma, stage IV, on osimertinib.";
    let (_, answer) = post(&router, json!({"text": text, "confidence": true}).to_string()).await;
    let of = |field: &str, key: &str| answer["evidence"][field][0]["confidence"][key].as_f64().unwrap();
    // In the fake server every byte is a token of probability one half, the bytes of "IV" of one quarter.
    assert!((of("treatment", "mean") - 0.5).abs() < 1e-6 && (of("stage", "minimum") - 0.25).abs() < 1e-6, "{answer}");
    let (_, answer) = post(&router, json!({"text": text}).to_string()).await;
    assert_eq!(answer["evidence"]["stage"][0]["confidence"], Value::Null);
    let bodies = fake.bodies.lock().await;
    assert_eq!((bodies[0].get("logprobs"), bodies[1].get("logprobs")), (Some(&json!(true)), None));
}
