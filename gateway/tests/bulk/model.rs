//! Tests notes that a model server reads without a gateway between: the concurrency, and a server that stops.

use serde_json::json;
use tokio::task::spawn_blocking;

use crate::{
    command::{RunOutput, Workspace, failure, lines, said},
    fake_vllm::{self, RECORD, UpstreamBehaviour},
};

/// Runs the command with the fake server as its model server.
async fn run(workspace: Workspace, url: String, more: &'static [&'static str]) -> (Workspace, RunOutput) {
    spawn_blocking(move || {
        let arguments = [&["in.jsonl", "--out", "out.jsonl", "--engine", "vllm", "--vllm-url", &url], more].concat();
        let mut command = workspace.command(&arguments);
        command.env("GATEWAY_ADMISSION__IN_FLIGHT", "4").env("GATEWAY_ADMISSION__DEADLINE", "20s");
        let output = said(&mut command);
        (workspace, output)
    })
    .await
    .unwrap()
}

fn workspace(notes: usize) -> Workspace {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..notes));
    workspace
}

#[tokio::test(flavor = "multi_thread")]
async fn the_concurrency_limit_is_reached_and_never_exceeded() {
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let fake = fake_vllm::start(vec![UpstreamBehaviour::Hold(permits.clone())]).await;
    let calls = fake.calls.clone();
    let limit_check = tokio::spawn(async move {
        // One answer is given each time four calls wait. If fewer calls were sent, this loop would never end.
        let mut answered = 0;
        while answered < 37 {
            let calls_so_far = calls.load(std::sync::atomic::Ordering::SeqCst);
            assert!(calls_so_far <= answered + 4, "{calls_so_far} calls, {answered} answers");
            if calls_so_far == answered + 4 {
                permits.add_permits(1);
                answered += 1;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        permits.add_permits(3);
    });
    let (workspace, output) = run(workspace(40), format!("http://{}", fake.address), &[]).await;
    limit_check.await.unwrap();
    assert_eq!(output.code, Some(0), "{}", output.err);
    let results = workspace.results("out.jsonl");
    assert!(results.len() == 40 && results.values().all(|line| line["result"]["engine"] == "vllm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_model_server_goes_away_resume_reads_the_remaining_notes() {
    let unavailable = UpstreamBehaviour::Status(503, json!({}));
    let answer = UpstreamBehaviour::Text(RECORD.to_owned());
    let fake = fake_vllm::start(vec![answer.clone(), answer.clone(), answer, unavailable]).await;
    let url = format!("http://{}", fake.address);
    let (workspace, output) = run(workspace(9), url, &["--concurrency", "1", "--retries", "0"]).await;
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.err.contains("3 read, 6 failed (6 upstream_unavailable)"), "{}", output.err);
    assert!(output.err.contains("the remaining notes were not tried"), "{}", output.err);
    assert_eq!(failure(&workspace.results("out.jsonl")["n-8"]), (503, "upstream_unavailable", ""));
    // The engine itself retried the fourth note once. No later note was sent.
    assert_eq!(fake.calls.load(std::sync::atomic::Ordering::SeqCst), 5);

    let back = fake_vllm::start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let (workspace, output) = run(workspace, format!("http://{}", back.address), &["--resume"]).await;
    assert_eq!((output.code, workspace.results("out.jsonl").len()), (Some(0), 9), "{}", output.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_busy_model_server_is_retried() {
    let (busy, answer) = (UpstreamBehaviour::Status(429, json!({})), UpstreamBehaviour::Text(RECORD.to_owned()));
    let fake = fake_vllm::start(vec![busy.clone(), busy, answer]).await;
    let (workspace, output) = run(workspace(1), format!("http://{}", fake.address), &[]).await;
    assert_eq!(output.code, Some(0), "{}", output.err);
    assert_eq!(workspace.results("out.jsonl")["n-0"]["result"]["stage"], "IV");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_server_the_run_fails_and_writes_no_output() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let workspace = workspace(2);
    let output = spawn_blocking(move || {
        let url = format!("http://{address}");
        let mut command =
            workspace.command(&["in.jsonl", "--out", "out.jsonl", "--engine", "vllm", "--vllm-url", &url]);
        let output = said(command.env("GATEWAY_ADMISSION__DEADLINE", "1s"));
        assert!(!workspace.path("out.jsonl").exists());
        output
    });
    let output = output.await.unwrap();
    assert_eq!(output.code, Some(1), "{}", output.err);
    assert!(
        output.err.contains("The model server cannot be reached") && !output.err.contains("127.0.0.1"),
        "{}",
        output.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_waits_for_a_model_server_that_loads() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let loading = tokio::spawn(async move {
        // A server that loads answers nothing.
        for _ in 0..3 {
            drop(listener.accept().await.unwrap());
        }
        fake_vllm::serve(listener, vec![UpstreamBehaviour::Text(RECORD.to_owned())], 8_192)
    });
    let workspace = workspace(2);
    let (workspace, output) = spawn_blocking(move || {
        let mut command = workspace.command(&[
            "in.jsonl",
            "--out",
            "out.jsonl",
            "--shard",
            "0/1",
            "--engine",
            "vllm",
            "--vllm-url",
            &url,
        ]);
        let output = said(&mut command);
        (workspace, output)
    })
    .await
    .unwrap();
    assert_eq!(output.code, Some(0), "{}", output.err);
    assert_eq!(workspace.results("out-0000-of-0001.jsonl").len(), 2);
    drop(loading.await.unwrap());
}
