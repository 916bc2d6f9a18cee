//! Checks the words near a wording: words for change, growth or resolution describe a response only if they refer to
//! the disease.

use std::ops::Range;

use super::index::Index;

/// Tokens before and after a wording among which a required word may be.
const WINDOW_TOKENS: usize = 7;

/// The words that a wording needs near it in order to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdjacencyRule {
    /// No words: the wording is sufficient by itself.
    Anything,
    /// A word for the disease or one of its markers.
    Disease,
    /// A word for the disease or one of its markers, or for an examination such as a CT.
    DiseaseOrImaging,
}

impl AdjacencyRule {
    /// Returns the rule with this name in the lists; [`Self::Anything`] for any other name.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "disease" => Self::Disease,
            "disease or imaging" => Self::DiseaseOrImaging,
            _ => Self::Anything,
        }
    }

    /// Returns whether a required word is near a stretch, in the same sentence.
    pub(super) fn stands_by(self, note: &Index, range: &Range<usize>) -> bool {
        let counts = |word: &str| match self {
            Self::Anything => true,
            Self::Disease => names_disease(word),
            Self::DiseaseOrImaging => names_disease(word) || names_imaging(word),
        };
        let tokens = note.tokens();
        let first = tokens.partition_point(|token| token.start < range.start);
        let after = tokens.partition_point(|token| token.start < range.end);
        let Some(sentence) = tokens.get(first).map(|token| token.sentence) else { return false };
        let near = tokens
            .get(first.saturating_sub(WINDOW_TOKENS)..tokens.len().min(after + WINDOW_TOKENS))
            .unwrap_or_default();
        near.iter().any(|&token| token.sentence == sentence && counts(note.fold_of(token)))
    }
}

fn names_imaging(folded: &str) -> bool {
    matches!(folded, "ct" | "mri" | "pet" | "scan" | "scans" | "imaging" | "restaging" | "radiographically")
}

fn names_disease(folded: &str) -> bool {
    const BEGINNINGS: [&str; 13] = [
        "tumor",
        "tumour",
        "lesion",
        "metasta",
        "nodul",
        "adenopath",
        "lymphadenopath",
        "carcino",
        "adenocarcino",
        "malignan",
        "neoplas",
        "cancer",
        "sarcoma",
    ];
    BEGINNINGS.iter().any(|beginning| folded.starts_with(beginning))
        || matches!(
            folded,
            "disease"
                | "mass"
                | "masses"
                | "mets"
                | "node"
                | "nodes"
                | "nodal"
                | "burden"
                | "involvement"
                | "lytic"
                | "implants"
                | "deposits"
                | "lymphoma"
                | "melanoma"
                | "glioblastoma"
                | "glioma"
                | "myeloma"
                | "leukemia"
                | "leukaemia"
                | "blasts"
                | "primary"
                | "recurrence"
                | "marker"
                | "markers"
                | "psa"
                | "cea"
                | "ca"
                | "afp"
                | "hcg"
                | "ldh"
                | "paraprotein"
                | "thyroglobulin"
                | "calcitonin"
                | "mrd"
        )
}
