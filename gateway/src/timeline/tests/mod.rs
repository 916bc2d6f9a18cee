//! Tests the timeline on readings of answers that are written out here.

mod linking;

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{steps, timeline::time::order};

/// A tumour of a note: id, name, site, side, role, year. An empty text means that there is none.
type Named<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);
/// A finding: field, value, date, assertion, tumour.
type Found<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

const LUNG: Named<'_> = ("t1", "lung adenocarcinoma", "lung", "", "index", "");

fn absent(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn date(value: &str) -> Value {
    let precision = ["year", "month", "day"].get(value.matches('-').count().min(2)).copied();
    if value.is_empty() { Value::Null } else { json!({"value": value, "precision": precision, "start": 0, "end": 1}) }
}

/// Returns the JSON of an answer with these tumours and findings.
fn answer(tumours: &[Named<'_>], findings: &[Found<'_>]) -> String {
    let tumours: Vec<Value> = tumours
        .iter()
        .map(|(id, name, site, side, role, year)| {
            json!({"id": id, "cancer_type": name, "site": absent(site), "laterality": absent(side), "role": role,
                "date": date(year), "codes": [], "evidence": [{"quote": name, "start": 0, "end": 4}]})
        })
        .collect();
    let mut evidence = json!({});
    for (field, value, day, assertion, tumour) in findings {
        let one = json!({"value": value, "in_record": *assertion == "present", "basis": "stated", "quote": value,
            "assertion": assertion, "tumour": absent(tumour), "date": date(day), "start": 3, "end": 9});
        let list = evidence.as_object_mut().unwrap().entry(*field).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(one);
    }
    json!({"cancer_type": null, "tumours": tumours, "evidence": evidence, "tnm": []}).to_string()
}

fn note(index: usize, day: &str, tumours: &[Named<'_>], findings: &[Found<'_>]) -> PatientNote {
    let reading = NoteReading::of_json(&answer(tumours, findings)).unwrap();
    PatientNote::new(index, Some(NoteId::Text(format!("n{index}"))), CalendarDate::parse(day), reading)
}

/// Returns the entries of a list, as "ER positive 2018 x2".
fn entries(list: &[TimelineEntry]) -> String {
    let shown = list.iter().map(|entry| {
        let date = entry.date.as_ref().map_or("-", |date| &date.value);
        format!("{} {date} x{}", entry.value, entry.mention_count)
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn kinds(timeline: &Timeline) -> Vec<ContradictionKind> {
    timeline.contradictions.iter().map(|one| one.kind).collect()
}

#[test]
fn times_are_ordered_as_far_as_they_are_known() {
    for (one, other, expected) in [
        ("2018", "2019-03", Some(Ordering::Less)),
        ("2018", "2018-03", None),
        ("2018-03", "2018-03", Some(Ordering::Equal)),
        ("2018-03-05", "2018-03", None),
        ("2018-04-01", "2018-03", Some(Ordering::Greater)),
    ] {
        assert_eq!(order(one, other), expected, "{one} {other}");
        assert_eq!(order(other, one), expected.map(Ordering::reverse), "{other} {one}");
    }
}

#[test]
fn statements_of_one_value_are_one_entry_unless_another_was_stated_in_between() {
    // The statements of one field over notes: note date, value, date in the text.
    type Statements<'a> = &'a [(&'a str, &'a str, &'a str)];
    let cases: [(&str, Statements<'_>, &str); 13] = [
        (
            "biomarker",
            &[("2018-01-01", "ER positive", ""), ("2019-01-01", "ER Positive", "")],
            "ER positive 2018-01-01 x2",
        ),
        (
            "biomarker",
            &[("2018-01-01", "ER positive", ""), ("2020-01-01", "ER negative", ""), ("2022-01-01", "ER positive", "")],
            "ER positive 2018-01-01 x1, ER negative 2020-01-01 x1, ER positive 2022-01-01 x1",
        ),
        // An older result in a later note is not a change.
        (
            "biomarker",
            &[
                ("2020-01-01", "ER negative", ""),
                ("2021-01-01", "ER positive", "2018"),
                ("2022-01-01", "ER negative", ""),
            ],
            "ER positive 2018 x1, ER negative 2020-01-01 x2",
        ),
        (
            "biomarker",
            &[("2018-01-01", "ER positive", ""), ("2020-01-01", "PR negative", ""), ("2022-01-01", "ER positive", "")],
            "ER positive 2018-01-01 x2, PR negative 2020-01-01 x1",
        ),
        (
            "response",
            &[
                ("2020-01-01", "partial response", ""),
                ("2020-03-01", "stable disease", ""),
                ("2020-05-01", "partial response", ""),
            ],
            "partial response 2020-01-01 x1, stable disease 2020-03-01 x1, partial response 2020-05-01 x1",
        ),
        // The words state the time more exactly than the date of a note, and a month better than a year.
        (
            "treatment",
            &[("2021-06-01", "osimertinib", ""), ("2021-09-01", "osimertinib", "2021-03")],
            "osimertinib 2021-03 x2",
        ),
        (
            "treatment",
            &[("2021-06-01", "osimertinib", "2021"), ("2021-09-01", "osimertinib", "2021-03")],
            "osimertinib 2021-03 x2",
        ),
        (
            "treatment",
            &[("2021-06-01", "lumpectomy", "2015-02"), ("2021-09-01", "lumpectomy", "2021-03")],
            "lumpectomy 2015-02 x1, lumpectomy 2021-03 x1",
        ),
        // A value that was stated without a date is not one of a later date.
        (
            "treatment",
            &[("2021-06-01", "carboplatin", ""), ("2023-09-01", "carboplatin", "2023-08")],
            "carboplatin 2021-06-01 x1, carboplatin 2023-08 x1",
        ),
        ("stage", &[("", "IV", ""), ("2021-06-01", "II", "")], "II 2021-06-01 x1, IV - x1"),
        // The order of the dates counts, not that of the request; notes without a date come last.
        (
            "biomarker",
            &[("2022-01-01", "ER positive", ""), ("2018-01-01", "ER positive", ""), ("2020-01-01", "ER negative", "")],
            "ER positive 2018-01-01 x1, ER negative 2020-01-01 x1, ER positive 2022-01-01 x1",
        ),
        (
            "biomarker",
            &[("", "ER positive", ""), ("2018-01-01", "ER positive", ""), ("2020-01-01", "ER negative", "")],
            "ER positive 2018-01-01 x1, ER negative 2020-01-01 x1, ER positive - x1",
        ),
        (
            "stage",
            &[("2020-01-01", "IV", ""), ("2020-02-01", "IV", ""), ("2020-03-01", "IV", "2019-12")],
            "IV 2019-12 x3",
        ),
    ];
    for (field, statements, expected) in cases {
        let all = statements.iter().enumerate();
        let notes =
            all.map(|(at, (day, value, date))| note(at, day, &[LUNG], &[(field, value, date, "present", "t1")]));
        let timeline = Timeline::of(notes.collect(), true);
        let shown = timeline.tumours[0].fields.get(Field::named(field).unwrap());
        assert_eq!(entries(shown), expected, "{statements:?}");
    }
}

#[test]
fn what_cannot_all_be_right_is_listed() {
    use ContradictionKind::{DateAfterNote, ResultsDiffer, StagesDiffer, StatedAndDenied};
    // The statements of the notes: note date, field, value, date in the text, assertion.
    type Statement<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);
    let cases: Vec<(Vec<Statement<'_>>, Vec<ContradictionKind>)> = vec![
        (
            vec![("2020-01-01", "stage", "II", "", "present"), ("2021-01-01", "stage", "IV", "", "present")],
            vec![StagesDiffer],
        ),
        (vec![("2020-01-01", "stage", "IV", "", "present"), ("2021-01-01", "stage", "IVB", "", "present")], vec![]),
        (
            vec![
                ("2020-01-01", "biomarker", "HER2 positive", "", "present"),
                ("2021-01-01", "biomarker", "HER2 negative", "", "present"),
            ],
            vec![],
        ),
        (
            vec![
                ("2020-01-01", "biomarker", "HER2 positive", "", "present"),
                ("2020-01-01", "biomarker", "HER2 negative", "", "present"),
            ],
            vec![ResultsDiffer],
        ),
        (
            vec![
                ("", "biomarker", "HER2 positive", "", "present"),
                ("2020-01-01", "biomarker", "HER2 negative", "", "present"),
            ],
            vec![ResultsDiffer],
        ),
        (
            vec![
                ("2020-05-01", "response", "partial response", "2020", "present"),
                ("2020-06-01", "response", "progressive disease", "2020-03", "present"),
            ],
            vec![ResultsDiffer],
        ),
        (
            vec![
                ("2020-01-01", "metastasis_site", "bone", "", "present"),
                ("2021-01-01", "metastasis_site", "bone", "", "negated"),
            ],
            vec![StatedAndDenied],
        ),
        (
            vec![
                ("2020-01-01", "metastasis_site", "bone", "", "negated"),
                ("2021-01-01", "metastasis_site", "bone", "", "present"),
            ],
            vec![],
        ),
        (
            vec![
                ("2020-01-01", "gene_mutation", "EGFR L858R", "", "present"),
                ("2021-01-01", "gene_mutation", "EGFR", "", "wild_type"),
            ],
            vec![StatedAndDenied],
        ),
        (
            vec![
                ("2020-01-01", "gene_mutation", "EGFR L858R", "", "present"),
                ("2021-01-01", "gene_mutation", "KRAS mutation", "", "negated"),
            ],
            vec![],
        ),
        (vec![("2020-01-01", "treatment", "osimertinib", "2021-03", "present")], vec![DateAfterNote]),
        (vec![("2020-01-01", "treatment", "osimertinib", "2020", "present")], vec![]),
    ];
    for (statements, expected) in cases {
        let all = statements.iter().enumerate();
        let notes = all.map(|(at, (day, field, value, date, assertion))| {
            note(at, day, &[LUNG], &[(field, value, date, assertion, "t1")])
        });
        let timeline = Timeline::of(notes.collect(), true);
        assert_eq!(kinds(&timeline), expected, "{statements:?}");
        assert!(timeline.contradictions.iter().all(|one| one.tumours == ["p1"]), "{statements:?}");
    }
}

#[test]
fn one_note_alone_has_no_contradiction_of_values() {
    let both = [
        ("biomarker", "HER2 positive", "", "present", "t1"),
        ("biomarker", "HER2 negative", "", "present", "t1"),
        ("metastasis_site", "bone", "", "present", "t1"),
        ("metastasis_site", "bone", "", "negated", "t1"),
        ("stage", "II", "", "present", "t1"),
        ("stage", "IV", "", "present", "t1"),
    ];
    let timeline = Timeline::of(vec![note(0, "2020-01-01", &[LUNG], &both)], true);
    // Its own answer has warnings for them.
    assert_eq!(kinds(&timeline), []);
    assert_eq!(
        entries(&timeline.tumours[0].fields.biomarker),
        "HER2 positive 2020-01-01 x1, HER2 negative 2020-01-01 x1"
    );
}

#[test]
fn what_the_notes_do_not_tie_to_a_tumour_is_tied_only_where_there_is_one() {
    let plain = [("response", "partial response", "", "present", "")];
    let breast = ("t2", "breast cancer", "breast", "", "previous", "");
    let one = Timeline::of(vec![note(0, "2020-01-01", &[LUNG], &[]), note(1, "2020-02-01", &[], &plain)], true);
    assert_eq!(entries(&one.tumours[0].fields.response), "partial response 2020-02-01 x1");
    let two = Timeline::of(vec![note(0, "2020-01-01", &[LUNG, breast], &[]), note(1, "2020-02-01", &[], &plain)], true);
    assert_eq!(entries(&two.unassigned.response), "partial response 2020-02-01 x1");
    assert!(two.tumours.iter().all(|tumour| tumour.fields.response.is_empty()));
}

#[test]
fn only_what_holds_or_held_is_in_the_timeline() {
    let assertions = [
        ("present", true),
        ("superseded", true),
        ("other_tumour", true),
        ("historical", true),
        ("planned", false),
        ("declined", false),
        ("uncertain", false),
        ("negated", false),
        ("family", false),
        ("not_tested", false),
        ("unknown", false),
    ];
    for (assertion, shown) in assertions {
        let findings = [("treatment", "letrozole", "", assertion, "t1")];
        let timeline = Timeline::of(vec![note(0, "2020-01-01", &[LUNG], &findings)], true);
        assert_eq!(!timeline.tumours[0].fields.treatment.is_empty(), shown, "{assertion}");
    }
}

#[test]
fn the_work_grows_with_the_number_of_notes_and_not_with_its_square() {
    let work = |count: usize| {
        let notes = (0..count).map(|at| {
            let (day, result) = (format!("20{:02}-01-01", at % 90 + 10), format!("CA 125 {at} U/mL"));
            let (drug, stage) = (format!("drug {at}"), ["II", "IV"][at % 2]);
            let findings = [
                ("biomarker", result.as_str(), "", "present", "t1"),
                ("treatment", &drug, "", "present", "t1"),
                ("stage", stage, "", "present", "t1"),
                ("metastasis_site", "bone", "", "negated", "t1"),
            ];
            note(at, &day, &[LUNG], &findings)
        });
        let notes: Vec<_> = notes.collect();
        steps::steps_of(|| drop(Timeline::of(notes, true)))
    };
    let (some, twice) = (work(2_000), work(4_000));
    assert!(twice < 3 * some, "{some} steps, then {twice}");
    assert!(some < 4_000_000, "{some} steps");
}

proptest! {
    #[test]
    fn any_json_is_an_answer_or_none(json in "\\PC{0,60}", value in "\\PC{0,20}", day in "[0-9-]{0,10}") {
        let _ = NoteReading::of_json(&json);
        let reading = answer(&[LUNG], &[("stage", &value, &day, "present", "t1"), ("biomarker", &value, &day, "negated", "")]);
        let reading = NoteReading::of_json(&reading).unwrap();
        let notes = vec![PatientNote::new(0, None, None, reading.clone()), PatientNote::new(1, None, None, reading)];
        serde_json::to_string(&Timeline::of(notes, false)).unwrap();
    }

    #[test]
    fn the_order_in_which_notes_are_read_does_not_matter(
        values in proptest::collection::vec((0usize..4, 0usize..3, 0usize..2, 1usize..13), 1..12),
        seed in any::<u64>(),
    ) {
        let markers = ["ER positive", "ER negative", "HER2 positive", "PD-L1 50%"];
        let sides = ["", "left", "right"];
        let notes: Vec<PatientNote> = values.iter().enumerate().map(|(at, (marker, side, role, month))| {
            let tumour = ("t1", "breast cancer", "breast", sides[*side], ["index", "previous"][*role], "");
            note(at, &format!("2020-{month:02}-01"), &[tumour], &[("biomarker", markers[*marker], "", "present", "t1")])
        }).collect();
        let mut shuffled = notes.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let json = |notes| serde_json::to_string(&Timeline::of(notes, true)).unwrap();
        prop_assert_eq!(json(notes), json(shuffled));
    }
}
