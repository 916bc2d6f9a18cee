//! The other words with the meaning of a word, by field, and the words that only order the parts of a value. Both come
//! from `links/words.txt`.

use std::{borrow::Cow, sync::LazyLock};

use super::form::{Form, forms};
use crate::extraction::{
    Field,
    table::{Table, Words},
};

/// Synonyms by field and folded word, and words that only order or qualify a value.
struct SynonymLexicon {
    synonyms: [Table<String, Vec<Form>>; Field::ALL.len()],
    order: Words<String>,
}

static LEXICON: LazyLock<SynonymLexicon> = LazyLock::new(|| {
    let mut lexicon = SynonymLexicon { synonyms: Default::default(), order: Words::default() };
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

/// Joins all words of a wording into one form, because they are next to each other in the note.
fn form_of(wording: &'static str, rule: &'static str) -> Option<Form> {
    if let sign @ ("+" | "-") = wording.trim() {
        return Some(Form {
            folded: Cow::Borrowed(sign),
            breaks: Vec::new(),
            inflects: false,
            rule: Some(rule),
            starts_clause: false,
        });
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
pub(super) fn of(field: Field, word: &str) -> &'static [Form] {
    LEXICON.synonyms.get(field as usize).and_then(|of_field| of_field.get(word)).map_or(&[], Vec::as_slice)
}

/// Returns whether a word only orders or qualifies a value: "initial", "later".
pub(super) fn is_order(word: &str) -> bool {
    LEXICON.order.contains(word)
}
