//! Queries: the words of a value, each with its synonyms.

use super::{
    form::{Form, forms},
    synonyms,
};
use crate::extraction::Field;

/// The words of a value or of a wording. The queries of listed wordings are built once, those of values on each search.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) words: Vec<QueryWord>,
    /// Maximum number of words of the note between two of these words.
    pub(super) widest_gap: usize,
    /// Whether the value has results that belong to symbols, so that another symbol's result must not match.
    pub(super) has_results: bool,
}

/// One word: tokens separated by nothing, or only by a hyphen, a slash or an apostrophe.
#[derive(Clone, Debug)]
pub(super) struct QueryWord {
    pub(super) form: Form,
    /// Synonyms: words of the note that mean the same, or something more specific.
    pub(super) synonyms: &'static [Form],
}

/// Maximum number of words between two words of a value.
pub(super) const WIDEST_GAP: usize = 4;
/// The same for listed wordings, whose words stand closer together.
const NARROW_GAP: usize = 2;

impl Query {
    /// Builds the query for a value of a field, with the field's synonyms.
    pub(super) fn of(value: &str, field: Field) -> Self {
        let mut words: Vec<QueryWord> = Vec::new();
        for form in forms(value) {
            // Search once for a word that the value repeats: "breast cancer (breast carcinoma)".
            if words.iter().all(|word| word.form.folded != form.folded) {
                let synonyms = synonyms::of(field, &form.folded);
                words.push(QueryWord { form, synonyms });
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
        let word = |form| QueryWord { form, synonyms: &[] };
        Self { words: forms(wording).into_iter().map(word).collect(), widest_gap: NARROW_GAP, has_results: false }
    }
}

/// Returns whether a word of a value only orders or qualifies it.
pub(super) fn only_orders(word: &str) -> bool {
    synonyms::is_order(&word.trim_matches(|c: char| c.is_ascii_punctuation()).to_lowercase())
}
