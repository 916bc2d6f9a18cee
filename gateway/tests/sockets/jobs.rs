//! Jobs: notes that are read without a connection, also after `kill -9` of the gateway.

use std::{fmt::Write as _, path::Path, sync::Arc};

use bytesize::ByteSize;
use gateway::{
    access,
    config::{JobSettings, Settings},
    jobs::{Job, Jobs, NewJob},
    memory::Purpose,
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    process::Program,
    served::{Served, code, pair, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma with EGFR L858R, patient Xylophone.";

fn lines(count: usize) -> String {
    let line = |index| format!("{}\n", json!({"id": format!("note-{index}"), "text": NOTE}));
    (0..count).map(line).collect::<Vec<_>>().concat()
}

fn settings(folder: &Path) -> JobSettings {
    let key_file = folder.join("jobs.key");
    std::fs::write(&key_file, "k".repeat(48)).unwrap();
    JobSettings { folder: Some(folder.to_owned()), key_file: Some(key_file), ..JobSettings::default() }
}

async fn json_of(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}: {}", response.status(), response.text().await.unwrap());
    response.json().await.unwrap()
}

fn post(client: &Client, url: &str, body: String) -> RequestBuilder {
    client.post(format!("{url}/api/v1/jobs")).header("content-type", "application/x-ndjson").body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_survives_kill_9_and_leaves_nothing_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let permits = Arc::new(Semaphore::new(7));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let config = folder.path().join("gateway.toml");
    let JobSettings { folder: jobs, key_file, .. } = settings(folder.path());
    let mut text = format!("[vllm]\nurl = \"http://{}\"\n", fake.address);
    write!(text, "[jobs]\nfolder = {:?}\nkey_file = {:?}\n", jobs.unwrap(), key_file.unwrap()).unwrap();
    std::fs::write(&config, text).unwrap();
    let begin = || Program::start(env!("CARGO_BIN_EXE_gateway"), &["serve", "--config", config.to_str().unwrap()]);
    let program = begin();
    gateway::tls::install();
    let (client, url) = (Client::builder().no_proxy().build().unwrap(), format!("http://{}", program.address));
    let response = post(&client, &url, lines(300)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    let first: Value = response.json().await.unwrap();
    assert_eq!((&first["state"], &first["notes"], &first["failed"]), (&json!("running"), &json!(300), &json!(0)));
    let get = |url: &str| client.get(format!("{url}{path}"));
    let ok = |job: &Value| job["ok"].as_u64().unwrap();
    until("some notes are read", async || ok(&json_of(get(&url)).await) > 0).await;
    program.signal("KILL");
    drop(program);
    let bytes = std::fs::read(folder.path().join("jobs.redb")).unwrap();
    for text in ["Xylophone", "lung", "EGFR", "note-1"] {
        assert!(memchr::memmem::find(&bytes, text.as_bytes()).is_none(), "{text} is in the file");
    }
    permits.add_permits(10_000);
    let program = begin();
    let url = format!("http://{}", program.address);
    assert!(ok(&json_of(get(&url)).await) > 0, "the results of before are kept");
    until("the job is done", async || json_of(get(&url)).await["state"] == "done").await;
    let results = |query: &str| client.get(format!("{url}{path}/results{query}"));
    let all = results("").send().await.unwrap();
    assert_eq!(all.headers()["content-type"], "application/x-ndjson");
    let all = all.text().await.unwrap();
    let failed: Vec<&str> = all.lines().filter(|line| !line.contains("\"status\":200")).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let job = json_of(get(&url)).await;
    assert_eq!((ok(&job), &job["failed"], &job["id"]), (300, &json!(0), &first["id"]));
    for (index, line) in all.lines().enumerate() {
        let outcome: Value = serde_json::from_str(line).unwrap();
        let expected = (json!(index), json!(format!("note-{index}")), json!(200));
        assert_eq!((&outcome["index"], &outcome["id"], &outcome["status"]), (&expected.0, &expected.1, &expected.2));
    }
    assert_eq!(all.lines().count(), 300);
    let rest = results("?from=290").send().await.unwrap().text().await.unwrap();
    assert_eq!(rest, all.lines().skip(290).fold(String::new(), |text, line| text + line + "\n"));
    assert_eq!(results("?from=299&delete=true").send().await.unwrap().text().await.unwrap().lines().count(), 1);
    until("the job is deleted", async || get(&url).send().await.unwrap().status() == StatusCode::NOT_FOUND).await;
}

/// A gateway with jobs and two keys.
async fn guarded() -> (Served, [String; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let keys = ["a".repeat(32), "b".repeat(32)];
    let file = [("one", &keys[0]), ("other", &keys[1])].map(|(name, key)| access::line_for(name, key).unwrap());
    std::fs::write(folder.path().join("keys"), file.join("\n")).unwrap();
    let settings = gateway::config::Settings {
        auth_keys_file: Some(folder.path().join("keys")),
        jobs: JobSettings { per_key: 3, ..settings(folder.path()) },
        ..Default::default()
    };
    (Served::ready(settings).await, keys, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_sees_no_job() {
    let (served, [one, other], _folder) = guarded().await;
    let url = format!("http://{}", served.address);
    let with = |request: RequestBuilder, key: &str| request.header("x-api-key", key);
    let list = |key: &str| with(served.get("/api/v1/jobs"), key);
    let job = json_of(with(post(&served.client, &url, lines(3)), &one)).await;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    for path in [path.clone(), format!("{path}/results"), "/api/v1/jobs/nonsense".to_owned()] {
        assert_eq!(code(with(served.get(&path), &other)).await, pair(404, "not_found"));
    }
    assert_eq!(code(with(served.client.delete(format!("{url}{path}")), &other)).await, pair(404, "not_found"));
    assert_eq!(json_of(list(&other)).await, json!({"jobs": []}));
    assert_eq!(json_of(list(&one)).await["jobs"][0]["id"], job["id"]);
    for path in [format!("{path}/"), format!("{path}/results/"), "/api/v1/jobs/".to_owned()] {
        assert_eq!(with(served.get(&path), &one).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    until("the job is done", async || json_of(with(served.get(&path), &one)).await["state"] == "done").await;
    let text = served.client.get(format!("http://{}/metrics", served.metrics_address)).send().await.unwrap();
    let text = text.text().await.unwrap();
    for line in [
        "gateway_notes_total{route=\"/api/v1/jobs\",code=\"ok\"} 3",
        "gateway_notes_total{route=\"/api/v1/jobs\",code=\"deadline_exceeded\"} 0",
        "gateway_http_requests_total{route=\"/api/v1/jobs\",status=\"202\",code=\"ok\"} 1",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    let deleted = json_of(with(served.client.delete(format!("{url}{path}")), &one)).await;
    assert_eq!(deleted["ok"], 3);
    assert_eq!(code(with(served.get(&path), &one)).await, pair(404, "not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_kept_once_or_refused_as_a_whole() {
    let (served, [one, _], _folder) = guarded().await;
    let url = format!("http://{}", served.address);
    let send = |body: String, key: &str| {
        post(&served.client, &url, body).header("x-api-key", &one).header("idempotency-key", key)
    };
    let first = json_of(send(lines(2), "first")).await;
    assert_eq!(json_of(send(lines(2), "first")).await["id"], first["id"]);
    assert_eq!(code(send(lines(3), "first")).await, pair(422, "invalid_request"));
    assert_eq!(code(send(lines(2), "not visible")).await, pair(422, "invalid_request"));
    assert_eq!(code(send(lines(2).repeat(2), "second")).await, pair(422, "invalid_request"));
    let list = json!({"notes": [{"id": 1, "text": NOTE}, {"id": 2, "text": " "}], "offsets": "utf16"});
    let json_body = |key: &str| {
        let request = served.client.post(format!("{url}/api/v1/jobs")).json(&list);
        request.header("x-api-key", &one).header("idempotency-key", key)
    };
    let second = json_of(json_body("second")).await;
    assert_eq!(json_of(json_body("second")).await["id"], second["id"]);
    let path = format!("/api/v1/jobs/{}", second["id"].as_str().unwrap());
    let job = async || json_of(served.get(&path).header("x-api-key", &one)).await;
    until("the job is done", async || job().await["state"] == "done").await;
    assert_eq!((&job().await["ok"], &job().await["failed"]), (&json!(1), &json!(1)));
    for (query, expected) in [("?from=x", 422), ("?delete=1", 422), ("?other=1", 422), ("?from=5", 200)] {
        let response = served.get(&format!("{path}/results{query}")).header("x-api-key", &one).send().await.unwrap();
        assert_eq!(response.status(), expected, "{query}");
    }
    // The refused jobs left no data, and the third job is the last that this key may have.
    json_of(send(lines(1), "third")).await;
    assert_eq!(code(send(lines(1), "fourth")).await, pair(503, "overloaded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_the_answer_names_the_setting() {
    let served = Served::ready(gateway::config::Settings::default()).await;
    let url = format!("http://{}", served.address);
    for request in
        [post(&served.client, &url, lines(1)), served.get("/api/v1/jobs"), served.get("/api/v1/jobs/x/results")]
    {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "jobs_off");
        assert!(problem["detail"].as_str().unwrap().contains("jobs.folder"));
    }
}

/// A gateway with jobs and without keys.
async fn open_to_all(settings_of_jobs: impl Fn(JobSettings) -> JobSettings, base: Settings) -> (Served, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let jobs = settings_of_jobs(settings(folder.path()));
    (Served::ready(Settings { jobs, ..base }).await, folder)
}

/// Keeps a job without reading it, as a gateway that was killed leaves it. The gateway looks for such jobs when it
/// starts, which may come after this.
fn left(jobs: &Jobs, notes: usize, query: &str) -> Job {
    accepted(jobs, jobs.begin(None, None).unwrap(), notes, query)
}

fn accepted(jobs: &Jobs, mut new: NewJob, notes: usize, query: &str) -> Job {
    let lines = lines(notes);
    jobs.add_notes(&mut new, &lines.lines().collect::<Vec<_>>()).unwrap();
    jobs.accept(new, json!([query, ""]).to_string().as_bytes(), b"").unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_being_read_is_not_read_twice() {
    let (served, _folder) = open_to_all(|jobs| jobs, Settings::default()).await;
    let jobs = served.app.jobs.clone().unwrap();
    let state = |job: &Job| jobs.job(None, job.id).unwrap();
    let new = jobs.begin(None, None).unwrap();
    // As if its notes were being read; from its beginning, so that the gateway never finds it free.
    assert!(jobs.claim(new.id()));
    let (first, second) = (accepted(&jobs, new, 1, ""), left(&jobs, 200, ""));
    gateway::http::start_jobs(&served.app);
    until("the later job is done", async || state(&second).ok == 200).await;
    assert_eq!(state(&first).ok, 0);
    jobs.release(first.id);
    gateway::http::start_jobs(&served.app);
    until("the first job is done", async || state(&first).ok == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_memory_reads_one_note_at_a_time() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let (served, _folder) = open_to_all(|jobs| jobs, with_model(&[fake.address])).await;
    let memory = &served.app.state.memory;
    // The room for batches is full, but for less than the longest note.
    let mut held = memory.reserve(None, Purpose::Batch, 0).unwrap();
    held.grow(memory.budget() / 4 * 3 - (1 << 20)).unwrap();
    let job = left(&served.app.jobs.clone().unwrap(), 8, "");
    gateway::http::start_jobs(&served.app);
    let calls = || fake.calls.load(std::sync::atomic::Ordering::SeqCst);
    for read in 1..=4 {
        until("a note is read", async || calls() >= read).await;
        assert_eq!(calls(), read);
        permits.add_permits(1);
    }
    drop(held);
    permits.add_permits(100);
    let jobs = served.app.jobs.as_ref().unwrap();
    until("the job is done", async || jobs.job(None, job.id).unwrap().ok == 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_a_body_with_a_byte_order_mark_are_kept() {
    let (served, _folder) = open_to_all(|jobs| jobs, Settings::default()).await;
    let note = json!({"id": "a", "text": "\u{1fa7a} Stage IV lung adenocarcinoma."});
    let body = format!("\u{feff}{}", json!({"notes": [note], "offsets": "utf16"}));
    let request = served.client.post(format!("http://{}/api/v1/jobs", served.address));
    let job = json_of(request.header("content-type", "application/json").body(body)).await;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    until("the job is done", async || json_of(served.get(&path)).await["state"] == "done").await;
    let line = served.get(&format!("{path}/results")).send().await.unwrap().text().await.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    // The sign before the stage has two units of UTF-16, and one code point.
    assert_eq!(line["result"]["evidence"]["stage"][0]["start"], 3, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_while_the_results_are_too_many_and_says_so() {
    let small = |jobs| JobSettings { result_bytes: ByteSize::kib(4), ..jobs };
    let (served, _folder) = open_to_all(small, Settings::default()).await;
    let url = format!("http://{}", served.address);
    let job = json_of(post(&served.client, &url, lines(1_000))).await;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    until("it waits", async || json_of(served.get(&path)).await["waits_for"] == "results").await;
    let state = json_of(served.get(&path)).await;
    assert!((1..1_000).contains(&state["ok"].as_u64().unwrap()) && state["state"] == "running", "{state}");
    assert_eq!(code(post(&served.client, &url, lines(1))).await, pair(503, "overloaded"));
    json_of(served.client.delete(format!("{url}{path}"))).await;
    json_of(post(&served.client, &url, lines(1))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_model_is_not_offered_waits_and_says_so() {
    let (served, _folder) = open_to_all(|jobs| jobs, Settings::default()).await;
    let job = left(served.app.jobs.as_ref().unwrap(), 1, "model=gone");
    gateway::http::start_jobs(&served.app);
    let path = format!("/api/v1/jobs/{}", job.id);
    until("it waits", async || json_of(served.get(&path)).await["waits_for"] == "options").await;
    assert_eq!(json_of(served.get("/api/v1/jobs")).await["jobs"][0]["waits_for"], "options");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_the_budget_of_its_key_and_is_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let key = "b".repeat(32);
    let begin = async |words: &str| {
        let line = access::line_for("study", &key).unwrap();
        std::fs::write(folder.path().join("keys"), format!("{line} {words}")).unwrap();
        let mut settings = Settings {
            auth_keys_file: Some(folder.path().join("keys")),
            jobs: settings(folder.path()),
            ..Settings::default()
        };
        settings.audit.path = Some(folder.path().join("audit.jsonl"));
        Served::ready(settings).await
    };
    let mut served = begin("budget=4/month").await;
    let created = post(&served.client, &format!("http://{}", served.address), lines(300)).header("x-api-key", &key);
    let path = format!("/api/v1/jobs/{}", json_of(created).await["id"].as_str().unwrap());
    let job = async |served: &Served| json_of(served.get(&path).header("x-api-key", &key)).await;
    until("the job waits", async || {
        let job = job(&served).await;
        (&job["waits_for"], &job["ok"]) == (&json!("budget"), &json!(4))
    })
    .await;
    assert_eq!(job(&served).await["failed"], 0, "no note fails for want of a budget");
    let refused = served.metric("gateway_budget_notes_total").await;
    assert!(refused < 100.0, "the rest of the job is not tried note by note: {refused}");
    served.stop();
    served.ended().await.unwrap();
    // A key that may not read notes any more reads none of its job either.
    let mut served = begin("scopes=usage").await;
    until("the job waits for its key", async || {
        served
            .app
            .jobs
            .as_ref()
            .unwrap()
            .list(Some("study"))
            .iter()
            .all(|job| served.app.jobs.as_ref().unwrap().waiting(job.id) == Some(gateway::jobs::WaitReason::Key))
    })
    .await;
    served.stop();
    served.ended().await.unwrap();
    let served = begin("budget=1000/month").await;
    until("the job is done", async || job(&served).await["ok"] == 300).await;
}
