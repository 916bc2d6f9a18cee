//! Names the terms of the lexicons in any text, such as a question about a note or the answer of a model. It does not
//! say what the text asserts.

use std::ops::Range;

use super::{
    folded::FoldedNote,
    lexicon::{Mentions, TermKind},
};

/// The kinds of terms, in the order in which overlapping ones are kept.
const KINDS: [TermKind; 8] = [
    TermKind::Cancer,
    TermKind::Treatment,
    TermKind::Marker,
    TermKind::Gene,
    TermKind::Response,
    TermKind::Spread,
    TermKind::Site,
    TermKind::Alteration,
];

/// A term of the lexicons in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entity {
    /// The list that the term comes from.
    pub(crate) kind: TermKind,
    /// The name of the entry, the same for all its spellings.
    pub(crate) name: &'static str,
    /// The class of treatments that a class word covers, such as `chemo`; `None` for other terms.
    pub(crate) covers: Option<&'static str>,
    /// What kind of treatment it is: `drug`, `regimen`, `surgery` or `radiation`; `None` for other terms.
    pub(crate) treatment: Option<&'static str>,
    /// Whether the term only names cancer in general: "cancer", "malignancy", "lesion".
    pub(crate) general: bool,
    /// The bytes of the text.
    pub(crate) range: Range<usize>,
}

/// Returns the terms of a text, in order. A stretch may be a term of several lists, such as a gene that is a marker
/// too.
pub(crate) fn entities(text: &str) -> Vec<Entity> {
    let folded = FoldedNote::of(text);
    let mentions = Mentions::of(&folded);
    let mut found: Vec<Entity> = Vec::new();
    for kind in KINDS {
        for mention in mentions.get(kind) {
            let term = mention.term;
            if term.is("decoy") {
                continue;
            }
            let kinds = ["drug", "regimen", "surgery", "radiation"];
            let has_no_name = kind == TermKind::Cancer && (term.is("weak") || term.is("adj"));
            found.push(Entity {
                kind,
                name: term.name,
                covers: term.tag("covers"),
                treatment: kinds.into_iter().find(|tag| kind == TermKind::Treatment && term.is(tag)),
                general: has_no_name || (kind == TermKind::Spread && term.is("lesion")),
                range: folded.origin(&mention.range),
            });
        }
    }
    found.sort_by_key(|entity| (entity.range.start, usize::MAX - entity.range.end));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_have_one_name_in_every_spelling() {
        for (text, kind, name) in [
            ("Is she on Tagrisso?", TermKind::Treatment, "osimertinib"),
            ("HER-2/neu", TermKind::Marker, "HER2"),
            ("hepatic", TermKind::Site, "liver"),
            ("egfr", TermKind::Gene, "EGFR"),
        ] {
            let found = entities(text);
            assert!(found.iter().any(|entity| entity.kind == kind && entity.name == name), "{text}: {found:?}");
        }
        let text = "é Radiotherapy";
        let found = entities(text);
        assert_eq!(found.first().and_then(|entity| text.get(entity.range.clone())), Some("Radiotherapy"));
        assert_eq!(found.first().and_then(|entity| entity.covers), Some("radiation"));
    }
}
