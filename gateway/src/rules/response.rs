//! Response: stated outright, or read from what is said of the size of the disease.

use std::ops::Range;

use super::{
    lexicon::{Kind, Mention},
    view::View,
};
use crate::extraction::Field;

/// Reads the response.
pub(crate) fn read(view: &View<'_>) -> Option<String> {
    let mut course: Vec<(&'static str, String)> = Vec::new();
    for mention in view.terms(Kind::Response) {
        if mention.term.is("alone") && is_stated(view, mention) {
            push(&mut course, mention);
        } else if mention.term.is("abbr") && is_abbreviation(view, mention) {
            push(&mut course, mention);
        }
    }
    if course.is_empty() {
        for mention in view.terms(Kind::Response) {
            let change = ["regress", "grow", "still"].iter().any(|tag| mention.term.is(tag));
            if change && is_of_disease(view, &mention.range) && view.counts(&mention.range, Field::Response) {
                push(&mut course, mention);
            }
        }
        // Some lesions grow where others shrink.
        let has = |cat: &str| course.iter().any(|(own, _)| *own == cat);
        if has("pr") && has("sd") {
            course.retain(|(cat, _)| *cat != "sd");
        }
    }
    summary(course)
}

fn push(course: &mut Vec<(&'static str, String)>, mention: &Mention) {
    let cat = mention.term.tag("cat").unwrap_or(mention.term.name);
    let value = match cat {
        "pr" => "partial response",
        "cr" if !mention.term.is("own") => "complete response",
        "sd" => "stable disease",
        "pd" => "disease progression",
        _ if mention.term.is("own") => mention.term.spelled,
        _ => mention.term.name,
    };
    let value = if matches!(value, "CR") { "complete response" } else { value };
    if course.last().is_none_or(|(last, _)| *last != cat) {
        course.push((cat, value.to_owned()));
    }
}

/// "No evidence of disease" holds its own negation; everything else must be asserted.
fn is_stated(view: &View<'_>, mention: &Mention) -> bool {
    let cat = mention.term.tag("cat");
    if matches!(cat, Some("ned" | "sd" | "pcr")) {
        let head = mention.range.end - 1..mention.range.end;
        let standing = view.assertion(&mention.range, Field::Response);
        let _ = head;
        return !matches!(
            standing,
            crate::extraction::Assertion::Planned
                | crate::extraction::Assertion::Family
                | crate::extraction::Assertion::NotTested
        );
    }
    let next = view.folded.after(mention.range.end, 14).trim_start();
    let other = cat == Some("pd") && (next.starts_with("free") || next.starts_with("to "));
    let infection =
        ["infection", "to antibiotics", "of infection", "of symptoms"].iter().any(|word| next.starts_with(word));
    !other && !infection && view.counts(&mention.range, Field::Response)
}

/// "PR" is a receptor, "PD" a disease, "CR" a lab value: they count after words of response only.
fn is_abbreviation(view: &View<'_>, mention: &Mention) -> bool {
    const WORDS: [&str; 9] =
        ["response", "recist", "best response", "imaging", "restaging", "scan", "pet", "ct", "achieved"];
    let next = view.folded.after(mention.range.end, 12);
    let receptor = [
        "+",
        "-",
        " positive",
        " negative",
        " pos",
        " neg",
        " interval",
        "/",
        " (",
        ":",
        " 1",
        " 2",
        " 3",
        " 4",
        " 5",
        " 6",
        " 7",
        " 8",
        " 9",
        " <",
    ];
    let sentence = view.sentence(mention.range.start);
    let clause = view.folded.slice(sentence.start..mention.range.start);
    !receptor.iter().any(|sign| next.starts_with(sign))
        && WORDS.iter().any(|word| clause.split(|c: char| !c.is_alphanumeric()).any(|own| own == *word))
        && view.counts(&mention.range, Field::Response)
}

/// Whether the clause speaks of a tumour, its places or a scan.
fn is_of_disease(view: &View<'_>, range: &Range<usize>) -> bool {
    const DISEASE: [&str; 24] = [
        "lesion",
        "tumor",
        "tumour",
        "metasta",
        "mass",
        "disease",
        "nodule",
        "node",
        "implant",
        "burden",
        "primary",
        "lymphadenopathy",
        "cancer",
        "deposit",
        "adenopathy",
        "melanoma",
        "carcinoma",
        "lymphoma",
        "hepatic",
        "pulmonary",
        "intracranial",
        "uptake",
        "response",
        "responded",
    ];
    let sentence = view.sentence(range.start);
    let from = sentence.start.max(range.start.saturating_sub(90));
    let to = sentence.end.min(range.end + 60);
    let before = view.folded.before(range.start, range.start - from);
    let before = before.rsplit([';', ':']).next().unwrap_or_default();
    let after = view.folded.after(range.end, to.saturating_sub(range.end));
    let after = after.split([';', ':']).next().unwrap_or_default();
    DISEASE
        .iter()
        .any(|word| before.contains(word) || after.contains(word) || view.folded.slice(range.clone()).contains(word))
}

/// One value for the course: the best and the last of it.
fn summary(course: Vec<(&'static str, String)>) -> Option<String> {
    let cats: Vec<&str> = course.iter().map(|(cat, _)| *cat).collect();
    let find = |cat: &str| course.iter().find(|(own, _)| *own == cat).map(|(_, value)| value.clone());
    for strongest in ["mixed", "pcr"] {
        if let Some(value) = find(strongest) {
            return Some(value);
        }
    }
    let last_pd = cats.iter().rposition(|cat| matches!(*cat, "pd" | "recurrence" | "bcr"));
    let first_good = cats.iter().position(|cat| matches!(*cat, "pr" | "cr" | "sd" | "control" | "biochemical"));
    match (first_good, last_pd) {
        (Some(good), Some(bad)) if good < bad => Some(format!("{} then {}", course.get(good)?.1, course.get(bad)?.1)),
        _ => course.last().map(|(_, value)| value.clone()),
    }
}
