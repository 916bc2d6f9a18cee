//! Tests the operator's files of codes: every way to an answer shows their codes, and the answer names the files.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use gateway::{
    config::{CacheSettings, CodesSettings, Settings},
    http,
    server::Gateway,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    fake_vllm::{RECORD, UpstreamBehaviour, start},
    faults::serving,
    post, rules, send,
};

const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";
const CLINIC: &str = "system,code,display,match\r\n\
                      CLINIC,LUNG-1,Lung cancer of glands,Lung adenocarcinoma\r\n\
                      CLINIC,STAGE-4,Fourth stage,IV\r\n";
/// Printed by `sha256sum`.
const CLINIC_SHA256: &str = "517587819de0246acdc98b8f260242a22bdbb8fd425d271e3f3c57137e7cd1a7";
const PHARMACY: &str = "system,code,display,match\nPHARMACY,OSI-1,osimertinib,osimertinib\n";
const PHARMACY_SHA256: &str = "dfd9f7f80be5f907c3077b5c32cab37230c83de04c56c554beb6aca68053e45a";

fn with_files() -> (Settings, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let files = [("clinic.csv", CLINIC), ("pharmacy.csv", PHARMACY)].map(|(name, content)| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    });
    (Settings { codes: CodesSettings { files: files.into() }, ..Settings::default() }, folder)
}

fn router(settings: Settings) -> Router {
    http::router(Gateway::new(settings).unwrap().app, Vec::new())
}

/// Checks the codes of the files in an answer to a note with the values of [`NOTE`].
fn check(answer: &Value) {
    let files =
        json!([{"name": "clinic.csv", "sha256": CLINIC_SHA256}, {"name": "pharmacy.csv", "sha256": PHARMACY_SHA256}]);
    assert_eq!(answer["code_files"], files, "{answer}");
    let clinic = json!({
        "system": "CLINIC", "code": "LUNG-1", "display": "Lung cancer of glands", "basis": "synonym"
    });
    let pharmacy = json!({"system": "PHARMACY", "code": "OSI-1", "display": "osimertinib", "basis": "exact"});
    let of = |field: &str| answer["evidence"][field][0]["codes"].as_array().unwrap();
    let systems = |codes: &[Value]| codes.iter().map(|code| code["system"].clone()).collect::<Vec<_>>();
    assert_eq!(systems(of("cancer_type")), ["oncotree", "ncit", "CLINIC"]);
    assert_eq!(of("cancer_type").last(), Some(&clinic));
    assert_eq!(systems(of("treatment")), ["drugbank", "PHARMACY"]);
    assert_eq!(of("treatment").last(), Some(&pharmacy));
    assert_eq!(systems(of("stage")), ["CLINIC"]);
    assert_eq!(answer["tumours"][0]["codes"].as_array().unwrap().last(), Some(&clinic));
}

async fn text(router: &Router, path: &str, body: Value) -> String {
    let request = Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string()));
    let (status, _, body) = send(router, request.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn single_notes_batches_and_streams_have_the_codes_of_the_files() {
    let (mut settings, _folder) = with_files();
    settings.cache = CacheSettings { entries: 9, ..settings.cache };
    let router = router(settings);
    // The second answer is the cached one.
    for _ in 0..2 {
        check(&post(&router, json!({"text": NOTE}).to_string()).await.1);
    }
    let batch = text(&router, "/api/v1/extract/batch", json!({"notes": [{"text": NOTE}]})).await;
    check(&serde_json::from_str::<Value>(&batch).unwrap()["results"][0]["result"]);
    let stream = text(&router, "/api/v1/extract/stream", json!({"text": NOTE})).await;
    let answers: Vec<Value> = stream
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
        .filter(|data: &Value| data.get("evidence").is_some())
        .collect();
    assert_eq!(answers.len(), 1, "{stream}");
    check(&answers[0]);
    let patient = text(&router, "/api/v1/patient", json!({"notes": [{"text": NOTE}]})).await;
    let timeline = &serde_json::from_str::<Value>(&patient).unwrap()["timeline"];
    assert_eq!(timeline["code_files"][1]["sha256"], PHARMACY_SHA256);
    assert_eq!(timeline["tumours"][0]["treatment"][0]["codes"][1]["system"], "PHARMACY");
}

#[tokio::test]
async fn a_models_answer_to_a_long_note_has_the_codes_of_the_files() {
    let fake = start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let filler = "The patient feels well and walks daily with her dog. ".repeat(150);
    let (settings, _folder) = with_files();
    let router = serving(&fake, settings).await;
    for (text, chunks) in [(NOTE.to_owned(), Value::Null), (format!("{NOTE}\n\n{filler}\n\n{NOTE}"), json!(2))] {
        let (_, answer) = post(&router, json!({"text": text}).to_string()).await;
        assert_eq!((&answer["engine"], answer.get("chunks").unwrap_or(&Value::Null)), (&json!("vllm"), &chunks));
        check(&answer);
    }
}

#[tokio::test]
async fn a_value_that_the_note_does_not_support_has_no_code_of_the_files() {
    let fake = start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let (settings, _folder) = with_files();
    let (_, answer) = post(&serving(&fake, settings).await, json!({"text": "Lung adenocarcinoma."}).to_string()).await;
    let finding = &answer["evidence"]["treatment"][0];
    assert_eq!((&finding["value"], &finding["basis"]), (&json!("osimertinib"), &json!("unsupported")), "{answer}");
    assert_eq!(finding["codes"], json!([]));
}

#[tokio::test]
async fn without_files_the_answer_names_none() {
    let (_, answer) = post(&rules(), json!({"text": NOTE}).to_string()).await;
    assert_eq!(answer.get("code_files"), None);
    assert_eq!(answer["evidence"]["stage"][0]["codes"], json!([]));
}
