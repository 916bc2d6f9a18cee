//! Measures the dates of the values of made-up notes, as the judging of a record gives them.
#![expect(clippy::print_stdout, reason = "shows which dates are wrong")]

use super::*;
use crate::extraction::{Context, Finding, Record, judge};

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

/// Returns the findings of a case's values, as the judging of a model's record gives them.
fn found(case: &Case<'_>) -> Vec<Option<String>> {
    let note = Note::new(case.note.trim_end().to_owned(), usize::MAX).unwrap();
    let mut record = Record::default();
    for expected in &case.expected {
        let list = record.get_mut(expected.field);
        let earlier = list.take().map_or(String::new(), |earlier| earlier + "; ");
        *list = Some(earlier + expected.value);
    }
    let input = judge::JudgeInput { unit: OffsetUnit::Byte, note_date: case.note_date, ..judge::JudgeInput::default() };
    let judged = judge::judge(&note, record, input, |_, _| None);
    let find = |expected: &Expected<'_>| {
        let (start, words) = note.as_str().match_indices(expected.value).nth(expected.place)?;
        let overlaps = |finding: &&Finding| {
            let range = finding.start.zip(finding.end);
            range.is_some_and(|(from, to)| from < start + words.len() && start < to)
        };
        let finding = judged.evidence.get(expected.field).iter().find(overlaps)?;
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
fn made_up_notes() {
    let file = include_str!("cases.txt");
    assert_eq!(cases(file).len(), 64);
    let (precision, recall) = measure(file);
    assert!(precision >= 0.95, "precision {precision}");
    assert!(recall >= 0.85, "recall {recall}");
}

#[test]
fn held_out_notes() {
    let (precision, recall) = measure(include_str!("held_out.txt"));
    assert!(precision >= 0.9, "precision {precision}");
    assert!(recall >= 0.85, "recall {recall}");
}

/// Returns the dates of the places of one treatment in a note.
fn dates_of(text: &str, treatment: &str, note_date: Option<&str>) -> Vec<String> {
    let note = Note::new(text.to_owned(), usize::MAX).unwrap();
    let record = Record { treatment: Some(treatment.to_owned()), ..Record::default() };
    let note_date = note_date.map(|date| CalendarDate::parse(date).unwrap());
    let input = judge::JudgeInput { note_date, ..judge::JudgeInput::default() };
    let judged = judge::judge(&note, record, input, |_, _| None);
    let findings = judged.evidence.get(Field::Treatment).iter();
    findings
        .map(|finding| {
            let date = finding.date.as_ref();
            let words = date.map(|date| text.chars().skip(date.start).take(date.end - date.start).collect::<String>());
            format!("{} <{}>", written(date), words.unwrap_or_default())
        })
        .collect()
}

#[test]
fn words_and_places_are_those_of_the_note() {
    for (text, note_date, expected) in [
        ("Café: <b>osimertinib</b> since <i>March</i> 2021.", None, "2021-03 <March</i> 2021>"),
        ("Café: osimertinib since M&auml;rz, started March&nbsp;2021.", None, "2021-03 <March&nbsp;2021>"),
        ("Café: osimertinib in March.", None, "relative in March <in March>"),
        ("Café: osimertinib in March.", Some("2021-05-20"), "2021-03 <March>"),
        ("Café: osimertinib at age 52.", None, "age 52 <at age 52>"),
    ] {
        assert_eq!(dates_of(text, "osimertinib", note_date), [expected], "{text}");
    }
}

#[test]
fn at_most_five_hundred_dates_are_read() {
    let line = |at: usize| format!("{:02}/{} osimertinib\n", at % 12 + 1, 1960 + at / 12);
    let lines = (0..600).map(line).collect::<Vec<_>>().concat();
    let note = Note::new(lines.clone(), usize::MAX).unwrap();
    let context = Context::of(note.as_str());
    let read = Readable::of(&note);
    let dates = NoteDates::of(&note, &read, OffsetUnit::Byte, None, || context.sentences()).mentions.len();
    assert_eq!(dates, expressions::MOST_DATES);
    let found = dates_of(&lines, "osimertinib", None);
    assert_eq!(found.first().map(String::as_str), Some("1960-01 <01/1960>"));
    assert!(found.len() > 1 && found.iter().all(|date| date != "none <>" || found.len() > 500), "{found:?}");
}

#[test]
fn dates_cost_linear_time() {
    for unit in [
        "osimertinib 03/2019, ",
        "in March and ",
        "(03/2019 osimertinib ",
        "12 March 2021\nosimertinib. ",
        "at diagnosis, then ",
    ] {
        let [small, large] = [40_000, 160_000].map(|chars: usize| {
            let text: String = unit.chars().cycle().take(chars).collect();
            let note = Note::new(text, usize::MAX).unwrap();
            let read = Readable::of(&note);
            steps::steps_of(|| {
                let context = Context::of(note.as_str());
                let dates = NoteDates::of(&note, &read, OffsetUnit::Byte, None, || context.sentences());
                let places = (0..chars).step_by(7);
                places.filter_map(|at| dates.near(&(at..at + 3), Field::Treatment)).count()
            })
        });
        assert!(large <= small * 5, "{unit}: {small} steps, then {large} steps at 4 times the length");
    }
}

#[test]
fn a_number_of_cycles_is_no_day_and_a_compared_scan_gives_no_date() {
    for (text, treatment, date) in [
        ("Carboplatin x 6 Jan-May 2022.", "carboplatin", "2022-01"),
        ("Docetaxel x 4 March 2021.", "docetaxel", "2021-03"),
        ("Started osimertinib 6 Jan 2022.", "osimertinib", "2022-01-06"),
        ("Compared with Aug 2023, osimertinib was stopped.", "osimertinib", "none"),
    ] {
        let found = dates_of(text, treatment, None);
        assert!(found.iter().all(|found| found.starts_with(&format!("{date} <"))), "{text}: {found:?}");
    }
}
