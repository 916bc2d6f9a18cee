//! Finds alterations of genes in a note: variants in their notations, and kinds of alteration in words.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    lexicon::{Mention, TermKind},
    view::{NoteView, is_one_of},
};
use crate::statics::pattern;

/// Variants in protein, coding-DNA, exon, codon and legacy notation. The whole note is searched once.
static VARIANT: LazyLock<Regex> = LazyLock::new(|| pattern(VARIANT_PATTERN));
const VARIANT_PATTERN: &str = concat!(
    r"(?-u:\b)(?:",
    // p.V600E, V600E, p.Val600Glu, R248*, p.(Gly12Asp), Q1756fs, E746_A750del
    r"(?:(?:p\. ?)?\(?(?:[acdefghiklmnpqrstvwy]|ala|arg|asn|asp|cys|gln|glu|gly|his|ile|leu|lys|met|phe|pro|ser|thr|trp|tyr|val)[0-9]{1,4}",
    r"(?:(?:ala|arg|asn|asp|cys|gln|glu|gly|his|ile|leu|lys|met|phe|pro|ser|thr|trp|tyr|val|ter)(?:fs(?:(?:ter|x|\*)[0-9]{0,3})?)?",
    r"|[acdefghiklmnpqrstvwy]?fs(?:(?:ter|x|\*)?[0-9]{0,3})|[acdefghiklmnpqrstvwyx]|\*",
    r"|[_ -][a-z]{1,3}[0-9]{1,4}(?:del|ins|dup|delins)[a-z]{0,12}|del|ins[a-z]{0,6}|dup)\)?)",
    // c.5266dupC, c.68_69delAG, c.1799T>A
    r"|(?:c\. ?[-*]?[0-9]+(?:[+_-][0-9]+){0,3}(?: ?[acgt] ?-?[>→] ?[acgt]|del[acgt]*(?:ins[acgt]+)?|dup[acgt]*|ins[acgt]+))",
    // 185delAG, 5382insC
    r"|(?:[0-9]{2,5}(?:del|ins|dup)[acgt]{1,8})",
    // exon 19 deletion, MET exon 14 skipping, ex19del, 19del
    r"|(?:(?:deletion|insertion|duplication|skipping|del|ins)s? (?:in|of|within) (?:ex|exon) ?[0-9]{1,2})",
    r"|(?:(?:in frame )?(?:ex|exon)s? ?(?:[0-9]{1,2}|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|eighteen|nineteen|twenty(?: one)?)(?:[ -]?(?:in frame )?(?:deletion|del|insertion|ins|skipping|skip|mutation|mutated|duplication|alteration|rearrangement|variant)s?(?: (?:mutation|alteration|variant)s?)?))",
    r"|(?:del ?19|19 ?del)",
    r"|(?:codon [0-9]{1,4}(?: (?:mutation|variant)s?)?)",
    r"|(?:viii|itd|tkd|c228t|c250t)",
    r")",
);

/// Chromosomal aberrations, which count without a gene in malignancies of the blood.
static KARYOTYPE: LazyLock<Regex> = LazyLock::new(|| pattern(KARYOTYPE_PATTERN));

/// Gains and losses of arms of chromosomes, which count without a gene in all malignancies.
static ARM: LazyLock<Regex> = LazyLock::new(|| pattern(ARM_PATTERN));
const ARM_PATTERN: &str = concat!(
    r"(?-u:\b)(?:(?:gain|loss|deletion|amplification|duplication|del|amp)(?: of |[ (])(?:(?:chromosome|chr|the|arm|long|short|of) ?){0,4}(?:[0-9]{1,2}|x) ?[pq][0-9.]{0,5}\)?",
    r"|(?:chromosome )?(?:[0-9]{1,2}|x)[pq](?:[0-9]{1,2}(?:\.[0-9]{1,2})?)?(?: arm)? ?(?:gain|loss|deletion|amplification|loh|deleted|gained|amplified|lost|duplication))",
);

const KARYOTYPE_PATTERN: &str = r"(?-u:\b)(?:t\([0-9]{1,2};[0-9]{1,2}\)(?:\([pq][0-9]{1,2}(?:\.[0-9])?;[pq][0-9]{1,2}(?:\.[0-9])?\))?|inv\([0-9]{1,2}\)|del ?\([0-9]{1,2}[pq]?\)(?:\([pq][0-9]{1,2}\))?|complex karyotype|monosomy [0-9]{1,2}|trisomy [0-9]{1,2})";

/// Adjectives that say nothing without a noun.
const EMPTY_ALONE: &str = "focal point acquired compound double resistance promoter hotspot hot-spot driver \
                           actionable uncommon in-frame high-level heterozygous homozygous";

/// The kind of words that state an alteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlterationWord {
    /// A variant in some notation: "V600E", "exon 19 deletion".
    Variant,
    /// A noun: "mutation", "pathogenic variant".
    Named,
    /// A fusion, a rearrangement, an amplification.
    Structural,
    /// A result of a test: "positive", "detected".
    Result,
    /// An adjective without a noun: "germline", "frameshift".
    Quality,
}

/// An alteration, with the words that belong to it.
#[derive(Debug)]
pub(crate) struct Alteration {
    /// Its range in the folded text.
    pub(crate) range: Range<usize>,
    /// Its words.
    pub(crate) text: String,
    /// The kind of these words.
    pub(crate) sort: AlterationWord,
}

/// Returns all alterations of the note, in order.
pub(crate) fn all(view: &NoteView<'_>) -> Vec<Alteration> {
    let mut found = variants(view);
    let named = named(view, &found);
    found.extend(named);
    found.extend(signs(view));
    found.sort_by_key(|alteration| (alteration.range.start, alteration.range.end));
    found
}

/// Returns the chromosomal aberrations of the note, which need no gene next to them.
pub(crate) fn karyotype(view: &NoteView<'_>) -> Vec<Alteration> {
    let text = view.folded.as_str();
    KARYOTYPE
        .find_iter(text)
        .map(|found| Alteration {
            range: found.range(),
            text: view.folded.quote(&found.range()).to_owned(),
            sort: AlterationWord::Variant,
        })
        .collect()
}

/// Returns the gains and losses of arms of chromosomes. The codeletion of 1p and 19q is a biomarker and left out.
pub(crate) fn arms(view: &NoteView<'_>) -> Vec<Alteration> {
    let text = view.folded.as_str();
    ARM.find_iter(text)
        .filter(|found| {
            let before = view.folded.before(found.start(), 1);
            let after = view.folded.after(found.end(), 8);
            let bounded = view.folded.is_bounded(&found.range()) || found.as_str().ends_with(')');
            bounded && !before.ends_with(['/', '(', ';']) && !after.starts_with('/') && !after.starts_with(" and 19q")
        })
        .map(|found| Alteration {
            range: found.range(),
            text: view.folded.quote(&found.range()).to_owned(),
            sort: AlterationWord::Variant,
        })
        .collect()
}

fn variants(view: &NoteView<'_>) -> Vec<Alteration> {
    let text = view.folded.as_str();
    VARIANT
        .find_iter(text)
        .filter(|found| view.folded.is_bounded(&found.range()) || found.as_str().ends_with(['*', ')']))
        .map(|found| {
            let words = found.as_str();
            let quoted = view.folded.quote(&found.range()).trim_start_matches('(');
            let balanced = quoted.matches('(').count() == quoted.matches(')').count();
            let quoted = if balanced { quoted } else { quoted.trim_end_matches(')') };
            let in_words = words.contains("exon") || words.contains("codon");
            let text = if in_words { in_digits(&quoted.to_lowercase()) } else { quoted.to_owned() };
            Alteration { range: found.range(), text, sort: AlterationWord::Variant }
        })
        .collect()
}

/// Writes the number of an exon in digits: "exon nineteen" becomes "exon 19".
fn in_digits(words: &str) -> String {
    const NUMBERS: [(&str, &str); 11] = [
        ("nineteen", "19"),
        ("eighteen", "18"),
        ("fourteen", "14"),
        ("fifteen", "15"),
        ("thirteen", "13"),
        ("twelve", "12"),
        ("eleven", "11"),
        ("twenty one", "21"),
        ("twenty-one", "21"),
        ("twenty", "20"),
        ("nine", "9"),
    ];
    NUMBERS
        .iter()
        .find(|(word, _)| words.contains(word))
        .map_or_else(|| words.to_owned(), |(word, number)| words.replace(word, number))
}

/// Returns the kinds of alteration with the adjectives before them: "likely pathogenic germline variant".
fn named(view: &NoteView<'_>, variants: &[Alteration]) -> Vec<Alteration> {
    let genes = view.terms(TermKind::Gene);
    // "TERT promoter" is a name of the gene, in which the adjective "promoter" is no word of the alteration.
    let of_gene = |word: &Mention| {
        let at = genes.partition_point(|gene| gene.range.end <= word.range.start);
        genes.get(at).is_some_and(|gene| gene.range.start <= word.range.start)
    };
    let words: Vec<_> = view.terms(TermKind::Alteration).iter().filter(|word| !of_gene(word)).collect();
    let mut found = Vec::new();
    let mut first: Option<usize> = None;
    for (at, word) in words.iter().enumerate() {
        let adjoining = words.get(at + 1).is_some_and(|next| {
            matches!(view.folded.slice(word.range.end..next.range.start), " " | ", " | "/") && !next.term.is("result")
        });
        let start = *first.get_or_insert(word.range.start);
        if word.term.is("adj") && adjoining {
            continue;
        }
        first = None;
        let range = start..word.range.end;
        let near = variants.partition_point(|variant| variant.range.end <= range.start);
        let inside = variants.get(near).is_some_and(|variant| variant.range.start < range.end);
        let alone = word.term.is("adj") && start == word.range.start;
        if inside || (alone && EMPTY_ALONE.split(' ').any(|adjective| adjective == word.term.spelled)) {
            continue;
        }
        let sort = match word.term {
            term if term.is("result") => AlterationWord::Result,
            term if term.is("adj") => AlterationWord::Quality,
            term if term.is("structural") => AlterationWord::Structural,
            _ => AlterationWord::Named,
        };
        found.push(Alteration { text: normal_form(view.folded.quote(&range)), range, sort });
    }
    found
}

/// Genes whose sign states an alteration. Others are stains of a protein, too: "MLH1+" and "KIT+" are not altered.
const SIGNED: &str = "ALK ROS1 RET NTRK NTRK1 NTRK2 NTRK3 EGFR BRAF KRAS NRAS HRAS IDH1 IDH2 FLT3 NPM1 JAK2 CALR MPL \
                      BRCA BRCA1 BRCA2 PALB2 PIK3CA ESR1 FGFR2 FGFR3";

/// Relatives whose result a sign before them is.
const RELATIVES: [&str; 11] =
    ["mother", "father", "sister", "brother", "daughter", "son ", "aunt", "uncle", "cousin", "relative", "famil"];

/// Signs of a positive result, longest first.
const SIGNS: [&str; 4] = [" +ve", "+ve", " (+)", "+"];

/// Returns the positive signs that directly follow the names of genes.
fn signs(view: &NoteView<'_>) -> Vec<Alteration> {
    let genes = view.terms(TermKind::Gene).iter().filter(|gene| is_one_of(SIGNED, gene.term.name));
    let signs = genes.filter_map(|gene| {
        let after = view.folded.after(gene.range.end, 24);
        let sign = SIGNS.iter().find(|sign| after.starts_with(*sign))?;
        let rest = after.get(sign.len()..)?;
        // "BRAF+MEK" and "BRAF+ MEK inhibitors" are two drugs.
        let ends = rest.is_empty() || rest.starts_with([' ', ',', '.', ';', ')', '/', '|', '\n', ':']);
        let joins = ["mek", "inhib"].iter().any(|word| rest.contains(word));
        // "BRCA1+ mother".
        let of_relative = RELATIVES.iter().any(|relative| rest.trim_start().starts_with(relative));
        (ends && !joins && !of_relative).then(|| Alteration {
            range: gene.range.end..gene.range.end + sign.len(),
            text: "+".to_owned(),
            sort: AlterationWord::Result,
        })
    });
    signs.collect()
}

/// Replaces the forms of a word by one form: "mutated", "mutations" and "mutant" become "mutation".
fn normal_form(words: &str) -> String {
    let mut text = words.to_lowercase();
    for (form, noun) in [
        (" positive", ""),
        ("mutation-positive", "mutation"),
        ("mutations", "mutation"),
        ("mutated", "mutation"),
        ("mutant", "mutation"),
        ("gene mutation", "mutation"),
        ("variants", "variant"),
        ("alterations", "alteration"),
        ("rearranged", "rearrangement"),
        ("rearrangements", "rearrangement"),
        ("translocated", "translocation"),
        ("fusion-positive", "fusion"),
        ("fusions", "fusion"),
        ("amplified", "amplification"),
        ("gene amplification", "amplification"),
        ("losses", "loss"),
        ("lost", "loss"),
        ("gains", "gain"),
        ("gene fusion", "fusion"),
        ("gene rearrangement", "rearrangement"),
    ] {
        if let Some(start) = text.strip_suffix(form) {
            text = format!("{start}{noun}");
        }
    }
    text
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    LazyLock::force(&VARIANT);
    LazyLock::force(&KARYOTYPE);
    LazyLock::force(&ARM);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        compile();
    }

    #[test]
    fn arms_of_chromosomes_are_found() {
        for (text, expected) in [
            ("FISH: 1q gain", "1q gain"),
            ("gain of 1q21", "gain of 1q21"),
            ("loss of chromosome 3p", "loss of chromosome 3p"),
            ("17p deletion", "17p deletion"),
            ("1p loss and 17q gain", "1p loss; 17q gain"),
            ("1p/19q deletion", ""),
            ("gain of 1 pound", ""),
            ("weight loss", ""),
            ("T1q", ""),
        ] {
            let view = NoteView::of(text);
            let found: Vec<_> = arms(&view).into_iter().map(|arm| arm.text).collect();
            assert_eq!(found.join("; "), expected, "{text}");
        }
    }

    #[test]
    fn variants_are_found_in_every_notation() {
        for (text, expected) in [
            ("EGFR p.L858R", "p.L858R"),
            ("BRAF V600E", "V600E"),
            ("BRAF p.Val600Glu", "p.Val600Glu"),
            ("KRAS p.(Gly12Asp)", "p.(Gly12Asp)"),
            ("TP53 R248*", "R248*"),
            ("APC Q1338fs", "Q1338fs"),
            ("EGFR E746_A750del", "E746_A750del"),
            ("EGFR E746-A750del", "E746-A750del"),
            ("EGFR exon 19 deletion", "exon 19 deletion"),
            ("EGFR Exon 19 Del", "exon 19 del"),
            ("EGFR ex19del", "ex19del"),
            ("EGFR 19del", "19del"),
            ("EGFR exon 20 insertion mutation", "exon 20 insertion mutation"),
            ("MET exon 14 skipping", "exon 14 skipping"),
            ("KRAS codon 12 mutation", "codon 12 mutation"),
            ("BRCA1 c.68_69delAG", "c.68_69delAG"),
            ("BRCA1 5382insC", "5382insC"),
            ("BRAF c.1799T>A", "c.1799T>A"),
            ("MET c.3028 G->A", "c.3028 G->A"),
            ("EGFR exon nineteen deletion", "exon 19 deletion"),
            ("EGFR deletion in exon 19", "deletion in exon 19"),
            ("EGFR exon twenty insertion", "exon 20 insertion"),
            ("EGFR p.Leu858Arg", "p.Leu858Arg"),
            ("MSH6:NM_000179.2:exon5:c.3254delC", "c.3254delC"),
            ("EGFR p.L747_P753delinsS", "p.L747_P753delinsS"),
            ("T2N0M0 disease", ""),
            ("12 cycles", ""),
        ] {
            let view = NoteView::of(text);
            let found = variants(&view);
            assert_eq!(found.first().map_or("", |variant| variant.text.as_str()), expected, "{text}");
        }
    }
}
