//! Reads results that are neither a word nor a percentage: Allred scores ("ER 8/8"), H-scores ("H-score 250"), and the
//! methylation of MGMT ("MGMT promoter: not methylated").

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::view::NoteView;
use crate::statics::pattern;

/// A score after a receptor. The pattern is anchored at the end of the receptor.
static SCORE: LazyLock<Regex> = LazyLock::new(|| pattern(SCORE_PATTERN));
const SCORE_PATTERN: &str = concat!(
    r"^(?:[ :=,(\[)]|(?-u:\b)(?:status|positive|negative|pos|neg|strongly|weakly|receptor|receptors|allred|quick|score|quickscore|total|is|was|of|with|an?|er|pr|pgr|by|ihc|immunohistochemistry)(?-u:\b)){0,10}?",
    r"(?:(?P<allred>[0-8]) ?(?:/|out of) ?8(?-u:\b)|(?:allred|quick|quickscore)(?: total)? ?(?:score)?[ :=]{1,2}(?:of )?(?P<bare>[0-8])(?:[^0-9/.%]|\.[^0-9]|\.?$)|(?:h ?score|histoscore|histo score)[ :=(]{1,3}(?:(?:is|was|of) )?(?P<h>[0-9]{1,3})(?:[^0-9.%]|\.[^0-9]|\.?$))",
);

/// A methylation after its promoter.
static METHYLATION: LazyLock<Regex> = LazyLock::new(|| pattern(METHYLATION_PATTERN));
const METHYLATION_PATTERN: &str = r"^(?:[ :=,(-]|(?-u:\b)(?:promoter|gene|methylation|status|is|was|the|analysis|testing|test|by|pcr|pyrosequencing|showed|result|results)(?-u:\b)){0,8}?(?P<state>unmethylated|not methylated|non methylated|nonmethylated|not detected|absent|negative|hypermethylated|methylated|present|detected|positive)(?-u:\b)";

/// Returns the value of a receptor with a score after it: `ER positive (8/8)`. Up to 2 of 8 and 0 of 300 are negative.
pub(crate) fn of_receptor(
    view: &NoteView<'_>,
    name: &str,
    range: &Range<usize>,
    next: Option<usize>,
) -> Option<String> {
    let found = SCORE.captures(view.folded.after(range.end, 60))?;
    let at = range.end + found.get(0)?.end();
    if next.is_some_and(|next| next < at.saturating_sub(1)) {
        return None;
    }
    let quote = |group: &str| {
        found.name(group).map(|part| view.folded.quote(&(range.end + part.start()..range.end + part.end())).trim())
    };
    if let Some(h) = quote("h") {
        let sign = if h.trim_start_matches('0').is_empty() { "negative" } else { "positive" };
        return Some(format!("{name} {sign} (H-score {h})"));
    }
    let score = quote("allred").or_else(|| quote("bare"))?;
    let sign = if matches!(score, "0" | "1" | "2") { "negative" } else { "positive" };
    Some(format!("{name} {sign} ({score}/8)"))
}

/// Returns the methylation of MGMT that follows the mention of its promoter.
pub(crate) fn of_promoter(view: &NoteView<'_>, range: &Range<usize>) -> Option<&'static str> {
    let found = METHYLATION.captures(view.folded.after(range.end, 70))?;
    Some(match found.name("state")?.as_str() {
        "methylated" | "hypermethylated" | "present" | "detected" | "positive" => "MGMT promoter methylation",
        _ => "MGMT promoter unmethylated",
    })
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    LazyLock::force(&SCORE);
    LazyLock::force(&METHYLATION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read() {
        for (after, expected) in [
            ("8/8", "ER positive (8/8)"),
            (" Allred 7/8", "ER positive (7/8)"),
            (": positive (Allred score 6/8)", "ER positive (6/8)"),
            (" Allred score 5, PR", "ER positive (5/8)"),
            (" 2/8", "ER negative (2/8)"),
            (" negative, Allred 0/8", "ER negative (0/8)"),
            (" H-score 250", "ER positive (H-score 250)"),
            (" H-score 120. HER2", "ER positive (H-score 120)"),
            (" (H-score: 0)", "ER negative (H-score 0)"),
            (" 90%", ""),
            (" 8/80", ""),
        ] {
            let text = format!("ER{after}");
            let view = NoteView::of(&text);
            assert_eq!(of_receptor(&view, "ER", &(0..2), None).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn methylation_is_read() {
        for (text, expected) in [
            ("MGMT: methylated", "MGMT promoter methylation"),
            ("MGMT promoter is methylated", "MGMT promoter methylation"),
            ("MGMT promoter methylation: not detected", "MGMT promoter unmethylated"),
            ("MGMT status unmethylated", "MGMT promoter unmethylated"),
            ("MGMT pending", ""),
        ] {
            assert_eq!(of_promoter(&NoteView::of(text), &(0..4)).unwrap_or_default(), expected, "{text}");
        }
    }
}
