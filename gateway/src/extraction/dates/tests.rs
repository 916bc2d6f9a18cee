//! Measures the dates of the values of made-up notes, as the review of a record gives them.

use super::*;
use crate::extraction::{Finding, Record, evidence};

/// A value of a case with the date that is expected of it.
struct Expected<'a> {
    field: Field,
    value: &'a str,
    /// Which place of the value in the note is meant, from 0.
    place: usize,
    date: &'a str,
}

/// A note with the dates of some of its values.
struct Case<'a> {
    name: &'a str,
    note_date: Option<CalendarDate>,
    note: String,
    expected: Vec<Expected<'a>>,
}

fn cases(file: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            cases.push(Case { name, note_date: None, note: String::new(), expected: Vec::new() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(date) = line.strip_prefix("@ ") {
            case.note_date = Some(CalendarDate::parse(date).unwrap());
        } else if let Some(expected) = line.strip_prefix("= ") {
            let [field, value, date] = expected.split(" | ").collect::<Vec<_>>().try_into().unwrap();
            let (value, place) = value.split_once('#').unwrap_or((value, "1"));
            let field = Field::ALL.into_iter().find(|each| each.name() == field).unwrap();
            case.expected.push(Expected { field, value, place: place.parse::<usize>().unwrap() - 1, date });
        } else {
            case.note.push_str(line);
            case.note.push('\n');
        }
    }
    cases
}

/// Returns a date as the file of cases writes it.
fn written(date: Option<&StatedDate>) -> String {
    match date {
        None => "none".to_owned(),
        Some(StatedDate { value, precision: DatePrecision::Age, .. }) => format!("age {value}"),
        Some(StatedDate { value, precision: DatePrecision::Relative, .. }) => format!("relative {value}"),
        Some(StatedDate { value, .. }) => value.clone(),
    }
}

/// Returns the findings of a case's values, as the review of a model's record gives them.
fn found(case: &Case<'_>) -> Vec<Option<String>> {
    let note = Note::new(case.note.trim_end().to_owned(), usize::MAX).unwrap();
    let mut record = Record::default();
    for expected in &case.expected {
        let list = record.get_mut(expected.field);
        let earlier = list.take().map_or(String::new(), |earlier| earlier + "; ");
        *list = Some(earlier + expected.value);
    }
    let options = evidence::ReviewOptions { unit: OffsetUnit::Byte, note_date: case.note_date };
    let reviewed = evidence::review(&note, record, &[], options, |_, _| None);
    let find = |expected: &Expected<'_>| {
        let (start, words) = note.as_str().match_indices(expected.value).nth(expected.place)?;
        let overlaps = |finding: &&Finding| {
            let range = finding.start.zip(finding.end);
            range.is_some_and(|(from, to)| from < start + words.len() && start < to)
        };
        let finding = reviewed.evidence.get(expected.field).iter().find(overlaps)?;
        let date = finding.date.as_ref();
        assert!(date.is_none_or(|date| note.span(date.start, date.end).is_some()), "{}", case.name);
        Some(written(date))
    };
    case.expected.iter().map(find).collect()
}

/// Prints the misses and returns precision and recall. A date that is given must be right; a date that the note states
/// must be given.
fn measure(file: &str) -> (f64, f64) {
    let (mut given, mut right, mut stated) = (0_u32, 0_u32, 0_u32);
    for case in cases(file) {
        for (expected, found) in case.expected.iter().zip(found(&case)) {
            let Some(found) = found else {
                println!("{}: {} is not found in the note", case.name, expected.value);
                stated += 1;
                continue;
            };
            given += u32::from(found != "none");
            stated += u32::from(expected.date != "none");
            right += u32::from(found != "none" && found == expected.date);
            if found != expected.date {
                println!("{}: {} has {found}, not {}", case.name, expected.value, expected.date);
            }
        }
    }
    println!("{right} right of {given} given and of {stated} stated");
    (f64::from(right) / f64::from(given), f64::from(right) / f64::from(stated))
}

#[test]
fn sixty_notes() {
    let file = include_str!("cases.txt");
    assert_eq!(cases(file).len(), 60);
    let (precision, recall) = measure(file);
    assert!(precision >= 0.95, "precision {precision}");
    assert!(recall >= 0.85, "recall {recall}");
}
