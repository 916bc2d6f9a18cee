//! Decides whether the note describes the course of a treatment that it first only plans: "The board recommended
//! FOLFOX. The patient received three cycles."
//!
//! It reads the two sentences after the plan and little of the text before it, where another treatment could be the one
//! that the cycles belong to.

use std::ops::Range;

use super::Context;
use crate::steps;

/// Maximum number of bytes after a planned treatment that may describe its course.
const AFTER: usize = 320;
/// Maximum number of bytes before it that may name another treatment.
const BEFORE: usize = 250;

/// Words of an operation.
const OPERATIONS: [&str; 7] = ["ectomy", "resection", "surg", "excision", "dissection", "debulking", "operation"];
/// Words of a general name for an operation: the operation that was performed may have another name.
const GENERAL: [&str; 3] = ["surg", "operation", "operative"];
/// Words that state a result, a sign that the treatment before it has taken place.
const RESULTS: [&str; 15] = [
    "show",
    "reveal",
    "demonstrat",
    "response",
    "shrink",
    "reduc",
    "decreas",
    "stable",
    "progress",
    "improv",
    "tolerat",
    "regress",
    "increas",
    "residual",
    "confirm",
];
/// Words about the future.
const FUTURE: [&str; 12] = [
    "will ",
    "plan",
    "pending",
    "scheduled",
    "if ",
    "await",
    "consider",
    "to assess",
    "to evaluate",
    "expected",
    "recommend",
    "should ",
];
/// Words of a treatment that was given before the plan and may be the one whose course follows.
const GIVEN_BEFORE: [&str; 5] = ["cycle", "received", "started", "treated with", "completed"];
/// Words of an operation before the plan.
const OPERATED_BEFORE: [&str; 2] = ["underwent", "performed"];
/// Words before a count of cycles that were given.
const COUNTED: [&str; 6] = ["after", "received", "completed", "completing", "tolerated", "following"];
/// General words that refer to the treatment named before.
const GENERIC: [&str; 5] = ["therapy", "treatment", "chemotherapy", "this", "neoadjuvant"];
/// Words for the portions in which a treatment is given.
const PORTIONS: [&str; 5] = [" cycle", " course", " dose", " infusion", " fraction"];

impl Context<'_> {
    /// Returns whether the text after a planned treatment describes its course.
    pub(super) fn is_carried_out(&self, range: &Range<usize>) -> bool {
        let Some(value) = self.text.get(range.clone()) else { return false };
        let value = value.to_ascii_lowercase();
        let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
        let index = self.sentences.partition_point(|sentence| sentence.start <= range.start).saturating_sub(1);
        let Some(own) = self.sentences.get(index) else { return false };
        let last = self.sentences.get(index + 2).or_else(|| self.sentences.get(index + 1)).unwrap_or(own);
        let after = self.lower(range.end..last.end.min(range.end.saturating_add(AFTER)));
        let before = self.lower(range.start.saturating_sub(BEFORE)..range.start);
        steps::count(after.len() + before.len());
        if is_change_of_given(&before) {
            return true;
        }
        let operation = has(&value, &OPERATIONS);
        let claimed = if operation { has(&before, &OPERATED_BEFORE) } else { has(&before, &GIVEN_BEFORE) };
        if claimed {
            return false;
        }
        // The rest of the plan's own clause states how the treatment is planned.
        let own_length = own.end.saturating_sub(range.end).min(after.len());
        let (rest, later) = after.split_at_checked(own_length).unwrap_or((after.as_str(), ""));
        let clauses = rest.split(';').skip(1).chain(later.split(['.', ';', '\n']));
        let mut clauses = clauses.filter(|clause| !has(clause, &FUTURE));
        if operation {
            let general = has(&value, &GENERAL);
            return clauses.any(|clause| {
                let examined = (clause.contains("final patholog") || clause.contains("surgical patholog"))
                    && has(clause, &RESULTS);
                examined || (general && tells_of_operation(clause))
            });
        }
        clauses.any(|clause| tells_of_portions(clause) || tells_of_end(clause))
    }

    /// Returns a part of the note in lower case, without broken characters at its ends.
    pub(super) fn lower(&self, range: Range<usize>) -> String {
        let bytes = self.text.as_bytes().get(range).unwrap_or_default();
        String::from_utf8_lossy(bytes).to_ascii_lowercase()
    }
}

/// Returns whether the words before a treatment plan a change of it, or a later portion than the first, so that it was
/// given before: "consider dose reduction of capecitabine", "here for consideration of cycle 2 nivolumab".
fn is_change_of_given(before: &str) -> bool {
    const CHANGES: [&str; 14] = [
        "reduction",
        "reducing",
        "reduce",
        "escalation",
        "interruption",
        "interrupting",
        "holding",
        "withholding",
        "stopping",
        "discontinuation",
        "discontinuing",
        "continuation",
        "continuing",
        "tapering",
    ];
    const LINKS: [&str; 9] = ["of", "in", "with", "the", "his", "her", "on", "day", "d1"];
    const LATER: [&str; 10] = ["two", "three", "four", "five", "six", "second", "third", "fourth", "fifth", "sixth"];
    let is_portion = |word: &str| PORTIONS.iter().any(|portion| word.trim_end_matches('s') == portion.trim_start());
    let is_later = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_start_matches('#');
        LATER.contains(&word) || digits.parse::<u8>().is_ok_and(|number| (2..=60).contains(&number))
    };
    // Only the words of the same clause count.
    let clause = before.rsplit(['.', ';', ',', ':', '\n']).next().unwrap_or_default();
    let mut words = clause.split_ascii_whitespace().rev().skip_while(|word| LINKS.contains(word) || *word == "1");
    let Some(last) = words.next() else { return false };
    let next = words.next().unwrap_or_default();
    // "C5D1" is the first day of the fifth cycle.
    let abbreviated = last.strip_prefix('c').and_then(|rest| rest.split('d').next()).is_some_and(is_later);
    CHANGES.contains(&last)
        || abbreviated
        || (is_later(last) && is_portion(next))
        || (is_portion(last) && LATER.iter().skip(5).any(|ordinal| *ordinal == next))
}

/// Returns whether a clause says that an operation took place: "right pneumonectomy was performed".
fn tells_of_operation(clause: &str) -> bool {
    let performed = ["was performed", "were performed", "was carried out", "was done", "underwent"];
    let examination = ["scopy", "polyp", "biops"].iter().any(|word| clause.contains(word));
    !examination
        && performed.iter().any(|word| clause.contains(word))
        && OPERATIONS.iter().any(|word| clause.contains(word))
}

/// Returns whether a clause counts portions that were given, and not those of a treatment that it names itself:
/// "received three cycles", "CT after 3 cycles showed shrinkage".
fn tells_of_portions(clause: &str) -> bool {
    let resulted = RESULTS.iter().any(|word| clause.contains(word));
    PORTIONS.iter().any(|portion| {
        clause.match_indices(portion).any(|(at, _)| {
            let before = clause.get(..at).unwrap_or_default();
            let counted = before.split_whitespace().rev().take(4).find(|word| COUNTED.contains(word));
            let rest = clause.get(at + portion.len()..).unwrap_or_default();
            let rest = rest.strip_prefix('s').unwrap_or(rest);
            let unnamed = !["of ", "with "].iter().any(|link| rest.trim_start().starts_with(link));
            let past = matches!(counted, Some("received" | "completed" | "tolerated"));
            unnamed && counted.is_some() && (past || resulted)
        })
    })
}

/// Returns whether a clause says that the treatment has ended or was tolerated: "imaging after completion showed",
/// "treatment was well tolerated".
fn tells_of_end(clause: &str) -> bool {
    let ended = clause.find("after completion").is_some_and(|at| {
        let rest = clause.get(at + "after completion".len()..).unwrap_or_default().trim_start();
        let named = rest.strip_prefix("of ").is_some_and(|thing| !GENERIC.iter().any(|word| thing.starts_with(word)));
        !named && RESULTS.iter().any(|word| clause.contains(word))
    });
    let borne =
        ["tolerated treatment", "tolerated therapy", "treatment was well tolerated", "therapy was well tolerated"];
    let borne = borne.iter().any(|words| {
        // "Chemotherapy was well tolerated" is another treatment.
        let found = clause.find(words).and_then(|at| Some((clause.get(..at)?, clause.get(at + words.len()..)?)));
        found.is_some_and(|(before, rest)| {
            !before.ends_with(char::is_alphanumeric)
                && !["with ", "of "].iter().any(|link| rest.trim_start().starts_with(link))
        })
    });
    ended || borne
}
