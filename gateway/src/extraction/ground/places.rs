//! Where a word of a value stands in the note, in any form that means the same.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, rc::Rc};

use memchr::memmem;

use super::{
    index::{Index, Token},
    query::{Form, Word},
};

use crate::steps;

/// Most places of one word that are looked at, so that a note of one word repeated stays cheap.
const MOST_PLACES: usize = 4_096;

/// One place of one word: a range of tokens of the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenSpan {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) rule: Option<&'static str>,
}

/// What was looked up in one note: values share words ("BRCA1 c.1A>G; BRCA1 c.2A>G"), and each is looked up once.
#[derive(Debug, Default)]
pub(super) struct LookupCache(RefCell<HashMap<Key, Rc<[TokenSpan]>>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    folded: String,
    breaks: Vec<usize>,
    inflects: bool,
    /// Address of the synonyms, which are static.
    others: usize,
    loose: bool,
}

impl LookupCache {
    /// The places of a word in the note that this belongs to, in order. `loose` lets its synonyms stand for it.
    pub(super) fn places(&self, note: &Index, word: &Word, loose: bool) -> Rc<[TokenSpan]> {
        let key = Key {
            folded: word.form.folded.clone().into_owned(),
            breaks: word.form.breaks.clone(),
            inflects: word.form.inflects,
            others: word.others.as_ptr().addr(),
            loose,
        };
        Rc::clone(self.0.borrow_mut().entry(key).or_insert_with(|| find(note, word, loose).into()))
    }
}

/// Looks a word up.
fn find(note: &Index, word: &Word, loose: bool) -> Vec<TokenSpan> {
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

fn collect(note: &Index, form: &Form, folded: &str, places: &mut Vec<TokenSpan>) {
    // Searched many bytes at a time.
    steps::count(note.folded().len() / 16);
    for at in memmem::find_iter(note.folded().as_bytes(), folded.as_bytes()) {
        steps::count(1);
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
            places.push(TokenSpan { first, last, rule: form.rule });
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
