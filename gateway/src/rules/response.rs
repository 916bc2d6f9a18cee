//! Reads the response: as stated, or as implied by changes in the size of the disease.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    cancer::Diagnosis,
    lexicon::{Mention, TermKind},
    report, response_scope,
    sites::{self, Extent, MetastaticSpread},
    view::{NoteView, is_one_of},
};
use crate::{
    extraction::{Assertion, Field, ground::speaks_of_response},
    statics::pattern,
};

/// Statements that no disease is left. They contain a negation, often with many words in between. The note is searched
/// once.
static FREE: LazyLock<Regex> = LazyLock::new(|| pattern(FREE_PATTERN));
const FREE_PATTERN: &str = concat!(
    r"(?-u:\b)(?:no|without|free (?:of|from)|absence of|negative for)",
    r"(?:,? (?:any|clinical|radiographic|radiologic|radiological|biochemical|imaging|endoscopic|metabolic|pathologic|or|and|further|definite|signs?|evidence|new|local|locoregional|regional|distant|systemic|of|for|indication|suspicion|suggestion|ongoing|current|objective)){0,9}",
    r" (?:recurrences?|recurrent (?:or (?:metastatic|residual) )?(?:disease|tumou?r|cancer|malignancy|melanoma|lymphoma)|relapses?",
    r"|(?:residual|active|detectable|measurable|evaluable|persistent|visible) (?:or recurrent |metastatic )?(?:disease|tumou?r|cancer|malignancy|lymphoma)",
    r"|evidence of (?:any |active |the )?(?:disease|malignancy|cancer|tumou?r)|disease recurrence|tumou?r recurrence)(?-u:\b)",
);

/// Bytes between two abbreviations of one course.
const BESIDE: usize = 24;

/// One statement about the course of the disease.
struct Statement {
    at: usize,
    category: &'static str,
    value: String,
}

/// Reads the response of a note.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis, spread: &MetastaticSpread) -> Option<String> {
    let mut course = stated(view, spread.extent >= Extent::Distant);
    let is_earlier = |step: &Statement| step.category != "pd" && response_scope::is_of_earlier(view, step.at);
    if let Some(at) = course.iter().find(|step| is_earlier(step)).map(|step| step.at) {
        let is_later = |step: &Statement| matches!(step.category, "pd" | "recurrence") && step.at > at;
        if course.iter().any(is_later) || changes(view, diagnosis, true).iter().any(is_later) {
            course.retain(|step| !is_earlier(step));
        }
    }
    // If the malignancy is past, the note's "stable" and "progression" describe other diseases.
    course.retain(|step| !diagnosis.past || !matches!(step.category, "pd" | "sd" | "pr" | "minor" | "control"));
    let thyroid = diagnosis.organ == Some("thyroid");
    course.retain(|step| thyroid || step.category != "ata");
    if thyroid {
        course.extend(excellent(view));
    }
    let only_worse = course.iter().all(|step| step.category == "pd");
    if only_worse && !diagnosis.past {
        let changes = changes(view, diagnosis, course.is_empty());
        course.extend(changes);
    }
    // The best response of a course is not its last one.
    course.sort_by_key(|step| (!response_scope::is_best(view, step.at), step.at));
    course.dedup_by(|next, before| next.category == before.category);
    if course.len() > 1 {
        course.retain(|step| step.category != "control");
    }
    summary(view, &course)
}

/// Returns the responses that the note states. Beside distant metastases, "no recurrence" at one place does not count.
fn stated(view: &NoteView<'_>, distant: bool) -> Vec<Statement> {
    let proposals = report::proposals(view);
    let mut course: Vec<Statement> = view
        .terms(TermKind::Response)
        .iter()
        .filter(|mention| !report::covers(proposals, mention.range.start))
        .filter(|mention| {
            let free = mention.term.tag("cat") == Some("ned");
            !(distant && free && response_scope::is_local(view, &mention.range))
        })
        .filter(|mention| {
            mention.term.is("alone") && is_stated(view, mention)
                || mention.term.is("abbr") && is_abbreviation(view, mention)
        })
        .map(step)
        .collect();
    let text = view.folded.as_str();
    for found in FREE.find_iter(text) {
        // "No recurrence of chest pain" is not about the malignancy.
        let after = view.folded.after(found.end(), 24);
        if after.starts_with(" progress") {
            continue; // "No evidence of disease progression" leaves the disease there.
        }
        let of_other = after.starts_with(" of ")
            && !["disease", "tumor", "cancer", "melanoma", "the tumor", "malignan"]
                .iter()
                .any(|word| after.contains(word));
        let local = distant && response_scope::is_local(view, &found.range());
        let of_specimen = response_scope::is_of_specimen(view, &found.range());
        if !of_other && !of_specimen && !local && is_fact(view, &found.range()) {
            course.push(Statement { at: found.start(), category: "ned", value: "no evidence of disease".to_owned() });
        }
    }
    let before_that = course.iter().any(|step| step.category != "pd");
    if before_that {
        course.retain(|step| step.category != "pd" || !is_occasion(view, step.at));
    }
    // Drop the "recurrence" inside "no recurrence".
    course.retain(|step| !matches!(step.category, "pd" | "recurrence") || !ends_a_plan(view, step.at));
    course.sort_by_key(|step| step.at);
    let mut free = None;
    course.retain(|step| {
        free = if step.category == "ned" { Some(step.at) } else { free };
        step.category != "recurrence" || free.is_none_or(|at| step.at > at + 70)
    });
    course
}

/// Returns whether a progression is the reason for a treatment and not its outcome: "after progression on erlotinib she
/// received".
fn is_occasion(view: &NoteView<'_>, at: usize) -> bool {
    let before = view.folded.before(at, 34).trim_end();
    let before = before.rsplit(['.', ',', ';']).next().unwrap_or_default();
    let mut words = before.rsplit(' ');
    let occasions = ["after", "following", "upon", "until", "on", "for", "given", "to", "prior", "without"];
    [words.next(), words.next()].into_iter().flatten().any(|word| occasions.contains(&word))
}

/// Returns whether a progression only says how long a treatment is to continue: "continue capecitabine until
/// progression". In "received capecitabine until progression in May" the progression has happened.
fn ends_a_plan(view: &NoteView<'_>, at: usize) -> bool {
    const PLANS: [&str; 13] = [
        "continue",
        "continues",
        "continuing",
        "will",
        "plan",
        "plans",
        "planned",
        "recommend",
        "recommended",
        "shall",
        "should",
        "treat",
        "maintain",
    ];
    let before = view.folded.before(at, 110);
    let Some((clause, _)) = before.rsplit_once(" until ").filter(|(_, between)| !between.contains(['.', ';'])) else {
        return false;
    };
    let clause = clause.rsplit(['.', ';', '\n']).next().unwrap_or_default();
    clause.split([' ', ',', ':']).any(|word| PLANS.contains(&word))
}

/// Returns the excellent responses, which in thyroid cancer are a category: no evidence of disease.
fn excellent(view: &NoteView<'_>) -> impl Iterator<Item = Statement> {
    view.terms(TermKind::Response)
        .iter()
        .filter(|mention| {
            mention.term.spelled == "excellent response" && view.enters_record(&mention.range, Field::Response)
        })
        .map(|mention| Statement { at: mention.range.start, category: "ned", value: "excellent response".to_owned() })
}

/// Returns the responses that changes in the size of lesions imply.
fn changes(view: &NoteView<'_>, diagnosis: &Diagnosis, all: bool) -> Vec<Statement> {
    let mut course: Vec<Statement> = view
        .terms(TermKind::Response)
        .iter()
        .filter(|mention| {
            let kinds: &[&str] = if all { &["regress", "grow", "still"] } else { &["regress"] };
            kinds.iter().any(|tag| mention.term.is(tag))
                && is_of_disease(view, &mention.range)
                && !response_scope::is_of_benign(view, &mention.range, diagnosis)
                && (mention.term.is("still") || view.enters_record(&mention.range, Field::Response))
                && view.assertion(&mention.range, Field::Response) != Assertion::Planned
        })
        .map(|mention| {
            let before = view.folded.before(mention.range.start, 12).trim_end();
            let slight = ["slight", "minor", "minimal", "small", "slightly", "minimally"]
                .iter()
                .any(|word| before.ends_with(word));
            let mut step = step(mention);
            if slight && step.category == "pr" {
                (step.category, step.value) = ("sd", "stable disease".to_owned());
            }
            step
        })
        .collect();
    if course.iter().any(|step| step.category == "pr") {
        course.retain(|step| step.category != "sd");
    }
    course
}

fn step(mention: &Mention) -> Statement {
    let category = mention.term.tag("cat").unwrap_or(mention.term.name);
    let plain = match category {
        "pr" if mention.term.is("own") => mention.term.name,
        "pr" => "partial response",
        "sd" => "stable disease",
        "pd" => "disease progression",
        "cr" if mention.term.is("abbr") => "complete response",
        _ if mention.term.is("own") => mention.term.spelled,
        _ => mention.term.name,
    };
    Statement { at: mention.range.start, category, value: plain.to_owned() }
}

/// Returns whether a statement is a fact about the patient: not planned, declined, uncertain or untested, and not about
/// a relative.
fn is_fact(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    !matches!(
        view.assertion(range, Field::Response),
        Assertion::Planned | Assertion::Family | Assertion::NotTested | Assertion::Uncertain | Assertion::Declined
    )
}

/// Returns whether a response is stated. "No evidence of disease" contains a negation; all other responses must be
/// affirmed.
fn is_stated(view: &NoteView<'_>, mention: &Mention) -> bool {
    if response_scope::is_of_something_else(view, mention) {
        return false;
    }
    let contains_negation = match mention.term.tag("cat") {
        Some("ned") => true,
        Some("pcr") => mention.term.spelled.starts_with("no "),
        _ => false,
    };
    if contains_negation {
        return is_fact(view, &mention.range);
    }
    view.enters_record(&mention.range, Field::Response)
}

/// Returns whether an abbreviation means a response. "PR" is also a receptor, "PD" a disease, "CR" a laboratory value,
/// so they count only near words about response.
fn is_abbreviation(view: &NoteView<'_>, mention: &Mention) -> bool {
    const LEADS: [&str; 19] = [
        "->",
        "=>",
        "\u{2192}",
        "w/",
        "with",
        "developed",
        "had",
        "showed",
        "showing",
        "documented",
        "response:",
        "response |",
        "clinical",
        "radiological",
        "[x]",
        "\u{2611}",
        "\u{2612}",
        ":",
        ";",
    ];
    const COMPLETE: [&str; 13] = [
        "1st",
        "2nd",
        "second",
        "third",
        "in",
        "into",
        "achieved",
        "attained",
        "reached",
        "obtained",
        "remains in",
        "maintained",
        "first",
    ];
    const RECEPTOR: [&str; 13] =
        ["+", "-", " positive", " negative", " pos", " neg", " interval", "/", ":", " <", "%", " status", " (9"];
    let partial = mention.term.tag("cat") == Some("pr");
    let next = view.folded.after(mention.range.end, 12);
    let before = view.folded.before(mention.range.start, 14).trim_end();
    let is_result = RECEPTOR.iter().any(|sign| next.starts_with(sign))
        || next.trim_start().starts_with(|c: char| c.is_ascii_digit())
        || (partial
            && (before.ends_with('/') || (before.ends_with(',') && follows_receptor(view, mention)))
            && !is_beside_another(view, mention));
    // In "docetaxel x6 with PR, then" the response ends its phrase; a receptor has a result after it.
    let ends_phrase = next.trim_start().is_empty() || next.starts_with([',', '.', ';', ')', '\n']);
    let receptors = view.folded.before(mention.range.start, 24).contains("er ");
    let ticked = before.ends_with("[x]") || before.ends_with(['\u{2611}', '\u{2612}']);
    // "Labs: CR 1.2" has a value after it; "Labs: CR, PR" are names of tests.
    let labelled = before.ends_with([':', ';']);
    let label = view.folded.before(mention.range.start, BESIDE);
    let of_tests = labelled && ["lab", "creat", "meds", "u&e", "chem"].iter().any(|word| label.contains(word));
    let introduced = (!partial || (ends_phrase && !receptors) || ticked)
        && (!labelled || (ends_phrase && !of_tests))
        && LEADS.iter().any(|word| before.ends_with(word));
    // "In CR1", "achieved CR": creatinine is not a state that a patient is in.
    let complete = mention.term.tag("cat") == Some("cr")
        && COMPLETE
            .iter()
            .any(|word| before.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(' ')));
    let introduced = introduced || complete;
    // "PD in liver" is a progression: Parkinson's disease has no site.
    let sited = !partial && response_scope::names_site_next(view, &mention.range)
        || response_scope::is_on_treatment(view, &mention.range);
    if sites::is_other_noun(view, &mention.range) {
        return false;
    }
    let introduced = introduced || sited || is_beside_another(view, mention);
    let near_response_word = || {
        let words = view.near(&mention.range, 120, 60).split(|c: char| !c.is_alphanumeric());
        introduced || words.into_iter().any(speaks_of_response)
    };
    !is_result && near_response_word() && view.enters_record(&mention.range, Field::Response)
}

/// Returns whether a marker other than PR is named right before a mention, as in a list of receptors.
fn follows_receptor(view: &NoteView<'_>, mention: &Mention) -> bool {
    let near = mention.range.start.saturating_sub(BESIDE)..mention.range.start;
    !view.terms_in(TermKind::Marker, &near).is_empty()
}

/// Returns whether an abbreviation of another response is next to it, with only words of time between: "SD, then PD"
/// has one reading, "ER/PR positive, PD-L1 negative" another.
fn is_beside_another(view: &NoteView<'_>, mention: &Mention) -> bool {
    const TIME: &str =
        "initially first then now later followed by subsequently finally next at wk week weeks month months mo cycle c";
    let near = mention.range.start.saturating_sub(BESIDE)..mention.range.end + BESIDE;
    view.terms_in(TermKind::Response, &near).iter().any(|other| {
        let (first, last) = if other.range.start < mention.range.start { (other, mention) } else { (mention, other) };
        let gap = view.folded.slice(first.range.end..last.range.start);
        let is_course = other.term.is("abbr") && other.term.tag("cat") != mention.term.tag("cat");
        // "PD-L1" and a list of receptors are not a course. "PR" is the name of a marker, too.
        let reach = first.range.start.saturating_sub(BESIDE)..last.range.end + BESIDE;
        let markers = view.terms_in(TermKind::Marker, &reach);
        let is_pr = |marker: &Mention| view.folded.slice(marker.range.clone()) == "pr";
        let mut words = gap.split([' ', ',', ';']).filter(|word| !word.is_empty()).peekable();
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let is_time = |word: &str| is_one_of(TIME, word) || is_number(word);
        is_course && markers.iter().all(is_pr) && words.peek().is_some() && words.all(is_time)
    })
}

/// Returns whether the clause mentions a tumour, its sites or a scan.
fn is_of_disease(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    const DISEASE: &str = "lesion tumor tumour metasta mass disease nodule node implant burden primary \
                           lymphadenopathy cancer deposit adenopathy melanoma carcinoma lymphoma hepatic pulmonary \
                           intracranial uptake response responded nodal";
    let before = view.near(&(range.start..range.start), 90, 0);
    let before = before.rsplit([';', ':']).next().unwrap_or_default();
    let after = view.near(&(range.end..range.end), 0, 60);
    let after = after.split([';', ':']).next().unwrap_or_default();
    let parts = [before, after, view.folded.slice(range.clone())];
    !response_scope::is_of_health(before)
        && DISEASE.split_ascii_whitespace().any(|word| parts.iter().any(|part| part.contains(word)))
}

/// Returns one value for the course: the last statement, with the response before it if the disease grew again.
fn summary(view: &NoteView<'_>, course: &[Statement]) -> Option<String> {
    let last = course.last()?;
    let same_sentence = |step: &Statement| view.sentence(step.at) == view.sentence(last.at);
    if let Some(strongest) = course.iter().find(|step| matches!(step.category, "mixed" | "pcr")) {
        let worse_later = strongest.category == "mixed" && last.category == "pd" && !same_sentence(strongest);
        return Some(if worse_later { last } else { strongest }.value.clone());
    }
    let before = course.iter().rev().nth(1);
    match (last.category, before) {
        // Some lesions shrank, others did not change.
        ("sd", Some(before)) if before.category == "pr" && same_sentence(before) => Some(before.value.clone()),
        ("sd", Some(before)) if before.category == "pr" => Some(format!("{} then {}", before.value, last.value)),
        // A complete response and "no evidence of disease" say the same.
        ("ned", Some(before)) if before.category == "cr" => {
            Some("complete response (no evidence of disease)".to_owned())
        }
        ("pd" | "recurrence" | "bcr", _) => {
            let good = course.iter().find(|step| matches!(step.category, "pr" | "cr" | "sd" | "biochemical" | "minor"));
            Some(good.map_or_else(|| last.value.clone(), |good| format!("{} then {}", good.value, last.value)))
        }
        _ => Some(last.value.clone()),
    }
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    LazyLock::force(&FREE);
}

#[cfg(test)]
mod tests;
