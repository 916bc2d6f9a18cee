//! The words that alignment treats in a way of their own, and the other words that say the same.

use std::{borrow::Cow, sync::LazyLock};

use super::query::{Form, forms};
use crate::extraction::{
    Field,
    table::{Table, Words},
};

/// Synonyms by field and folded word; and words that only order or weigh.
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

/// One form of all words of a wording: they stand together in the note.
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
    // A sign by itself is a result here; in a value it would be a joiner.
    if matches!(word.trim(), "+" | "-") {
        return word.trim().to_owned();
    }
    forms(word).iter().map(|form| &*form.folded).collect()
}

/// The other words that say the same as this word of a value, in this field.
pub(super) fn synonyms(field: Field, word: &str) -> &'static [Form] {
    LEXICON.synonyms.get(field as usize).and_then(|of_field| of_field.get(word)).map_or(&[], Vec::as_slice)
}

/// Whether a word only orders or weighs a value: "initial", "later".
pub(super) fn is_order(word: &str) -> bool {
    LEXICON.order.contains(word)
}

/// Results that a hyphen ties to a marker: "TMB-high" is two words.
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

/// Results that turn into their opposite with a neighbour's.
pub(super) fn is_pole(folded: &str) -> bool {
    matches!(folded, "positive" | "negative" | "+" | "-")
}

/// Words that join the parts of a value and carry none of its meaning.
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

/// Words that turn what stands around them into its opposite.
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
