//! Tests the cases of `cases.txt` and properties that hold for every text.

use proptest::prelude::*;

use super::*;

/// Returns the note of a line of `cases.txt` without its brackets, and the marked ranges.
fn marked(text: &str) -> (String, Vec<Range<usize>>) {
    let (mut note, mut ranges, mut start) = (String::new(), Vec::new(), None);
    for character in text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").chars() {
        match character {
            '[' => start = Some(note.len()),
            ']' => ranges.push(start.take().unwrap()..note.len()),
            other => note.push(other),
        }
    }
    (note, ranges)
}

fn check(line: &str) -> Vec<String> {
    let mut columns = line.splitn(2, '|');
    let field = Field::named(columns.next().unwrap().trim()).unwrap_or_else(|| panic!("unknown field: {line}"));
    let (text, expected) =
        columns.next().unwrap().rsplit_once('|').unwrap_or_else(|| panic!("too few columns: {line}"));
    let expected = expected.trim();
    assert!(Assertion::ALL.iter().any(|assertion| assertion.name() == expected), "unknown assertion: {line}");
    let (note, ranges) = marked(text.trim());
    assert!(!ranges.is_empty(), "no marked range: {line}");
    let context = Context::of(&note);
    let failures = ranges.into_iter().filter_map(|range| {
        let quote = note.get(range.clone()).unwrap();
        let found = context.assess(range.clone(), field).name();
        (found != expected).then(|| format!("{line}\n    [{quote}] is {found}"))
    });
    failures.collect()
}

#[test]
fn cases_have_their_assertions() {
    let lines = include_str!("cases.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let failures: Vec<_> = lines.flat_map(check).collect();
    assert!(failures.is_empty(), "{} wrong assertions:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn in_record_follows_the_table() {
    use Assertion::{Historical, Present, Probable, Unknown};
    for assertion in Assertion::ALL {
        for field in Field::ALL {
            let past_cancer = assertion == Historical && field == Field::CancerType;
            let expected = matches!(assertion, Present | Probable | Historical | Unknown) && !past_cancer;
            assert_eq!(assertion.in_record(field), expected, "{assertion:?} {field:?}");
        }
        assert_eq!(serde_json::to_value(assertion).unwrap(), assertion.name());
    }
}

/// Each row is a sentence with two cues for the marked word and the assertion that applies.
/// The rows follow the table of the module.
#[test]
fn first_matching_row_decides() {
    for line in [
        "gene_mutation | Her sister's [BRCA1] was not tested. | family",
        "gene_mutation | No mutation in [KRAS], which was not tested. | wild_type",
        "gene_mutation | No [KRAS] result, not tested. | not_tested",
        "gene_mutation | Negative for [KRAS], wild-type. | wild_type",
        "treatment | No planned [surgery]. | negated",
        "treatment | Declined planned [surgery]. | declined",
        "treatment | Planned [surgery] was performed. | present",
        "treatment | Refused [surgery] was performed. | present",
        "treatment | Plan to start possible [surgery]. | planned",
        "cancer_type | Possible or even probable [lymphoma]. | uncertain",
        "cancer_type | Probable prior [lymphoma]. | probable",
        "treatment | Plan: continues [letrozole]. | present",
        "treatment | Plan: s/p [lobectomy]. | historical",
        "treatment | Plan: [lobectomy]. | planned",
    ] {
        assert_eq!(check(line), Vec::<String>::new());
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    // Twice the longest note, so that what is quadratic would take minutes.
    const BYTES: usize = 200_000;
    let pieces = [
        "a",
        "word ",
        "no ",
        "no, ",
        "no brain, and or ",
        "no evidence no evidence of ",
        ". ",
        "A. b. ",
        "\n",
        "\r\n-\r\n",
        "Plan: ",
        "Plan:\n",
        "(",
        "not tested and (EGFR, ",
        "né – ",
    ];
    for piece in pieces {
        let text = piece.repeat(BYTES / piece.len());
        let context = Context::of(&text);
        for at in (0..text.len() - 3).step_by(199) {
            let _ = context.assess(at..at + 3, Field::MetastasisSite);
        }
    }
}

/// Generates texts that are hard to split and to scope: cues, marks and letters of any script.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z .,;:()\\n\\r-]{0,8}",
        prop::sample::select(vec![
            "no evidence of ",
            "not tested",
            " pending",
            "Plan:",
            "\r\n\r\n",
            "wild-type ",
            "cannot be excluded",
            "Family history\n",
            "e.g. ",
            "§ß—\u{301}",
            "? ",
            "planned ",
            ", ",
            " and ",
            " or ",
            "liver",
            "(",
            ")",
            "\u{200b}",
            "1. ",
            "- ",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_text_and_range_is_assessed(text in hostile_text(), start in 0_usize..300, length in 0_usize..60) {
        let context = Context::of(&text);
        for field in Field::ALL {
            let _ = context.assess(start..start + length, field);
            let _ = context.assess(start..start.saturating_sub(length), field);
        }
        let _ = context.assess(usize::MAX - 1..usize::MAX, Field::Stage);
        for offset in [0, start, start + length, usize::MAX] {
            let sentence = context.sentence_at(offset);
            prop_assert!(text.get(sentence.clone()).is_some(), "{:?}", sentence);
            let _ = context.section_at(offset);
        }
        let mut end = 0;
        for sentence in &context.sentences {
            prop_assert!(end <= sentence.start && sentence.start < sentence.end && text.get(sentence.start..sentence.end).is_some());
            end = sentence.end;
        }
        for scope in &context.scopes {
            let sentence = context.sentence_at(scope.cue_start);
            prop_assert!(text.get(scope.cue_start..scope.cue_end).is_some());
            prop_assert!(scope.forward || sentence.start <= scope.limits.whole, "{:?}", scope);
        }
    }
}
