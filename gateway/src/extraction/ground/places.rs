//! Finds the token spans of a word of a value in the note, in any form that means the same.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, rc::Rc};

use memchr::memmem;

use super::{
    index::{Index, Token},
    query::{Form, Word},
};

use crate::steps;

/// Maximum number of spans of one word, so that a note that repeats one word stays cheap.
const MAX_SPANS: usize = 4_096;

/// One occurrence of a word: an inclusive range of tokens of the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenSpan {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) rule: Option<&'static str>,
}

/// Look-ups in one note. Values share words ("BRCA1 c.1A>G; BRCA1 c.2A>G"), and each word is looked up once.
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
    /// Returns the spans of a word in the note that this cache belongs to, in order. `loose` also accepts synonyms.
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

/// Returns the spans of a word in the note.
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
        places.truncate(MAX_SPANS);
    }
    places
}

/// Returns the singular of a word that looks like a plural, or the plural of a word that ends in `sis`.
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
    // The search compares many bytes at a time, so it counts fewer steps than bytes.
    steps::count(note.folded().len() / 16);
    for at in memmem::find_iter(note.folded().as_bytes(), folded.as_bytes()) {
        steps::count(1);
        let Some(first) = note.starting_at(at) else { continue };
        let end = at + folded.len();
        let Some(last) = note.ending_at(end) else { continue };
        let Some(tokens) = note.tokens().get(first..=last) else { continue };
        let rest = tokens.last().and_then(|token| note.folded().get(end..token.fold_end));
        let ends_word = match rest {
            Some("") => true,
            Some("s" | "es") => form.inflects && folded.len() > 3,
            _ => false,
        };
        if ends_word && form_one_word(tokens, at, form) && !follows_non(note, first) {
            places.push(TokenSpan { first, last, rule: form.rule });
            if places.len() >= MAX_SPANS {
                break;
            }
        }
    }
}

/// Returns whether "non" stands directly before the token: "non-Hodgkin lymphoma" does not support "Hodgkin lymphoma".
fn follows_non(note: &Index, first: usize) -> bool {
    let before = first.checked_sub(1).and_then(|before| note.tokens().get(before));
    let joined = note.tokens().get(first).zip(before).is_some_and(|(token, before)| {
        token.gap == 1 && token.sentence == before.sentence && token.clause == before.clause
    });
    joined && before.is_some_and(|&before| note.fold_of(before) == "non")
}

/// Returns whether tokens of the note can be read as one word. They can if nothing stands between two of them, or one
/// character at a position where the value has a break too or where letters meet digits ("HER 2").
fn form_one_word(tokens: &[Token], at: usize, form: &Form) -> bool {
    tokens.windows(2).all(|pair| {
        let [left, right] = pair else { return true };
        let broken = form.breaks.contains(&(right.fold_start - at));
        let changes = left.kind != right.kind;
        left.sentence == right.sentence && right.gap <= 1 && (right.gap == 0 || broken || changes)
    })
}
