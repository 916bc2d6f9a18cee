//! Tests that an empty record is answered without a warning only if the note has nothing to find. The model outputs
//! here are for a note with values for most fields; none of them may become seven nulls without a warning.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{Router, http::Request};
use gateway::config::{CacheSettings, Settings};
use serde_json::{Value, json};

use crate::{
    FIELDS,
    fake_vllm::{UpstreamBehaviour, start},
    faults::{gateway, serving},
    post, send,
};

const NOTE: &str =
    "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response. Liver metastases.";
const NULLS: &str = "{\"cancer_type\": null, \"stage\": null, \"gene_mutation\": null, \"biomarker\": null, \"treatment\": null, \"response\": null, \"metastasis_site\": null}";
const RIGHT: &str = "{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": \"IV\", \"gene_mutation\": \"EGFR L858R\", \"biomarker\": null, \"treatment\": \"osimertinib\", \"response\": \"partial response\", \"metastasis_site\": \"liver\"}";
const DEADLINE: Duration = Duration::from_secs(50);

fn completion(content: &str) -> Value {
    json!({
        "model": "medical-ie",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 50, "total_tokens": 140},
    })
}

/// Returns a record of seven nulls with further members.
fn nulls_with(more: &str) -> String {
    format!("{}, {more}}}", NULLS.strip_suffix('}').unwrap())
}

/// Returns a record in which every key has this value.
fn all_fields(value: &str) -> String {
    FIELDS.iter().fold(String::new(), |text, field| {
        format!("{text}{}\"{field}\": {value}", if text.is_empty() { "{" } else { ", " })
    }) + "}"
}

/// Returns texts that a model may write for the note without a usable value in a field.
fn contents() -> Vec<String> {
    let sentence = "The patient has lung adenocarcinoma, stage IV, EGFR L858R, treated with osimertinib.";
    let lines = |equals: &str, empty: &str| {
        FIELDS.iter().fold(String::new(), |text, field| format!("{text}{field}{equals}{empty}\n"))
    };
    let mut contents: Vec<String> = [
        NULLS,
        "",
        "{}",
        "[]",
        "null",
        "I cannot help with that.",
        "No.",
        sentence,
        "<record><cancer_type>lung adenocarcinoma</cancer_type></record>",
        "| cancer_type | lung adenocarcinoma |\n| stage | IV |",
        "cancer_type = lung adenocarcinoma\nstage = IV",
        "- lung adenocarcinoma\n- stage IV",
    ]
    .map(str::to_owned)
    .into();
    contents.extend(
        ["\"N/A\"", "\"\"", "[]", "\"unknown\"", "\"None\"", "[null]", "\"-\"", "\"not stated\"", "{}", "false", "0"]
            .map(all_fields),
    );
    contents.extend(
        [
            sentence,
            "Filled: cancer_type: lung adenocarcinoma\nstage: IV",
            "cancer_type = lung adenocarcinoma",
            "| cancer_type | lung adenocarcinoma |",
            "{\"result\": {\"cancer_type\": \"lung adenocarcinoma\"}}",
            "{\"extraction\": \"lung adenocarcinoma, stage IV\"}",
            "<stage>stage IV lung adenocarcinoma</stage>",
            "Correction: lung adenocarcinoma on osimertinib",
            "```\nlung adenocarcinoma\n```",
            "* Diagnosis: adenocarcinoma of the lung\n* Treatment: osimertinib",
            "Summary: stage IV lung cancer",
            "I found lung adenocarcinoma; EGFR L858R.",
            "<answer>lung adenocarcinoma</answer>",
            "cancer_type -> lung adenocarcinoma",
            "\"cancer_type\" => \"lung adenocarcinoma\"",
            "cancer_type,stage\nlung adenocarcinoma,IV",
            "1. The cancer type is lung adenocarcinoma\n2. The stage is IV",
        ]
        .into_iter()
        .flat_map(|more| {
            [
                format!("{NULLS}\n{more}"),
                format!("{more}\n{NULLS}"),
                format!("Template: {NULLS} {more}"),
                format!("```json\n{NULLS}\n```\n{more}"),
            ]
        }),
    );
    contents.extend(
        [
            format!("\"result\": {RIGHT}"),
            format!("\"results\": [{RIGHT}]"),
            "\"extraction\": \"lung adenocarcinoma, stage IV\"".to_owned(),
            "\"cancer_types\": [\"lung adenocarcinoma\"], \"stages\": [\"IV\"], \"gene_mutations\": [\"EGFR L858R\"]"
                .to_owned(),
            "\"cancerTypeValue\": \"lung adenocarcinoma\", \"stageValue\": \"stage IV\"".to_owned(),
            "\"diagnosis\": \"lung adenocarcinoma\"".to_owned(),
            "\"metastatic_sites\": [\"liver\"]".to_owned(),
            "\"therapies\": \"osimertinib\"".to_owned(),
            "\"treatmentResponse\": \"partial response\"".to_owned(),
            "\"treatments\": [\"osimertinib\"], \"diagnoses\": [\"lung cancer\"]".to_owned(),
            "\"summary\": \"Stage IV lung adenocarcinoma on osimertinib.\"".to_owned(),
            "\"note\": {\"a\": [{\"b\": \"lung adenocarcinoma\"}]}".to_owned(),
        ]
        .map(|more| nulls_with(&more)),
    );
    contents.extend([
        format!("{RIGHT}</think>{NULLS}"),
        format!("<think>{sentence}</think>{NULLS}"),
        format!("<think>{sentence}</think>\n```json\n{NULLS}\n```"),
        format!("{NULLS}{NULLS}"),
        format!("{NULLS}\n{RIGHT}"),
        format!("[{NULLS}]"),
        format!("[{NULLS}, {RIGHT}]"),
        format!("{{\"record\": {NULLS}}}"),
        format!("{{\"record\": {RIGHT}}}"),
        format!("Here is the JSON you asked for:\n\n{NULLS}"),
        format!("{NULLS}\n\nLet me know if you need anything else!"),
        NULLS.replace("null", "None"),
        NULLS.replace('"', "'"),
        NULLS.replace("cancer_type", "cancerType").replace("gene_mutation", "geneMutation"),
        NULLS.replace("cancer_type", "Cancer Type").replace("metastasis_site", "Metastasis Site"),
        RIGHT.replace("cancer_type", "cancer_types").replace("\"stage\"", "\"stages\""),
        RIGHT.replace("\": ", "_value\": "),
        lines(": ", "unknown"),
        lines(": ", "unknown") + sentence,
        lines(" = ", "null"),
        format!("{}\n{sentence}", lines(": ", "N/A")),
        lines(": ", ""),
    ]);
    contents
}

/// Returns completions in which a member other than the text shows that something is wrong.
fn envelopes() -> Vec<Value> {
    let plain = completion(NULLS);
    let with = |path: &str, value: Value| {
        let mut answer = plain.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        answer.pointer_mut(parent).unwrap()[name] = value;
        answer
    };
    let choice =
        |index: u32, content: &str| json!({"index": index, "message": {"content": content}, "finish_reason": "stop"});
    vec![
        with("/usage/prompt_tokens", json!(3)),
        with("/usage/prompt_tokens", json!(0)),
        with("/usage/completion_tokens", json!(0)),
        with("/error", json!({"message": "CUDA error"})),
        with("/error", json!("CUDA error")),
        with("/model", json!("meta-llama/Llama-3.1-8B")),
        with("/choices", json!([choice(0, NULLS), choice(1, RIGHT)])),
        with("/choices", json!([choice(0, NULLS), choice(1, NULLS)])),
        with("/choices", json!([choice(1, NULLS)])),
        with("/choices", json!([choice(1, NULLS), choice(0, RIGHT)])),
        with("/choices/0/finish_reason", json!(null)),
        with("/choices/0/finish_reason", json!("content_filter")),
        with("/choices/0/finish_reason", json!("tool_calls")),
        with("/choices/0/finish_reason", json!("abort")),
        with("/choices/0/message/refusal", json!("I cannot do this")),
        with("/choices/0/message/tool_calls", json!([{"function": {"name": "record", "arguments": RIGHT}}])),
        with("/choices/0/message/content", json!(null)),
    ]
}

/// Sends the note, streamed or not. Returns whether the answer is a result, and its body.
async fn ask(router: &Router, streamed: bool) -> (bool, Value) {
    let body = json!({"text": NOTE}).to_string();
    if !streamed {
        let (status, answer) = post(router, body).await;
        return (status.is_success(), answer);
    }
    let request = Request::post("/api/v1/extract/stream").header("content-type", "application/json").body(body.into());
    let (_, _, body) = send(router, request.unwrap()).await;
    let text = String::from_utf8(body).unwrap();
    let last = text.trim().rsplit("\n\n").next().unwrap();
    let data = last.lines().find_map(|line| line.strip_prefix("data:")).unwrap();
    (last.contains("event: result") || last.contains("event:result"), serde_json::from_str(data).unwrap())
}

fn is_empty_record(answer: &Value) -> bool {
    FIELDS.iter().all(|field| answer[field].is_null())
}

#[tokio::test]
async fn no_output_becomes_an_empty_record_without_a_warning() {
    let shapes: Vec<Value> = contents().iter().map(|content| completion(content)).chain(envelopes()).collect();
    assert!(shapes.len() >= 120, "{}", shapes.len());
    let mut without_warning = Vec::new();
    for shape in shapes {
        for streamed in [false, true] {
            let fake = start(vec![UpstreamBehaviour::Completion(shape.clone())]).await;
            let (ok, answer) = ask(&gateway(&fake, DEADLINE).await, streamed).await;
            if ok && is_empty_record(&answer) && answer["warnings"][0]["code"] != "empty_record_doubted" {
                without_warning.push(format!("streamed {streamed}: {shape}"));
            }
        }
    }
    assert!(
        without_warning.is_empty(),
        "{} empty records without a warning:\n{}",
        without_warning.len(),
        without_warning.join("\n")
    );
}

#[tokio::test]
async fn an_output_that_is_not_understood_is_an_error() {
    let sentence = "The patient has lung adenocarcinoma, stage IV.";
    let envelopes = envelopes().into_iter().filter(|shape| shape["choices"][0]["message"]["content"] == NULLS);
    let contents = [
        format!("{NULLS}\n{sentence}"),
        nulls_with(&format!("\"result\": {RIGHT}")),
        format!("{RIGHT}</think>{NULLS}"),
    ];
    for shape in contents.iter().map(|content| completion(content)).chain(envelopes) {
        let fake = start(vec![UpstreamBehaviour::Completion(shape.clone())]).await;
        let (ok, problem) = ask(&gateway(&fake, DEADLINE).await, false).await;
        assert!(!ok, "{shape}");
        assert!(
            ["output_unusable", "upstream_failed", "upstream_rejected"].iter().any(|code| problem["code"] == **code),
            "{problem} {shape}"
        );
    }
}

#[tokio::test]
async fn a_doubted_record_is_retried_once_and_then_gets_a_warning() {
    let fake =
        start(vec![UpstreamBehaviour::Completion(completion(NULLS)), UpstreamBehaviour::Completion(completion(RIGHT))])
            .await;
    let (_, answer) = ask(&gateway(&fake, DEADLINE).await, false).await;
    assert_eq!((&answer["stage"], &answer["warnings"]), (&json!("IV"), &json!([])));
    assert_eq!(fake.calls.load(SeqCst), 2);

    let fake = start(vec![UpstreamBehaviour::Completion(completion(NULLS))]).await;
    let (ok, answer) = ask(&gateway(&fake, DEADLINE).await, false).await;
    assert!(ok && is_empty_record(&answer), "{answer}");
    assert_eq!(fake.calls.load(SeqCst), 2);
    let message = answer["warnings"][0]["message"].as_str().unwrap();
    for field in FIELDS.iter().filter(|field| **field != "biomarker") {
        assert!(message.contains(field), "{message}");
    }
}

#[tokio::test]
async fn after_a_failed_second_attempt_the_first_record_is_answered_and_its_tokens_are_added() {
    let mut cut_off = completion("{\"cancer_type\": \"lung");
    cut_off["choices"][0]["finish_reason"] = json!("length");
    for second in [cut_off, completion("I cannot help with that."), completion(&format!("{NULLS}\nlung cancer"))] {
        let fake = start(vec![
            UpstreamBehaviour::Completion(completion(NULLS)),
            UpstreamBehaviour::Completion(second.clone()),
        ])
        .await;
        let (ok, answer) = ask(&gateway(&fake, DEADLINE).await, false).await;
        assert!(ok && is_empty_record(&answer) && answer["raw_output"] == NULLS, "{second}: {answer}");
        assert_eq!(answer["warnings"][0]["code"], "empty_record_doubted");
        assert_eq!((fake.calls.load(SeqCst), &answer["tokens_used"]), (2, &json!(280)), "{second}");
    }
}

#[tokio::test]
async fn a_thin_record_gets_a_warning_and_a_full_one_does_not() {
    let thin = NULLS.replacen("null", "\"lung adenocarcinoma\"", 1);
    for (record, codes) in [(thin.as_str(), json!(["empty_record_doubted"])), (RIGHT, json!([]))] {
        let fake = start(vec![UpstreamBehaviour::Completion(completion(record))]).await;
        let (_, answer) = ask(&gateway(&fake, DEADLINE).await, false).await;
        let found: Vec<&Value> =
            answer["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
        assert_eq!(json!(found), codes, "{answer}");
        assert_eq!(fake.calls.load(SeqCst), 1, "a record with values must not be retried");
    }
}

/// A record whose values the note does not support is doubted as an empty one is. One with supported values is compared
/// too, and answered at once.
#[tokio::test]
async fn what_counts_is_what_stays_in_the_record() {
    let unsupported = RIGHT
        .replace("lung adenocarcinoma", "melanoma")
        .replace("\"IV\"", "\"II\"")
        .replace("EGFR L858R", "KRAS G12C")
        .replace("\"osimertinib\"", "\"vemurafenib\"")
        .replace("\"partial response\"", "null")
        .replace("\"liver\"", "null");
    let phrases = ["n.a.", "not stated in the text", "TBD", "<value>", "none reported", "?", "see text"];
    let phrases = FIELDS.iter().zip(phrases).fold(NULLS.to_owned(), |text, (field, phrase)| {
        text.replace(&format!("\"{field}\": null"), &format!("\"{field}\": \"{phrase}\""))
    });
    let almost_full = RIGHT.replace("\"osimertinib\"", "null");
    for (record, calls) in [(unsupported, 2), (phrases, 2), (almost_full, 1)] {
        let fake = start(vec![
            UpstreamBehaviour::Completion(completion(&record)),
            UpstreamBehaviour::Completion(completion(&record)),
        ])
        .await;
        let (_, answer) = ask(&gateway(&fake, DEADLINE).await, false).await;
        let is_doubt = |warning: &Value| warning["code"] == "empty_record_doubted";
        assert!(answer["warnings"].as_array().unwrap().iter().any(is_doubt), "{answer}");
        assert_eq!(fake.calls.load(SeqCst), calls, "{record}");
    }
}

/// A key in another spelling is read or refused, also beside values under the right keys.
#[tokio::test]
async fn no_value_under_another_key_is_dropped() {
    let with_synonyms = RIGHT.replace("\"treatment\"", "\"treatments\"").replace("\"stage\"", "\"cancerStage\"");
    let with_other_key = RIGHT.replace("\"osimertinib\"", "null").replace('}', ", \"therapies\": [\"osimertinib\"]}");
    for (record, read) in [(with_synonyms, true), (with_other_key, false)] {
        let fake = start(vec![UpstreamBehaviour::Completion(completion(&record))]).await;
        let (ok, answer) = ask(&gateway(&fake, DEADLINE).await, false).await;
        assert_eq!(ok, read, "{answer}");
        if read {
            assert_eq!((&answer["treatment"], &answer["stage"]), (&json!("osimertinib"), &json!("IV")));
            assert!(answer["repairs"].to_string().contains("key_synonym"), "{answer}");
        } else {
            assert_eq!(answer["code"], "output_unusable");
        }
    }
}

#[tokio::test]
async fn a_note_without_oncology_gets_an_empty_record_without_a_warning() {
    let fake = start(vec![UpstreamBehaviour::Completion(completion(NULLS))]).await;
    let note = "A 60-year-old man with a fractured wrist after a fall. His mother had breast cancer.";
    let (status, answer) = post(&gateway(&fake, DEADLINE).await, json!({"text": note}).to_string()).await;
    assert!(status.is_success() && is_empty_record(&answer) && answer["warnings"] == json!([]), "{answer}");
    assert_eq!(fake.calls.load(SeqCst), 1);
}

#[tokio::test]
async fn empty_chunks_are_counted_and_doubted() {
    let filler = "The patient feels well and walks daily with her dog. ".repeat(95);
    let note = format!("{NOTE}\n\n{filler}\n\n{NOTE}\n{filler}\n\n{NOTE}\n{filler}");
    let mut empty = completion(NULLS);
    empty["usage"]["prompt_tokens"] = json!(2_000);
    let fake = start(vec![UpstreamBehaviour::Completion(empty)]).await;
    let (_, answer) = post(&gateway(&fake, DEADLINE).await, json!({"text": note}).to_string()).await;
    assert_eq!((&answer["chunks"], &answer["chunks_empty"]), (&json!(3), &json!(3)), "{answer}");
    assert_eq!(answer["warnings"][0]["code"], "empty_record_doubted");
}

#[tokio::test]
async fn an_empty_record_is_counted_and_never_cached() {
    let fake = start(vec![UpstreamBehaviour::Completion(completion(NULLS))]).await;
    let cache = CacheSettings { entries: 9, ttl: Duration::from_mins(1) };
    let router = serving(&fake, Settings { cache, ..Settings::default() }).await;
    for calls in [2, 4] {
        ask(&router, false).await;
        assert_eq!(fake.calls.load(SeqCst), calls);
    }
    let (_, _, metrics) = send(&router, Request::get("/metrics").body(String::new().into()).unwrap()).await;
    let metrics = String::from_utf8(metrics).unwrap();
    let line = "gateway_empty_records_total{engine=\"vllm\",outcome=\"doubted\"} 2";
    assert!(metrics.contains(line), "{metrics}");
}
