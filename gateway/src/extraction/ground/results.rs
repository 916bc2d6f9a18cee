//! Results and the symbols that they belong to: a result is never lent to another gene or marker, and never
//! dropped.

use std::{ops::Range, sync::LazyLock};

use super::{
    index::{Index, Kind, Token},
    words,
};
use crate::extraction::table::Words;

static SYMBOLS: LazyLock<Words<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("links/symbols.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// Whether another symbol among the tokens between two words of a value takes the result away: "KRAS G12C and
/// BRAF V600E" is no KRAS V600E. In a plain list ("ER and PR positive", "KRAS and NRAS mutations") all have it,
/// but for an exact variant, which is of one gene.
pub(super) fn are_of_another(note: &Index, between: &[Token], left: &str, right: &str) -> bool {
    let mut symbol = false;
    let mut list = true;
    let mut after_symbol = false;
    for &token in between {
        let word = note.fold_of(token);
        let number = after_symbol && token.kind == Kind::Number && token.gap <= 1;
        after_symbol = SYMBOLS.contains(word);
        symbol |= after_symbol;
        list &= after_symbol || number || words::is_joiner(word) || is_of_test(word);
        // "MSI low and TMB high": no second result may stand between, but a number may follow its grade.
        if is_grade(word) && [left, right].into_iter().any(|end| words::is_result(end) || is_grade(end)) {
            return true;
        }
    }
    symbol && !(list && !is_exact(left) && !is_exact(right))
}

/// Words that may stand in a list of symbols: "KRAS and BRAF sequencing reported wild-type".
fn is_of_test(folded: &str) -> bool {
    matches!(
        folded,
        "both" | "gene" | "genes" | "sequencing" | "testing" | "tests" | "status" | "reported" | "analysis"
    )
}

/// Whether a word is a variant such as V600E rather than a symbol or a kind of alteration.
fn is_exact(folded: &str) -> bool {
    let letters = folded.trim_end_matches(|c: char| c.is_numeric());
    folded.contains(char::is_numeric) && !SYMBOLS.contains(letters)
}

fn is_grade(folded: &str) -> bool {
    matches!(folded, "high" | "low" | "elevated" | "undetectable")
}

/// Whether the word behind a stretch turns it into its opposite: "microsatellite instability: low".
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

/// The symbol that a value speaks of, as it writes it: the PD-L1 of "PD-L1-positive".
pub(super) fn symbol_of(value: &str) -> Option<&str> {
    let is_symbol = |word: &&str| {
        let index = Index::of(word);
        index.tokens().iter().any(|&token| SYMBOLS.contains(index.fold_of(token)))
    };
    let word = value.split_whitespace().find(is_symbol)?;
    let bare = word.rsplit_once('-').filter(|(_, result)| words::is_result(&result.to_lowercase()) || *result == "H");
    Some(bare.map_or(word, |(symbol, _)| symbol).trim_end_matches(['+', '-']))
}

/// "ER positive (95%)" as a note gives it that leaves the result to its reader: "ER 95%". One cell in a hundred
/// makes a receptor positive.
pub(super) fn by_percentage(value: &str) -> Option<String> {
    let (marker, share) = value.split_once('(')?;
    let share = share.strip_suffix(')')?.trim();
    let number: f64 = share.strip_suffix('%')?.trim().trim_start_matches(['<', '>', '~']).parse().ok()?;
    let (symbol, result) = marker.trim().rsplit_once([' ', '-'])?;
    let receptor = matches!(&*symbol.trim().to_lowercase(), "er" | "pr" | "ar");
    let fits = match result {
        "positive" => number >= 1.0 && !share.starts_with('<'),
        "negative" => number < 1.0 || (share.starts_with('<') && number <= 1.0),
        _ => false,
    };
    (receptor && fits).then(|| format!("{symbol} {share}"))
}

/// Whether a text is a result, in words or as a number, and names no symbol that it would belong to.
pub(super) fn is_bare_result(text: &str) -> bool {
    let word = |word: &str| words::is_result(&word.to_lowercase()) || is_grade(&word.to_lowercase());
    let result = text.split(|c: char| !c.is_alphanumeric()).any(word)
        || text.contains(|c: char| c.is_numeric() || matches!(c, '+' | '%'));
    result && symbol_of(text).is_none() && !text.to_lowercase().starts_with("triple")
}
