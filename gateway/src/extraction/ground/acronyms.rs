//! Finds responses written as initials. PR is also a receptor and an interval of the ECG, CR a laboratory value, PD
//! Parkinson's disease. So initials count only in capitals, only near a word about response, and never if a result
//! follows them.

use std::ops::Range;

use super::index::{Index, TokenKind};

/// Tokens before and after the initials among which a word about response may be.
const WINDOW_TOKENS: usize = 12;

/// Words after which CR is a complete response and not creatinine: "remains in CR", "achieved CR".
const COMPLETE: [&str; 7] = [" in", " into", "achieved", "attained", "reached", "obtained", " with"];

/// Returns the initials of a response, given the response's key.
fn initials(key: &str) -> &'static [&'static str] {
    match key {
        "partial response" | "partial remission" => &["PR", "PMR"],
        "partial metabolic response" => &["PMR"],
        "very good partial response" => &["VGPR"],
        "complete response" | "complete remission" => &["CR", "CMR", "cCR"],
        "complete metabolic response" | "complete metabolic remission" => &["CMR"],
        "clinical complete response" | "complete clinical response" => &["cCR"],
        "pathologic complete response"
        | "pathological complete response"
        | "complete pathologic response"
        | "complete pathological response" => &["pCR"],
        "stable disease" => &["SD"],
        "progressive disease" | "disease progression" | "progression" | "progression of disease" => &["PD"],
        _ => &[],
    }
}

/// Returns the byte ranges where initials mean this response.
pub(super) fn places(note: &Index, text: &str, key: &str) -> Vec<Range<usize>> {
    let initials = initials(key);
    if initials.is_empty() {
        return Vec::new();
    }
    let tokens = note.walk().enumerate();
    let matching = tokens.filter(|(at, token)| {
        let spelled = text.get(token.start..token.end).unwrap_or_default();
        let before = text.get(..token.start).unwrap_or_default().trim_end();
        let introduced = matches!(spelled, "VGPR" | "pCR" | "cCR")
            || before.ends_with(['>', '\u{2192}'])
            || (spelled == "CR" && COMPLETE.iter().any(|word| before.ends_with(word)));
        initials.contains(&spelled) && !has_result(note, *at) && (introduced || is_near_response_word(note, *at))
    });
    matching.map(|(_, token)| token.start..token.end).collect()
}

/// Returns whether a number or a result belongs to the initials, as for a receptor or for the 1 of PD-1.
fn has_result(note: &Index, at: usize) -> bool {
    let next = note.tokens().get(at + 1).filter(|next| next.gap <= 2 && !is_separated(note, at));
    let has_result_after = next.is_some_and(|&next| {
        let word = note.fold_of(next);
        // CR1 is the first complete response.
        let counted = next.gap == 0
            && note.tokens().get(at).is_some_and(|&token| note.fold_of(token) == "cr")
            && matches!(word, "1" | "2" | "3");
        (next.kind != TokenKind::Letters && !counted && !matches!(word, "[" | "]" | "(" | ")"))
            || matches!(word, "positive" | "negative" | "pos" | "neg" | "interval" | "status" | "l" | "low" | "high")
    });
    let before = at.checked_sub(1).and_then(|before| note.tokens().get(before));
    let receptor = before.is_some_and(|&before| matches!(note.fold_of(before), "er" | "estrogen" | "anti"));
    has_result_after || receptor
}

/// Returns whether a comma or full stop separates the initials from the next token.
fn is_separated(note: &Index, at: usize) -> bool {
    let pair = note.tokens().get(at).zip(note.tokens().get(at + 1));
    pair.is_some_and(|(token, next)| token.sentence != next.sentence || token.clause != next.clause)
}

/// Returns whether a word about response, treatment or disease is near the initials, at most one sentence away.
fn is_near_response_word(note: &Index, at: usize) -> bool {
    let Some(initials) = note.tokens().get(at) else { return false };
    let near = note
        .tokens()
        .get(at.saturating_sub(WINDOW_TOKENS)..note.tokens().len().min(at + WINDOW_TOKENS))
        .unwrap_or_default();
    near.iter().filter(|token| token.sentence.abs_diff(initials.sentence) <= 1).any(|&token| {
        let word = note.fold_of(token);
        speaks_of_response(word) || is_treatment_or_disease_place(word)
    })
}

/// Returns whether a word shows that initials near it mean a response: a word about response, or an examination.
pub(crate) fn speaks_of_response(word: &str) -> bool {
    matches!(
        word,
        "response"
            | "recist"
            | "imaging"
            | "restaging"
            | "scan"
            | "scans"
            | "pet"
            | "deauville"
            | "ct"
            | "mri"
            | "achieved"
            | "best"
            | "cycles"
    )
}

/// Returns whether a word names a treatment or a place where disease is found.
fn is_treatment_or_disease_place(word: &str) -> bool {
    matches!(word, "therapy" | "chemotherapy" | "chemo" | "liver" | "bone" | "bones" | "lung" | "lungs" | "lesions")
}
