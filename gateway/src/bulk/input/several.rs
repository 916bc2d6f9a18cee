//! Whether a text looks like the notes of several patients: parts between lines of signs or page ends, each with a number of
//! its own, or a table of a web page. Read as one note, it would give one patient the findings of another.
//!
//! Reports of one patient often have lines of dashes and tables, so such lines alone are not enough: each part must
//! begin with a number of a patient or a note, and the numbers must differ.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;

use crate::statics::pattern;

/// Characters that a line between two notes consists of, and the least number of them.
const RULES: [char; 5] = ['=', '-', '*', '_', '#'];
const SHORTEST_RULE: usize = 3;
/// Lines at the beginning of a part that are searched for its number.
const HEADER_LINES: usize = 4;
/// Words that a column of notes has on average, at least.
const WORDS_OF_A_NOTE: usize = 3;

/// The label and the value of a number, at the beginning of a line.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^\W{0,6}
        (?P<label>
            (?:patient|pat|pt|person|subject|patienten?|fall) [\s_.-]* (?:id|no|nr|number|nummer|mrn|\#)?
            | mrn | pid | (?:note|record|case|document) [\s_.-]* (?:id|no|nr|number|\#)? | id
        ) \.? \s* [:\#=]+ \s*
        (?P<value>[A-Z0-9][A-Z0-9/_.-]*)",
    )
});
/// Names of columns with the numbers of patients or notes.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:(?:patient|pat|person|subject|note|case|record)[\s_.-]*(?:id|no|nr|number|mrn|\#)\.?|patient|mrn|pid|id)$",
    )
});
/// Parts of a web page: a table, a row, a cell, and anything in it.
static TABLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<table\b.*?(?:</table\s*>|\z)"));
static ROW: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<tr\b[^>]*>"));
static CELL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<t[dh]\b[^>]*>"));
static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<[^>]*>"));

/// Returns what a text looks like, as the end of a sentence that begins with its name; `None` for the text of one patient.
/// The sentence has no words of the text.
pub(super) fn look(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let advice =
        "say --from text if it is one patient's; else give each note as a file of its own, or all as JSON lines or CSV";
    if let Some(parts) = parts_of_patients(&text) {
        return Some(format!(
            "it looks like {parts} notes with numbers of their own, between lines of signs or page ends; {advice}"
        ));
    }
    rows_of_patients(&text).map(|rows| format!("it has a table that looks like the notes of {rows} patients; {advice}"))
}

/// Returns the number of parts that begin with different numbers of patients or notes.
fn parts_of_patients(text: &str) -> Option<usize> {
    let (mut numbers, mut lines, mut ended) = (Vec::new(), 0, false);
    for line in text.split(['\n', '\r']).flat_map(with_page_ends) {
        let line = line.trim();
        if is_rule(line) {
            (lines, ended) = (0, false);
        } else if !line.is_empty() && !ended {
            lines += 1;
            if let Some(found) = number(line) {
                numbers.push(found);
                ended = true;
            }
            ended |= lines == HEADER_LINES;
        }
    }
    let labels: BTreeSet<&str> = numbers.iter().map(|(label, _)| label.as_str()).collect();
    let different = |label: &str| {
        let values: BTreeSet<&str> =
            numbers.iter().filter(|(other, _)| other == label).map(|(_, value)| value.as_str()).collect();
        values.len()
    };
    labels.into_iter().map(different).max().filter(|&parts| parts > 1)
}

/// Returns the pieces of a line between the ends of pages, each end as a piece of its own.
fn with_page_ends(line: &str) -> impl Iterator<Item = &str> {
    line.split_inclusive('\u{c}').flat_map(|piece| match piece.strip_suffix('\u{c}') {
        Some(text) => [text, "==="],
        None => [piece, ""],
    })
}

fn is_rule(line: &str) -> bool {
    let mut signs = line.chars().filter(|sign| !sign.is_whitespace());
    let Some(first) = signs.next().filter(|sign| RULES.contains(sign)) else { return false };
    let mut count = 1;
    signs.all(|sign| {
        count += 1;
        sign == first
    }) && count >= SHORTEST_RULE
}

/// Returns the label of a number and the number. A value without a digit is a name or a word.
fn number(line: &str) -> Option<(String, String)> {
    let found = NUMBER.captures(line)?;
    let value = found.name("value")?.as_str();
    let label = found.name("label")?.as_str();
    let label: String = label.chars().filter(|letter| letter.is_alphabetic()).collect();
    value.bytes().any(|byte| byte.is_ascii_digit()).then(|| (label.to_lowercase(), value.to_owned()))
}

/// Returns the number of rows of a table of a web page that has a column of numbers of patients or notes, and one of notes.
fn rows_of_patients(text: &str) -> Option<usize> {
    TABLE.find_iter(text).find_map(|table| {
        let rows: Vec<Vec<String>> =
            ROW.split(table.as_str()).skip(1).map(cells).filter(|cells| cells.len() > 1).collect();
        let (header, data) = rows.split_first()?;
        let at = header.iter().position(|name| NAME.is_match(name))?;
        let data: Vec<_> = data.iter().filter(|row| row.len() == header.len()).collect();
        let ids: BTreeSet<&String> = data.iter().filter_map(|row| row.get(at)).filter(|id| !id.is_empty()).collect();
        let words = |column: usize| -> usize {
            data.iter().filter_map(|row| row.get(column)).map(|cell| cell.split_whitespace().count()).sum()
        };
        let has_notes = (0..header.len()).any(|column| column != at && words(column) >= data.len() * WORDS_OF_A_NOTE);
        (ids.len() > 1 && has_notes).then_some(ids.len())
    })
}

fn cells(row: &str) -> Vec<String> {
    CELL.split(row).skip(1).map(|cell| TAG.replace_all(cell, " ").replace("&nbsp;", " ").trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_several_patients_are_seen() {
        for text in [
            "Patient ID: 17\nStage IV lung cancer.\n=====\nPatient ID: 18\nStage I melanoma.\n",
            "MRN: A-1\r\n\r\nStage IV lung cancer.\r\n----------\r\nMRN: A-2\r\nStage I.\r\n",
            "ID: 1\nStage IV lung cancer.\u{c}ID: 2\nStage I melanoma.",
            "Note #101\nStage IV.\n* * * * *\n\nNote #102\nStage I.\n",
            "### note_id: n1\nStage IV.\n---\n### note_id: n2\nStage I.\n",
            "CLINIC LETTER\nDate: 2024-01-01\nPatient No.: 5\nStage IV.\n_____\nCLINIC LETTER\nDate: 2024-01-02\nPatient No.: 6\nStage I.\n",
            "<html><table border=1><tr><th>Patient ID<th>Note<tr><td>1<td>Stage IV lung cancer<tr><td>2<td>Stage I skin cancer</table>",
            "<table><tr><td>MRN</td><td>Age</td><td>Report</td></tr><tr><td><b>7</b></td><td>61</td><td>Stage IV lung cancer</td></tr>\
             <tr><td>8</td><td>62</td><td>No tumour was seen here</td></tr></table>",
        ] {
            assert!(look(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn the_text_of_one_patient_is_not_refused() {
        for text in [
            "PATHOLOGY REPORT\n==========\nPatient ID: 17\n----------\nDiagnosis: stage IV\n==========\n",
            // Several reports of one patient.
            "Patient ID: 17\nStage II in 2020.\n=====\nPatient ID: 17\nStage IV in 2024.\n",
            "Patient ID: 17\nAccession: S1\n----\nSpecimen: 1\nlung\n----\nSpecimen: 2\nliver\n",
            "Section 1\n-----\nCase discussed. ID: none\n-----\nBlock A1: tumour\n",
            "Stage IV\n-----\nCase: see above\n-----\nPatient: Jane\n",
            "Patient ID: 17\nNote: seen today\n-----\nNote: call back in 2 weeks\n",
            "<table><tr><th>Marker<th>Result<tr><td>CD45<td>negative in tumour cells<tr><td>CD20<td>positive in all cells</table>",
            "<table><tr><th>MRN<th>Text<tr><td>7<td>Stage IV lung cancer</table>",
            "<table><tr><th>No<th>Finding<tr><td>1<td>mass of left lobe<tr><td>2<td>node in the hilus</table>",
            "",
        ] {
            assert_eq!(look(text.as_bytes()), None, "{text}");
        }
    }
}
