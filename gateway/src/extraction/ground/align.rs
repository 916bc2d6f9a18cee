//! Aligns a value with the note: the stretches of one sentence that hold all its words.
//!
//! Case, spacing, hyphens, Unicode form, plural, word order and a few words between are tolerated;
//! a negation between, another result between, or a sentence end never is.

use std::{ops::Range, rc::Rc};

use super::{
    index::{Index, Kind, Token},
    places::TokenSpan,
    query::{Query, WIDEST_GAP},
    results,
    words::{self, is_joiner, is_negator},
};

use crate::steps;

/// Most stretches that are kept.
const MOST_MATCHES: usize = 64;

/// A stretch of the note that holds all words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Bytes of the note.
    pub(super) range: Range<usize>,
    /// Tokens that it holds: the fewer, the tighter.
    pub(super) width: usize,
    /// The first synonym that it takes; nothing where the words themselves stand there.
    pub(super) rule: Option<&'static str>,
}

/// The stretches that hold the query's words, none inside another, in order. `loose` lets synonyms stand
/// for words.
pub(super) fn matches(note: &Index, query: &Query, loose: bool) -> Vec<Match> {
    let Some(places) = all_places(note, query, loose) else { return Vec::new() };
    let mut found: Vec<(usize, usize, Option<&'static str>)> = Vec::new();
    walk(note, query, &places, |first, last, rule| {
        // One that starts later and ends no later is inside.
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

/// Where each word stands; nothing where one stands nowhere.
pub(super) fn all_places(note: &Index, query: &Query, loose: bool) -> Option<Vec<Rc<[TokenSpan]>>> {
    let mut all = Vec::with_capacity(query.words.len());
    for word in &query.words {
        let places = note.places(word, loose);
        if places.is_empty() {
            return None;
        }
        all.push(places);
    }
    (!all.is_empty()).then_some(all)
}

/// Visits the acceptable stretches with one place of each word, until the visitor has enough.
///
/// Looks only around the places of the rarest word, so that a value with one rare word costs little in a note that
/// repeats the others.
fn walk(
    note: &Index,
    query: &Query,
    places: &[Rc<[TokenSpan]>],
    mut visit: impl FnMut(usize, usize, Option<&'static str>) -> bool,
) {
    // Most tokens from the first to the last of an acceptable stretch.
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

/// Walks all lists together, always moving on the list whose place stands first: each step gives the
/// smallest stretch that starts there, so the whole takes one step per place. `false`: the visitor has enough.
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
        // Far apart is never acceptable, and cheaper to see than by looking at what lies between.
        if last - first <= reach && acceptable(note, query, &chosen) {
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

fn acceptable(note: &Index, query: &Query, chosen: &[TokenSpan]) -> bool {
    let mut order: Vec<(TokenSpan, usize)> = chosen.iter().copied().zip(0..).collect();
    order.sort_unstable_by_key(|(place, _)| (place.first, place.last));
    let is_pole = |word: usize| query.words.get(word).is_some_and(|word| words::is_pole(&word.form.folded));
    // "Positive sentinel node": a listed wording that begins with its result means just that.
    let leads = !query.has_results && query.widest_gap < WIDEST_GAP;
    if order.len() > 1
        && order.first().is_some_and(|&(place, word)| is_pole(word) && !(leads && word == 0) && !points_on(note, place))
    {
        return false;
    }
    order.windows(2).all(|pair| {
        let [(left, left_word), (right, right_word)] = pair else { return true };
        let (Some(from), Some(to)) = (note.tokens().get(left.last), note.tokens().get(right.first)) else {
            return false;
        };
        if right.first <= left.last || from.sentence != to.sentence {
            return false;
        }
        let between = note.tokens().get(left.last + 1..right.first).unwrap_or_default();
        steps::count(between.len());
        // A sign is the result of what it is glued to.
        if is_sign(note, *to) && !(between.is_empty() && to.gap == 0) {
            return false;
        }
        let spelled = |word: &usize| query.words.get(*word).map_or("", |word| &*word.form.folded);
        if query.has_results && results::are_of_another(note, between, spelled(left_word), spelled(right_word)) {
            return false;
        }
        let mut gap = 0;
        for &token in between {
            let word = note.fold_of(token);
            // "BRAF testing positive for V600E"
            let points =
                query.has_results && word == "positive" && between.iter().any(|&token| note.fold_of(token) == "for");
            if (is_negator(word) && !points) || (is_sign(note, token) && token.gap == 0) {
                return false;
            }
            gap += usize::from(!is_joiner(word) && word != "+");
        }
        // "ER positive, HER2 negative" must not support "HER2 positive": a comma between two words
        // is only harmless in a list that the value spells out in the same order.
        (from.clause == to.clause || (gap == 0 && right_word > left_word)) && gap <= query.widest_gap
    })
}

/// Whether a result that stands before its marker belongs to it: "positive for HER2". In "ER negative PR
/// positive" the first result is the ER's.
fn points_on(note: &Index, place: TokenSpan) -> bool {
    let next = note.tokens().get(place.last + 1);
    next.is_some_and(|&token| matches!(note.fold_of(token), "for" | "expression" | "staining"))
}

fn is_sign(note: &Index, token: Token) -> bool {
    token.kind == Kind::Symbol && matches!(note.fold_of(token), "+" | "-")
}
