//! The meaning of the trained model's answers: denied sites, confidence, notes in chunks, and the evaluation score.

use std::io::Write;

use axum::http::StatusCode;
use gateway::{
    eval::{self, ReportFormat, Sources},
    http,
    server::Gateway,
};
use serde_json::{Value, json};

use crate::{post, settings, wait_until_ready};

/// Runs `gateway eval` on the last hundred labelled notes, which the model was not trained on. Returns at once unless
/// `EVAL_GOLD` names a file of labelled notes.
pub(crate) async fn the_model_is_scored(port: u16) {
    let Ok(gold) = std::env::var("EVAL_GOLD") else { return };
    let lines = std::fs::read_to_string(gold).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let mut last = tempfile::NamedTempFile::new().unwrap();
    last.write_all(lines[lines.len().saturating_sub(100)..].join("\n").as_bytes()).unwrap();
    let sources = Sources { gold: last.path().to_owned(), predictions: None, against: None };
    let mut limited = settings(port, &[1, 2]);
    limited.admission.in_flight = 8;
    let report = eval::evaluate(&sources, limited, |_, _| {}).await.unwrap();
    assert_eq!(report.failed(), 0);
    let figures: Value = serde_json::from_str(&report.written(ReportFormat::Json)).unwrap();
    let f1 = figures["micro"]["relaxed"]["f1"].as_f64().unwrap();
    assert!(f1 > 0.85, "relaxed micro F1 {f1}; {figures}");
    assert!(figures["micro"]["basis"]["unsupported"].as_f64().unwrap() < 0.15, "{figures}");
}

/// A value that the note denies is not in the record. Confidence is a probability. The record of a note in chunks
/// contains the values of its chunks. The cross-check compares with the rules.
pub(crate) async fn denied_sites_doubt_and_long_notes(port: u16, note: &str) {
    let mut checked = settings(port, &[1, 2]);
    checked.cross_check = true;
    let gateway = Gateway::new(checked).unwrap();
    wait_until_ready(&gateway).await;
    let router = http::router(gateway.app.clone(), Vec::new());
    let denying = "58-year-old woman with stage IV lung adenocarcinoma, EGFR exon 19 deletion, started osimertinib with \
                   partial response. No evidence of liver or brain metastases. Bone metastases stable.";
    let (status, answer) = post(&router, &json!({"text": denying, "confidence": true})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(!answer["metastasis_site"].to_string().contains("liver"), "{answer}");
    let sites = answer["evidence"]["metastasis_site"].as_array().unwrap();
    assert!(sites.iter().any(|site| site["assertion"] == "negated" && site["in_record"] == false), "{answer}");
    assert!(answer["warnings"].to_string().contains("contradicted_value"));
    assert!(
        ["agree", "differ", "only_model", "only_rules"].contains(&answer["cross_check"]["stage"].as_str().unwrap())
    );
    let confidence = &answer["evidence"]["treatment"][0]["confidence"];
    let (mean, minimum) = (confidence["mean"].as_f64().unwrap(), confidence["minimum"].as_f64().unwrap());
    assert!(0.0 < minimum && minimum <= mean && mean <= 1.0, "{answer}");

    // The model was trained on short notes, so the chunks are as short as the settings allow.
    let mut settings = settings(port, &[1, 2]);
    settings.chunk.max_chars = 1_000;
    let gateway = Gateway::new(settings).unwrap();
    wait_until_ready(&gateway).await;
    let later = "Progress note: 70-year-old man with stage IV cutaneous melanoma, BRAF V600E. He was switched to \
                 dabrafenib plus trametinib. Follow-up imaging shows a partial response of the liver metastases.";
    let text = format!("{note}\n\n{}", [later; 5].join("\n\n"));
    let (status, answer) =
        post(&http::router(gateway.app.clone(), Vec::new()), &json!({"text": text, "confidence": true})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer["chunks"].as_u64().unwrap() > 1);
    let holds = |field: &str, value: &str| assert!(answer[field].to_string().contains(value), "{field}: {answer}");
    holds("cancer_type", "melanoma");
    holds("metastasis_site", "brain");
    holds("metastasis_site", "liver");
    holds("treatment", "ipilimumab");
    holds("treatment", "dabrafenib");
}
