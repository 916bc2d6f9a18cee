//! Checks that another word order keeps the meaning: "carcinoma of the breast" is a breast carcinoma, but "ER+ HER2-"
//! is not "ER- HER2+". A result, number, side or direction must belong to the same words in the note as in the value.
//!
//! A value consists of units: a name with its results ("ER negative"), or a side with what follows it. Words of a unit
//! that has a result are together in the note. Within it the order may change only where nothing else owns the result.

use super::{
    index::{Index, Token, TokenKind},
    lookup::TokenSpan,
    query::{Query, QueryWord},
    results,
    roles::{Role, is_coordinator, is_measure, is_number, is_polar, is_response, is_side},
    words::{is_joiner, is_pole},
};
use crate::steps;

/// Returns whether words of the note, in its order and with their places in the query, mean what the query means.
pub(super) fn keeps_meaning(note: &Index, query: &Query, order: &[(TokenSpan, usize)]) -> bool {
    let word_at = |at: usize| query.words.get(at);
    if query.words.iter().all(|word| word.role == Role::Name) {
        return true;
    }
    steps::count(order.len());
    let mut pairs = order.windows(2).filter_map(|pair| match pair {
        [(left, left_at), (right, right_at)] => {
            Some((*left, word_at(*left_at)?, *right, word_at(*right_at)?, right_at < left_at))
        }
        _ => None,
    });
    pairs.all(|(left, left_word, right, right_word, turned)| {
        (!turned || may_turn(note, query, left, left_word, right, right_word))
            && !another_stands_between(note, left, left_word, right, right_word)
    }) && units_stay_together(query, order)
}

/// Returns whether a unit with a result, side or direction has no word of another unit inside. In the order of the
/// value it never has.
fn units_stay_together(query: &Query, order: &[(TokenSpan, usize)]) -> bool {
    let binds = |unit: usize| {
        let mut of_unit = query.words.iter().filter(|word| word.unit == unit);
        of_unit.any(|word| !matches!(word.role, Role::Name | Role::Alteration))
            || (query.is_response && query.words.iter().any(|word| word.unit != unit))
    };
    let mut left: Vec<usize> = Vec::new();
    let mut last = None;
    for unit in order.iter().filter_map(|(_, at)| query.words.get(*at)).map(|word| word.unit) {
        if last == Some(unit) {
            continue;
        }
        if left.contains(&unit) && binds(unit) {
            return false;
        }
        left.extend(last);
        last = Some(unit);
    }
    true
}

/// Returns whether two words that have the opposite order in the value mean the same.
fn may_turn(
    note: &Index,
    query: &Query,
    left: TokenSpan,
    one: &QueryWord,
    right: TokenSpan,
    other: &QueryWord,
) -> bool {
    if one.unit != other.unit || (one.role == Role::Name && other.role == Role::Name) {
        return true;
    }
    if one.role == Role::Ordered || other.role == Role::Ordered {
        return false;
    }
    let word = |at: usize| note.tokens().get(at).map_or("", |&token| note.fold_of(token));
    // "Positive for ER and PR": the result belongs to everything after it.
    let is_shared = matches!(word(left.last + 1), "for" | "of" | "in" | "on" | "involving" | "expression" | "staining");
    let between = note.tokens().get(left.last + 1..right.first).unwrap_or_default();
    let next = note.tokens().get(right.first);
    let coordinated = between.iter().any(|&token| is_coordinator(note.fold_of(token)))
        || note.tokens().get(left.last).zip(next).is_some_and(|(left, right)| left.clause != right.clause);
    if is_shared {
        return true;
    }
    if coordinated {
        return false;
    }
    // A method has no results of its own: "HER2 3+ by IHC".
    if is_measure(&other.form.folded) {
        return true;
    }
    if matches!(one.role, Role::Result | Role::Alteration) && other.role == Role::Name {
        let of_other = owner_before(note, left.first).is_some_and(|owner| {
            query.words.iter().all(|word| word.unit != one.unit || !word.form.folded.contains(owner))
        });
        return !of_other && !has_own_result(note, right, one);
    }
    // "Breast cancer, left side", but not "breast cancer right kidney".
    other.role != Role::Side
        || note.tokens().get(right.last + 1).zip(note.tokens().get(right.last)).is_none_or(|(&token, side)| {
            token.clause != side.clause
                || token.kind != TokenKind::Letters
                || is_joiner(note.fold_of(token))
                || matches!(note.fold_of(token), "side" | "sided")
        })
}

/// Returns the symbol that directly precedes a result and so owns it, also over a number: the MSI of "MSI high TMB".
fn owner_before(note: &Index, first: usize) -> Option<&str> {
    let mut at = first;
    for _ in 0..3 {
        let (&after, &token) = (note.tokens().get(at)?, note.tokens().get(at.checked_sub(1)?)?);
        if after.gap > 1 || after.clause != token.clause || after.sentence != token.sentence {
            return None;
        }
        match token.kind {
            TokenKind::Number => at -= 1,
            TokenKind::Letters => return Some(note.fold_of(token)).filter(|word| results::is_symbol(word)),
            TokenKind::Symbol => return None,
        }
    }
    None
}

/// Returns whether a result of the same kind follows a name, so that one before it is another's.
fn has_own_result(note: &Index, name: TokenSpan, result: &QueryWord) -> bool {
    let (Some(&next), Some(name)) = (note.tokens().get(name.last + 1), note.tokens().get(name.last)) else {
        return false;
    };
    if next.clause != name.clause || next.sentence != name.sentence {
        return false;
    }
    let word = note.fold_of(next);
    if is_number(&result.form.folded) {
        next.kind == TokenKind::Number
    } else {
        result.role == Role::Result && (is_pole(word) || is_polar(word))
    }
}

/// Returns whether another side or response is between two words: "left breast and right kidney" has no left kidney.
fn another_stands_between(
    note: &Index,
    left: TokenSpan,
    left_word: &QueryWord,
    right: TokenSpan,
    right_word: &QueryWord,
) -> bool {
    let between = note.tokens().get(left.last + 1..right.first).unwrap_or_default();
    let has = |is: fn(&str) -> bool| between.iter().any(|&token| is(note.fold_of(token)));
    let either = |is: fn(&str) -> bool| is(&left_word.form.folded) != is(&right_word.form.folded);
    let sided = left_word.role == Role::Side && right_word.role == Role::Name;
    let response = left_word.role == Role::Alteration || right_word.role == Role::Alteration;
    (sided && has(is_side)) || (response && either(is_response) && has(is_response))
}

/// Returns whether a number of the value is a bound or the end of a range in the note, and not in the value: "<1%" and
/// "1-49%" do not state 1%.
pub(super) fn is_part_of_range(note: &Index, query: &Query, order: &[(TokenSpan, usize)]) -> bool {
    let is_bound = |word: &QueryWord| matches!(&*word.form.folded, "<" | ">");
    if query.words.iter().any(is_bound) {
        return false;
    }
    order.iter().any(|&(place, at)| {
        let numeric = query.words.get(at).is_some_and(|word| is_number(&word.form.folded));
        numeric && is_bounded(note, place)
    })
}

fn is_bounded(note: &Index, place: TokenSpan) -> bool {
    let token = |at: Option<usize>| at.and_then(|at| note.tokens().get(at)).copied();
    let Some(first) = token(Some(place.first)) else { return false };
    let before = token(place.first.checked_sub(1));
    let word = |token: Option<Token>| token.map_or("", |token| note.fold_of(token));
    let same = |token: Option<Token>| token.is_some_and(|token| token.sentence == first.sentence);
    let earlier = token(place.first.checked_sub(2));
    let is_number = |token: Option<Token>| token.is_some_and(|token| token.kind == TokenKind::Number);
    let is_bound_word = match word(before) {
        "<" | ">" | "below" | "under" | "exceeding" | "above" => true,
        "than" => matches!(word(earlier), "less" | "more" | "greater" | "fewer" | "lower" | "higher"),
        "to" => word(earlier) == "up" || (is_number(earlier) || word(earlier) == "%") && !follows_from(note, place),
        "least" | "most" => word(earlier) == "at",
        _ => false,
    };
    if same(before) && is_bound_word && first.gap <= 2 {
        return true;
    }
    let (next, second) = (token(Some(place.last + 1)), token(Some(place.last + 2)));
    (first.after_dash && (is_number(before) || word(before) == "%"))
        || (is_number(next) && next.is_some_and(|next| next.after_dash))
        || (word(next) == "to" && is_number(second) && same(second) && !matches!(word(before), "from" | "was"))
}

/// Returns whether a number ends a change and not a range: the 12 of "rose from 4 to 12".
fn follows_from(note: &Index, place: TokenSpan) -> bool {
    let before = (3..=5).map_while(|back| place.first.checked_sub(back)).filter_map(|at| note.tokens().get(at));
    before.into_iter().any(|&token| matches!(note.fold_of(token), "from" | "decreased" | "increased" | "rose" | "fell"))
}
