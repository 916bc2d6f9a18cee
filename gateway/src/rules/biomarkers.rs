//! Reads biomarkers: receptors, markers and signatures with their results.

use std::ops::Range;

use super::{
    control_tissue,
    lexicon::{Mention, TermKind},
    marker_course,
    marker_results::{MarkerOutcome, by_fish, is_equivocal, is_of_other, is_of_panel, is_year, later_result},
    marker_rows,
    marker_values::{MarkerReading, add, add_row},
    meanings, receptor_scores,
    view::{NoteView, Values},
};
use crate::extraction::{Assertion, Field};

/// Reads the biomarkers of a note.
pub(crate) fn read(view: &NoteView<'_>) -> Values {
    let mut values = Values::default();
    let markers = &markers(view);
    for (index, marker) in markers.iter().enumerate() {
        let assertion = view.assertion(&marker.range, Field::Biomarker);
        // A negated marker is not skipped, because it is a negative result; the pattern below reads it.
        let without_result = matches!(
            assertion,
            Assertion::NotTested | Assertion::Planned | Assertion::Declined | Assertion::Family | Assertion::Uncertain
        );
        // "HER2 equivocal" is a result of the test, and not a doubt about it.
        let equivocal = marker.term.is("her2") && assertion == Assertion::Uncertain && is_equivocal(view, marker);
        if (without_result && !equivocal) || marker.term.is("lineage") || is_unavailable(view, &marker.range) {
            continue;
        }
        if let Some(value) = marker.term.tag("value") {
            if assertion.in_record(Field::Biomarker) && is_status(view, marker) {
                values.add(value, with_burden(view, marker, value));
            }
        } else {
            let next = markers.get(index + 1).map(|next| next.range.start);
            if let Some(results) = marker_rows::results(view, markers, index) {
                add_row(&mut values, marker, &results);
            } else if let Some(value) = scored(view, marker, next) {
                values.add(marker.term.name, value);
            } else if let Some(reading) = reading(view, marker, next, markers.get(index + 1..).unwrap_or_default()) {
                add(&mut values, marker, &reading);
            }
        }
    }
    if values.has("HER2 amplification") {
        for weaker in ["HER2 positive", "HER2 3+", "HER2 negative"] {
            values.remove(weaker);
        }
    }
    // FISH decides what an equivocal stain leaves open.
    if ["HER2 positive", "HER2 negative", "HER2 3+", "HER2 amplification"].iter().any(|decided| values.has(decided)) {
        values.remove("HER2 equivocal");
    }
    if values.has("HER2 3+") {
        values.remove("HER2 positive");
    }
    for (instability, repair) in [("MSI-H", "dMMR"), ("MSS", "pMMR")] {
        if values.has(instability) && values.has(repair) {
            values.remove(repair);
            values.replace(instability, &format!("{instability} ({repair})"));
        }
    }
    values
}

/// Returns the markers of a note, without acronyms that mean something else there, and without the scores that belong
/// to the marker before them ("PD-L1 CPS 10").
fn markers(view: &NoteView<'_>) -> Vec<Mention> {
    let mut markers: Vec<Mention> = Vec::new();
    for mention in view.terms(TermKind::Marker) {
        let of_earlier = mention.term.is("part")
            && markers.last().is_some_and(|last| {
                let gap = view.folded.slice(last.range.end..mention.range.start);
                last.term.name == "PD-L1" && gap.len() <= 40 && !gap.contains(['.', ';', '%'])
            });
        let of_control = !mention.term.is("serum") && control_tissue::has(view, &mention.range);
        if !of_earlier && !of_control && !meanings::is_another(view, mention) {
            markers.push(mention.clone());
        }
    }
    markers
}

/// Adds the number directly after a status to the value: "TMB-high (22 mut/Mb)".
fn with_burden(view: &NoteView<'_>, marker: &Mention, value: &str) -> String {
    let after = view.folded.after(marker.range.end, 40);
    let number = after.trim_start_matches([' ', '(', ',', ':', '=', '>']);
    let digits = number.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let start = marker.range.end + after.len() - number.len();
    let unit = number.get(digits..).unwrap_or_default();
    let length = ["mutations per megabase", "mutations/mb", "muts/mb", "mut/mb", "muts per mb"]
        .iter()
        .find(|known| unit.trim_start().starts_with(**known))
        .map(|known| unit.len() - unit.trim_start().len() + known.len());
    match length {
        Some(length) if digits > 0 => {
            format!("{value} ({})", view.folded.quote(&(start..start + digits + length)))
        }
        _ => value.to_owned(),
    }
}

/// Returns whether a term states a status, and not only the test for it: "HRD" or "TNBC" alone counts, "HRD testing"
/// does not.
fn is_status(view: &NoteView<'_>, marker: &Mention) -> bool {
    let after = view.folded.after(marker.range.end, 60);
    let next = after.trim_start_matches([' ', '(', ':']);
    // "HRD (Myriad) result: negative".
    let named = after.strip_prefix(" (").and_then(|inside| inside.split_once(')')).map_or(after, |(_, rest)| rest);
    let named = [" result", " status", " test", " assay"].iter().find_map(|noun| named.strip_prefix(noun));
    let result = named.unwrap_or(next).trim_start_matches([' ', '(', ':']);
    let prior = view.folded.before(marker.range.start, 12);
    let test = ["status", "testing", "test ", "score", "assay", "analysis"].iter().any(|word| next.starts_with(word));
    let bare = matches!(marker.term.spelled, "HRD") || marker.term.spelled.ends_with("deficiency");
    let test = test && bare && !view.folded.after(marker.range.end, 30).contains("positive");
    let negative = ["negative", "not ", "was not ", "is not "].iter().any(|word| result.starts_with(word))
        || ["non ", " no ", " not "].iter().any(|word| prior.ends_with(word))
        || matches!(prior, "no " | "not ");
    !test && !negative
}

/// Returns whether the text after a marker says that there is no result: "PD-L1 was not available", "pending".
fn is_unavailable(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let rest = view.near(&(range.end..range.end), 0, 48);
    let rest = rest.split([';', ',']).next().unwrap_or_default();
    // "ER 95% HER2 pending", "PD-L1 60% with EGFR pending": another test is pending.
    let rest = [" and ", " with ", " but "].iter().fold(rest, |rest, join| rest.split(join).next().unwrap_or_default());
    let next = view.terms_in(TermKind::Marker, &(range.end + 1..range.end + 1 + rest.len())).first();
    let rest = next.map_or(rest, |next| rest.get(..next.range.start - range.end).unwrap_or_default());
    [
        "not available",
        "not performed",
        "not tested",
        "not reported",
        "not done",
        "pending",
        "unavailable",
        "unknown",
        "not documented",
        "not sent",
    ]
    .iter()
    .any(|words| rest.contains(words))
}

/// Returns the value of a marker whose result is a score or a methylation: "ER 8/8", "MGMT promoter: methylated".
fn scored(view: &NoteView<'_>, marker: &Mention, next: Option<usize>) -> Option<String> {
    let term = marker.term;
    if term.is("receptor") && !term.is("her2") && !term.is("pair") {
        return receptor_scores::of_receptor(view, term.name, &marker.range, next);
    }
    let promoter = term.is("methyl").then(|| receptor_scores::of_promoter(view, &marker.range)).flatten();
    promoter.map(str::to_owned)
}

/// Returns the result of a marker: after it, before it, or shared with the later markers of a list.
fn reading<'v>(
    view: &'v NoteView<'_>,
    marker: &Mention,
    next: Option<usize>,
    later: &[Mention],
) -> Option<MarkerReading<'v>> {
    let term = marker.term;
    if !term.is("serum") && marker_course::is_neither(view, marker) {
        return Some(MarkerReading { name: term.name, spelled: term.spelled, outcome: MarkerOutcome::Negative });
    }
    let new = |outcome| Some(MarkerReading { name: term.name, spelled: term.spelled, outcome });
    let (start, found) =
        marker_course::result_that_counts(view, marker).map_or((0, None), |(at, found)| (at, Some(found)));
    let ahead = found.as_ref().and_then(|found| found.get(0)).map(|all| start + all.end());
    let quote = |part: regex::Match<'_>| view.folded.quote(&(start + part.start()..start + part.end())).trim();
    let of_other = found.as_ref().zip(ahead).is_some_and(|(found, end)| is_of_other(view, marker, found, end));
    let passes_next_marker = of_other || ahead.zip(next).is_some_and(|(end, next)| end > next);
    if let (Some(found), false) = (found, passes_next_marker) {
        let get = |name: &str| found.name(name).map(|part| part.as_str().trim());
        let outcome = if get("percent").is_some() {
            MarkerOutcome::Percent(quote(found.name("percent")?))
        } else if get("share").is_some() {
            MarkerOutcome::Percent(quote(found.name("share")?))
        } else if let Some(decided) = get("ihc")
            .filter(|score| term.is("her2") && score.contains('2'))
            .and_then(|_| by_fish(view, ahead.unwrap_or_default(), next))
        {
            decided
        } else if get("ihc").is_some() {
            MarkerOutcome::Score(quote(found.name("ihc")?))
        } else if get("equivocal").is_some() {
            by_fish(view, ahead.unwrap_or_default(), next).unwrap_or(MarkerOutcome::Equivocal)
        } else if get("positive").is_some() || get("plus").is_some() {
            let end = ahead.unwrap_or(marker.range.end);
            let later = later_result(view, get("positive").unwrap_or_default(), end, next);
            later.filter(|_| term.is("her2")).unwrap_or(MarkerOutcome::Positive)
        } else if get("negative").is_some() || get("minus").is_some() {
            MarkerOutcome::Negative
        } else if get("amplified").is_some() {
            MarkerOutcome::Amplified
        } else if let Some(number) = get("number") {
            let unit = found.name("unit").map(quote);
            let number = quote(found.name("number").filter(|_| !number.is_empty())?);
            let combined =
                get("gap").is_some_and(|gap| gap.contains("cps") || gap.contains("combined")) || term.is("cps");
            if combined && unit.is_none() {
                return new(MarkerOutcome::Value(format!("CPS {number}")));
            }
            // "CEA 6/12" is due in six months.
            let due = || view.folded.after(ahead.unwrap_or_default(), 3);
            if unit.is_none() && (is_year(number) || ["/12", "/52", "/7"].iter().any(|part| due().starts_with(part))) {
                return None;
            }
            if unit.is_none() && number == "0" && term.is("receptor") && !term.is("her2") {
                let ends =
                    view.folded.after(ahead?, 1).chars().all(|c| matches!(c, ' ' | ',' | ';' | '.' | ')' | '\n'));
                return new(MarkerOutcome::Percent(number)).filter(|_| ends);
            }
            if unit.is_none() && !is_plain_number(term) && !term.is("her2") {
                return None;
            }
            if term.is("loose") && is_of_panel(view, marker) {
                return None;
            }
            let value = unit.map_or_else(|| number.to_owned(), |unit| format!("{number} {unit}"));
            let raised =
                ["elevated", "raised"].iter().any(|word| found.get(0).is_some_and(|all| all.as_str().contains(word)));
            if raised && term.is("serum") && unit.is_some() {
                return new(MarkerOutcome::RaisedTo(value));
            }
            MarkerOutcome::Value(value)
        } else if let Some(word) = get("raised") {
            // A marker that rises describes the course of the disease, and names no value.
            if term.is("serum") && matches!(word, "rising" | "rose") {
                return None;
            }
            MarkerOutcome::Raised
        } else {
            MarkerOutcome::Normal(quote(found.name("normal")?))
        };
        return new(denied(view, marker, ahead, outcome));
    }
    if let Some(outcome) = before(view, marker) {
        return new(outcome);
    }
    shared(view, marker, later).and_then(new)
}

/// Returns the outcome in its clause: "no HER2 overexpression" and "HER2 overexpression: no" are negative results.
fn denied<'v>(
    view: &NoteView<'_>,
    marker: &Mention,
    end: Option<usize>,
    outcome: MarkerOutcome<'v>,
) -> MarkerOutcome<'v> {
    let positive = matches!(outcome, MarkerOutcome::Positive | MarkerOutcome::Amplified);
    let range = marker.range.start..end.unwrap_or(marker.range.end);
    let negated = positive && view.assertion(&range, Field::Biomarker) == Assertion::Negated;
    if negated { MarkerOutcome::Negative } else { outcome }
}

fn is_plain_number(term: &super::lexicon::Term) -> bool {
    term.is("serum") && !term.is("loose")
}

/// Returns the result before a marker: "positive for ER", "elevated CA-125", "negative for HER2".
fn before<'v>(view: &NoteView<'_>, marker: &Mention) -> Option<MarkerOutcome<'v>> {
    let text = view.folded.before(marker.range.start, 36).trim_end();
    let text = text.strip_suffix("serum").unwrap_or(text).trim_end();
    let ends = |words: &[&str]| words.iter().any(|word| text.ends_with(word));
    let list = text.rsplit(". ").next().unwrap_or_default();
    if marker.term.is("serum") {
        if ends(&["elevated", "raised", "high", "increased"]) {
            return Some(MarkerOutcome::Raised);
        }
        if ends(&["normal", "undetectable"]) {
            return Some(MarkerOutcome::Normal("normal"));
        }
        return None;
    }
    if ends(&["positive for", "overexpression of", "expression of", "expressed", "expressing"])
        || (list.contains("positive for") && !list.contains("negative"))
    {
        Some(MarkerOutcome::Positive)
    } else if ends(&["negative for", "loss of", "absence of"])
        || (list.contains("negative for") && !list.contains("positive"))
    {
        Some(MarkerOutcome::Negative)
    } else {
        None
    }
}

/// Returns the result that a list shares: in "ER, PR and HER2 negative" and "ER/PR positive" the result of the last
/// marker applies to all.
fn shared<'v>(view: &'v NoteView<'_>, marker: &Mention, later: &[Mention]) -> Option<MarkerOutcome<'v>> {
    let mut edge = marker.range.end;
    for (at, next) in later.iter().take(6).enumerate() {
        let gap = view.folded.slice(edge..next.range.start).trim();
        if !matches!(gap, "," | "/" | "and" | ", and" | "&" | "" | "(" | "or" | "+/")
            || next.term.tag("value").is_some()
        {
            return None;
        }
        edge = next.range.end;
        let after = later.get(at + 1).map(|after| after.range.start);
        match reading(view, next, after, &[]).map(|reading| reading.outcome) {
            Some(outcome @ (MarkerOutcome::Positive | MarkerOutcome::Negative)) => return Some(outcome),
            Some(_) => return None,
            None => {}
        }
    }
    None
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    marker_course::compile();
}

#[cfg(test)]
mod tests;
