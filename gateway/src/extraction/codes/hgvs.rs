//! The HGVS form of a change of one amino acid: `p.(Val600Glu)` for V600E. The form is written from the letters of the
//! value alone. Deletions, insertions and fusions need a transcript and get no form.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::statics::pattern;

/// The amino acids with their one-letter and three-letter symbols.
const AMINO_ACIDS: [(&str, &str); 20] = [
    ("A", "Ala"),
    ("C", "Cys"),
    ("D", "Asp"),
    ("E", "Glu"),
    ("F", "Phe"),
    ("G", "Gly"),
    ("H", "His"),
    ("I", "Ile"),
    ("K", "Lys"),
    ("L", "Leu"),
    ("M", "Met"),
    ("N", "Asn"),
    ("P", "Pro"),
    ("Q", "Gln"),
    ("R", "Arg"),
    ("S", "Ser"),
    ("T", "Thr"),
    ("V", "Val"),
    ("W", "Trp"),
    ("Y", "Tyr"),
];

/// A change: the amino acid, its position, the new one or a stop, and for a shift of the reading frame its length.
static CHANGE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^([A-Z](?:[a-z]{2})?)([1-9][0-9]{1,4})(?:([A-Z](?:[a-z]{2})?|\*)|([A-Z](?:[a-z]{2})?)fs(?:\*|Ter)([1-9][0-9]{0,3})|(fs))$",
    )
});

/// Positions below this one are not read as changes: "E2F" and "P2Y" are names.
const FIRST_POSITION: u32 = 10;

/// Genes whose usual names of changes are not those of HGVS: the promoter of TERT has positions in DNA, and the
/// histones are counted without their first amino acid.
const OTHER_NOTATION: [&str; 3] = ["TERT", "H3-3A", "H3C2"];

/// Genes in which a change between A, C, G and T is one of amino acids. In others it may be an old name of a change in
/// DNA: "BRCA1 T300G".
const PROTEIN_NOTATION: [&str; 8] = ["BRAF", "EGFR", "FGFR2", "FGFR3", "HRAS", "KRAS", "NRAS", "RET"];

/// Words of a value that denies a change, leaves it open or gives a choice.
const DOUBTS: [&str; 21] = [
    "absent",
    "codon",
    "excluded",
    "fusion",
    "neg",
    "negative",
    "never",
    "no",
    "none",
    "not",
    "or",
    "pending",
    "promoter",
    "undetected",
    "unknown",
    "unmutated",
    "versus",
    "vs",
    "wild",
    "wildtype",
    "wt",
];

/// Returns whether the changes of a folded value may be written: it neither denies nor doubts them.
pub(super) fn may_be_written(folded: &str) -> bool {
    !folded.contains("without") && !folded.split(|c: char| !c.is_alphanumeric()).any(|word| DOUBTS.contains(&word))
}

/// Returns the HGVS form of the change that begins at a word of a value.
pub(super) fn change(value: &str, word: Range<usize>, symbol: &str) -> Option<String> {
    let before = value.get(..word.start)?;
    let rest = value.get(word.start..)?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '*').unwrap_or(rest.len());
    let (spelled, after) = rest.split_at_checked(end)?;
    // "V600E/K" and "E746_A750del" are other changes.
    let mut next = after.chars();
    let joined = match next.next() {
        Some('/' | '_' | '>' | '=') => true,
        Some('-') => next.next().is_some_and(|c| c.is_ascii_uppercase() || c.is_ascii_digit()),
        _ => false,
    };
    let protein = before.ends_with("p.") || before.ends_with("p.(");
    if joined || (!protein && before.ends_with(['/', '_', '-', '.', '>', '+'])) || OTHER_NOTATION.contains(&symbol) {
        return None;
    }
    let parts = CHANGE.captures(spelled)?;
    let part = |group: usize| parts.get(group).map(|part| part.as_str());
    let (from, position) = (amino_acid(part(1)?)?, part(2)?);
    if position.parse::<u32>().ok()? < FIRST_POSITION {
        return None;
    }
    if part(6).is_some() {
        return Some(format!("p.({from}{position}fs)"));
    }
    if let (Some(to), Some(length)) = (part(4), part(5)) {
        return Some(format!("p.({from}{position}{}fsTer{length})", amino_acid(to)?));
    }
    let to = part(3)?;
    let new = if matches!(to, "*" | "Ter") { "Ter" } else { amino_acid(to)? };
    let is_dna = |letters: &str| matches!(letters, "A" | "C" | "G" | "T");
    let may_be_dna = !protein && part(1).is_some_and(is_dna) && is_dna(to) && !PROTEIN_NOTATION.contains(&symbol);
    (new != from && !may_be_dna).then(|| format!("p.({from}{position}{new})"))
}

/// Returns the three-letter symbol of an amino acid.
fn amino_acid(symbol: &str) -> Option<&'static str> {
    AMINO_ACIDS.iter().find(|(one, three)| symbol == *one || symbol == *three).map(|(_, three)| *three)
}
