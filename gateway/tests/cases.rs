//! Checks handwritten notes against the records that must be read from them, one file for each note in `cases/`, so
//! that a clinician can review them. The rules engine reads the notes through the whole pipeline of the service.
//!
//! A file has `about`, `note`, `[record]` (an absent field must be null; the order of parts does not matter) and
//! `[[evidence]]` (only the findings that matter for the case; an absent key is not checked). `known_gap` says why a
//! case is not met. Such a case must fail, so that a closed gap is noticed.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a panic in a helper fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
    time::Duration,
};

use gateway::{
    config::Settings,
    extraction::{Answer, AnswerOptions, Deadline, EngineRequest, Field, Note, TokenBudget},
    server::Gateway,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    note: String,
    known_gap: Option<String>,
    record: BTreeMap<Field, String>,
    #[serde(default)]
    evidence: Vec<ExpectedFinding>,
}

/// One expected finding of the evidence. An absent key is not checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFinding {
    field: Field,
    value: String,
    in_record: Option<bool>,
    basis: Option<String>,
    assertion: Option<String>,
    rule: Option<String>,
    quote: Option<String>,
}

async fn read(gateway: &Gateway, text: &str) -> Answer {
    let note = Note::new(text.to_owned(), 100_000).unwrap();
    let budget = TokenBudget::Adjustable(1_024);
    let request = EngineRequest::plain(budget, Arc::from("case"));
    let deadline = Deadline::after(Duration::from_secs(30));
    gateway.app.extractor.pipeline.extract(&note, &request, AnswerOptions::default(), deadline).await.unwrap().0
}

/// Returns every difference between an answer and its case.
fn check(case: &Case, answer: &Answer) -> Vec<String> {
    let parts = |value: &str| -> BTreeSet<String> {
        value.to_lowercase().split(';').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let mut differences = Vec::new();
    for field in Field::ALL {
        let expected = case.record.get(&field).map_or("", String::as_str);
        let found = answer.record.get(field).unwrap_or_default();
        if parts(expected) != parts(found) {
            differences.push(format!("{}: {found:?}, expected {expected:?}", field.name()));
        }
    }
    for expected_finding in &case.evidence {
        let of_value = answer
            .evidence
            .get(expected_finding.field)
            .iter()
            .filter(|finding| finding.value.eq_ignore_ascii_case(&expected_finding.value));
        let json = |value: serde_json::Value| value.as_str().map(str::to_owned);
        let matches_value = |expected_value: &Option<String>, found_value: Option<String>| {
            expected_value.is_none() || *expected_value == found_value
        };
        let is_found = of_value.clone().any(|finding| {
            expected_finding.in_record.is_none_or(|expected_value| expected_value == finding.in_record)
                && matches_value(&expected_finding.basis, Some(finding.basis.name().to_owned()))
                && matches_value(
                    &expected_finding.assertion,
                    finding.assertion.and_then(|assertion| json(serde_json::to_value(assertion).unwrap())),
                )
                && matches_value(&expected_finding.rule, finding.rule.map(str::to_owned))
                && matches_value(&expected_finding.quote, finding.quote.clone())
        });
        if !is_found {
            differences.push(format!(
                "no evidence like {expected_finding:?}; of that value: {:?}",
                of_value.collect::<Vec<_>>()
            ));
        }
    }
    differences
}

#[tokio::test]
async fn every_case_is_read_as_written() {
    let gateway = Gateway::new(Settings::default()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 60, "{} cases", files.len());
    let mut failed = 0;
    for file in files {
        let case: Case = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap_or_else(|error| {
            eprintln!("{}: {error}", file.display());
            Case {
                about: String::new(),
                note: "x".to_owned(),
                known_gap: None,
                record: BTreeMap::default(),
                evidence: Vec::new(),
            }
        });
        let answer = read(&gateway, &case.note).await;
        let differences = check(&case, &answer);
        let name = file.file_stem().unwrap().to_string_lossy();
        match &case.known_gap {
            Some(_) if !differences.is_empty() => {}
            Some(gap) => {
                failed += 1;
                eprintln!("{name}: the known gap is closed, remove it from the file: {gap}");
            }
            None if differences.is_empty() => {}
            None => {
                failed += 1;
                eprintln!("{name} ({}):\n  {}", case.about, differences.join("\n  "));
            }
        }
    }
    assert_eq!(failed, 0);
}
