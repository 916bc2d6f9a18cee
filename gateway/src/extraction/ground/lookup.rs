//! Finds the token spans of a word of a value in the note, in any form that means the same.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, ops::Deref, rc::Rc};

use memchr::memmem;

use super::{
    form::Form,
    index::{Index, Token},
    query::QueryWord,
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

/// A note and the look-ups in it. Values share words ("BRCA1 c.1A>G; BRCA1 c.2A>G"), and each word is looked up once.
#[derive(Debug)]
pub(super) struct IndexedNote {
    index: Index,
    lookups: RefCell<HashMap<Key, Rc<[TokenSpan]>>>,
}

impl Deref for IndexedNote {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    folded: String,
    breaks: Vec<usize>,
    inflects: bool,
    /// Address of the synonyms, which are static.
    synonyms: usize,
    loose: bool,
}

impl IndexedNote {
    /// Indexes a note.
    pub(super) fn of(text: &str) -> Self {
        Self { index: Index::of(text), lookups: RefCell::default() }
    }

    /// Returns the spans of a word in the note, in order. `loose` also accepts synonyms.
    pub(super) fn spans_of(&self, word: &QueryWord, loose: bool) -> Rc<[TokenSpan]> {
        let key = Key {
            folded: word.form.folded.clone().into_owned(),
            breaks: word.form.breaks.clone(),
            inflects: word.form.inflects,
            synonyms: word.synonyms.as_ptr().addr(),
            loose,
        };
        Rc::clone(self.lookups.borrow_mut().entry(key).or_insert_with(|| find(&self.index, word, loose).into()))
    }
}

/// Returns the spans of a word in the note.
fn find(note: &Index, word: &QueryWord, loose: bool) -> Vec<TokenSpan> {
    let mut spans = Vec::new();
    collect(note, &word.form, &word.form.folded, &mut spans);
    if word.form.inflects
        && (loose || spans.is_empty())
        && let Some(other) = other_number(&word.form.folded)
    {
        collect(note, &word.form, &other, &mut spans);
    }
    if loose && !word.synonyms.is_empty() {
        for form in word.synonyms {
            collect(note, form, &form.folded, &mut spans);
        }
        spans.sort_unstable_by_key(|span| (span.first, span.last));
        spans.truncate(MAX_SPANS);
    }
    spans
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

fn collect(note: &Index, form: &Form, folded: &str, spans: &mut Vec<TokenSpan>) {
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
            spans.push(TokenSpan { first, last, rule: form.rule });
            if spans.len() >= MAX_SPANS {
                break;
            }
        }
    }
}

/// Returns whether "non" is directly before the token: "non-Hodgkin lymphoma" does not support "Hodgkin lymphoma".
fn follows_non(note: &Index, first: usize) -> bool {
    let before = first.checked_sub(1).and_then(|before| note.tokens().get(before));
    let joined = note.tokens().get(first).zip(before).is_some_and(|(token, before)| {
        token.gap == 1 && token.sentence == before.sentence && token.clause == before.clause
    });
    joined && before.is_some_and(|&before| note.fold_of(before) == "non")
}

/// Returns whether tokens of the note can be read as one word. They can if nothing is between two of them, or one
/// character at a position where the value has a break too or where letters meet digits ("HER 2").
fn form_one_word(tokens: &[Token], at: usize, form: &Form) -> bool {
    tokens.windows(2).all(|pair| {
        let [left, right] = pair else { return true };
        let broken = form.breaks.contains(&(right.fold_start - at));
        let changes = left.kind != right.kind;
        left.sentence == right.sentence && right.gap <= 1 && (right.gap == 0 || broken || changes)
    })
}
