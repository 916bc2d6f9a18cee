//! Queries: the words of a value, each with its synonyms.

use std::borrow::Cow;

use super::{
    index::{Index, Kind, Token},
    words::{self, is_joiner},
};
use crate::extraction::Field;

/// The words of a value or of a wording. The queries of listed wordings are built once, those of values on each search.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) words: Vec<Word>,
    /// Maximum number of words of the note between two of these words.
    pub(super) widest_gap: usize,
    /// Whether the value has results that belong to symbols, so that another symbol's result must not match.
    pub(super) has_results: bool,
}

/// One word: tokens separated by nothing, or only by a hyphen, a slash or an apostrophe.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) form: Form,
    /// Synonyms: words of the note that mean the same, or something more specific.
    pub(super) others: &'static [Form],
}

/// One spelling of a word.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) folded: Cow<'static, str>,
    /// Offsets in `folded` at which the spelling has a break.
    pub(super) breaks: Vec<usize>,
    /// Whether a trailing plural `s` may be missing or added.
    pub(super) inflects: bool,
    /// Rule of the synonym; `None` for the word itself.
    pub(super) rule: Option<&'static str>,
}

/// Maximum number of words between two words of a value.
pub(super) const WIDEST_GAP: usize = 4;
/// The same for listed wordings, whose words stand closer together.
const NARROW_GAP: usize = 2;

impl Query {
    /// Builds the query for a value of a field, with the field's synonyms.
    pub(super) fn of(value: &str, field: Field) -> Self {
        let mut words: Vec<Word> = Vec::new();
        for form in forms(value) {
            // Search once for a word that the value repeats: "breast cancer (breast carcinoma)".
            if words.iter().all(|word| word.form.folded != form.folded) {
                let others = words::synonyms(field, &form.folded);
                words.push(Word { form, others });
            }
        }
        if words.iter().any(|word| word.form.carries_meaning()) {
            words.retain(|word| word.form.carries_meaning());
        }
        let has_results = matches!(field, Field::Biomarker | Field::GeneMutation);
        Self { words, widest_gap: WIDEST_GAP, has_results }
    }

    /// Builds the query for a listed wording, without synonyms.
    pub(super) fn literal(wording: &str) -> Self {
        let word = |form| Word { form, others: &[] };
        Self { words: forms(wording).into_iter().map(word).collect(), widest_gap: NARROW_GAP, has_results: false }
    }
}

/// Returns whether a word of a value only orders or qualifies it.
pub(super) fn only_orders(word: &str) -> bool {
    words::is_order(&word.trim_matches(|c: char| c.is_ascii_punctuation()).to_lowercase())
}

impl Form {
    fn carries_meaning(&self) -> bool {
        !is_joiner(&self.folded)
    }
}

/// Splits a text into words and returns their forms.
pub(super) fn forms(text: &str) -> Vec<Form> {
    let index = Index::of(text);
    let mut forms: Vec<Form> = Vec::new();
    let mut previous: Option<Token> = None;
    let mut starts_with_letters = false;
    for &token in index.tokens() {
        let folded = index.fold_of(token);
        let between = previous.map(|previous| text.get(previous.end..token.start).unwrap_or_default());
        // "Non" is a part of the word after it, with or without a hyphen.
        let non = forms.last().is_some_and(|form| form.folded == "non") && token.kind == Kind::Letters;
        let joined = non || matches!(between, Some("" | "-" | "\u{2010}" | "\u{2011}" | "/" | "'" | "\u{2019}"));
        // "ER+" is a word and a result; "3+" is one word.
        let sign = token.kind == Kind::Symbol && matches!(folded, "+" | "-") && starts_with_letters;
        let tied = !non && matches!(between, Some("-" | "\u{2010}" | "\u{2011}")) && words::is_result(folded);
        let result = sign || tied;
        match forms.last_mut() {
            Some(form) if joined && !result && previous.is_some_and(|previous| previous.kind != Kind::Symbol) => {
                form.breaks.push(form.folded.len());
                form.folded.to_mut().push_str(folded);
                form.inflects = token.kind == Kind::Letters;
            }
            _ if folded == "+" && !result => {}
            _ => {
                starts_with_letters = token.kind == Kind::Letters;
                let inflects = token.kind == Kind::Letters;
                forms.push(Form { folded: Cow::Owned(folded.to_owned()), breaks: Vec::new(), inflects, rule: None });
            }
        }
        previous = Some(token);
    }
    forms
}

/// Returns a text as a key for the lists: its folded tokens, separated by spaces.
pub(super) fn key(text: &str) -> String {
    let index = Index::of(text);
    let mut key = String::with_capacity(text.len());
    for &token in index.tokens() {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(index.fold_of(token));
    }
    key
}
