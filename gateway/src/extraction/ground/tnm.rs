//! Derives stage groups from TNM formulas: T2 N1 of the breast is IIB (AJCC 8, anatomic groups). Applies only if the
//! note names exactly one of the organs listed here.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::index::Index;
use crate::statics::pattern;

/// A formula without separators.
static FORMULA: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:y?[cpr]?)t([0-4])[a-d]?(?:y?[cpr]?)n([0-3])[a-c]?(?:[cp]?m([01])[a-d]?)?$"));

/// Maximum number of tokens in a formula.
const MAX_TOKENS: usize = 10;

/// Returns the byte ranges of the formulas that mean this group, such as `IIB`.
pub(super) fn places(note: &Index, group: &str) -> Vec<Range<usize>> {
    let Some(organ) = organ(note) else { return Vec::new() };
    let starts = note
        .walk()
        .enumerate()
        .filter(|&(_, &token)| matches!(note.fold_of(token), "t" | "pt" | "ct" | "ypt" | "yct" | "yt" | "rt"));
    starts
        .filter_map(|(at, _)| {
            let (formula, range) = formula_at(note, at)?;
            (organ.group(formula) == Some(group)).then_some(range)
        })
        .collect()
}

/// The T category, the N category, and whether the M category is M1.
type Formula = (u8, u8, bool);

/// Returns the longest formula that starts at a token, with its byte range.
fn formula_at(note: &Index, first: usize) -> Option<(Formula, Range<usize>)> {
    let tokens = note.tokens().get(first..note.tokens().len().min(first + MAX_TOKENS))?;
    let start = tokens.first()?;
    let mut text = String::new();
    let mut longest = None;
    for &token in tokens.iter().take_while(|token| token.sentence == start.sentence) {
        if !text.is_empty() && token.gap > 2 {
            break;
        }
        text.push_str(note.fold_of(token));
        let Some(found) = FORMULA.captures(&text) else { continue };
        let digit = |at: usize| found.get(at)?.as_str().parse::<u8>().ok();
        longest = Some(((digit(1)?, digit(2)?, digit(3) == Some(1)), start.start..token.end));
    }
    longest
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Organ {
    Breast,
    Bowel,
    Prostate,
}

/// Returns the listed organ that the note names; `None` if it names none or several.
fn organ(note: &Index) -> Option<Organ> {
    let mut named = note.walk().filter_map(|&token| match note.fold_of(token) {
        "breast" | "mammary" => Some(Organ::Breast),
        "colon" | "rectal" | "rectum" | "colorectal" | "sigmoid" | "rectosigmoid" => Some(Organ::Bowel),
        "prostate" | "prostatic" => Some(Organ::Prostate),
        _ => None,
    });
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
}

impl Organ {
    fn group(self, (t, n, m1): Formula) -> Option<&'static str> {
        Some(match (self, t, n) {
            _ if m1 => "IV",
            (Self::Breast, _, 3) => "IIIC",
            (Self::Breast, 4, _) => "IIIB",
            (Self::Breast, _, 2) | (Self::Breast, 3, 1) => "IIIA",
            (Self::Breast, 3, 0) | (Self::Breast, 2, 1) => "IIB",
            (Self::Breast, 2, 0) | (Self::Breast, 0 | 1, 1) => "IIA",
            (Self::Bowel, _, 1 | 2) | (Self::Prostate, 3 | 4, 0) => "III",
            (Self::Bowel, 3 | 4, 0) => "II",
            (Self::Breast, 1, 0) | (Self::Bowel, 1 | 2, 0) => "I",
            _ => return None,
        })
    }
}
