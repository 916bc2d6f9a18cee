//! Queries: the words of a value, each with its synonyms.

use super::{
    form::{Form, forms},
    roles::{self, Role},
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
    /// Whether the value is a response.
    pub(super) is_response: bool,
}

/// One word: tokens separated by nothing, or only by a hyphen, a slash or an apostrophe.
#[derive(Clone, Debug)]
pub(super) struct QueryWord {
    pub(super) form: Form,
    /// Synonyms: words of the note that mean the same, or something more specific.
    pub(super) synonyms: &'static [Form],
    /// What it does to the words beside it.
    pub(super) role: Role,
    /// The number of the unit that it belongs to.
    pub(super) unit: usize,
}

impl QueryWord {
    fn of(form: Form, synonyms: &'static [Form]) -> Self {
        Self { form, synonyms, role: Role::default(), unit: 0 }
    }
}

/// Maximum number of words between two words of a value.
pub(super) const WIDEST_GAP: usize = 4;
/// The same for listed wordings, whose words are closer together.
const NARROW_GAP: usize = 2;

impl Query {
    /// Builds the query for a value of a field, with the field's synonyms.
    pub(super) fn of(value: &str, field: Field) -> Self {
        let mut words: Vec<QueryWord> = Vec::new();
        let all = forms(value);
        for form in all.iter().cloned() {
            // Search once for a word that the value repeats: "breast cancer (breast carcinoma)".
            if words.iter().all(|word| word.form.folded != form.folded) {
                let synonyms = synonyms::of(field, &form.folded);
                words.push(QueryWord::of(form, synonyms));
            }
        }
        if words.iter().any(|word| word.form.carries_meaning()) {
            words.retain(|word| word.form.carries_meaning());
        }
        let has_results = matches!(field, Field::Biomarker | Field::GeneMutation);
        set_roles(&all, &mut words, Some(field));
        Self { words, widest_gap: WIDEST_GAP, has_results, is_response: field == Field::Response }
    }

    /// Builds the query for a listed wording, without synonyms.
    pub(super) fn literal(wording: &str) -> Self {
        let all = forms(wording);
        let mut words: Vec<QueryWord> = all.iter().cloned().map(|form| QueryWord::of(form, &[])).collect();
        set_roles(&all, &mut words, None);
        Self { words, widest_gap: NARROW_GAP, has_results: false, is_response: false }
    }
}

fn set_roles(forms: &[Form], words: &mut [QueryWord], field: Option<Field>) {
    let folded: Vec<&str> = words.iter().map(|word| &*word.form.folded).collect();
    let roles = roles::of(forms, &folded, field);
    for (word, (role, unit)) in words.iter_mut().zip(roles) {
        (word.role, word.unit) = (role, unit);
    }
}

/// Returns whether a word of a value only orders or qualifies it.
pub(super) fn only_orders(word: &str) -> bool {
    says_planned(word) || synonyms::is_order(&bare(word))
}

/// Returns whether a word of a value says that what it names is not given yet.
pub(super) fn says_planned(word: &str) -> bool {
    matches!(
        &*bare(word),
        "planned" | "proposed" | "recommended" | "scheduled" | "considered" | "intended" | "pending" | "offered"
    )
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| c.is_ascii_punctuation()).to_lowercase()
}
