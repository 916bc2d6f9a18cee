//! When a term of a question and a value of the record name one thing.

use super::{classes, words::words};
use crate::{
    extraction::{Field, Finding},
    rules::{Entity, TermKind, entities},
};

/// Returns whether two terms name one thing.
pub(super) fn is_same(one: &Entity, other: &Entity) -> bool {
    if is_molecular(one) && is_molecular(other) {
        let alike = test_of(one.name).is_some_and(|test| test_of(other.name) == Some(test));
        return alike || one.name == other.name || is_member(one.name, other.name) || is_member(other.name, one.name);
    }
    one.name == other.name && one.kind == other.kind
}

/// Returns the test that a marker is a result of, where each result has a name of its own.
fn test_of(name: &str) -> Option<&'static str> {
    let is_result = |of: &[&str]| of.iter().any(|begin| name.starts_with(begin));
    match name {
        _ if is_result(&["microsatellite", "MSI"]) => Some("MSI"),
        _ if is_result(&["mismatch repair"]) => Some("MMR"),
        _ => None,
    }
}

/// Returns whether a gene is one of a family that is named without numbers: BRCA1 of BRCA.
fn is_member(gene: &str, family: &str) -> bool {
    let number = gene.strip_prefix(family).unwrap_or_default();
    family.ends_with(|c: char| c.is_ascii_alphabetic())
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_molecular(entity: &Entity) -> bool {
    matches!(entity.kind, TermKind::Gene | TermKind::Marker)
}

/// Returns whether the values of a field name things of this kind.
pub(super) fn is_of(entity: &Entity, field: Field) -> bool {
    match entity.kind {
        TermKind::Cancer => field == Field::CancerType,
        TermKind::Gene | TermKind::Marker => matches!(field, Field::GeneMutation | Field::Biomarker),
        TermKind::Treatment => field == Field::Treatment,
        TermKind::Site => matches!(field, Field::MetastasisSite | Field::CancerType),
        TermKind::Alteration | TermKind::Response | TermKind::Spread => false,
    }
}

/// Returns whether a value, or the words that support it, name a thing.
pub(super) fn names(finding: &Finding, asked: &Entity) -> bool {
    let texts = [Some(finding.value.as_str()), finding.quote.as_deref()];
    texts.into_iter().flatten().any(|text| {
        let found = entities(text);
        found.iter().any(|entity| is_same(entity, asked) || classes::is_one_of(entity.name, asked.name))
            || text.eq_ignore_ascii_case(asked.name)
            || has_words_of(text, asked)
    })
}

/// Returns whether the name of a tumour has all words of a cancer that is named more generally: "melanoma".
pub(super) fn has_words_of(tumour: &str, cancer: &Entity) -> bool {
    if cancer.kind != TermKind::Cancer {
        return false;
    }
    let of_tumour = words(tumour);
    words(cancer.name).iter().all(|word| of_tumour.iter().any(|it| it.is_same(word)))
}
