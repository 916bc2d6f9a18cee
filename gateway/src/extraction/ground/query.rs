//! What is looked for: the words of a value, each with the other words that say the same.

use std::borrow::Cow;

use super::{
    index::{Index, Kind, Token},
    words::{self, is_joiner},
};
use crate::extraction::Field;

/// The words of a value or of a wording. Made once for what is fixed, once a value for what is not.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) words: Vec<Word>,
    /// Most words of the note that may stand between two of these.
    pub(super) widest_gap: usize,
    /// Whether results belong to symbols here, so that none may be taken from another's.
    pub(super) has_results: bool,
}

/// One word: tokens that stand together but for a hyphen, a slash or an apostrophe.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) form: Form,
    /// Words of the note that say the same, or more.
    pub(super) others: &'static [Form],
}

/// One way to write a word.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) folded: Cow<'static, str>,
    /// Places in `folded` where it has a break.
    pub(super) breaks: Vec<usize>,
    /// Whether a trailing plural `s` may be missing or added.
    pub(super) inflects: bool,
    /// The link that this form stands for; nothing for the word itself.
    pub(super) rule: Option<&'static str>,
}

/// Words between two words of a value that are tolerated, unless a query says otherwise.
pub(super) const WIDEST_GAP: usize = 4;
/// The same for a listed wording, which says what it says closely.
const NARROW_GAP: usize = 2;

impl Query {
    /// The words of a value of a field, with their synonyms there.
    pub(super) fn of(value: &str, field: Field) -> Self {
        let mut words: Vec<Word> = Vec::new();
        for form in forms(value) {
            // A word that the value repeats must not be sought twice: "breast cancer (breast carcinoma)".
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

    /// A wording by its own words alone, such as the lists give.
    pub(super) fn literal(wording: &str) -> Self {
        let word = |form| Word { form, others: &[] };
        Self { words: forms(wording).into_iter().map(word).collect(), widest_gap: NARROW_GAP, has_results: false }
    }
}

/// Whether a word of a value only orders or weighs it.
pub(super) fn only_orders(word: &str) -> bool {
    words::is_order(&word.trim_matches(|c: char| c.is_ascii_punctuation()).to_lowercase())
}

impl Form {
    fn carries_meaning(&self) -> bool {
        !is_joiner(&self.folded)
    }
}

/// The words of a text as forms.
pub(super) fn forms(text: &str) -> Vec<Form> {
    let index = Index::of(text);
    let mut forms: Vec<Form> = Vec::new();
    let mut previous: Option<Token> = None;
    let mut starts_with_letters = false;
    for &token in index.tokens() {
        let folded = index.fold_of(token);
        let between = previous.map(|previous| text.get(previous.end..token.start).unwrap_or_default());
        // "Non" is a part of the word behind it, with a hyphen or without.
        let non = forms.last().is_some_and(|form| form.folded == "non") && token.kind == Kind::Letters;
        let joined = non || matches!(between, Some("" | "-" | "\u{2010}" | "\u{2011}" | "/" | "'" | "\u{2019}"));
        // "ER+" is the word ER and a result; "3+" is one word.
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

/// A text as a key: its words folded, a space between.
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
