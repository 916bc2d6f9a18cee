//! Completes a fusion by the partner that is not in the list of genes: "KIAA1549-BRAF".

use std::ops::Range;

use super::view::NoteView;

/// Words that a dash joins to a gene and that are not a partner: tests, diseases, prefixes.
const NO_PARTNERS: [&str; 25] = [
    "ITD", "TKD", "AMP", "DEL", "POS", "NEG", "VUS", "HIGH", "LOW", "FISH", "NGS", "IHC", "PCR", "RT", "NSCLC", "SCLC",
    "CRC", "ANTI", "DNA", "RNA", "WT", "PAN", "MUT", "TKI", "CNS",
];
/// Maximum bytes of a partner's name.
const LONGEST: usize = 10;

/// Returns the stretch of a gene together with its partner, or `None` if no partner is joined to it.
pub(crate) fn with_partner(view: &NoteView<'_>, gene: &Range<usize>) -> Option<Range<usize>> {
    let before = partner_before(view, gene.start).map(|start| start..gene.end);
    before.or_else(|| partner_after(view, gene.end).map(|end| gene.start..end))
}

/// Returns whether two neighbouring genes are written as one fusion: "EML4-ALK".
pub(crate) fn is_joined(view: &NoteView<'_>, gap: &Range<usize>) -> bool {
    matches!(source_between(view, gap), "-" | "\u{2010}" | "\u{2011}" | "\u{2013}" | "::" | "--")
}

fn source_between<'v>(view: &'v NoteView<'_>, gap: &Range<usize>) -> &'v str {
    view.folded.quote(gap)
}

fn partner_before(view: &NoteView<'_>, start: usize) -> Option<usize> {
    let before = view.folded.before(start, LONGEST + 2);
    let joint = joint_length(before.bytes().rev())?;
    let name = before.get(..before.len() - joint)?;
    let length = name.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
    let range = start - joint - length..start - joint;
    (is_joined(view, &(range.end..start)) && is_partner(view, &range) && view.folded.is_bounded(&range))
        .then_some(range.start)
}

fn partner_after(view: &NoteView<'_>, end: usize) -> Option<usize> {
    let after = view.folded.after(end, LONGEST + 3);
    let joint = joint_length(after.bytes())?;
    let length = after.bytes().skip(joint).take_while(u8::is_ascii_alphanumeric).count();
    let range = end + joint..end + joint + length;
    (is_joined(view, &(end..range.start)) && is_partner(view, &range) && view.folded.is_bounded(&range))
        .then_some(range.end)
}

/// Returns the bytes of the sign between two partners. A dash between words is a space in the folded text.
fn joint_length(mut bytes: impl Iterator<Item = u8>) -> Option<usize> {
    match (bytes.next()?, bytes.next()?) {
        (b':', b':') => Some(2),
        (b' ' | b'-', next) if next.is_ascii_alphanumeric() => Some(1),
        _ => None,
    }
}

/// Returns whether a word looks like a symbol of a gene: capitals and digits, two letters at least.
fn is_partner(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let word = view.folded.quote(range);
    let letters = word.bytes().filter(u8::is_ascii_uppercase).count();
    (3..=LONGEST).contains(&word.len())
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(|byte| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'o' || byte == b'r' || byte == b'f'
        })
        && letters >= 2
        && !NO_PARTNERS.contains(&word)
}

/// Pairs of genes that are named together for their fusion, so that the word may be missing: "Ewing sarcoma, EWSR1-FLI1".
const KNOWN: [(&str, &str); 24] = [
    ("EWSR1", "FLI1"),
    ("EWSR1", "ERG"),
    ("EWSR1", "ATF1"),
    ("EWSR1", "CREB1"),
    ("EML4", "ALK"),
    ("NPM1", "ALK"),
    ("PML", "RARA"),
    ("NAB2", "STAT6"),
    ("SS18", "SSX1"),
    ("SS18", "SSX2"),
    ("TMPRSS2", "ERG"),
    ("CBFB", "MYH11"),
    ("RUNX1", "RUNX1T1"),
    ("ETV6", "NTRK3"),
    ("ETV6", "RUNX1"),
    ("KIF5B", "RET"),
    ("CCDC6", "RET"),
    ("NCOA4", "RET"),
    ("CD74", "ROS1"),
    ("FGFR3", "TACC3"),
    ("PAX3", "FOXO1"),
    ("PAX7", "FOXO1"),
    ("FUS", "DDIT3"),
    ("KIAA1549", "BRAF"),
];

/// Returns whether a pair of genes, as the note writes it, is known for its fusion.
pub(crate) fn is_known(pair: &str) -> bool {
    let mut names = pair.split(['-', ':', '\u{2010}', '\u{2011}', '\u{2013}']).filter(|name| !name.is_empty());
    let (first, second) = (names.next(), names.next());
    first.zip(second).is_some_and(|pair| names.next().is_none() && KNOWN.contains(&pair))
}

/// Returns whether the text near a pair of genes refers to a fusion.
pub(crate) fn speaks_of_fusion(view: &NoteView<'_>, pair: &Range<usize>) -> bool {
    let near = view.near(pair, 40, 70);
    ["fusion", "rearrang", "translocat", "fused"].iter().any(|word| near.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::lexicon::TermKind;

    #[test]
    fn partners_are_found_on_both_sides() {
        for (text, expected) in [
            ("a KIAA1549-BRAF fusion", "KIAA1549-BRAF"),
            ("SQSTM1-NTRK1-rearranged", "SQSTM1-NTRK1"),
            ("FGFR2::BICC1 fusion", "FGFR2::BICC1"),
            ("FGFR2-BICC1 fusion", "FGFR2-BICC1"),
            ("ALK-positive", ""),
            ("FISH-ALK", ""),
            ("non-BRAF", ""),
            ("BRAF V600E", ""),
        ] {
            let view = NoteView::of(text);
            let gene = view.terms(TermKind::Gene).first().unwrap();
            let found = with_partner(&view, &gene.range).map_or("", |pair| view.folded.quote(&pair));
            assert_eq!(found, expected, "{text}");
        }
    }
}
