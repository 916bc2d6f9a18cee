//! Tests the results of single values of a model's answer, against the table `model_answers.txt`.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    FIELDS,
    fake_vllm::{UpstreamBehaviour, start},
    faults::gateway,
    post,
};

const DEADLINE: Duration = Duration::from_secs(50);

/// A line of the table.
struct Case {
    field: &'static str,
    right: Vec<&'static str>,
    wrong: Vec<&'static str>,
    note: String,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("model_answers.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.splitn(4, '|').map(str::trim);
            let mut column = || columns.next().unwrap();
            let values =
                |cell: &'static str| cell.split(';').map(str::trim).filter(|value| !value.is_empty()).collect();
            let field = column();
            assert!(FIELDS.contains(&field), "{line}");
            Case { field, right: values(column()), wrong: values(column()), note: column().replace("\\n", "\n") }
        })
        .collect()
}

/// Returns what is wrong with an answer.
fn faults(case: &Case, answer: &Value) -> Vec<String> {
    let record = answer[case.field].as_str().unwrap_or_default();
    let values: Vec<&str> = record.split("; ").collect();
    let findings = |value: &str| -> Vec<Value> {
        let all = answer["evidence"][case.field].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|finding| finding["value"] == value).collect()
    };
    let unsupported = |value: &str| findings(value).iter().any(|finding| finding["basis"] == "unsupported");
    let unassessed = |value: &str| findings(value).iter().any(|finding| finding["assertion"] == "unknown");
    let right = case.right.iter().filter(|value| !values.contains(value) || unsupported(value));
    let wrong = case.wrong.iter().filter(|value| values.contains(value) && !unsupported(value) && !unassessed(value));
    let right = right.map(|value| format!("{value:?} is lost or not found in {:?}", case.note));
    right.chain(wrong.map(|value| format!("{value:?} stays for {:?}", case.note))).collect()
}

#[tokio::test]
async fn each_value_of_a_model_is_judged_by_the_note() {
    let mut all = Vec::new();
    for case in cases() {
        let values: Vec<&str> = case.right.iter().chain(&case.wrong).copied().collect();
        let record: serde_json::Map<String, Value> = FIELDS
            .iter()
            .map(|field| {
                ((*field).to_owned(), if *field == case.field { json!(values.join("; ")) } else { Value::Null })
            })
            .collect();
        let fake = start(vec![UpstreamBehaviour::Text(Value::Object(record).to_string())]).await;
        let router = gateway(&fake, DEADLINE).await;
        let (status, answer) = post(&router, json!({"text": case.note}).to_string()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        all.extend(faults(&case, &answer));
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}
