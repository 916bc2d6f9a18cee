//! Notes that a model server reads, without a gateway between: how many at once, and what happens when it goes away.

use serde_json::json;
use tokio::task::spawn_blocking;

use crate::{
    command::{Desk, Said, failure, lines, said},
    fake_vllm::{self, Act, RECORD},
};

/// Runs the command beside the fake server.
async fn run(desk: Desk, url: String, more: &'static [&'static str]) -> (Desk, Said) {
    spawn_blocking(move || {
        let arguments = [&["in.jsonl", "--out", "out.jsonl", "--engine", "vllm", "--vllm-url", &url], more].concat();
        let mut command = desk.command(&arguments);
        command.env("GATEWAY_ADMISSION__IN_FLIGHT", "4").env("GATEWAY_ADMISSION__DEADLINE", "20s");
        let said = said(&mut command);
        (desk, said)
    })
    .await
    .unwrap()
}

fn desk(notes: usize) -> Desk {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..notes));
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_the_server_may_have_and_no_more() {
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let fake = fake_vllm::start(vec![Act::Hold(permits.clone())]).await;
    let calls = fake.calls.clone();
    let most = tokio::spawn(async move {
        // One answer each time four are asked for: were fewer sent, this would never end.
        let mut answered = 0;
        while answered < 37 {
            let asked = calls.load(std::sync::atomic::Ordering::SeqCst);
            assert!(asked <= answered + 4, "{asked} asked, {answered} answered");
            if asked == answered + 4 {
                permits.add_permits(1);
                answered += 1;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        permits.add_permits(3);
    });
    let (desk, said) = run(desk(40), format!("http://{}", fake.address), &[]).await;
    most.await.unwrap();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let results = desk.results("out.jsonl");
    assert!(results.len() == 40 && results.values().all(|line| line["result"]["engine"] == "vllm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_server_that_goes_away_leaves_the_rest_to_resume() {
    let gone = Act::Status(503, json!({}));
    let say = Act::Say(RECORD.to_owned());
    let fake = fake_vllm::start(vec![say.clone(), say.clone(), say, gone]).await;
    let url = format!("http://{}", fake.address);
    let (desk, said) = run(desk(9), url, &["--concurrency", "1", "--retries", "0"]).await;
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("3 read, 6 failed (6 upstream_unavailable)"), "{}", said.err);
    assert!(said.err.contains("the notes that were left got no try"), "{}", said.err);
    assert_eq!(failure(&desk.results("out.jsonl")["n-8"]), (503, "upstream_unavailable", ""));
    // The fourth was asked for once more by the engine itself; after it, none.
    assert_eq!(fake.calls.load(std::sync::atomic::Ordering::SeqCst), 5);

    let back = fake_vllm::start(vec![Act::Say(RECORD.to_owned())]).await;
    let (desk, said) = run(desk, format!("http://{}", back.address), &["--resume"]).await;
    assert_eq!((said.code, desk.results("out.jsonl").len()), (Some(0), 9), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_model_server_is_asked_again() {
    let (busy, say) = (Act::Status(429, json!({})), Act::Say(RECORD.to_owned()));
    let fake = fake_vllm::start(vec![busy.clone(), busy, say]).await;
    let (desk, said) = run(desk(1), format!("http://{}", fake.address), &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(desk.results("out.jsonl")["n-0"]["result"]["stage"], "IV");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_model_server_at_all() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let desk = desk(2);
    let said = spawn_blocking(move || {
        let url = format!("http://{address}");
        let mut command = desk.command(&["in.jsonl", "--out", "out.jsonl", "--engine", "vllm", "--vllm-url", &url]);
        let said = said(command.env("GATEWAY_ADMISSION__DEADLINE", "1s"));
        assert!(!desk.path("out.jsonl").exists());
        said
    });
    let said = said.await.unwrap();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("The model server cannot be reached") && !said.err.contains("127.0.0.1"), "{}", said.err);
}
