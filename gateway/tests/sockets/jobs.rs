//! Jobs: notes that are read without a connection, also after `kill -9` of the gateway.

use std::{fmt::Write as _, path::Path, sync::Arc};

use gateway::{access, config::JobSettings};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{
    fake_vllm::{Act, start},
    process::Program,
    served::{Served, code, pair, until},
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
    let fake = start(vec![Act::Hold(Arc::clone(&permits))]).await;
    let config = folder.path().join("gateway.toml");
    let JobSettings { folder: jobs, key_file, .. } = settings(folder.path());
    let mut text = format!("[vllm]\nurl = \"http://{}\"\n", fake.address);
    write!(text, "[jobs]\nfolder = {:?}\nkey_file = {:?}\n", jobs.unwrap(), key_file.unwrap()).unwrap();
    std::fs::write(&config, text).unwrap();
    let begin = || Program::start(env!("CARGO_BIN_EXE_gateway"), &["serve", "--config", config.to_str().unwrap()]);
    let program = begin();
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
    until("the job is done", async || json_of(with(served.get(&path), &one)).await["state"] == "done").await;
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
    // What was refused left nothing, and the third job is the last that this key may have.
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
