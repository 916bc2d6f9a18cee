//! Tests the timeline of a patient: from notes to its entries, in both forms of the body and with both engines.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use bytesize::ByteSize;
use gateway::{config::Settings, http, server::Gateway};
use serde_json::{Value, json};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    faults::gateway,
    rules, send,
};

const FIELDS: [&str; 6] = ["stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site"];

fn notes() -> Vec<Value> {
    let all = [
        (
            "n1",
            "2021-03-10",
            "Invasive ductal carcinoma of the left breast, stage IIA. ER positive. Lumpectomy two weeks ago.",
        ),
        ("n2", "2022-06-01", "Left breast cancer. On letrozole since April 2021. No evidence of disease."),
        (
            "n3",
            "2024-05-20",
            "Previous left breast cancer (2021). Lung adenocarcinoma, stage IV, EGFR L858R, bone \
          metastases. Osimertinib was started in April 2024. CT in May 2024: partial response.",
        ),
        (
            "n4",
            "2024-09-01",
            "Lung adenocarcinoma, stage IIIA. Disease progression on osimertinib. No bone metastases.",
        ),
    ];
    all.iter().map(|(id, day, text)| json!({"id": id, "note_date": day, "text": text})).collect()
}

async fn post(router: &Router, media_type: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/api/v1/patient").header("content-type", media_type).body(body.into()).unwrap();
    let (status, headers, body) = send(router, request).await;
    let expected = if status == StatusCode::OK { "application/json" } else { "application/problem+json" };
    assert_eq!(headers["content-type"], expected);
    (status, serde_json::from_slice(&body).unwrap())
}

async fn timeline(router: &Router, notes: &[Value]) -> Value {
    let (status, answer) = post(router, "application/json", json!({"notes": notes}).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// Returns the entries of a tumour, as "stage IIA 2021-03-10 note".
fn entries(tumour: &Value) -> Vec<String> {
    let of_field = |field: &&'static str| {
        let all = tumour[*field].as_array().unwrap().clone();
        let field = *field;
        all.into_iter().map(move |entry| {
            let date = &entry["date"];
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            format!("{field} {} {} {}", text(&entry["value"]), text(&date["value"]), text(&date["source"]))
        })
    };
    FIELDS.iter().flat_map(of_field).collect()
}

#[tokio::test]
async fn the_notes_of_a_patient_make_one_timeline() {
    let router = rules();
    let answer = timeline(&router, &notes()).await;
    let timeline = &answer["timeline"];
    assert_eq!((&timeline["complete"], &answer["summary"]), (&json!(true), &json!({"ok": 4, "failed": 0})));
    assert_eq!(
        answer["notes"][1],
        json!({"id": "n2", "index": 1, "status": 200, "note_date": "2022-06-01", "warnings": []})
    );
    let [breast, lung] = timeline["tumours"].as_array().unwrap().as_slice() else { panic!("{timeline}") };
    assert_eq!([&breast["site"], &breast["laterality"], &lung["site"]], ["breast", "left", "lung"]);
    let roles = |tumour: &Value| {
        let notes = tumour["notes"].as_array().unwrap().iter();
        notes
            .map(|one| format!("{} {}", one["note"].as_str().unwrap(), one["role"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(roles(breast), ["n1 index", "n2 index", "n3 previous"]);
    assert_eq!(roles(lung), ["n3 index", "n4 index"]);
    assert_eq!(
        entries(breast),
        [
            "stage IIA 2021-03-10 note",
            "biomarker ER positive 2021-03-10 note",
            "treatment lumpectomy 2021-02 text",
            "treatment letrozole 2021-04 text",
            "response no evidence of disease 2022-06-01 note",
        ]
    );
    assert_eq!(
        entries(lung),
        [
            "stage IV 2024-05-20 note",
            "stage IIIA 2024-09-01 note",
            "gene_mutation EGFR L858R 2024-05-20 note",
            "treatment osimertinib 2024-04 text",
            "response partial response 2024-05 text",
            "response disease progression 2024-09-01 note",
            "metastasis_site bone 2024-05-20 note",
        ]
    );
    let osimertinib = &lung["treatment"][0];
    assert_eq!((&osimertinib["mention_count"], &osimertinib["last_note"]), (&json!(2), &json!("2024-09-01")));
    assert_eq!(osimertinib["codes"][0]["system"], "drugbank");
    let kinds: Vec<&str> =
        timeline["contradictions"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["stages_differ", "stated_and_denied"]);
    assert_eq!(answer["notes"][2]["warnings"], json!(["several_primaries"]));
    // Every mention quotes its note.
    for mention in mentions(timeline) {
        let text: Vec<char> = notes()[usize::try_from(mention["index"].as_u64().unwrap()).unwrap()]["text"]
            .as_str()
            .unwrap()
            .chars()
            .collect();
        let at = |key: &str| usize::try_from(mention[key].as_u64().unwrap()).unwrap();
        assert_eq!(text[at("start")..at("end")].iter().collect::<String>(), mention["quote"].as_str().unwrap());
    }
    // Lines, and another order of the notes, give the same timeline but for the positions in the request.
    let lines: Vec<String> = notes().iter().map(ToString::to_string).collect();
    assert_eq!(post(&router, "application/x-ndjson", lines.join("\n")).await, (StatusCode::OK, answer.clone()));
    let mut reversed = notes();
    reversed.reverse();
    let (_, reversed) = post(&router, "application/json", json!({"notes": reversed}).to_string()).await;
    assert_eq!(entries(&reversed["timeline"]["tumours"][1]), entries(lung));
}

/// Returns the timeline of notes that are written one month after the other.
async fn timeline_of(texts: &[&str]) -> Value {
    let note =
        |(at, text): (usize, &&str)| json!({"id": at, "note_date": format!("2022-{:02}-01", at + 1), "text": text});
    let notes: Vec<Value> = texts.iter().enumerate().map(note).collect();
    timeline(&rules(), &notes).await["timeline"].clone()
}

#[tokio::test]
async fn a_line_of_therapy_is_one_entry_with_its_start_its_end_and_its_response() {
    let timeline = timeline_of(&[
        "Colon cancer. FOLFOX was stopped in November 2021 because of neuropathy.",
        "Colon cancer. FOLFOX was started in June 2021 with a partial response.",
        "Colon cancer. She had FOLFOX. FOLFIRI was started in March 2022.",
    ])
    .await;
    let colon = &timeline["tumours"][0];
    assert_eq!(
        entries(colon),
        [
            "treatment FOLFOX 2021-06 text",
            "treatment FOLFIRI 2022-03 text",
            "response partial response 2022-02-01 note",
        ]
    );
    let line = json!({"status": "stopped", "start": "2021-06", "stop": "2021-11", "reason": "neuropathy",
        "responses": [{"value": "partial response", "index": 1}]});
    assert_eq!(colon["treatment"][0]["line"], line);
    // The end is stated after the start.
    let timeline = timeline_of(&[
        "Colon cancer. FOLFOX was started in June 2021.",
        "Colon cancer. FOLFOX was stopped in November 2021.",
    ])
    .await;
    assert_eq!(entries(&timeline["tumours"][0]), ["treatment FOLFOX 2021-06 text"]);
}

#[tokio::test]
async fn a_result_that_later_notes_repeat_beside_a_new_one_is_no_new_result() {
    let old = "Prostate cancer. PSA 45 ng/mL.";
    let timeline = timeline_of(&[
        old,
        &format!("{old} Interval: PSA 0.2 ng/mL today."),
        &format!("{old} Interval: PSA 12 ng/mL."),
    ])
    .await;
    assert_eq!(
        entries(&timeline["tumours"][0]),
        [
            "biomarker PSA 45 ng/mL 2022-01-01 note",
            "biomarker PSA 0.2 ng/mL 2022-02-01 text",
            "biomarker PSA 12 ng/mL 2022-03-01 note",
        ]
    );
}

#[tokio::test]
async fn a_disease_of_blood_is_one_under_its_name_and_its_letters() {
    let timeline =
        timeline_of(&["Chronic lymphocytic leukemia. Ibrutinib started.", "CLL. Ibrutinib was stopped."]).await;
    assert_eq!(timeline["tumours"].as_array().unwrap().len(), 1, "{timeline}");
    let timeline = timeline_of(&["Chronic lymphocytic leukemia.", "Diffuse large B-cell lymphoma."]).await;
    assert_eq!(timeline["tumours"].as_array().unwrap().len(), 2);
    assert_eq!(timeline["contradictions"][0]["kind"], "tumour_unclear");
}

#[tokio::test]
async fn tumours_of_two_sides_are_two() {
    let timeline = timeline_of(&[
        "Left breast cancer, ER positive, stage I. Letrozole was started.",
        "Right breast cancer, ER negative, stage III. Left breast cancer on letrozole.",
    ])
    .await;
    let shown = timeline["tumours"].as_array().unwrap().clone();
    let sides: Vec<(&str, Vec<String>)> =
        shown.iter().map(|tumour| (tumour["laterality"].as_str().unwrap_or("-"), entries(tumour))).collect();
    let [("left", left), ("right", right)] = sides.as_slice() else { panic!("{sides:?}") };
    assert!(left.iter().any(|entry| entry.starts_with("biomarker ER positive")), "{left:?}");
    assert!(!left.iter().any(|entry| entry.contains("ER negative") || entry.contains("III")), "{left:?}");
    assert!(right.iter().any(|entry| entry.starts_with("biomarker ER negative")), "{right:?}");
}

#[tokio::test]
async fn every_stage_that_differs_is_listed() {
    let timeline =
        timeline_of(&["Breast cancer, stage III.", "Breast cancer, stage IV.", "Breast cancer, stage IIIC."]).await;
    let listed = timeline["contradictions"][0]["statements"].as_array().unwrap().clone();
    let values: Vec<&str> = listed.iter().map(|one| one["value"].as_str().unwrap()).collect();
    assert_eq!(values, ["III", "IV", "IIIC"]);
}

/// Returns all mentions of a timeline that quote their note.
fn mentions(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(object) if object.contains_key("quote") && !object["quote"].is_null() => vec![value],
        Value::Object(object) => object.values().flat_map(mentions).collect(),
        Value::Array(list) => list.iter().flat_map(mentions).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_note_that_is_not_read_makes_the_timeline_incomplete() {
    let mut all = notes();
    all.push(json!({"id": "n1", "text": "Melanoma."}));
    all.push(json!({"id": "n6", "note_date": "2021-02-31", "text": "Melanoma."}));
    let answer = timeline(&rules(), &all).await;
    assert_eq!((&answer["timeline"]["complete"], &answer["summary"]), (&json!(false), &json!({"ok": 4, "failed": 2})));
    assert_eq!(answer["notes"][4]["error"]["errors"][0]["rule"], "unique");
    assert_eq!(answer["notes"][5]["error"]["errors"][0]["rule"], "calendar_date");
    assert_eq!(answer["timeline"]["tumours"].as_array().unwrap().len(), 2);
    // A body that is not a list of notes is refused as a whole.
    for (body, status) in [("{}", 422), ("{", 400), ("{\"notes\": [], \"x\": 1}", 422)] {
        assert_eq!(post(&rules(), "application/json", body).await.0, status, "{body}");
    }
    let (status, answer) = post(&rules(), "application/json", "{\"notes\": []}").await;
    assert_eq!((status, &answer["timeline"]["tumours"]), (StatusCode::OK, &json!([])));
}

#[tokio::test]
async fn two_thousand_notes_are_read_and_those_beyond_the_memory_are_named() {
    let lines = |count: usize| {
        let line = |at: usize| {
            let day = format!("20{:02}-{:02}-{:02}", 10 + at / 336, 1 + at % 336 / 28, 1 + at % 28);
            json!({"id": at, "note_date": day, "text": format!("Lung adenocarcinoma, stage IV. CEA {at} ng/mL. On osimertinib.")})
        };
        (0..count).map(|at| line(at).to_string()).collect::<Vec<_>>().join("\n")
    };
    let with_memory = |memory| {
        let mut settings = Settings::default();
        settings.limits.memory = Some(memory);
        Gateway::new(settings).unwrap().app
    };
    let app = with_memory(ByteSize::mib(64));
    let (_, answer) = post(&http::router(app.clone(), Vec::new()), "application/x-ndjson", lines(2_000)).await;
    assert_eq!((&answer["summary"]["ok"], &answer["timeline"]["complete"]), (&json!(2_000), &json!(true)));
    let [lung] = answer["timeline"]["tumours"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(lung["treatment"].as_array().unwrap().len(), 1);
    assert_eq!(lung["treatment"][0]["mention_count"], 2_000);
    assert_eq!(lung["treatment"][0]["mentions"].as_array().unwrap().len(), 8);
    assert_eq!(app.state.memory.reserved(), 0);
    let app = with_memory(ByteSize::mib(2));
    let (_, answer) = post(&http::router(app.clone(), Vec::new()), "application/x-ndjson", lines(2_000)).await;
    let failed = answer["summary"]["failed"].as_u64().unwrap();
    assert!((100..2_000).contains(&failed), "{failed} failed");
    assert_eq!(answer["timeline"]["complete"], false);
    let refused: Vec<&Value> =
        answer["notes"].as_array().unwrap().iter().filter(|note| note["status"] != 200).collect();
    assert!(refused.iter().all(|note| note["error"]["code"] == "overloaded"), "{:?}", refused.first());
    assert_eq!(app.state.memory.reserved(), 0);
}

#[tokio::test]
async fn a_models_records_make_the_same_timeline() {
    let record = |stage: &str, response: Value| {
        json!({"cancer_type": "lung adenocarcinoma", "stage": stage, "gene_mutation": "EGFR L858R", "biomarker": null,
            "treatment": "osimertinib", "response": response, "metastasis_site": null})
    };
    let model = start(vec![
        UpstreamBehaviour::Text(record("IV", Value::Null).to_string()),
        UpstreamBehaviour::Text(record("IV", json!("disease progression")).to_string()),
    ])
    .await;
    let router = gateway(&model, Duration::from_secs(50)).await;
    let notes = [
        json!({"id": 1, "note_date": "2024-05-20", "text": "Lung adenocarcinoma, stage IV, EGFR L858R. Osimertinib since April 2024."}),
        json!({"id": 2, "note_date": "2024-09-01", "text": "Lung adenocarcinoma, stage IV, EGFR L858R. Disease progression on osimertinib."}),
    ];
    let answer = timeline(&router, &notes).await;
    let [lung] = answer["timeline"]["tumours"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(
        entries(lung),
        [
            "stage IV 2024-05-20 note",
            "gene_mutation EGFR L858R 2024-05-20 note",
            "treatment osimertinib 2024-04 text",
            "response disease progression 2024-09-01 note",
        ]
    );
}
