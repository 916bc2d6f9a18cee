//! The terms of the lexicons for checks of a text that no person typed: a transcript or a scan.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use super::{
    folded::FoldedNote,
    lexicon::{self, Mentions, TermKind},
};

/// What a term names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabularyKind {
    /// A drug, a regimen or another treatment.
    Treatment,
    /// A gene.
    Gene,
    /// A receptor, an expression marker, a signature or a serum marker.
    Marker,
    /// A malignancy.
    Cancer,
    /// An organ.
    Site,
}

const KINDS: [(TermKind, VocabularyKind); 5] = [
    (TermKind::Treatment, VocabularyKind::Treatment),
    (TermKind::Gene, VocabularyKind::Gene),
    (TermKind::Marker, VocabularyKind::Marker),
    (TermKind::Cancer, VocabularyKind::Cancer),
    (TermKind::Site, VocabularyKind::Site),
];

/// Genes, markers and treatments whose names have a digit, by their letters and digits alone: `her2`, `cdk4`, `ki67`.
static NUMBERED: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for kind in [TermKind::Gene, TermKind::Marker, TermKind::Treatment] {
        for spelled in lexicon::spellings(kind).filter(|spelled| spelled.contains(|c: char| c.is_ascii_digit())) {
            names.entry(letters_and_digits(spelled)).or_insert(spelled);
        }
    }
    names
});

/// Returns the terms of a text with their byte ranges, in the order of the text. Terms of two kinds may overlap.
#[must_use]
pub fn terms_in(text: &str) -> Vec<(Range<usize>, VocabularyKind)> {
    let folded = FoldedNote::of(text);
    let mentions = Mentions::of(&folded);
    let of_kind = |(list, kind): (TermKind, VocabularyKind)| {
        mentions.get(list).iter().map(move |mention| (mention.range.clone(), kind))
    };
    let mut terms: Vec<_> =
        KINDS.into_iter().flat_map(of_kind).map(|(range, kind)| (folded.origin(&range), kind)).collect();
    terms.sort_by_key(|(range, _)| (range.start, range.end));
    terms
}

/// Returns the spelling of a gene, marker or treatment with a digit in its name, whatever is between its letters and
/// digits: `HER2` for "her two" written as `her2`.
#[must_use]
pub fn numbered_name(text: &str) -> Option<&'static str> {
    NUMBERED.get(&letters_and_digits(text)).copied()
}

fn letters_and_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_with_their_kinds_and_numbered_names_whatever_joins_them() {
        let text = "EGFR-mutated lung adenocarcinoma on osimertinib, PD-L1 90%.";
        let terms = terms_in(text);
        for (term, kind) in [
            ("EGFR", VocabularyKind::Gene),
            ("lung", VocabularyKind::Site),
            ("osimertinib", VocabularyKind::Treatment),
            ("PD-L1", VocabularyKind::Marker),
        ] {
            let at = text.find(term).unwrap();
            assert!(terms.contains(&(at..at + term.len(), kind)), "{term}: {terms:?}");
        }
        for (text, expected) in [
            ("her 2", Some("HER2")),
            ("Ki 67", Some("Ki-67")),
            ("PD L 1", Some("PD-L1")),
            ("CA 19 9", Some("CA 19-9")),
            ("5 FU", Some("5-FU")),
            ("ER 2", None),
            ("", None),
        ] {
            assert_eq!(numbered_name(text), expected, "{text}");
        }
    }
}
