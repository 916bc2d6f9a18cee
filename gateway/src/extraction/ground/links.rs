//! Links between whole values and the wordings that mean them (`normalized`) or imply them (`inferred`). The lists are
//! in `links/` and are read once.

use std::sync::LazyLock;

use super::{form::key, near::AdjacencyRule, query::Query};
use crate::extraction::{Basis, Field, table::Table};

/// A rule that links values of one field to wordings.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) basis: Basis,
    /// The rule's name in the answer.
    pub(super) rule: &'static str,
    /// The field for which the assertion of the wording is assessed.
    pub(super) judged_as: Field,
    pub(super) wordings: Vec<Query>,
    /// Words that must be near the wording.
    pub(super) beside: AdjacencyRule,
}

#[derive(Default)]
struct Links {
    all: Vec<Link>,
    by_value: [Table<String, Vec<usize>>; Field::ALL.len()],
}

static LINKS: LazyLock<Links> = LazyLock::new(|| {
    let mut links = Links::default();
    for (field, list) in [
        (Field::CancerType, include_str!("links/cancer_type.txt")),
        (Field::Stage, include_str!("links/stage.txt")),
        (Field::GeneMutation, include_str!("links/gene_mutation.txt")),
        (Field::Biomarker, include_str!("links/biomarker.txt")),
        (Field::Treatment, include_str!("links/treatment.txt")),
        (Field::Response, include_str!("links/response.txt")),
        (Field::MetastasisSite, include_str!("links/metastasis_site.txt")),
    ] {
        links.read(field, list);
    }
    links
});

impl Links {
    fn read(&mut self, field: Field, list: &'static str) {
        let (mut basis, mut rule, mut judged_as, mut beside) = (Basis::Normalized, "", field, AdjacencyRule::Anything);
        for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                let (heading, near) = heading.split_once(", near ").unwrap_or((heading, ""));
                beside = AdjacencyRule::named(near);
                let (named, assessed_field) = heading.split_once(", said of ").unwrap_or((heading, ""));
                judged_as = Field::named(assessed_field).unwrap_or(field);
                let (kind, name) = named.split_once(' ').unwrap_or(("normalized", named));
                basis = if kind == "inferred" { Basis::Inferred } else { Basis::Normalized };
                rule = name;
            } else if let Some((values, wordings)) = line.split_once(" = ") {
                let link = self.all.len();
                for value in values.split(';') {
                    if let Some(of_field) = self.by_value.get_mut(field as usize) {
                        of_field.entry(key(value)).or_default().push(link);
                    }
                }
                // No synonyms inside a wording: synonyms of synonyms may not have the value's meaning.
                let wordings = wordings.split('|').map(|wording| Query::literal(wording.trim())).collect();
                self.all.push(Link { basis, rule, judged_as, wordings, beside });
            }
        }
    }
}

/// Returns the links of a value, given its key: first those that mean it, then those that imply it.
pub(super) fn of(field: Field, value: &str) -> impl Iterator<Item = &'static Link> {
    let of_field = LINKS.by_value.get(field as usize);
    let links = of_field.and_then(|of_field| of_field.get(value)).map_or(&[][..], Vec::as_slice);
    let of_basis = |basis| {
        let found = links.iter().filter_map(|&link| LINKS.all.get(link));
        found.filter(move |link| link.basis == basis)
    };
    of_basis(Basis::Normalized).chain(of_basis(Basis::Inferred))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field has links, and every link has a rule name and wordings that are not empty.
    #[test]
    fn lists_are_well_formed() {
        for field in Field::ALL {
            assert!(!LINKS.by_value[field as usize].is_empty(), "{}", field.name());
        }
        for link in &LINKS.all {
            assert!(!link.rule.is_empty() && link.rule.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
            assert!(link.wordings.iter().all(|wording| !wording.words.is_empty()), "{}", link.rule);
        }
    }
}
