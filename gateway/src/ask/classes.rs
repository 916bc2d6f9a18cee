//! The classes of treatments: whether a drug is chemotherapy, immunotherapy, endocrine or targeted therapy.

use super::question::rows;
use crate::{
    extraction::Finding,
    rules::{Entity, TermKind, entities},
};

/// Returns whether a treatment belongs to a class that a question names, such as `chemo` or `surgery`.
pub(super) fn is_of(finding: &Finding, class: &str) -> bool {
    let mut named: Vec<Entity> = entities(&finding.value);
    named.retain(|entity| entity.kind == TermKind::Treatment);
    named.iter().any(|entity| {
        entity.covers == Some(class)
            || match class {
                "surgery" | "radiation" => entity.treatment == Some(class),
                "chemo" => entity.name.contains("chemo") || (is_systemic(entity) && listed(entity.name).is_none()),
                class => listed(entity.name) == Some(class),
            }
    })
}

fn is_systemic(entity: &Entity) -> bool {
    matches!(entity.treatment, Some("drug" | "regimen"))
}

/// Returns the class of a treatment by the list.
fn listed(name: &str) -> Option<&'static str> {
    classes_of(name).next()
}

/// Returns whether a drug is one of a kind that the question names: axicabtagene ciloleucel of "CAR-T".
pub(super) fn is_one_of(name: &str, kind: &str) -> bool {
    classes_of(name).any(|class| class == kind)
}

fn classes_of(name: &str) -> impl Iterator<Item = &'static str> {
    let matches = move |pattern: &str| match pattern.split_once('*') {
        Some((begin, end)) => name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end),
        None => name == pattern,
    };
    rows(include_str!("treatment_classes.txt")).filter(move |(_, pattern)| matches(pattern)).map(|(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drugs_have_their_class() {
        for (name, class) in [
            ("pembrolizumab", Some("immune")),
            ("trastuzumab deruxtecan", Some("targeted")),
            ("osimertinib", Some("targeted")),
            ("letrozole", Some("endocrine")),
            ("carboplatin", None),
        ] {
            assert_eq!(listed(name), class, "{name}");
        }
        assert!(is_one_of("axicabtagene ciloleucel", "CAR T-cell therapy"));
        assert!(!is_one_of("pembrolizumab", "CAR T-cell therapy"));
    }
}
