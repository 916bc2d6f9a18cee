//! Codes of genes: HGNC. A changed amino acid also gets its HGVS form, see [`hgvs`].
//!
//! Every gene of the list that the value names gets its code, in the order of the value. A name of several genes
//! ("BRCA1/2", "RAS") gets no code.

use std::{ops::Range, sync::LazyLock};

use super::{
    code::{Code, CodeBasis, CodeSystem},
    fold::fold,
    hgvs,
    list::{code, names, rows, same_basis},
};
use crate::extraction::table::Table;

pub(super) const LIST: &str = include_str!("genes.txt");

/// Maximum number of words of a gene's name.
const MOST_WORDS: usize = 6;

/// One name of a gene.
#[derive(Clone, Copy, Debug)]
struct Name {
    /// The HGNC identifier; `-` for a name of several genes.
    id: &'static str,
    symbol: &'static str,
    /// The name, if it counts only in exactly its letter case.
    exact: Option<&'static str>,
    basis: CodeBasis,
}

static NAMES: LazyLock<Table<String, Name>> = LazyLock::new(|| {
    let mut map = Table::default();
    for [id, symbol, column] in rows(LIST) {
        for name in names(column) {
            let exact = name.strip_prefix('=');
            let basis = same_basis(exact.unwrap_or(name), symbol);
            map.insert(fold(exact.unwrap_or(name)), Name { id, symbol, exact, basis });
        }
    }
    map
});

/// Builds the table before a value needs it.
pub(super) fn compile() {
    LazyLock::force(&NAMES);
}

/// Returns the codes of the genes in a value, each followed by those of its changes.
pub(super) fn codes(value: &str) -> Vec<Code> {
    let words = words(value);
    let mut found: Vec<Code> = Vec::new();
    let mut add = |code: Code| {
        if !found.contains(&code)
            && !found.iter().any(|earlier| earlier.code == code.code && code.system == CodeSystem::Hgnc)
        {
            found.push(code);
        }
    };
    let has_changes = hgvs::may_be_written(&fold(value));
    let mut gene: Option<&'static str> = None;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if let Some((name, length)) = gene_at(value, words.get(at..).unwrap_or_default()) {
            gene = (name.id != "-").then_some(name.symbol);
            if gene.is_some() {
                add(code(CodeSystem::Hgnc, name.id, name.symbol, name.basis));
            }
            at += length;
            continue;
        }
        let change = gene.filter(|_| has_changes).and_then(|symbol| {
            let change = hgvs::change(value, word.clone(), symbol)?;
            let basis = if value.contains(&change) { CodeBasis::Exact } else { CodeBasis::Synonym };
            Some(code(CodeSystem::Hgvs, &change, &format!("{symbol} {change}"), basis))
        });
        if let Some(change) = change {
            add(change);
        }
        at += 1;
    }
    found
}

/// Returns the longest gene name at the first of some words, with the number of its words. A gene with a slash and the
/// end of another name ("MSH2/6") counts as a name of several genes.
fn gene_at(value: &str, words: &[Range<usize>]) -> Option<(Name, usize)> {
    let start = words.first()?.start;
    (1..=words.len().min(MOST_WORDS)).rev().find_map(|length| {
        let end = words.get(length - 1)?.end;
        let spelled = value.get(start..end)?;
        let name = *NAMES.get(&fold(spelled))?;
        if name.exact.is_some_and(|exact| exact != spelled) {
            return None;
        }
        let after = value.get(end..)?.strip_prefix('/');
        let next = after.map_or("", |after| after.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
        let several = next.len() == 1 || next.starts_with(|c: char| c.is_ascii_digit());
        Some((if several { Name { id: "-", ..name } } else { name }, length))
    })
}

/// Returns the ranges of the words of a value: runs of letters and digits.
fn words(value: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, c) in value.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        match words.last_mut().filter(|word| word.end == at) {
            Some(word) => word.end = at + c.len_utf8(),
            None => words.push(at..at + c.len_utf8()),
        }
    }
    words
}
