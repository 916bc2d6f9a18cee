//! "Nothing found" is said only where it is known: shapes of model output for a note that names everything, none of
//! which may come back as seven nulls and not a word.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{Router, http::Request};
use gateway::config::{CacheSettings, Settings};
use serde_json::{Value, json};

use crate::{
    FIELDS,
    fake_vllm::{Act, start},
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

/// Seven nulls with further members, or others in their place.
fn nulls_with(more: &str) -> String {
    format!("{}, {more}}}", NULLS.strip_suffix('}').unwrap())
}

/// All keys with one value.
fn all(value: &str) -> String {
    FIELDS.iter().fold(String::new(), |text, field| {
        format!("{text}{}\"{field}\": {value}", if text.is_empty() { "{" } else { ", " })
    }) + "}"
}

/// What a model may write of that note without filling a field.
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
            .map(all),
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

/// Completions in which more than the text tells that something is wrong.
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

/// The one answer to the note, whichever way it comes: whether it is one, and its body.
async fn answered(router: &Router, streamed: bool) -> (bool, Value) {
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

fn says_nothing(answer: &Value) -> bool {
    FIELDS.iter().all(|field| answer[field].is_null())
}

#[tokio::test]
async fn no_shape_is_silently_nothing() {
    let shapes: Vec<Value> = contents().iter().map(|content| completion(content)).chain(envelopes()).collect();
    assert!(shapes.len() >= 120, "{}", shapes.len());
    let mut silent = Vec::new();
    for shape in shapes {
        for streamed in [false, true] {
            let fake = start(vec![Act::Whole(shape.clone())]).await;
            let (ok, answer) = answered(&gateway(&fake, DEADLINE).await, streamed).await;
            if ok && says_nothing(&answer) && answer["warnings"][0]["code"] != "empty_record_doubted" {
                silent.push(format!("streamed {streamed}: {shape}"));
            }
        }
    }
    assert!(silent.is_empty(), "{} silent:\n{}", silent.len(), silent.join("\n"));
}

#[tokio::test]
async fn what_was_not_understood_is_no_answer() {
    let sentence = "The patient has lung adenocarcinoma, stage IV.";
    let envelopes = envelopes().into_iter().filter(|shape| shape["choices"][0]["message"]["content"] == NULLS);
    let contents = [
        format!("{NULLS}\n{sentence}"),
        nulls_with(&format!("\"result\": {RIGHT}")),
        format!("{RIGHT}</think>{NULLS}"),
    ];
    for shape in contents.iter().map(|content| completion(content)).chain(envelopes) {
        let fake = start(vec![Act::Whole(shape.clone())]).await;
        let (ok, problem) = answered(&gateway(&fake, DEADLINE).await, false).await;
        assert!(!ok, "{shape}");
        assert!(
            ["output_unusable", "upstream_failed"].iter().any(|code| problem["code"] == **code),
            "{problem} {shape}"
        );
    }
}

#[tokio::test]
async fn a_doubted_record_is_asked_for_once_more_and_then_said_to_be_doubtful() {
    let fake = start(vec![Act::Whole(completion(NULLS)), Act::Whole(completion(RIGHT))]).await;
    let (_, answer) = answered(&gateway(&fake, DEADLINE).await, false).await;
    assert_eq!((&answer["stage"], &answer["warnings"]), (&json!("IV"), &json!([])));
    assert_eq!(fake.calls.load(SeqCst), 2);

    let fake = start(vec![Act::Whole(completion(NULLS))]).await;
    let (ok, answer) = answered(&gateway(&fake, DEADLINE).await, false).await;
    assert!(ok && says_nothing(&answer), "{answer}");
    assert_eq!(fake.calls.load(SeqCst), 2);
    let message = answer["warnings"][0]["message"].as_str().unwrap();
    for field in FIELDS.iter().filter(|field| **field != "biomarker") {
        assert!(message.contains(field), "{message}");
    }
}

#[tokio::test]
async fn a_second_attempt_that_gives_nothing_leaves_the_first_and_counts() {
    let mut cut_off = completion("{\"cancer_type\": \"lung");
    cut_off["choices"][0]["finish_reason"] = json!("length");
    for second in [cut_off, completion("I cannot help with that."), completion(&format!("{NULLS}\nlung cancer"))] {
        let fake = start(vec![Act::Whole(completion(NULLS)), Act::Whole(second.clone())]).await;
        let (ok, answer) = answered(&gateway(&fake, DEADLINE).await, false).await;
        assert!(ok && says_nothing(&answer) && answer["raw_output"] == NULLS, "{second}: {answer}");
        assert_eq!(answer["warnings"][0]["code"], "empty_record_doubted");
        assert_eq!((fake.calls.load(SeqCst), &answer["tokens_used"]), (2, &json!(280)), "{second}");
    }
}

#[tokio::test]
async fn a_thin_record_names_what_it_lacks_and_a_full_one_nothing() {
    let thin = NULLS.replacen("null", "\"lung adenocarcinoma\"", 1);
    for (record, codes) in [(thin.as_str(), json!(["empty_record_doubted"])), (RIGHT, json!([]))] {
        let fake = start(vec![Act::Whole(completion(record))]).await;
        let (_, answer) = answered(&gateway(&fake, DEADLINE).await, false).await;
        let found: Vec<&Value> =
            answer["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
        assert_eq!(json!(found), codes, "{answer}");
        assert_eq!(fake.calls.load(SeqCst), 1, "values are not asked for again");
    }
}

/// A key in another dress is read or refused, also beside values that are well dressed.
#[tokio::test]
async fn no_value_under_another_name_is_dropped() {
    let dressed = RIGHT.replace("\"treatment\"", "\"treatments\"").replace("\"stage\"", "\"cancerStage\"");
    let beside = RIGHT.replace("\"osimertinib\"", "null").replace('}', ", \"therapies\": [\"osimertinib\"]}");
    for (record, read) in [(dressed, true), (beside, false)] {
        let fake = start(vec![Act::Whole(completion(&record))]).await;
        let (ok, answer) = answered(&gateway(&fake, DEADLINE).await, false).await;
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
async fn a_note_without_oncology_is_empty_without_doubt() {
    let fake = start(vec![Act::Whole(completion(NULLS))]).await;
    let note = "A 60-year-old man with a fractured wrist after a fall. His mother had breast cancer.";
    let (status, answer) = post(&gateway(&fake, DEADLINE).await, json!({"text": note}).to_string()).await;
    assert!(status.is_success() && says_nothing(&answer) && answer["warnings"] == json!([]), "{answer}");
    assert_eq!(fake.calls.load(SeqCst), 1);
}

#[tokio::test]
async fn parts_that_gave_nothing_are_counted_and_doubted() {
    let filler = "The patient feels well and walks daily with her dog. ".repeat(95);
    let note = format!("{NOTE}\n\n{filler}\n\n{NOTE}\n{filler}\n\n{NOTE}\n{filler}");
    let mut empty = completion(NULLS);
    empty["usage"]["prompt_tokens"] = json!(2_000);
    let fake = start(vec![Act::Whole(empty)]).await;
    let (_, answer) = post(&gateway(&fake, DEADLINE).await, json!({"text": note}).to_string()).await;
    assert_eq!((&answer["chunks"], &answer["chunks_empty"]), (&json!(3), &json!(3)), "{answer}");
    assert_eq!(answer["warnings"][0]["code"], "empty_record_doubted");
}

#[tokio::test]
async fn nothing_found_is_counted_and_never_given_from_the_cache() {
    let fake = start(vec![Act::Whole(completion(NULLS))]).await;
    let cache = CacheSettings { entries: 9, ttl: Duration::from_mins(1) };
    let router = serving(&fake, Settings { cache, ..Settings::default() }).await;
    for calls in [2, 4] {
        answered(&router, false).await;
        assert_eq!(fake.calls.load(SeqCst), calls);
    }
    let (_, _, metrics) = send(&router, Request::get("/metrics").body(String::new().into()).unwrap()).await;
    let metrics = String::from_utf8(metrics).unwrap();
    let line = "gateway_empty_records_total{engine=\"vllm\",outcome=\"doubted\"} 2";
    assert!(metrics.contains(line), "{metrics}");
}
