//! The words that describe the course of a treatment. They are ASCII, which keeps the patterns small; only the text
//! between them may have other characters.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::statics::pattern;

/// What a cue says about a treatment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CueKind {
    Start,
    /// "Since": it was started then and continues.
    Since,
    Ongoing,
    Completed,
    Stopped,
}

/// A cue, in bytes of the text.
#[derive(Clone, Debug)]
pub(super) struct CourseCue {
    pub(super) range: Range<usize>,
    pub(super) kind: CueKind,
    /// "Was stopped", "has been completed".
    pub(super) is_passive: bool,
    /// "Started on", "completed 4 cycles of": the treatment follows.
    pub(super) leads_on: bool,
    /// It refers only to a treatment after it: "underwent", "switched from", "stopped smoking".
    pub(super) needs_object: bool,
}

static CUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)(?-u:\\b)(?:(?<since>since)\
         |(?<from>(?:switched|changed|transitioned|rotated)(?: over)? from)\
         |(?<to>(?:switched|changed|transitioned|rotated)(?: over)? to)\
         |(?<done>underwent|s/p|status[- ]post)\
         |(?<start>(?:re-?)?(?:started|initiated|commenced|begun|began)|resumed|reintroduced|rechallenged|starting|starts|begins)\
         |(?<ongoing>(?:remains|remained|currently|still|maintained|is now) on|continues|continued|continuing|ongoing)\
         |(?<completed>completed|finished|completion of)\
         |(?<stopped>stopped|discontinued|ceased|terminated|withdrawn|abandoned))(?-u:\\b)",
    )
});

/// Words shortly before a cue that cancel it: the event did not happen, or not yet.
static NOT_YET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)(?-u:\\b)(?:not|never|no|without|unable to|failed to|will|would|should|(?-i:may)|might|can|could|if|once|until|till|to \
         be|before|plan|plans|planned|scheduled|consider|considered|when|hasn't|wasn't|didn't)(?: [a-z]+){0,2} ?$",
    )
});

/// Words before a participle that make it passive.
static PASSIVE: LazyLock<Regex> = LazyLock::new(|| {
    pattern("(?i-u)(?-u:\\b)(?:was|were|is|are|been|being)(?: (?:then|subsequently|later|also|recently))? $")
});

/// The words after a passive cue that lead to a treatment: "was started on".
static LEADS_ON: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)^ (?:on|with|to|from)(?-u:\\b)"));

/// What may follow a verb that has no object: "stopped in May", "completed.".
static NO_OBJECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)^(?:\\s*(?:$|[.,;:()\\d-])|\\s+(?:in|on|at|after|due|because|for|by|since|from|until|before|during|when|as|owing\
         |secondary|early|prematurely|permanently|temporarily|upon|with|and|but|again|today|yesterday|recently|last|this\
         |jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|of|to)(?-u:\\b|[a-z]))",
    )
});

/// A range of dates after a treatment: "11/2016 to 3/2017".
static PERIOD: LazyLock<Regex> = LazyLock::new(|| {
    pattern("(?i-u)\\d{4}\\s?(?:-|\u{2013}|to|until|till|through|thru)\\s?(?:\\d|[a-z]{3,9}\\.? \\d)")
});

/// The words after "continued" that state its end.
static UNTIL: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)^(?: [a-z]+)? (?:until|till|through)(?-u:\\b)"));

/// The words between a treatment and a cue after it that refers to it: auxiliaries, doses, cycles and dates.
static BETWEEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)^(?:[\\s,/+-]|\\((?u:[^()]*)\\)|\\d[\\d./-]*(?:mg|g|gy|mcg|auc|x|st|nd|rd|th|yrs?|mos?|wks?)?(?:/m2|/kg)?|x\\d+\
         |(?:was|were|is|are|has|have|had|been|being|then|later|also|subsequently|both|all|which|that|it|they|and|but\
         |therapy|treatment|chemotherapy|in|on|from|since|until|to|by|for|at|after|early|late|mid|of|the|a|every|weekly|daily\
         |biweekly|monthly|q\\d?w?|qd|bid|po|iv|mg|gy|auc|weeks?|months?|days?|years?|cycles?|courses?|doses?|fractions?\
         |jan[a-z]*|feb[a-z]*|mar|march|apr[a-z]*|may|june?|july?|aug[a-z]*|sept?[a-z]*|oct[a-z]*|nov[a-z]*|dec[a-z]*\
         |started|initiated|commenced|begun|began|resumed|given|administered|completed|finished|stopped|discontinued\
         |maintenance|adjuvant|neoadjuvant|dose|alone|start|she|he|took|taken|received|with|an?|excellent|good|very|partial\
         |complete|response|remission|stable|disease|pr|cr|sd|pd|ned|yrs?|six|four|three|two|twelve|eight|reduced|low-dose|full-dose|last|this|well|tolerated)(?-u:\\b))*$",
    )
});

/// The words after "stopped" that begin a reason.
static REASON: LazyLock<Regex> = LazyLock::new(|| {
    pattern("(?i-u)(?-u:\\b)(?:due to|because of|owing to|secondary to|on account of|in view of)\\s+")
});

/// Other words that may begin a reason, if what follows is one.
static PLAIN_REASON: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)(?-u:\\b)(?:for|on|at|upon|after)\\s+"));

/// The minimum and maximum number of characters of a reason. They are counted outside the patterns, which would hold a
/// copy of a character's class for each of them.
const SHORTEST_REASON: usize = 3;
const LONGEST_REASON: usize = 100;

/// Where a reason ends: at a date, and where another event begins.
static REASON_END: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)\\s(?:and|then|so|while|in (?:(?:early|mid|late)[ -])?(?:\\d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|on \\d)",
    )
});

/// What may follow "for", "after" and "on" as a reason; a time or a number of cycles is not a reason.
static IS_REASON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)progress|toxic|intoleran|adverse|reaction|side effect|relapse|recurrence|refus|request|choice|preference|rash\
         |hypersensitiv|allerg|fatigue|infection|pregnan|decline|impairment|insufficien|syndrome|[a-z](?:itis|emia|aemia|penia|pathy|algia)(?-u:\\b)",
    )
});

/// Compiles the patterns before a note needs them.
pub(in crate::extraction) fn compile() {
    for pattern in [
        &CUE,
        &NOT_YET,
        &PASSIVE,
        &LEADS_ON,
        &NO_OBJECT,
        &PERIOD,
        &UNTIL,
        &BETWEEN,
        &REASON,
        &PLAIN_REASON,
        &REASON_END,
        &IS_REASON,
    ] {
        LazyLock::force(pattern);
    }
}

/// Bytes before a cue that may say that it did not happen.
const BEFORE: usize = 40;
/// Bytes after "stopped" within which a reason begins.
const REASON_REACH: usize = 60;

/// Returns the cues of a text in order.
pub(super) fn cues(text: &str) -> Vec<CourseCue> {
    let cue = |found: regex::Captures<'_>| {
        let whole = found.get(0)?;
        let before = (whole.start().saturating_sub(BEFORE)..=whole.start()).find(|at| text.is_char_boundary(*at))?;
        let before = text.get(before..whole.start())?.rsplit(['.', ';', '\n']).next()?;
        if NOT_YET.is_match(before) {
            return None;
        }
        let has = |name| found.name(name).is_some();
        let kind = match () {
            () if has("since") => CueKind::Since,
            () if has("start") || has("to") => CueKind::Start,
            () if has("ongoing") => CueKind::Ongoing,
            () if has("completed") || has("done") => CueKind::Completed,
            () => CueKind::Stopped,
        };
        let behind = text.get(whole.end()..)?;
        if kind == CueKind::Ongoing && UNTIL.is_match(behind) {
            return None;
        }
        let leads_on = LEADS_ON.is_match(behind) || has("from") || has("to");
        let is_passive = PASSIVE.is_match(before) || kind == CueKind::Since;
        Some(CourseCue {
            range: whole.range(),
            kind,
            is_passive,
            leads_on: leads_on && kind != CueKind::Since,
            needs_object: has("from") || has("to") || has("done") || !(is_passive || NO_OBJECT.is_match(behind)),
        })
    };
    CUE.captures_iter(text).filter_map(cue).collect()
}

/// Returns whether words state a range of dates, of which only the first is read.
pub(super) fn has_period(words: &str) -> bool {
    PERIOD.is_match(words)
}

/// Returns whether a cue after a treatment refers to it, by the words between the two.
pub(super) fn speaks_of(between: &str) -> bool {
    BETWEEN.is_match(between)
}

/// Returns the words that say why a treatment was stopped, from after the cue to the end of the clause.
pub(super) fn reason(text: &str, from: usize, to: usize) -> Option<Range<usize>> {
    let rest = text.get(from..to)?;
    let is_long = |words: &str| words.chars().nth(SHORTEST_REASON - 1).is_some();
    // "Due to PD", but not "due to it".
    let is_acronym = |words: &str| words.len() > 1 && words.bytes().all(|byte| byte.is_ascii_uppercase());
    let strong = behind(&REASON, rest, |words| is_long(words) || is_acronym(words));
    let is_strong = strong.is_some();
    let found = strong.or_else(|| behind(&PLAIN_REASON, rest, is_long))?;
    let (before, words) = (rest.get(..found.start)?, rest.get(found.clone())?);
    let end = REASON_END.find(words).map_or(words.len(), |end| end.start());
    let words = words.get(..end)?.trim_end();
    if before.contains([';', ':']) || before.len() > REASON_REACH || (!is_strong && !IS_REASON.is_match(words)) {
        return None;
    }
    let start = from + found.start;
    Some(start..start + words.len())
}

/// Returns the first words after a match of a pattern that may be a reason, without the blanks before them, to the end
/// of the clause.
fn behind(lead: &Regex, text: &str, may_be_reason: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    lead.find_iter(text).find_map(|lead| {
        let words = text.get(lead.end()..)?;
        let words = words.split(['.', ',', ';', ':', '(', ')', '\n']).next()?;
        let end = words.char_indices().nth(LONGEST_REASON).map_or(words.len(), |(at, _)| at);
        may_be_reason(words).then(|| lead.end()..lead.end() + end)
    })
}
