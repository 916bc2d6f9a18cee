//! Stage groups that the note states: "stage IIIB", "FIGO IIIC".

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::{extraction::Field, rules::view::NoteView, statics::pattern};

/// A stage group after the word "stage".
pub(super) static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(GROUP_PATTERN));
const GROUP_PATTERN: &str = r"^(?:d|s|ing)?(?: ?(?:group|grouping|disease|was|is|of|as|at|the|to|be|consistent|with|clinical|clinically|pathologic|pathological|pathologically|ajcc|figo|tnm|ann arbor|lugano|iss|revised|overall|final|anatomic|prognostic|listed|documented|reported|recorded|assigned|presentation|diagnosis|time|estimated|8th|7th|edition|:|=|,|\(|-|\||\n))*[ (|]*(iv|iii|ii|i|[0-4])(?: ?[-/]?(?:([abc])([1-4])?))?(?-u:\b)";

/// Returns the highest stage group that the note states. Of equal groups, the longest is preferred, then the first.
pub(crate) fn stated(view: &NoteView<'_>) -> Option<String> {
    let text = view.folded.as_str();
    let mut best: Option<(usize, String)> = None;
    for word in ["stage", "staging", "figo"] {
        for (at, _) in text.match_indices(word) {
            let Some((rank, value)) = group_at(view, at, word.len()) else { continue };
            let better = best
                .as_ref()
                .is_none_or(|(best_rank, text)| rank > *best_rank || rank == *best_rank && value.len() > text.len());
            if better {
                best = Some((rank, value));
            }
        }
    }
    best.map(|(_, value)| value)
}

/// Returns the stage group after the word at an offset, with its rank.
fn group_at(view: &NoteView<'_>, at: usize, length: usize) -> Option<(usize, String)> {
    if view.folded.before(at, 4).ends_with(char::is_alphanumeric) {
        return None;
    }
    let found = GROUP.captures(view.folded.after(at + length, 60))?;
    let range = at..at + length + found.get(0)?.end();
    if is_other_disease(view, &range) || !view.enters_record(&range, Field::Stage) {
        return None;
    }
    let (rank, level) = match found.get(1)?.as_str() {
        "iv" | "4" => (4, "IV"),
        "iii" | "3" => (3, "III"),
        "ii" | "2" => (2, "II"),
        "i" | "1" => (1, "I"),
        _ => (0, "0"),
    };
    let letter = found.get(2).map_or("", |letter| letter.as_str()).to_ascii_uppercase();
    Some((rank, format!("{level}{letter}{}", found.get(3).map_or("", |digit| digit.as_str()))))
}

/// Diseases that have stages but are not malignancies.
const OTHERS: &str = "kidney disease|ckd|chronic kidney|renal|ulcer|decubitus|heart failure|hypertension|htn|fibrosis|\
                      cirrhosis|copd|parkinson|endometriosis|sarcoid|retinopathy|lymphedema|aki|kidney injury|\
                      pressure|gout|osteoarthritis|dementia|alzheimer|prolapse|procedure|sacral|wound|repair|\
                      bronchopleural|glaucoma|gvhd|palsy|sleep|avascular|osteonecrosis|hoehn|avn|diastolic";

/// Returns whether a stage belongs to a disease of the kidneys, an ulcer, heart failure, a procedure or the like.
fn is_other_disease(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let after = view.folded.after(range.end, 28);
    let after = after.split(['.', ';', '\n', ',']).next().unwrap_or_default();
    let before = view.folded.before(range.start, 26);
    let before = before.rsplit(['.', ';', '\n', ',']).next().unwrap_or_default();
    let renal_cell = after.contains("renal cell") || before.contains("renal cell");
    before.trim_end().ends_with("end")
        || !renal_cell && OTHERS.split('|').any(|other| after.contains(other) || before.contains(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_groups_are_read_from_many_wordings() {
        for (text, expected) in [
            ("stage IV disease", "IV"),
            ("Stage: IIIB", "IIIB"),
            ("stage 3a", "IIIA"),
            ("FIGO IIIC2", "IIIC2"),
            ("Stage III-B", "IIIB"),
            ("staged as IIA", "IIA"),
            ("AJCC 8th edition stage IB", "IB"),
            ("pathologic stage was II", "II"),
            ("Ann Arbor stage IV", "IV"),
            ("FIGO stage | IIIC", "IIIC"),
            ("stage 3 chronic kidney disease", ""),
            ("CKD stage 4", ""),
            ("stage IV sacral decubitus", ""),
            ("stage C heart failure", ""),
            ("end stage 4", ""),
            ("backstage 4", ""),
            ("no stage given", ""),
        ] {
            assert_eq!(stated(&NoteView::of(text)).unwrap_or_default(), expected, "{text}");
        }
    }
}
