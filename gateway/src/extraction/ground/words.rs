//! Words that alignment treats specially (results, joiners, negators), and the synonyms of single words.

use std::{borrow::Cow, sync::LazyLock};

use super::query::{Form, forms};
use crate::extraction::{
    Field,
    table::{Table, Words},
};

/// Synonyms by field and folded word, and words that only order or qualify a value.
struct Lexicon {
    synonyms: [Table<String, Vec<Form>>; Field::ALL.len()],
    order: Words<String>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut lexicon = Lexicon { synonyms: Default::default(), order: Words::default() };
    let (mut rule, mut fields) = ("", Vec::new());
    for line in include_str!("links/words.txt").lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
        } else if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let (name, named) = heading.split_once(':').unwrap_or((heading, ""));
            rule = name.trim();
            fields = named.split_whitespace().filter_map(Field::named).collect();
        } else if let Some((word, others)) = line.split_once(" = ") {
            let others: Vec<Form> = others.split('|').filter_map(|other| form_of(other, rule)).collect();
            for &field in &fields {
                if let Some(of_field) = lexicon.synonyms.get_mut(field as usize) {
                    of_field.entry(folded(word)).or_default().extend(others.iter().cloned());
                }
            }
        } else {
            lexicon.order.extend(line.split(',').map(folded));
        }
    }
    lexicon
});

/// Joins all words of a wording into one form, because they stand side by side in the note.
fn form_of(wording: &'static str, rule: &'static str) -> Option<Form> {
    if let sign @ ("+" | "-") = wording.trim() {
        return Some(Form { folded: Cow::Borrowed(sign), breaks: Vec::new(), inflects: false, rule: Some(rule) });
    }
    let mut words = forms(wording).into_iter();
    let mut whole = words.next()?;
    for word in words {
        let folded = whole.folded.to_mut();
        whole.breaks.push(folded.len());
        whole.breaks.extend(word.breaks.iter().map(|at| at + folded.len()));
        folded.push_str(&word.folded);
        whole.inflects = word.inflects;
    }
    Some(Form { folded: Cow::Owned(whole.folded.into_owned()), rule: Some(rule), ..whole })
}

fn folded(word: &str) -> String {
    // In the list a sign by itself is a result; in a value it would be a joiner.
    if matches!(word.trim(), "+" | "-") {
        return word.trim().to_owned();
    }
    forms(word).iter().map(|form| &*form.folded).collect()
}

/// Returns the synonyms of a word of a value in this field.
pub(super) fn synonyms(field: Field, word: &str) -> &'static [Form] {
    LEXICON.synonyms.get(field as usize).and_then(|of_field| of_field.get(word)).map_or(&[], Vec::as_slice)
}

/// Returns whether a word only orders or qualifies a value: "initial", "later".
pub(super) fn is_order(word: &str) -> bool {
    LEXICON.order.contains(word)
}

/// Returns whether a word is a result that a hyphen can join to a marker: "TMB-high" counts as two words.
pub(super) fn is_result(folded: &str) -> bool {
    matches!(
        folded,
        "positive"
            | "negative"
            | "high"
            | "low"
            | "stable"
            | "amplified"
            | "amplification"
            | "mutated"
            | "mutant"
            | "deficient"
            | "proficient"
            | "elevated"
            | "rearranged"
            | "resistant"
            | "methylated"
    )
}

/// Returns whether a word is a positive or negative result, whose meaning would be reversed by a neighbour's result.
pub(super) fn is_pole(folded: &str) -> bool {
    matches!(folded, "positive" | "negative" | "+" | "-")
}

/// Returns whether a word only joins the parts of a value and carries none of its meaning.
pub(super) fn is_joiner(folded: &str) -> bool {
    matches!(
        folded,
        "a" | "an"
            | "and"
            | "as"
            | "at"
            | "by"
            | "combined"
            | "combination"
            | "for"
            | "followed"
            | "from"
            | "in"
            | "of"
            | "on"
            | "or"
            | "plus"
            | "the"
            | "then"
            | "to"
            | "was"
            | "were"
            | "is"
            | "with"
    )
}

/// Returns whether a word reverses the meaning of the words around it.
pub(super) fn is_negator(folded: &str) -> bool {
    matches!(
        folded,
        "no" | "not"
            | "non"
            | "without"
            | "never"
            | "neither"
            | "nor"
            | "negative"
            | "positive"
            | "denies"
            | "denied"
            | "absent"
            | "absence"
            | "excluded"
            | "declined"
            | "refused"
    )
}
