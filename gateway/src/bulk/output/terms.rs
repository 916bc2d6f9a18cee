//! Writes rows for the table `NOTE_NLP` of the OMOP common data model 5.4: one row per finding, with the columns and the
//! lengths of its documentation. A note without findings has no row, and neither has one that failed.
//!
//! Concept ids are 0, which means "no matching concept" there: mapping to a vocabulary is left to the warehouse, and
//! the codes of a finding are among its modifiers.

use std::{fmt::Write as _, time::SystemTime};

use super::{
    columns::{Cell, Column, ColumnKind},
    findings::{ParsedFinding, ParsedResult, ResultLine},
};
use crate::{bulk::outcome::EntryOutcome, extraction::Field};

const COLUMNS: [(&str, ColumnKind); 14] = [
    ("note_nlp_id", ColumnKind::Number),
    ("note_id", ColumnKind::Number),
    ("section_concept_id", ColumnKind::Number),
    ("snippet", ColumnKind::Text),
    ("offset", ColumnKind::Text),
    ("lexical_variant", ColumnKind::Text),
    ("note_nlp_concept_id", ColumnKind::Number),
    ("note_nlp_source_concept_id", ColumnKind::Number),
    ("nlp_system", ColumnKind::Text),
    ("nlp_date", ColumnKind::Text),
    ("nlp_datetime", ColumnKind::Text),
    ("term_exists", ColumnKind::Text),
    ("term_temporal", ColumnKind::Text),
    ("term_modifiers", ColumnKind::Text),
];
/// The lengths of the columns in the data model, in characters.
const MAX_SNIPPET: usize = 250;
const MAX_VARIANT: usize = 250;
const MAX_SYSTEM: usize = 250;
const MAX_MODIFIERS: usize = 2_000;
/// Characters of the note on each side of a quote in its snippet.
const AROUND: usize = 60;

/// Writes the rows and numbers them from 1.
#[derive(Debug, Default)]
pub(super) struct TermWriter {
    written: u64,
}

/// Returns the columns.
pub(super) fn columns() -> Vec<Column> {
    COLUMNS.map(|(name, kind)| Column::new(name, kind)).into()
}

impl TermWriter {
    /// Gives the rows of a note to `give`.
    pub(super) fn rows(&mut self, outcome: &EntryOutcome, give: &mut dyn FnMut(&[Cell<'_>])) {
        let Some(ResultLine { result: Some(answer), .. }) = ResultLine::of(&outcome.line) else { return };
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let (day, time) = now.trim_end_matches('Z').split_once('T').unwrap_or_default();
        let (system, time) = (system(&answer), format!("{day} {time}"));
        for (field, finding) in answer.findings() {
            self.written += 1;
            let text = outcome.text.as_deref().unwrap_or_default();
            give(&[
                Cell::Number(self.written),
                Cell::text(outcome.id.as_str()),
                Cell::Empty,
                Cell::text(snippet(text, finding)),
                finding.start.map_or(Cell::Empty, |start| Cell::text(start.to_string())),
                Cell::text(cut(finding.quote.as_deref().unwrap_or(&finding.value), MAX_VARIANT)),
                Cell::Number(0),
                Cell::Number(0),
                Cell::text(system.as_str()),
                Cell::text(day),
                Cell::text(time.as_str()),
                Cell::text(exists(finding)),
                Cell::text(temporal(finding)),
                Cell::text(modifiers(field, finding)),
            ]);
        }
    }
}

/// Returns name and version of this program, and what read the note.
fn system(answer: &ParsedResult<'_>) -> String {
    let model = if answer.model.is_empty() { &answer.engine } else { &answer.model };
    cut(&format!("oncology gateway {} ({model})", env!("CARGO_PKG_VERSION")), MAX_SYSTEM)
}

/// Returns whether the patient has or had what the finding says, by the rules of the data model: `N` where it is
/// denied, not known to have happened, or true of another person; nothing where the note does not say.
fn exists(finding: &ParsedFinding<'_>) -> &'static str {
    match finding.review.as_deref() {
        // A value that a person accepted, changed or added counts as present.
        Some("accepted" | "changed" | "added") => return "Y",
        // The decisions do not say why a person rejected a value, so a value that the note denies stays denied.
        Some("rejected") if !finding.assertion.as_deref().is_some_and(is_denied) => return "",
        _ => {}
    }
    match finding.assertion.as_deref() {
        _ if finding.basis == "unsupported" => "",
        Some("present" | "probable" | "historical" | "other_tumour" | "superseded") => "Y",
        Some(assertion) if is_denied(assertion) => "N",
        _ => "",
    }
}

fn is_denied(assertion: &str) -> bool {
    matches!(assertion, "uncertain" | "planned" | "declined" | "negated" | "not_tested" | "wild_type" | "family")
}

/// Returns `past` for what is over, `present` for what the patient has, and nothing for the rest.
fn temporal(finding: &ParsedFinding<'_>) -> &'static str {
    match (finding.assertion.as_deref(), exists(finding)) {
        (Some("historical" | "superseded"), _) => "past",
        (_, "Y") => "present",
        _ => "",
    }
}

/// Returns the modifiers as `key=value`, joined by `"; "`. The value of the finding comes last, so that a semicolon in it
/// is not taken for the next modifier.
fn modifiers(field: Field, finding: &ParsedFinding<'_>) -> String {
    let assertion = finding.assertion.as_deref().unwrap_or("unknown");
    let mut out = format!("assertion={assertion}; field={}; basis={}", field.name(), finding.basis);
    out.push_str(if finding.in_record { "; in_record=true" } else { "; in_record=false" });
    let date = finding.date.as_ref().map(|date| date.value.as_ref());
    let parts = [("tumour", finding.tumour.as_deref()), ("date", date)];
    // Writing to a string cannot fail.
    for (key, value) in parts {
        if let Some(value) = value {
            let _ = write!(out, "; {key}={value}");
        }
    }
    if let Some(review) = &finding.review {
        let _ = write!(out, "; review={review}");
    }
    for code in &finding.codes {
        let _ = write!(out, "; code={}:{}", code.system, code.code);
    }
    let _ = write!(out, "; value={}", finding.value);
    cut(&out, MAX_MODIFIERS)
}

/// Returns the words of the note around the quote, on one line. `start` and `end` count code points.
fn snippet(text: &str, finding: &ParsedFinding<'_>) -> String {
    let (Some(start), Some(end), Some(quote)) = (finding.start, finding.end, &finding.quote) else {
        return String::new();
    };
    let room = MAX_SNIPPET.saturating_sub(quote.chars().count()) / 2;
    let first = start.saturating_sub(room.min(AROUND));
    let last = end.saturating_add(room.min(AROUND));
    let around: String = text.chars().skip(first).take(last.saturating_sub(first)).collect();
    let around = if around.is_empty() { quote.to_string() } else { around };
    cut(&around.replace(['\r', '\n', '\t'], " "), MAX_SNIPPET)
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
