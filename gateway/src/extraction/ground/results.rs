//! Results and the symbols that they belong to. Alignment never assigns a result to another gene or marker, and never
//! drops a result.

use std::{ops::Range, sync::LazyLock};

use super::{
    index::{Index, Token, TokenKind},
    words,
};
use crate::extraction::table::Words;

static SYMBOLS: LazyLock<Words<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("links/symbols.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// Returns whether the result belongs to another symbol, named between two words of a value: "KRAS G12C and BRAF V600E"
/// does not support "KRAS V600E". In a plain list ("ER and PR positive", "KRAS and NRAS mutations") the result belongs
/// to every symbol, unless it is an exact variant, which belongs to one gene.
pub(super) fn are_of_another(note: &Index, between: &[Token], left: &str, right: &str) -> bool {
    let mut symbol = false;
    let mut list = true;
    let mut after_symbol = false;
    for &token in between {
        let word = note.fold_of(token);
        let number = after_symbol && token.kind == TokenKind::Number && token.gap <= 1;
        after_symbol = SYMBOLS.contains(word);
        symbol |= after_symbol;
        list &= after_symbol || number || words::is_joiner(word) || is_list_word(word);
        // "MSI low and TMB high": a second result must not be in between, but a number may follow its grade.
        if is_grade(word) && [left, right].into_iter().any(|end| words::is_result(end) || is_grade(end)) {
            return true;
        }
    }
    symbol && !(list && !is_exact(left) && !is_exact(right))
}

/// Returns whether a word may be in a list of symbols: "KRAS and BRAF sequencing reported wild-type".
fn is_list_word(folded: &str) -> bool {
    matches!(
        folded,
        "both" | "gene" | "genes" | "sequencing" | "testing" | "tests" | "status" | "reported" | "analysis"
    )
}

/// Returns whether a word is a variant such as V600E, and not a symbol or a kind of alteration.
pub(super) fn is_exact(folded: &str) -> bool {
    let letters = folded.trim_end_matches(|c: char| c.is_numeric());
    folded.contains(char::is_numeric) && !SYMBOLS.contains(letters)
}

/// Returns whether a word is the symbol of a gene or marker.
pub(super) fn is_symbol(folded: &str) -> bool {
    SYMBOLS.contains(folded)
}

fn is_grade(folded: &str) -> bool {
    matches!(folded, "high" | "low" | "elevated" | "undetectable")
}

/// Returns whether the word after a stretch reverses its meaning: "microsatellite instability: low".
pub(super) fn are_turned(note: &Index, range: &Range<usize>) -> bool {
    let after = note.tokens().partition_point(|token| token.start < range.end);
    let last = after.checked_sub(1).and_then(|last| note.tokens().get(last));
    let rest = note.tokens().get(after..note.tokens().len().min(after + 4)).unwrap_or_default();
    let mut rest = rest
        .iter()
        .take_while(|token| last.is_some_and(|last| last.sentence == token.sentence && last.clause == token.clause));
    let next = rest.find(|&&token| {
        let word = note.fold_of(token);
        !words::is_joiner(word) && !matches!(word, "status" | "testing" | "score" | "expression" | "found" | "result")
    });
    next.is_some_and(|&token| {
        matches!(note.fold_of(token), "low" | "negative" | "absent" | "not" | "none" | "stable" | "-" | "<" | "0")
    })
}

/// Returns the symbol in a value, as the value spells it: the PD-L1 of "PD-L1-positive".
pub(super) fn symbol_of(value: &str) -> Option<&str> {
    let is_symbol = |word: &&str| {
        let index = Index::of(word);
        index.tokens().iter().any(|&token| SYMBOLS.contains(index.fold_of(token)))
    };
    let word = value.split_whitespace().find(is_symbol)?;
    let bare = word.rsplit_once('-').filter(|(_, result)| words::is_result(&result.to_lowercase()) || *result == "H");
    Some(bare.map_or(word, |(symbol, _)| symbol).trim_end_matches(['+', '-']))
}

/// Returns "ER positive (95%)" as notes write it that give only the percentage: "ER 95%". Returns `None` if the
/// percentage does not fit the result: a receptor is positive from 1 % of cells on. An Allred score ("8/8") is positive
/// from 3 on, an H-score ("H-score 250") from 1 on.
pub(super) fn by_percentage(value: &str) -> Option<String> {
    let (marker, share) = value.split_once('(')?;
    let share = share.strip_suffix(')')?.trim();
    let (symbol, result) = marker.trim().rsplit_once([' ', '-'])?;
    if let Some(positive) = is_positive_score(share) {
        let fits = result == if positive { "positive" } else { "negative" };
        return fits.then(|| format!("{symbol} {share}"));
    }
    // "ER: 0" counts cells, too.
    let bare = if share == "0" { Some(share) } else { share.strip_suffix('%') };
    let number: f64 = bare?.trim().trim_start_matches(['<', '>', '~']).parse().ok()?;
    let receptor = matches!(&*symbol.trim().to_lowercase(), "er" | "pr" | "ar");
    let fits = match result {
        "positive" => number >= 1.0 && !share.starts_with('<'),
        "negative" => number < 1.0 || (share.starts_with('<') && number <= 1.0),
        _ => false,
    };
    (receptor && fits).then(|| format!("{symbol} {share}"))
}

/// Returns whether an Allred score or an H-score is positive; `None` if the text is neither.
fn is_positive_score(text: &str) -> Option<bool> {
    if let Some(score) = text.strip_suffix("/8") {
        return score.parse::<u8>().ok().map(|score| score > 2);
    }
    text.strip_prefix("H-score ")?.parse::<u16>().ok().map(|score| score > 0)
}

/// Returns whether a text is a result, in words or as a number, and names no symbol.
pub(super) fn is_bare_result(text: &str) -> bool {
    let word = |word: &str| words::is_result(&word.to_lowercase()) || is_grade(&word.to_lowercase());
    let result = text.split(|c: char| !c.is_alphanumeric()).any(word)
        || text.contains(|c: char| c.is_numeric() || matches!(c, '+' | '%'));
    result && symbol_of(text).is_none() && !text.to_lowercase().starts_with("triple")
}
