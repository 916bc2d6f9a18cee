//! Aligns a value with the note: the stretches of one sentence that hold all its words.
//!
//! Case, spacing, hyphens, Unicode form, plural, word order and a few words between are tolerated;
//! a negation between, another result between, or a sentence end never is.

use std::{borrow::Cow, ops::Range};

use memchr::memmem;

use super::{
    index::{Index, Kind, Token},
    query::{Form, Query, WIDEST_GAP, Word},
    results,
    words::{self, is_joiner, is_negator},
};

/// Most places of one word that are looked at, so that a note of one word repeated stays cheap.
const MOST_PLACES: usize = 4_096;
/// Most stretches that are kept.
const MOST_MATCHES: usize = 64;

/// One place of one word: a range of tokens of the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) rule: Option<&'static str>,
}

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
pub(super) fn all_places(note: &Index, query: &Query, loose: bool) -> Option<Vec<Vec<Place>>> {
    let mut all = Vec::with_capacity(query.words.len());
    for word in &query.words {
        let places = places_of(note, word, loose);
        if places.is_empty() {
            return None;
        }
        all.push(places);
    }
    (!all.is_empty()).then_some(all)
}

fn places_of(note: &Index, word: &Word, loose: bool) -> Vec<Place> {
    let mut places = Vec::new();
    collect(note, &word.form, &word.form.folded, &mut places);
    if word.form.inflects
        && (loose || places.is_empty())
        && let Some(other) = other_number(&word.form.folded)
    {
        collect(note, &word.form, &other, &mut places);
    }
    if loose && !word.others.is_empty() {
        for form in word.others {
            collect(note, form, &form.folded, &mut places);
        }
        places.sort_unstable_by_key(|place| (place.first, place.last));
        places.truncate(MOST_PLACES);
    }
    places
}

/// The singular of a word that looks like a plural, or the plural of a Greek singular.
fn other_number(word: &str) -> Option<Cow<'_, str>> {
    if word.len() <= 4 || word.ends_with("ss") || word.ends_with("us") {
        None
    } else if let Some(stem) = word.strip_suffix("sis") {
        Some(Cow::Owned(format!("{stem}ses")))
    } else if let Some(stem) = word.strip_suffix("ses") {
        Some(Cow::Owned(format!("{stem}sis")))
    } else {
        word.strip_suffix('s').map(Cow::Borrowed)
    }
}

fn collect(note: &Index, form: &Form, folded: &str, places: &mut Vec<Place>) {
    for at in memmem::find_iter(note.folded().as_bytes(), folded.as_bytes()) {
        let Some(first) = note.starting_at(at) else { continue };
        let end = at + folded.len();
        let Some(last) = note.ending_at(end) else { continue };
        let Some(tokens) = note.tokens().get(first..=last) else { continue };
        let rest = tokens.last().and_then(|token| note.folded().get(end..token.fold_end));
        let ends_here = match rest {
            Some("") => true,
            Some("s" | "es") => form.inflects && folded.len() > 3,
            _ => false,
        };
        if ends_here && stands_together(tokens, at, form) && !follows_non(note, first) {
            places.push(Place { first, last, rule: form.rule });
            if places.len() >= MOST_PLACES {
                break;
            }
        }
    }
}

/// Whether "non" stands right before: the Hodgkin lymphoma of "non-Hodgkin lymphoma" is none.
fn follows_non(note: &Index, first: usize) -> bool {
    let before = first.checked_sub(1).and_then(|before| note.tokens().get(before));
    let joined = note.tokens().get(first).zip(before).is_some_and(|(token, before)| {
        token.gap == 1 && token.sentence == before.sentence && token.clause == before.clause
    });
    joined && before.is_some_and(|&before| note.fold_of(before) == "non")
}

/// Whether tokens of the note may be read as one word: nothing or one mark between them, or white
/// space where the value has a break too or letters meet digits ("HER 2").
fn stands_together(tokens: &[Token], at: usize, form: &Form) -> bool {
    tokens.windows(2).all(|pair| {
        let [left, right] = pair else { return true };
        let broken = form.breaks.contains(&(right.fold_start - at));
        let changes = left.kind != right.kind;
        left.sentence == right.sentence && right.gap <= 1 && (right.gap == 0 || broken || changes)
    })
}

/// Visits the acceptable stretches with one place of each word, until the visitor has enough.
///
/// Walks all lists together, always moving on the list whose place stands first: each step gives the
/// smallest stretch that starts there, so the whole takes one step per place.
fn walk(
    note: &Index,
    query: &Query,
    places: &[Vec<Place>],
    mut visit: impl FnMut(usize, usize, Option<&'static str>) -> bool,
) {
    let mut at = vec![0usize; places.len()];
    let mut chosen: Vec<Place> = Vec::with_capacity(places.len());
    loop {
        chosen.clear();
        chosen.extend(places.iter().zip(&at).map_while(|(list, &i)| list.get(i).copied()));
        if chosen.len() < places.len() {
            return;
        }
        let first = chosen.iter().map(|place| place.first).min().unwrap_or_default();
        let last = chosen.iter().map(|place| place.last).max().unwrap_or_default();
        // Far apart is never acceptable, and cheaper to see than by looking at what lies between.
        let near = last - first <= chosen.len() * (query.widest_gap + 3) + 8;
        if near && acceptable(note, query, &chosen) {
            let rule = chosen.iter().find_map(|place| place.rule);
            if !visit(first, last, rule) {
                return;
            }
        }
        let front = chosen.iter().enumerate().min_by_key(|(_, place)| (place.first, place.last));
        let Some(front) = front.and_then(|(front, _)| at.get_mut(front)) else { return };
        *front += 1;
    }
}

fn acceptable(note: &Index, query: &Query, chosen: &[Place]) -> bool {
    let mut order: Vec<(Place, usize)> = chosen.iter().copied().zip(0..).collect();
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
fn points_on(note: &Index, place: Place) -> bool {
    let next = note.tokens().get(place.last + 1);
    next.is_some_and(|&token| matches!(note.fold_of(token), "for" | "expression" | "staining"))
}

fn is_sign(note: &Index, token: Token) -> bool {
    token.kind == Kind::Symbol && matches!(note.fold_of(token), "+" | "-")
}
