//! Results in a row after a row of markers: "ER/PR/HER2 -/-/+", "ER/PR: pos/neg".

use super::{lexicon::Mention, marker_results::MarkerOutcome, view::NoteView};

/// Maximum number of markers of a row.
const LONGEST_ROW: usize = 6;

/// The spellings of a result in a row. Longer spellings come first, because a shorter one may begin them.
const RESULTS: [(&str, bool); 8] = [
    ("positive", true),
    ("negative", false),
    ("pos", true),
    ("neg", false),
    ("+++", true),
    ("++", true),
    ("+", true),
    ("-", false),
];

/// Returns the results of the marker at `index`, if it is in a row of markers that a row of as many results follows
/// directly. A marker that names ER and PR together has two results, all others one.
pub(super) fn results(view: &NoteView<'_>, markers: &[Mention], index: usize) -> Option<Vec<MarkerOutcome<'static>>> {
    let slash = |left: &Mention, right: &Mention| view.folded.slice(left.range.end..right.range.start).trim() == "/";
    let joined = |at: usize| markers.get(at).zip(markers.get(at + 1)).is_some_and(|(left, right)| slash(left, right));
    let first = (index.saturating_sub(LONGEST_ROW)..index).rev().take_while(|&at| joined(at)).last().unwrap_or(index);
    let last = (index..index + LONGEST_ROW).find(|&at| !joined(at))?;
    let markers_of_row = markers.get(first..=last)?;
    let width = |marker: &Mention| if marker.term.is("pair") { 2 } else { 1 };
    let names: usize = markers_of_row.iter().map(width).sum();
    if names < 2 {
        return None;
    }
    let signs = signs(view.folded.after(markers_of_row.last()?.range.end, 80))?;
    let before: usize = markers_of_row.get(..index - first)?.iter().map(width).sum();
    let own_signs = signs.get(before..before + width(markers.get(index)?))?;
    (signs.len() == names).then(|| {
        own_signs
            .iter()
            .map(|&positive| if positive { MarkerOutcome::Positive } else { MarkerOutcome::Negative })
            .collect()
    })
}

/// Reads results with slashes between them. Returns nothing if there is a single one, or a word that is not a result.
fn signs(text: &str) -> Option<Vec<bool>> {
    let mut rest = text.trim_start_matches([' ', ':', '=', '(', ',']);
    let mut signs = Vec::new();
    loop {
        let (spelled, positive) = RESULTS.iter().find(|(spelled, _)| rest.starts_with(spelled))?;
        signs.push(*positive);
        rest = rest.get(spelled.len()..)?.trim_start();
        match rest.strip_prefix('/') {
            Some(next) => rest = next.trim_start(),
            None => break,
        }
    }
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '%');
    (signs.len() > 1 && ends).then_some(signs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::biomarkers;

    #[test]
    fn each_marker_of_a_row_has_its_own_result() {
        for (note, expected) in [
            ("Breast cancer. ER/PR/HER2 -/-/+.", "ER negative; PR negative; HER2 positive"),
            ("Breast cancer. ER/PR/HER2: +/-/-", "ER positive; PR negative; HER2 negative"),
            ("Breast cancer. ER / PR / HER2 (pos/neg/neg)", "ER positive; PR negative; HER2 negative"),
            ("Breast cancer, ER/PR +/-.", "ER positive; PR negative"),
            ("Breast cancer, ER/PR positive/negative", "ER positive; PR negative"),
            ("Breast cancer, ER/PR/HER2 negative.", "ER negative; PR negative; HER2 negative"),
            ("Breast cancer, ER/PR positive.", "ER positive; PR positive"),
        ] {
            assert_eq!(biomarkers::read(&NoteView::of(note)).joined().unwrap_or_default(), expected, "{note}");
        }
    }

    #[test]
    fn a_row_of_another_length_is_none() {
        for text in [" -/-/+ 3", "-/x", "-", "+/-%", ""] {
            assert!(signs(text).is_none_or(|signs| signs.len() == 3), "{text}");
        }
        assert_eq!(signs(" (+/-/+)"), Some(vec![true, false, true]));
    }
}
