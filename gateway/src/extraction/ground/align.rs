//! Aligns a value with the note: the tightest stretch of one sentence that holds all its words.
//!
//! Case, spacing, hyphens, Unicode form, plural, word order and a few words between are tolerated;
//! a negation between, another result between, or a sentence end never is.

use std::{borrow::Cow, ops::Range};

use memchr::memmem;

use super::{
    index::{Index, Kind, Token},
    words::{is_joiner, is_negator},
};

/// Most words of the note that may stand between two words of a value.
const WIDEST_GAP: usize = 4;
/// Most places of one word that are looked at, so that a note of one word repeated stays cheap.
const MOST_PLACES: usize = 4_096;

/// One place of one word: a range of tokens of the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    first: usize,
    last: usize,
}

/// A word of a value: tokens that stand together but for a hyphen, a slash or an apostrophe.
struct Word {
    folded: String,
    /// Places in `folded` where the value itself has a break.
    breaks: Vec<usize>,
    /// Whether a trailing plural `s` may be missing or added.
    inflects: bool,
}

impl Word {
    fn carries_meaning(&self) -> bool {
        !is_joiner(&self.folded) && self.folded != "+"
    }
}

/// Byte range in the note of the tightest stretch that holds the value's words.
pub(super) fn align(note: &Index, value: &str) -> Option<Range<usize>> {
    let words = words_of(value);
    let places: Vec<Vec<Place>> = words.iter().map(|word| places_of(note, word)).collect();
    if places.is_empty() || places.iter().any(Vec::is_empty) {
        return None;
    }
    let (first, last) = tightest(note, &places)?;
    Some(note.tokens().get(first)?.start..note.tokens().get(last)?.end)
}

fn words_of(value: &str) -> Vec<Word> {
    let index = Index::of(value);
    let mut words: Vec<Word> = Vec::new();
    let mut previous: Option<Token> = None;
    for &token in index.tokens() {
        let folded = index.fold_of(token);
        let between = previous.map(|previous: Token| value.get(previous.end..token.start).unwrap_or_default());
        let joined = matches!(between, Some("" | "-" | "\u{2010}" | "\u{2011}" | "/" | "'" | "\u{2019}"));
        match words.last_mut() {
            Some(word) if joined => {
                word.breaks.push(word.folded.len());
                word.folded.push_str(folded);
                word.inflects = token.kind == Kind::Letters;
            }
            _ => words.push(Word { folded: folded.to_owned(), breaks: vec![], inflects: token.kind == Kind::Letters }),
        }
        previous = Some(token);
    }
    if words.iter().any(Word::carries_meaning) {
        words.retain(Word::carries_meaning);
    }
    words
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

fn places_of(note: &Index, word: &Word) -> Vec<Place> {
    let mut places = Vec::new();
    collect(note, word, &word.folded, &mut places);
    if places.is_empty()
        && word.inflects
        && let Some(other) = other_number(&word.folded)
    {
        collect(note, word, &other, &mut places);
    }
    places
}

fn collect(note: &Index, word: &Word, folded: &str, places: &mut Vec<Place>) {
    for at in memmem::find_iter(note.folded().as_bytes(), folded.as_bytes()) {
        let Some(first) = note.starting_at(at) else { continue };
        let end = at + folded.len();
        let Some(last) = note.ending_at(end) else { continue };
        let Some(tokens) = note.tokens().get(first..=last) else { continue };
        let rest = tokens.last().and_then(|token| note.folded().get(end..token.fold_end));
        let ends_here = match rest {
            Some("") => true,
            Some("s" | "es") => word.inflects && folded.len() > 3,
            _ => false,
        };
        if ends_here && stands_together(tokens, at, word) {
            places.push(Place { first, last });
            if places.len() == MOST_PLACES {
                break;
            }
        }
    }
}

/// Whether tokens of the note may be read as one word: nothing or one mark between them, or white
/// space where the value has a break too or letters meet digits ("HER 2").
fn stands_together(tokens: &[Token], at: usize, word: &Word) -> bool {
    tokens.windows(2).all(|pair| {
        let [left, right] = pair else { return true };
        let broken = word.breaks.contains(&(right.fold_start - at));
        let changes = left.kind != right.kind;
        left.sentence == right.sentence && right.gap <= 1 && (right.gap == 0 || broken || changes)
    })
}

/// The tightest acceptable stretch with one place of each word, the earliest of equals.
///
/// Walks all lists together, always moving on the list whose place stands first: each step gives the
/// smallest stretch that starts there, so the whole takes one step per place.
fn tightest(note: &Index, places: &[Vec<Place>]) -> Option<(usize, usize)> {
    let mut at = vec![0usize; places.len()];
    let mut best: Option<(usize, usize)> = None;
    loop {
        let chosen: Vec<Place> = places.iter().zip(&at).map_while(|(list, &i)| list.get(i).copied()).collect();
        if chosen.len() < places.len() {
            return best;
        }
        let first = chosen.iter().map(|place| place.first).min()?;
        let last = chosen.iter().map(|place| place.last).max()?;
        if best.is_none_or(|(from, to)| last - first < to - from) && acceptable(note, &chosen) {
            best = Some((first, last));
        }
        let (front, _) = chosen.iter().enumerate().min_by_key(|(_, place)| (place.first, place.last))?;
        *at.get_mut(front)? += 1;
    }
}

fn acceptable(note: &Index, chosen: &[Place]) -> bool {
    let mut order: Vec<(Place, usize)> = chosen.iter().copied().zip(0..).collect();
    order.sort_unstable_by_key(|(place, _)| (place.first, place.last));
    order.windows(2).all(|pair| {
        let [(left, left_word), (right, right_word)] = pair else { return true };
        let (Some(from), Some(to)) = (note.tokens().get(left.last), note.tokens().get(right.first)) else {
            return false;
        };
        if right.first <= left.last || from.sentence != to.sentence {
            return false;
        }
        let between = note.tokens().get(left.last + 1..right.first).unwrap_or_default();
        let gap: Vec<&str> =
            between.iter().map(|&token| note.fold_of(token)).filter(|word| !is_joiner(word) && *word != "+").collect();
        let same_clause = from.clause == to.clause;
        let in_order = right_word > left_word;
        // "ER positive, HER2 negative" must not support "HER2 positive": a comma between two words
        // is only harmless in a list that the value spells out in the same order.
        (same_clause || (gap.is_empty() && in_order))
            && gap.len() <= WIDEST_GAP
            && !gap.iter().any(|word| is_negator(word))
    })
}
