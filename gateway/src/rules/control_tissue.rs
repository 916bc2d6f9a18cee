//! Recognises results of control tissue and normal tissue, which do not describe the tumour: "Control tissue: HER2 3+",
//! "ALK positive control stains appropriately", "normal ducts are ER positive".

use std::ops::Range;

use super::view::NoteView;

/// Bytes before and after a marker that are read.
const BEFORE: usize = 70;
const AFTER: usize = 90;

/// Returns whether the result of a marker is one of control or normal tissue.
pub(super) fn has(view: &NoteView<'_>, marker: &Range<usize>) -> bool {
    let before = view.near(&(marker.start..marker.start), BEFORE, 0);
    let before = before.rsplit(['.', ';', '(', ',', '\n']).next().unwrap_or_default();
    let after = view.near(&(marker.end..marker.end), 0, AFTER);
    let after = after.split([',', ';', '(', ')', '\n']).next().unwrap_or_default();
    // A full stop ends a clause, and not a number.
    let after = after.split(". ").next().unwrap_or_default();
    names_control(before) || names_normal(before) || is_control(after) || is_in_normal(after)
}

/// Returns whether a result is the name of a control: the "positive" of "positive control".
pub(super) fn follows(view: &NoteView<'_>, result: &Range<usize>) -> bool {
    is_of_control(view.folded.after(result.end, 20))
}

/// Returns whether words begin with a control of a stain, and not with a check-up: "positive control in 3 months".
fn is_of_control(after: &str) -> bool {
    const OF_STAIN: [&str; 15] = [
        " adequate",
        " appropriate",
        " satisfactory",
        " worked",
        "",
        ".",
        ",",
        ")",
        " tissue",
        " slide",
        " section",
        " stain",
        " sample",
        " is ",
        " was ",
    ];
    let rest = after.strip_prefix(" controls").or_else(|| after.strip_prefix(" control"));
    rest.is_some_and(|rest| {
        OF_STAIN.iter().any(|word| if word.is_empty() { rest.is_empty() } else { rest.starts_with(word) })
    })
}

/// Returns whether the clause before a marker begins with a control: "control tissue: ".
fn names_control(before: &str) -> bool {
    const KINDS: [&str; 7] = ["positive", "negative", "external", "internal", "on-slide", "batch", "the"];
    // "Control slides appropriate: ER positive" then tells the result of the tumour.
    const JUDGED: [&str; 6] = ["appropriate", "satisfactor", "reviewed", "adequate", "valid", "as expected"];
    if JUDGED.iter().any(|word| before.contains(word)) {
        return false;
    }
    let mut rest = before.trim_start_matches([' ', '-']);
    while let Some(kind) = KINDS.iter().find_map(|kind| rest.strip_prefix(kind)?.strip_prefix(' ')) {
        rest = kind;
    }
    let rest = rest.strip_prefix("controls").or_else(|| rest.strip_prefix("control"));
    // "Control biopsy" and "control CT" are of the patient.
    rest.is_some_and(|rest| {
        rest.starts_with(':')
            || [" tissue", " slide", " section", " sample", " stain"].iter().any(|of| rest.starts_with(of))
    })
}

/// Returns whether the clause before a marker is about normal tissue: "normal ducts are ".
fn names_normal(before: &str) -> bool {
    const NORMAL: [&str; 6] = ["normal", "benign", "non neoplastic", "nonneoplastic", "uninvolved", "germinal cent"];
    const TISSUES: [&str; 13] = [
        "duct",
        "gland",
        "epitheli",
        "breast",
        "lobul",
        "acini",
        "tonsil",
        "tissue",
        "lymphocyte",
        "mucosa",
        "crypt",
        "cells",
        "prostate",
    ];
    // The tumour may be in normal tissue.
    let tumour = [
        "tumo",
        "carcinoma",
        "cancer",
        "neoplas",
        "malignan",
        "metasta",
        "lesion",
        "dcis",
        "lcis",
        "in situ",
        "invasive",
        " adjacent to ",
        "examination",
        "colonoscopy",
        " on dre",
    ]
    .iter()
    .any(|word| before.contains(word));
    let before = before.trim_start_matches([' ', '-']);
    let before = before.strip_prefix("the ").or_else(|| before.strip_prefix("adjacent ")).unwrap_or(before);
    let normal = NORMAL.iter().find_map(|word| before.strip_prefix(word));
    let germinal = before.starts_with("germinal cent");
    (!tumour || before.starts_with("non"))
        && (germinal || normal.is_some_and(|rest| TISSUES.iter().any(|tissue| rest.contains(tissue))))
}

/// Returns whether the words after a marker name a control: " 3+ control tissue".
fn is_control(after: &str) -> bool {
    const NAMES: [&str; 4] = ["control tissue", "control slide", "control section", "control sample"];
    let parted = |at: usize| {
        let gap = after.get(..at).unwrap_or_default();
        gap.len() > 24 || gap.contains(" with ") || gap.contains(" and ")
    };
    let direct = [" positive", " negative"].iter().any(|sign| after.strip_prefix(sign).is_some_and(is_of_control));
    direct || NAMES.iter().any(|name| after.find(name).is_some_and(|at| !parted(at)))
}

/// Returns whether the words after a marker say that the result is one of normal tissue: " 80% in germinal centres".
fn is_in_normal(after: &str) -> bool {
    const PLACES: [&str; 7] = [
        " in normal ",
        " in the normal ",
        " in benign ",
        " in adjacent normal ",
        " in germinal cent",
        " in the germinal cent",
        " in control",
    ];
    const TUMOURS: [&str; 7] = ["tumo", "carcinoma", "cancer", "neoplas", "invasive", "malignan", "lesion"];
    let place = PLACES.iter().filter_map(|place| after.find(place)).min();
    place.is_some_and(|at| !TUMOURS.iter().any(|tumour| after.get(..at).unwrap_or_default().contains(tumour)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_controls_are_told_from_those_of_the_tumour() {
        for (text, marker, of_control) in [
            ("Control tissue: HER2 3+.", "her2", true),
            ("HER2 negative (HER2 3+ control tissue positive)", "her2 3", true),
            ("ALK positive control stains appropriately.", "alk", true),
            ("ALK IHC negative with appropriate positive control.", "alk", false),
            ("Controls are appropriate. ER positive.", "er ", false),
            ("Appropriate controls, ER positive.", "er ", false),
            ("Normal ducts are ER positive.", "er ", true),
            ("Benign glands: p63 positive.", "p63", true),
            ("Ki67 80% in germinal centres.", "ki67", true),
            ("ER positive in tumour cells and in normal ducts.", "er ", false),
            ("ER negative, positive in normal ducts.", "er ", false),
            ("Tumour in normal breast tissue: ER positive.", "er ", false),
            ("ER positive (90%). Internal control positive.", "er ", false),
            ("Normal ECG. ER positive.", "er ", false),
        ] {
            let view = NoteView::of(text);
            let at = view.folded.as_str().find(marker).unwrap();
            let end = at + marker.trim_end_matches([' ', '3']).len();
            assert_eq!(has(&view, &(at..end)), of_control, "{text}");
        }
    }
}
