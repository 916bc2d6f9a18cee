//! Responses by their initials. PR is a receptor and a heart's interval, CR a laboratory value, PD a disease of
//! the nerves: they count in capitals only, beside a word of response, and never with a result behind them.

use std::ops::Range;

use super::index::{Index, Kind};

/// Words before and after the initials that are looked at.
const REACH: usize = 12;

/// The initials of a response, of which `key` is the folded value.
fn initials(key: &str) -> &'static [&'static str] {
    match key {
        "partial response" | "partial remission" => &["PR"],
        "very good partial response" => &["VGPR"],
        "complete response" | "complete remission" => &["CR"],
        "stable disease" => &["SD"],
        "progressive disease" | "disease progression" | "progression" | "progression of disease" => &["PD"],
        _ => &[],
    }
}

/// Where the initials of this response stand for it.
pub(super) fn places(note: &Index, text: &str, key: &str) -> Vec<Range<usize>> {
    let initials = initials(key);
    if initials.is_empty() {
        return Vec::new();
    }
    let tokens = note.walk().enumerate();
    let stands = tokens.filter(|(at, token)| {
        let spelled = text.get(token.start..token.end).unwrap_or_default();
        let before = text.get(..token.start).unwrap_or_default().trim_end();
        let led = spelled == "VGPR" || before.ends_with(['>', '\u{2192}']);
        initials.contains(&spelled) && !has_result(note, *at) && (led || is_spoken_of(note, *at))
    });
    stands.map(|(_, token)| token.start..token.end).collect()
}

/// Whether a number or another result is tied to the initials: a receptor's, or the 1 of PD-1.
fn has_result(note: &Index, at: usize) -> bool {
    let next = note.tokens().get(at + 1).filter(|next| next.gap <= 2 && !is_apart(note, at));
    let tied = next.is_some_and(|&next| {
        let word = note.fold_of(next);
        next.kind != Kind::Letters
            || matches!(word, "positive" | "negative" | "pos" | "neg" | "interval" | "status" | "l" | "low" | "high")
    });
    let before = at.checked_sub(1).and_then(|before| note.tokens().get(before));
    let receptor = before.is_some_and(|&before| matches!(note.fold_of(before), "er" | "estrogen" | "anti"));
    tied || receptor
}

/// Whether a comma or full stop parts the initials from what follows.
fn is_apart(note: &Index, at: usize) -> bool {
    let pair = note.tokens().get(at).zip(note.tokens().get(at + 1));
    pair.is_some_and(|(own, next)| own.sentence != next.sentence || own.clause != next.clause)
}

fn is_spoken_of(note: &Index, at: usize) -> bool {
    let Some(own) = note.tokens().get(at) else { return false };
    let near = note.tokens().get(at.saturating_sub(REACH)..note.tokens().len().min(at + REACH)).unwrap_or_default();
    near.iter().filter(|token| token.sentence.abs_diff(own.sentence) <= 1).any(|&token| {
        let word = note.fold_of(token);
        speaks_of_response(word) || is_treated_or_seat(word)
    })
}

/// Whether a word tells that initials beside it are those of a response, or of an examination that saw one.
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
            | "ct"
            | "mri"
            | "achieved"
            | "best"
            | "cycles"
    )
}

/// A treatment, or where the disease sits.
fn is_treated_or_seat(word: &str) -> bool {
    matches!(word, "therapy" | "chemotherapy" | "chemo" | "liver" | "bone" | "bones" | "lung" | "lungs" | "lesions")
}
