//! The words that tell the course of a treatment.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::statics::pattern;

/// What a cue says of a treatment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CueKind {
    Start,
    /// "Since": it was started then and goes on.
    Since,
    Ongoing,
    Completed,
    Stopped,
}

/// A cue, in bytes of the text.
#[derive(Clone, Debug)]
pub(super) struct Cue {
    pub(super) range: Range<usize>,
    pub(super) kind: CueKind,
    /// "Was stopped", "has been completed".
    pub(super) is_passive: bool,
    /// "Started on", "completed 4 cycles of": the treatment follows.
    pub(super) leads_on: bool,
    /// It speaks only of a treatment behind it: "underwent", "switched from".
    pub(super) needs_object: bool,
}

static CUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)(?-u:\\b)(?:(?<since>since)\
         |(?<from>(?:switched|changed|transitioned|rotated)(?: over)? from)\
         |(?<to>(?:switched|changed|transitioned|rotated)(?: over)? to)\
         |(?<done>underwent|s/p|status[- ]post)\
         |(?<start>(?:re-?)?(?:started|initiated|commenced|begun|began)|starting|starts|begins)\
         |(?<ongoing>(?:remains|remained|currently|still|maintained|is now) on|continues|continued|continuing|ongoing)\
         |(?<completed>completed|finished|completion of)\
         |(?<stopped>stopped|discontinued|ceased|terminated|withdrawn|abandoned))(?-u:\\b)",
    )
});

/// Words shortly before a cue that make it none: it did not happen, or not yet.
static NOT_YET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)(?-u:\\b)(?:not|never|no|without|unable to|failed to|will|would|should|may|might|can|could|if|once|until|till|to \
         be|before|plan|plans|planned|scheduled|consider|considered|when|hasn't|wasn't|didn't)(?: [a-z]+){0,2} ?$",
    )
});

/// Words before a participle that make it passive.
static PASSIVE: LazyLock<Regex> = LazyLock::new(|| {
    pattern("(?i)(?-u:\\b)(?:was|were|is|are|been|being)(?: (?:then|subsequently|later|also|recently))? $")
});

/// The words behind a passive cue that lead to a treatment: "was started on".
static LEADS_ON: LazyLock<Regex> = LazyLock::new(|| pattern("(?i)^ (?:on|with|to|from)(?-u:\\b)"));

/// The words behind "stopped" that begin a reason.
static REASON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)(?-u:\\b)(?:due to|because of|owing to|secondary to|on account of|in view of|for|on|at|upon|after)\\s+(?<reason>[^.,;:()\\n]{3,100})",
    )
});

/// What may stand behind "for", "after" and "on" as a reason; a time or a number of cycles is none.
static IS_REASON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)progress|toxic|intoleran|adverse|reaction|side effect|relapse|recurrence|refus|[a-z](?:itis|emia|aemia|penia|pathy)(?-u:\\b)",
    )
});

/// Bytes before a cue that may say that it did not happen.
const BEFORE: usize = 40;
/// Bytes behind "stopped" within which a reason begins.
const REASON_REACH: usize = 60;

/// Returns the cues of a text in order.
pub(super) fn cues(text: &str) -> Vec<Cue> {
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
        let leads_on = LEADS_ON.is_match(text.get(whole.end()..)?) || has("from") || has("to");
        Some(Cue {
            range: whole.range(),
            kind,
            is_passive: PASSIVE.is_match(before) || kind == CueKind::Since,
            leads_on: leads_on && kind != CueKind::Since,
            needs_object: has("from") || has("to") || has("done"),
        })
    };
    CUE.captures_iter(text).filter_map(cue).collect()
}

/// Returns the words that say why a treatment was stopped, from behind the cue to the end of the clause.
pub(super) fn reason(text: &str, from: usize, to: usize) -> Option<Range<usize>> {
    let rest = text.get(from..to)?;
    let found = REASON.captures(rest)?;
    let (whole, words) = (found.get(0)?, found.name("reason")?);
    let clause_ends = rest.get(..whole.start())?.contains([';', ':', '\n']) || whole.start() > REASON_REACH;
    let opens = whole.as_str().to_ascii_lowercase();
    let is_plain = ["for", "on", "at", "upon", "after"].iter().any(|word| opens.starts_with(&format!("{word} ")));
    let end = words.as_str().find(" and ").or_else(|| words.as_str().find(" then ")).unwrap_or(words.len());
    let words = words.as_str().get(..end)?.trim_end();
    if clause_ends || (is_plain && !IS_REASON.is_match(words)) {
        return None;
    }
    let start = from + found.name("reason")?.start();
    Some(start..start + words.len())
}
