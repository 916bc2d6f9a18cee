//! When treatments were begun and ended: each date is labelled as what it is, or left out.

use super::{AskSource, Bench};

const NOTE: &str = "Stage IV lung adenocarcinoma. Osimertinib was started in March 2024 and stopped in June 2025 due to \
     progression. Carboplatin from 1 July 2025 to 3 September 2025. Pembrolizumab was discontinued on 12 May 2023. \
     Docetaxel was completed on 5 Jan 2023. She received gemcitabine until November 2025. Denosumab since 2024, ongoing. \
     Erlotinib was given in 2021.";

/// Asks, and returns the answer with its quotes.
async fn answers(rows: &[(&str, &str, &[&str])]) {
    let bench = Bench::new();
    for (question, expected, quotes) in rows {
        let answer = bench.ask(NOTE, question, None).await.unwrap().0.answer;
        let shown: Vec<&str> = answer.quotes.iter().map(|quote| quote.quote.as_str()).collect();
        assert_eq!((answer.answer.as_str(), &*shown), (*expected, *quotes), "{question}");
        assert_eq!(
            (answer.source, answer.grounded),
            (AskSource::Record, expected.starts_with("Treatment")),
            "{question}"
        );
    }
}

#[tokio::test]
async fn the_end_of_a_treatment_is_said_where_the_note_has_it() {
    answers(&[
        ("When was osimertinib stopped?", "Treatment: osimertinib (stopped 2025-06).", &["Osimertinib", "June 2025"]),
        (
            "Until when did she take osimertinib?",
            "Treatment: osimertinib (stopped 2025-06).",
            &["Osimertinib", "June 2025"],
        ),
        (
            "When was she taken off osimertinib?",
            "Treatment: osimertinib (stopped 2025-06).",
            &["Osimertinib", "June 2025"],
        ),
        ("When did docetaxel end?", "Treatment: docetaxel (completed 2023-01-05).", &["Docetaxel", "5 Jan 2023"]),
        (
            "When was pembrolizumab discontinued?",
            "Treatment: pembrolizumab (stopped 2023-05-12, in the past).",
            &["Pembrolizumab", "12 May 2023"],
        ),
        (
            "Was osimertinib stopped?",
            "Treatment: osimertinib (from 2024-03, stopped 2025-06).",
            &["Osimertinib", "March 2024", "June 2025"],
        ),
        (
            "When was osimertinib started and stopped?",
            "Treatment: osimertinib (from 2024-03, stopped 2025-06).",
            &["Osimertinib", "March 2024", "June 2025"],
        ),
    ])
    .await;
}

/// The date of one end does not answer a question about the other.
#[tokio::test]
async fn a_date_is_never_said_as_the_other_end() {
    let not_said = "The note does not say.";
    answers(&[
        ("When was denosumab stopped?", not_said, &[]),
        ("When was erlotinib stopped?", not_said, &[]),
        ("When was nivolumab stopped?", not_said, &[]),
        ("When was pembrolizumab started?", not_said, &[]),
        ("When was docetaxel started?", not_said, &[]),
        (
            "When was osimertinib started?",
            "Treatment: osimertinib (from 2024-03, stopped).",
            &["Osimertinib", "March 2024"],
        ),
        ("When was erlotinib started?", "Treatment: erlotinib (2021).", &["Erlotinib", "2021"]),
    ])
    .await;
}

/// The sentence with an end that the record does not hold is quoted, and the answer is not "The note does not say."
#[tokio::test]
async fn an_end_that_only_the_note_has_is_quoted() {
    let named = "The record has no answer to this. The note names it in the quoted words; read there what it says.";
    answers(&[
        ("When was carboplatin stopped?", named, &["Carboplatin from 1 July 2025 to 3 September 2025."]),
        ("When did gemcitabine end?", named, &["She received gemcitabine until November 2025."]),
    ])
    .await;
}
