//! Aligns a value with the note: finds stretches of one sentence that contain all words of the value.
//!
//! Alignment tolerates differences in case, spacing, hyphens, Unicode form, plural and word order, and a few words in
//! between. It never tolerates a negation, another result or a sentence end in between.

use std::{ops::Range, rc::Rc};

use super::{
    index::{Index, Token, TokenKind},
    lookup::{IndexedNote, TokenSpan},
    order::{is_part_of_range, keeps_meaning},
    query::{Query, WIDEST_GAP},
    results,
    words::{self, is_joiner, is_negator},
};

use crate::steps;

/// Maximum number of stretches that are kept.
const MOST_MATCHES: usize = 64;

/// A stretch of the note that contains all words of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Byte range in the note.
    pub(super) range: Range<usize>,
    /// Width of the stretch; the narrowest matches are preferred. In tokens, except where a caller sets bytes.
    pub(super) width: usize,
    /// Rule of the first synonym used; `None` if the note has the value's own words.
    pub(super) rule: Option<&'static str>,
}

/// Returns the stretches that contain the query's words, in order, none inside another. `loose` also accepts synonyms
/// of the words.
pub(super) fn matches(note: &IndexedNote, query: &Query, loose: bool) -> Vec<Match> {
    let Some(places) = all_places(note, query, loose) else { return Vec::new() };
    let mut found: Vec<(usize, usize, Option<&'static str>)> = Vec::new();
    walk(note, query, &places, |first, last, rule| {
        // A stretch that starts later and ends no later lies inside the earlier one.
        if found.last().is_some_and(|&(_, end, _)| last <= end) {
            found.pop();
        }
        found.push((first, last, rule));
        found.len() < MOST_MATCHES
    });
    let byte_range = |first: usize, last: usize| Some(note.tokens().get(first)?.start..note.tokens().get(last)?.end);
    let found = found.into_iter();
    found
        .filter_map(|(first, last, rule)| Some(Match { range: byte_range(first, last)?, width: last - first, rule }))
        .collect()
}

/// Returns the token spans of each word, or `None` if the note lacks one of the words.
pub(super) fn all_places(note: &IndexedNote, query: &Query, loose: bool) -> Option<Vec<Rc<[TokenSpan]>>> {
    let mut all = Vec::with_capacity(query.words.len());
    for word in &query.words {
        let places = note.spans_of(word, loose);
        if places.is_empty() {
            return None;
        }
        all.push(places);
    }
    (!all.is_empty()).then_some(all)
}

/// Visits the acceptable stretches that have one span of each word, until the visitor returns `false`.
///
/// Searches only around the spans of the rarest word, so that a value with one rare word costs little in a note that
/// repeats the other words.
fn walk(
    note: &Index,
    query: &Query,
    places: &[Rc<[TokenSpan]>],
    mut visit: impl FnMut(usize, usize, Option<&'static str>) -> bool,
) {
    // Maximum distance in tokens between the first and the last word of an acceptable stretch.
    let reach = places.len() * (query.widest_gap + 3) + 8;
    let mut rarest = places.iter().min_by_key(|list| list.len()).map_or(&[][..], |list| list).iter().peekable();
    while let Some(seed) = rarest.next() {
        let (from, mut to) = (seed.first.saturating_sub(reach), seed.first + reach);
        while let Some(more) = rarest.next_if(|more| more.first <= to + reach) {
            to = more.first + reach;
        }
        let near = |list: &'_ Rc<[TokenSpan]>| {
            let first = list.partition_point(|place| place.first < from);
            first..list.partition_point(|place| place.first <= to)
        };
        let lists: Vec<&[TokenSpan]> = places.iter().map(|list| list.get(near(list)).unwrap_or_default()).collect();
        if !walk_all(note, query, &lists, reach, &mut visit) {
            return;
        }
    }
}

/// Walks all lists together and always advances the list whose current span is first. Each step gives the smallest
/// stretch that starts there, so the walk takes one step per span. Returns `false` once the visitor does.
fn walk_all(
    note: &Index,
    query: &Query,
    places: &[&[TokenSpan]],
    reach: usize,
    visit: &mut impl FnMut(usize, usize, Option<&'static str>) -> bool,
) -> bool {
    let mut at = vec![0usize; places.len()];
    let mut chosen: Vec<TokenSpan> = Vec::with_capacity(places.len());
    loop {
        steps::count(places.len());
        chosen.clear();
        chosen.extend(places.iter().zip(&at).map_while(|(list, &i)| list.get(i).copied()));
        if chosen.len() < places.len() {
            return true;
        }
        let first = chosen.iter().map(|place| place.first).min().unwrap_or_default();
        let last = chosen.iter().map(|place| place.last).max().unwrap_or_default();
        // Words that are far apart are never acceptable. The distance is cheaper to check than the tokens in between.
        if last - first <= reach && is_acceptable(note, query, &chosen) {
            let rule = chosen.iter().find_map(|place| place.rule);
            if !visit(first, last, rule) {
                return false;
            }
        }
        let front = chosen.iter().enumerate().min_by_key(|(_, place)| (place.first, place.last));
        let Some(front) = front.and_then(|(front, _)| at.get_mut(front)) else { return true };
        *front += 1;
    }
}

fn is_acceptable(note: &Index, query: &Query, chosen: &[TokenSpan]) -> bool {
    let mut order: Vec<(TokenSpan, usize)> = chosen.iter().copied().zip(0..).collect();
    order.sort_unstable_by_key(|(place, _)| (place.first, place.last));
    let is_pole = |word: usize| query.words.get(word).is_some_and(|word| words::is_pole(&word.form.folded));
    // A listed wording may begin with its result: "positive sentinel node".
    let may_begin_with_result = !query.has_results && query.widest_gap < WIDEST_GAP;
    if order.len() > 1
        && order.first().is_some_and(|&(place, word)| {
            is_pole(word) && !(may_begin_with_result && word == 0) && !belongs_to_next(note, place)
        })
    {
        return false;
    }
    let stands_together = order.windows(2).all(|pair| {
        let [(left, left_word), (right, right_word)] = pair else { return true };
        let (Some(from), Some(to)) = (note.tokens().get(left.last), note.tokens().get(right.first)) else {
            return false;
        };
        if right.first <= left.last || from.sentence != to.sentence {
            return false;
        }
        let between = note.tokens().get(left.last + 1..right.first).unwrap_or_default();
        steps::count(between.len());
        // A sign belongs to the token that it directly follows.
        if is_sign(note, *to) && !(between.is_empty() && to.gap == 0) {
            return false;
        }
        let spelled = |word: &usize| query.words.get(*word).map_or("", |word| &*word.form.folded);
        if query.has_results && results::are_of_another(note, between, spelled(left_word), spelled(right_word)) {
            return false;
        }
        let mut gap = 0;
        for (at, &token) in between.iter().enumerate() {
            let word = note.fold_of(token);
            // "CA-125 declined to 120" tells of a fall and not of a refusal.
            let falls = query.has_results
                && word == "declined"
                && between.get(at + 1).is_some_and(|&next| matches!(note.fold_of(next), "to" | "from" | "by"));
            // In "BRAF testing positive for V600E" the result belongs to the word after it, so it negates nothing.
            let belongs_to_next_word =
                query.has_results && word == "positive" && between.iter().any(|&token| note.fold_of(token) == "for");
            if (is_negator(word) && !belongs_to_next_word && !falls) || (is_sign(note, token) && token.gap == 0) {
                return false;
            }
            gap += usize::from(!is_joiner(word) && word != "+");
        }
        // "ER positive, HER2 negative" must not support "HER2 positive": a comma between two words is accepted only
        // in a list that the value gives in the same order.
        (from.clause == to.clause || (gap == 0 && right_word > left_word)) && gap <= query.widest_gap
    });
    stands_together
        && keeps_meaning(note, query, &order)
        && !(query.has_results && is_part_of_range(note, query, &order))
}

/// Returns whether a result belongs to the marker after it, as in "positive for HER2". In "ER negative PR positive" the
/// first result belongs to ER.
fn belongs_to_next(note: &Index, place: TokenSpan) -> bool {
    let next = note.tokens().get(place.last + 1);
    next.is_some_and(|&token| matches!(note.fold_of(token), "for" | "expression" | "staining"))
}

fn is_sign(note: &Index, token: Token) -> bool {
    token.kind == TokenKind::Symbol && matches!(note.fold_of(token), "+" | "-")
}
