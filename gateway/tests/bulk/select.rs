//! Tests `--select`: which notes go to the model, how the others are marked, and what is said of the sample.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{
    command::{RunOutput, Workspace, by_id, lines, said},
    fake_gateway::{Answer, FakeGateway, read, refused},
    fake_vllm::{self, RECORD, UpstreamBehaviour},
};

/// Notes about a malignancy, of `n-0` to `n-4`, and notes about something else, of `k-0` to `k-199`.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let other =
        |number| json!({"id": format!("k-{number}"), "text": format!("Knee pain after a fall, visit {number}.")});
    let others: String = (0..200).flat_map(|number| [other(number).to_string(), "\n".to_owned()]).collect();
    workspace.put("in.jsonl", format!("{}{others}", lines(0..5)));
    workspace
}

/// Returns the ids of the notes with a warning.
fn with_warning(results: &BTreeMap<String, Value>, code: &str) -> BTreeSet<String> {
    let has = |line: &Value| line["result"]["warnings"].as_array().unwrap().iter().any(|found| found["code"] == code);
    results.iter().filter(|(_, line)| has(line)).map(|(id, _)| id.clone()).collect()
}

fn select(workspace: &Workspace, more: &[&str]) -> RunOutput {
    workspace.run(&[&["in.jsonl", "--select", "oncology", "--select-sample", "5"], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_reads_notes_with_oncology_and_a_sample_of_the_others() {
    let fake = fake_vllm::start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let url = format!("http://{}", fake.address);
    let (results, output) = spawn_blocking(move || {
        let workspace = workspace();
        let arguments =
            ["in.jsonl", "--select", "oncology", "--select-sample", "5", "--out", "out.jsonl", "--engine", "vllm"];
        let output = said(workspace.command(&arguments).args(["--vllm-url", &url]));
        (workspace.results("out.jsonl"), output)
    })
    .await
    .unwrap();
    assert_eq!((output.code, results.len()), (Some(0), 205), "{}", output.err);
    let (skipped, sampled) = (with_warning(&results, "model_skipped"), with_warning(&results, "model_sampled"));
    assert!((1..40).contains(&sampled.len()) && skipped.len() + sampled.len() == 200, "{sampled:?}");
    for (id, line) in &results {
        let engine = if skipped.contains(id) { "rules" } else { "vllm" };
        assert_eq!((&line["status"], &line["result"]["engine"]), (&json!(200), &json!(engine)), "{id}");
        assert_eq!(line["result"]["stage"].is_null(), skipped.contains(id), "{id}");
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), 5 + sampled.len());
    // The note supports nothing of what this model says.
    let judged =
        format!("miss rate: the model has a value for {0} of {0} notes of the sample, 100.00 %", sampled.len());
    assert!(
        output.err.contains(&judged) && output.err.contains("in 0 of them the note supports a value"),
        "{}",
        output.err
    );
    let chosen =
        format!("the rules see oncology in 5 notes; of the other 200, {} did not go to the model", skipped.len());
    assert!(output.err.contains(&chosen), "{}", output.err);
}

#[test]
fn a_gateway_gets_only_the_chosen_notes_and_failed_ones_say_nothing_about_the_sample() {
    let workspace = workspace();
    // How many batches there are depends on the machine, so one note of them all fails.
    let has_failed = AtomicBool::new(false);
    let gateway = FakeGateway::start(move |_, notes| {
        let answer = |(index, note): (usize, &Value)| {
            let is_knee = note["text"].as_str().unwrap().contains("Knee");
            if is_knee && !has_failed.swap(true, Ordering::SeqCst) {
                refused(index, 502, "upstream_failed", None)
            } else {
                read(index)
            }
        };
        Answer::Lines(notes.iter().enumerate().map(answer).collect())
    });
    let output = select(&workspace, &["--out", "out.jsonl", "--server", &gateway.url()]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let results = workspace.results("out.jsonl");
    let failed = results.values().filter(|line| line["error"]["code"] == "upstream_failed").count();
    assert_eq!(failed, 1);
    let read: BTreeMap<_, _> = results.into_iter().filter(|(_, line)| line["status"] == 200).collect();
    let (skipped, sampled) = (with_warning(&read, "model_skipped"), with_warning(&read, "model_sampled"));
    assert_eq!(gateway.sizes().iter().sum::<usize>(), 205 - skipped.len());
    let judged = format!("for {0} of {0} notes of the sample ({failed} more failed", sampled.len());
    assert!(output.err.contains(&judged), "{}", output.err);
}

#[test]
fn the_choice_is_the_same_in_shards_and_in_every_format_that_can_say_it() {
    let workspace = workspace();
    assert_eq!(select(&workspace, &["--out", "whole.jsonl"]).code, Some(0));
    let whole = workspace.results("whole.jsonl");
    let marked = |results: &BTreeMap<_, _>| ["model_skipped", "model_sampled"].map(|code| with_warning(results, code));
    assert!(marked(&whole).iter().all(|ids| !ids.is_empty()));
    for index in 0..3 {
        let output = select(&workspace, &["--out", "part.jsonl", "--shard", &format!("{index}/3")]);
        assert_eq!(output.code, Some(0), "{}", output.err);
        assert!(
            output.err.contains("how many notes the choice misses is not known"),
            "the rules are no model: {}",
            output.err
        );
    }
    let parts: String = (0..3).map(|index| workspace.text(&format!("part-{index:04}-of-0003.jsonl"))).collect();
    assert_eq!(marked(&by_id(&parts)), marked(&whole));

    let skipped = marked(&whole)[0].len();
    for (format, out) in [("csv", "o.csv"), ("json", "o.json"), ("redcap", "r.csv"), ("table", "o.txt")] {
        let output = select(&workspace, &["--format", format, "--out", out]);
        assert_eq!(output.code, Some(0), "{}", output.err);
        assert_eq!(workspace.text(out).matches("model_skipped").count(), skipped, "{format}");
    }
    let output = select(&workspace, &["--out", "o.parquet"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    for format in ["tidy", "parquet-tidy", "note-nlp"] {
        let output = select(&workspace, &["--format", format, "--out", "refused.out"]);
        assert!(output.code == Some(2) && output.err.contains("--select needs a format"), "{format}: {}", output.err);
    }
    let output = workspace.run(&["in.jsonl", "--select-sample", "5"]);
    assert_eq!(output.code, Some(2), "a sample needs a choice: {}", output.err);
}

#[test]
fn a_resumed_run_does_not_ask_the_model_again_about_skipped_notes() {
    let workspace = workspace();
    assert_eq!(select(&workspace, &["--out", "out.jsonl"]).code, Some(0));
    let before = workspace.results("out.jsonl");
    let gateway = FakeGateway::start(|_, notes| Answer::Lines((0..notes.len()).map(read).collect()));
    let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--resume", "--server", &gateway.url()]);
    assert!(output.err.contains("205 notes are done"), "{}", output.err);
    assert_eq!((workspace.results("out.jsonl"), gateway.sizes().iter().sum::<usize>()), (before, 0));
}
