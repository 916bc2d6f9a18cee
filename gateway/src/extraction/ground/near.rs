//! What stands beside a wording: words that change, grow or go away are a response only where they are said
//! of the disease.

use std::ops::Range;

use super::index::Index;

/// How many words before and after a wording are looked at.
const REACH: usize = 7;

/// What must stand beside a wording for it to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdjacencyRule {
    /// The wording says enough by itself.
    Anything,
    /// A word for the disease or one of its markers.
    Disease,
    /// The same, or an examination that looks for the disease.
    DiseaseOrImaging,
}

impl AdjacencyRule {
    /// As the lists call it.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "disease" => Self::Disease,
            "disease or imaging" => Self::DiseaseOrImaging,
            _ => Self::Anything,
        }
    }

    /// Whether such a word stands beside a stretch, in its sentence.
    pub(super) fn stands_by(self, note: &Index, range: &Range<usize>) -> bool {
        let counts = |word: &str| match self {
            Self::Anything => true,
            Self::Disease => is_of_disease(word),
            Self::DiseaseOrImaging => is_of_disease(word) || is_of_imaging(word),
        };
        let tokens = note.tokens();
        let first = tokens.partition_point(|token| token.start < range.start);
        let after = tokens.partition_point(|token| token.start < range.end);
        let Some(sentence) = tokens.get(first).map(|token| token.sentence) else { return false };
        let near = tokens.get(first.saturating_sub(REACH)..tokens.len().min(after + REACH)).unwrap_or_default();
        near.iter().any(|&token| token.sentence == sentence && counts(note.fold_of(token)))
    }
}

fn is_of_imaging(folded: &str) -> bool {
    matches!(folded, "ct" | "mri" | "pet" | "scan" | "scans" | "imaging" | "restaging" | "radiographically")
}

fn is_of_disease(folded: &str) -> bool {
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
