//! Reads gene alterations: a gene with a variant or a kind of alteration next to it.

use std::{collections::HashSet, ops::Range};

use super::{
    alterations::{self, Alteration, AlterationWord},
    cancer::Diagnosis,
    control_tissue, fusions, gene_results,
    lexicon::{Mention, TermKind},
    meanings, report,
    view::{NoteView, Values, is_one_of},
};
use crate::extraction::Field;

/// Variants that imply their gene.
const HOTSPOTS: [(&str, &str); 5] =
    [("t790m", "EGFR"), ("l858r", "EGFR"), ("v600e", "BRAF"), ("v600k", "BRAF"), ("c797s", "EGFR")];

/// Words that may be between a gene and its alteration.
const FILLERS: &str = "gene genes a an the was is positive for with exon showed testing test revealed identified \
                       harboring harbouring by of in on status and codon p c detected demonstrated confirmed found \
                       also reported as were has had known carries carrying presence promoter coding sequence region \
                       that its having present analysis both";

/// Words that may be between an alteration and the gene after it.
const LINKS: [&str; 12] = [
    "",
    "in",
    "of",
    "in the",
    "of the",
    "in both",
    "involving",
    "in gene",
    "within",
    "affecting",
    "involving the",
    "in exon",
];

/// Reads the gene alterations of a note.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Values {
    let unknown = report::unknown_variants(view);
    let genes = view.terms(TermKind::Gene);
    let alterations = alterations::all(view);
    let words = WordOffsets::of(view);
    let mut values = Values::default();
    let mut linked = HashSet::new();
    let mut index = 0;
    while let Some(first) = genes.get(index) {
        let floor = index.checked_sub(1).and_then(|before| genes.get(before)).map_or(0, |before| before.range.end);
        let run = genes.get(index..index + run_of(view, genes, index)).unwrap_or_default();
        index += run.len().max(1);
        let Some(last) = run.last() else { continue };
        if report::covers(&unknown, first.range.start) || (run.len() == 1 && meanings::is_another(view, first)) {
            continue;
        }
        let pair = match run {
            [_] => fusions::with_partner(view, &first.range),
            _ => None,
        };
        let limit = genes.get(index).map_or(usize::MAX, |next| next.range.start);
        let mut alterations_of_run = following(
            view,
            &alterations,
            pair.as_ref().unwrap_or(&last.range),
            limit,
            gene_results::shows_fusion(last),
        );
        // "A T315I mutation in ABL1 was detected": the alteration before the gene is more specific than the result.
        let result_only = alterations_of_run
            .iter()
            .all(|at| alterations.get(*at).is_some_and(|found| found.sort == AlterationWord::Result));
        if let Some(before) = preceding(view, &alterations, first, floor).filter(|_| result_only) {
            alterations_of_run = vec![before];
        }
        linked.extend(alterations_of_run.iter().copied());
        let joint = first.range.start..last.range.end;
        // "AML with FLT3-ITD": the name says what is altered.
        let itself =
            alterations_of_run.is_empty() && ["-ITD", "-TKD"].iter().any(|end| last.term.spelled.ends_with(end));
        if itself && view.enters_record(&last.range, Field::GeneMutation) {
            values.add(last.term.spelled.to_lowercase(), last.term.spelled);
        }
        if alterations_of_run.is_empty()
            && run.len() == 2
            && first.term.name != "BCR"
            && fusions::is_joined(view, &(first.range.end..last.range.start))
        {
            add_fusion(view, &mut values, &joint);
        }
        if let Some(pair) = pair {
            add_fusion(view, &mut values, &pair);
            let fused = |at: &usize| {
                alterations
                    .get(*at)
                    .is_none_or(|found| !matches!(found.sort, AlterationWord::Variant | AlterationWord::Quality))
            };
            alterations_of_run.retain(|at| !fused(at));
        }
        for alteration in alterations_of_run.iter().filter_map(|at| alterations.get(*at)) {
            link(view, &words, &mut values, run, alteration);
        }
    }
    for (at, alteration) in alterations.iter().enumerate() {
        let name = alteration.text.to_lowercase();
        let gene = HOTSPOTS.iter().find(|(variant, _)| name.trim_start_matches("p.") == *variant);
        let counts = |_: &_| {
            !linked.contains(&at)
                && !report::covers(&unknown, alteration.range.start)
                && enters_record(view, alteration)
        };
        if let Some((_, gene)) = gene.filter(counts) {
            values.add(format!("{gene} {name}"), format!("{gene} {}", alteration.text));
        }
    }
    for arm in alterations::arms(view)
        .iter()
        .filter(|arm| enters_record(view, arm) && !report::covers(&unknown, arm.range.start))
    {
        values.add(arm.text.to_lowercase(), arm.text.as_str());
    }
    if diagnosis.haematologic {
        for aberration in alterations::karyotype(view).iter().filter(|aberration| enters_record(view, aberration)) {
            values.add(aberration.text.to_lowercase(), aberration.text.as_str());
        }
    }
    drop_vague(&mut values);
    values
}

fn enters_record(view: &NoteView<'_>, alteration: &Alteration) -> bool {
    let of_control = alteration.sort == AlterationWord::Result && control_tissue::follows(view, &alteration.range);
    !of_control && view.enters_record(&alteration.range, Field::GeneMutation)
}

/// Adds a fusion of two genes without an alteration beside them, if the pair is known for its fusion or the text near it
/// refers to one.
fn add_fusion(view: &NoteView<'_>, values: &mut Values, pair: &Range<usize>) {
    let named = fusions::speaks_of_fusion(view, pair);
    if (named || fusions::is_known(view.folded.quote(pair))) && view.enters_record(pair, Field::GeneMutation) {
        let name = view.folded.quote(pair);
        let noun = if named { " fusion" } else { "" };
        values.add(format!("{} fusion", name.to_lowercase()), format!("{name}{noun}"));
    }
}

/// Offsets of words that are checked for many genes and alterations. The note is searched for each word once.
struct WordOffsets {
    wild: Vec<usize>,
    germline: Vec<usize>,
}

impl WordOffsets {
    fn of(view: &NoteView<'_>) -> Self {
        let offsets = |word: &str| view.folded.places(word).collect();
        Self { wild: offsets("wild"), germline: offsets("germline") }
    }

    /// Returns whether a stretch contains a word of `length` bytes at one of these offsets.
    fn any_in(offsets: &[usize], length: usize, stretch: &Range<usize>) -> bool {
        let first = offsets.get(offsets.partition_point(|at| *at < stretch.start));
        first.is_some_and(|at| at + length <= stretch.end)
    }
}

/// Adds the values that a run of genes and one alteration state together.
fn link(view: &NoteView<'_>, words: &WordOffsets, values: &mut Values, run: &[Mention], alteration: &Alteration) {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
    let joint = first.range.start..last.range.end;
    let gap = view.folded.slice(first.range.end..last.range.start);
    let fused = run.len() == 2 && matches!(gap, "/" | "::" | " " | "-" | ":" | "--");
    let joined = fused && fusions::is_joined(view, &(first.range.end..last.range.start));
    let partners = (fused && gap != "/" && alteration.sort == AlterationWord::Result)
        || (joined && alteration.sort == AlterationWord::Named);
    if partners && first.term.name == "BCR" {
        return; // BCR-ABL1 with a result is a biomarker.
    }
    if joined && alteration.sort == AlterationWord::Variant && !alteration.text.contains("exon") {
        // "BCR-ABL T315I": a variant of the fused protein.
        if enters_record(view, alteration) && view.enters_record(&joint, Field::GeneMutation) {
            let kind = &alteration.text;
            values.add(
                format!("{} {}", last.term.name, kind.to_lowercase()),
                format!("{} {kind}", view.folded.quote(&joint)),
            );
        }
        return;
    }
    if partners || (fused && alteration.sort == AlterationWord::Structural) {
        let kind = if partners { "fusion" } else { alteration.text.as_str() };
        if enters_record(view, alteration) && view.enters_record(&joint, Field::GeneMutation) {
            let pair = format!("{} {}", first.term.name, last.term.name);
            let gap = view.folded.slice(last.range.end..alteration.range.start.max(last.range.end));
            // The breakpoints are between the partners and the word "fusion", so the partners alone are quoted.
            let kind = if without_breakpoint(gap) == gap { kind } else { "" };
            values.add(pair, format!("{} {kind}", view.folded.quote(&joint)).trim_end());
        }
        return;
    }
    // "KRAS and TP53 R248Q": a variant belongs to the gene directly before it. Of the alterations after a run at most
    // one is not a variant (see `following`), so the work grows with genes plus variants, not with their product.
    let affected =
        if alteration.sort == AlterationWord::Variant { run.get(run.len() - 1..).unwrap_or_default() } else { run };
    for gene in affected {
        let stretch = gene.range.start.min(alteration.range.start)..gene.range.end.max(alteration.range.end);
        if !WordOffsets::any_in(&words.wild, "wild".len(), &stretch)
            && is_mutation(gene, alteration)
            && !is_of_expression(view, alteration, &stretch)
            && !report::is_called_unknown(view, &stretch)
            && enters_record(view, alteration)
            && view.enters_record(&gene.range, Field::GeneMutation)
        {
            let positive = alteration.sort == AlterationWord::Result && gene_results::shows_fusion(gene);
            let kind = if positive { "positive".to_owned() } else { worded(view, words, first, alteration) };
            values.add(format!("{} {}", gene.term.name, kind.to_lowercase()), format!("{} {kind}", gene.term.spelled));
        }
    }
}

/// Returns whether the alteration is a mutation. An amplified or positive HER2 is a biomarker, as is an expressed
/// receptor.
fn is_mutation(gene: &Mention, alteration: &Alteration) -> bool {
    let copies = alteration.text.ends_with("loss") || alteration.text.ends_with("gain");
    match gene.term.name {
        // A lost repair protein is the biomarker dMMR.
        "HER2" | "ERBB2" | "MLH1" | "MSH2" | "MSH6" | "PMS2" | "AR" if copies => false,
        "HER2" | "ERBB2" => !matches!(alteration.sort, AlterationWord::Result | AlterationWord::Structural),
        "AR" | "BCL2" | "BCL6" | "MYC" | "PAX8" | "GATA3" | "WT1" | "HER3" => alteration.sort != AlterationWord::Result,
        _ => true,
    }
}

/// Returns whether a loss or gain is one of expression ("loss of PTEN expression") or of something else ("loss of
/// response"), and so not an alteration of the gene.
fn is_of_expression(view: &NoteView<'_>, alteration: &Alteration, stretch: &Range<usize>) -> bool {
    const PROTEIN: [&str; 7] = ["expression", "staining", "immuno", "nuclear", "protein", "by ihc", "(ihc"];
    if !alteration.text.ends_with("loss") && !alteration.text.ends_with("gain") {
        return false;
    }
    let after = view.folded.after(stretch.end, 24).trim_start();
    let after = after.strip_prefix("of ").map_or((false, after), |rest| (alteration.range.end == stretch.end, rest));
    let inside = view.folded.slice(stretch.clone());
    let copies = ["function", "heterozygosity", "copies", "one", "both", "chromosome"];
    PROTEIN.iter().any(|word| after.1.starts_with(word) || inside.contains(word))
        || (after.0 && !copies.iter().any(|word| after.1.starts_with(word)))
}

/// Returns the words of the alteration with the adjectives before the gene: "a deleterious germline BRCA2 mutation".
fn worded(view: &NoteView<'_>, words: &WordOffsets, gene: &Mention, alteration: &Alteration) -> String {
    let mut kind =
        if alteration.sort == AlterationWord::Result { "mutation".to_owned() } else { alteration.text.clone() };
    let span = gene.range.start.min(alteration.range.start)..gene.range.end.max(alteration.range.end);
    let exact = matches!(alteration.sort, AlterationWord::Variant | AlterationWord::Structural);
    if !exact {
        let kinds = view.terms(TermKind::Alteration);
        let to = kinds.partition_point(|word| word.range.end <= gene.range.start);
        let mut edge = gene.range.start;
        for word in kinds.get(..to).unwrap_or_default().iter().rev().take(3) {
            if !word.term.is("adj") || view.folded.slice(word.range.end..edge) != " " {
                break;
            }
            edge = word.range.start;
            if word.term.is("effect") && !kind.contains(word.term.spelled) {
                kind = format!("{} {kind}", word.term.spelled);
            }
        }
    }
    let (before, after) = if exact { (10, 12) } else { (80, 20) };
    let germline = WordOffsets::any_in(&words.germline, "germline".len(), &view.around(&span, before, after));
    if germline && !kind.contains("germline") { format!("{kind} (germline)") } else { kind }
}

/// Drops vague values such as "KRAS mutation" for genes that also have an exact variant.
fn drop_vague(values: &mut Values) {
    const VAGUE: &str = "mutation mutated mutant variant alteration aberration aberrations somatic activating pathogenic germline (germline)";
    let is_exact =
        |key: &str| key.split_once(' ').is_some_and(|(_, kind)| kind.bytes().any(|byte| byte.is_ascii_digit()));
    let exact: HashSet<String> =
        values.keys().filter(|key| is_exact(key)).filter_map(|key| key.split(' ').next().map(str::to_owned)).collect();
    values.retain(|key| {
        let (gene, kind) = key.split_once(' ').unwrap_or((key, ""));
        !exact.contains(gene) || is_exact(key) || !kind.split(' ').all(|word| is_one_of(VAGUE, word))
    });
}

/// Returns the number of genes in the list that starts at this gene: "KRAS, NRAS and BRAF", "EML4-ALK".
fn run_of(view: &NoteView<'_>, genes: &[Mention], index: usize) -> usize {
    let rest = genes.get(index..).unwrap_or_default();
    let joined = |(gene, next): &(&Mention, &Mention)| {
        let gap = view.folded.slice(gene.range.end..next.range.start).trim();
        matches!(gap, "," | "/" | "and" | "&" | "or" | ", and" | "" | "::" | ":" | "-" | "+" | "gene and")
    };
    let fused = |at: usize| match (rest.get(at), rest.get(at + 1)) {
        (Some(gene), Some(next)) => fusions::is_joined(view, &(gene.range.end..next.range.start)),
        _ => false,
    };
    // "EML4-ALK and KIF5B-RET fusions" are two pairs, not a list of four genes.
    if fused(0) {
        return 2;
    }
    let pairs = rest.iter().zip(rest.iter().skip(1)).enumerate();
    1 + pairs.take_while(|(at, pair)| joined(pair) && !fused(at + 1)).count()
}

fn is_filler(gap: &str) -> bool {
    let gap = without_breakpoint(gap);
    gap.len() <= 48
        && !gap.contains(['\n', ';'])
        && !gap.contains(". ")
        && gap.split([' ', ',', '(', ')', ':', '.', '-', '/', '=', '|']).all(|word| {
            word.is_empty()
                || is_one_of(FILLERS, word)
                || word.bytes().all(|byte| byte.is_ascii_digit())
                || is_reference(word)
        })
}

/// Returns whether a word names a reference sequence or an exon of it, as in `MSH6:NM_000179.2:exon5:c.3254delC`.
fn is_reference(word: &str) -> bool {
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    ["nm_", "np_", "nr_", "xm_", "enst", "ensp", "ensg", "lrg_", "exon", "ex"]
        .iter()
        .any(|prefix| word.strip_prefix(prefix).is_some_and(digits))
}

/// Returns the gap without the breakpoints of a fusion at its beginning: " (e13;a20) ".
fn without_breakpoint(gap: &str) -> &str {
    let Some((inside, rest)) = gap.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return gap;
    };
    let part = |part: &str| {
        part.len() <= 8
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    match inside.split_once([';', ':', '-']) {
        Some((five, three)) if part(five.trim()) && part(three.trim()) => rest,
        _ => gap,
    }
}

/// Returns the alterations after a gene. Several variants may follow one another ("L858R and T790M").
fn following(
    view: &NoteView<'_>,
    alterations: &[Alteration],
    gene: &Range<usize>,
    limit: usize,
    of_fusion: bool,
) -> Vec<usize> {
    let mut found = Vec::new();
    let mut edge = gene.end;
    let from = alterations.partition_point(|alteration| alteration.range.start < edge);
    for (at, alteration) in alterations.iter().enumerate().skip(from) {
        let gap = view.folded.slice(edge..alteration.range.start);
        let of_test = alteration.sort == AlterationWord::Result && of_fusion && gene_results::is_of_test(gap);
        if alteration.range.start >= limit || !(of_test || is_filler(gap)) {
            break;
        }
        let beside = of_test || gap.len() <= 5 || matches!(gap.trim(), "was" | "is" | "mutation" | "testing");
        if gene_results::precedes_variant(view, alterations, at, found.last().copied()) {
            edge = alteration.range.end;
            continue;
        }
        if alteration.sort == AlterationWord::Result && (!found.is_empty() || !beside) {
            break;
        }
        edge = alteration.range.end;
        let bare_quality =
            alteration.sort == AlterationWord::Quality && !alteration.text.starts_with("frame") && !gap.ends_with('(');
        if !bare_quality && (found.is_empty() || alteration.sort == AlterationWord::Variant) {
            found.push(at);
        }
    }
    found
}

/// Returns the alteration before a gene: "V600E mutation in BRAF", "mutated KRAS", "deletion of exon 19 of EGFR".
fn preceding(view: &NoteView<'_>, alterations: &[Alteration], gene: &Mention, floor: usize) -> Option<usize> {
    let last = alterations.partition_point(|alteration| alteration.range.end <= gene.range.start).checked_sub(1)?;
    let usable = |at: usize| {
        alterations.get(at).filter(|found| {
            found.range.start >= floor && !matches!(found.sort, AlterationWord::Result | AlterationWord::Quality)
        })
    };
    let nearest = usable(last)?;
    let gap = view.folded.slice(nearest.range.end..gene.range.start).trim();
    let tied = LINKS.contains(&gap) || (gap.starts_with("in exon") && is_filler(gap));
    if !tied {
        return None;
    }
    // "A T315I mutation in ABL1": the variant is more specific than the noun after it.
    let before = last.checked_sub(1).filter(|at| {
        usable(*at).is_some_and(|found| {
            found.sort == AlterationWord::Variant && view.folded.slice(found.range.end..nearest.range.start) == " "
        })
    });
    before.or(Some(last))
}

#[cfg(test)]
mod tests;
