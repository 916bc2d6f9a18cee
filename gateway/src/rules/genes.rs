//! Gene alterations: a gene and, beside it, a variant or a kind of alteration.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    lexicon::{Kind, Mention},
    view::{Values, View},
};
use crate::extraction::Field;

/// Variants in protein, coding-DNA, exon, codon and legacy notation; looked for once in the whole note.
static VARIANT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(VARIANT_PATTERN).ok());
const VARIANT_PATTERN: &str = concat!(
    r"(?-u:\b)(?:",
    // p.V600E, V600E, p.Val600Glu, R248*, p.(Gly12Asp), Q1756fs, G12X
    r"(?P<protein>(?:p\. ?)?\(?(?:[acdefghiklmnpqrstvwy]|ala|arg|asn|asp|cys|gln|glu|gly|his|ile|leu|lys|met|phe|pro|ser|thr|trp|tyr|val)\d{1,4}",
    r"(?:(?:ala|arg|asn|asp|cys|gln|glu|gly|his|ile|leu|lys|met|phe|pro|ser|thr|trp|tyr|val|ter)(?:fs(?:(?:ter|x|\*)\d{0,3})?)?|[acdefghiklmnpqrstvwy]?fs(?:(?:ter|x|\*)?\d{0,3})|[acdefghiklmnpqrstvwyx]|\*|_[a-z]{1,3}\d{1,4}(?:del|ins|dup|delins)[a-z]{0,12}|[ -]?[a-z]\d{1,4}(?:del|ins|dup|delins)[a-z]{0,12}|del|ins[a-z]{0,6}|dup)\)?)",
    // c.5266dupC, c.68_69delAG, c.1799T>A
    r"|(?P<coding>c\. ?[-*]?\d+(?:[+_-]\d+){0,3}(?:[acgt]>[acgt]|del[acgt]*(?:ins[acgt]+)?|dup[acgt]*|ins[acgt]+))",
    // 185delAG, 5382insC
    r"|(?P<legacy>\d{2,5}(?:del|ins|dup)[acgt]{1,8})",
    // exon 19 deletion, exon 14 skipping, exon 20 insertion, exon 21 L858R
    r"|(?P<exon>(?:in frame )?(?:ex|exon)s? ?\d{1,2}(?:[ -](?:in frame )?(?:deletion|del|insertion|ins|skipping|skip|mutation|mutated|duplication|alteration|rearrangement|variant)s?(?:(?: |-)(?:mutation|alteration|variant)s?)?)|(?:e\d{2}del)|(?:del ?19|19del))",
    r"|(?P<codon>codon \d{1,4}(?: (?:mutation|variant)s?)?)",
    r"|(?P<named>t\(\d{1,2};\d{1,2}\)(?:\([pq]\d{1,2}(?:\.\d)?;[pq]\d{1,2}(?:\.\d)?\))?|viii|itd|tkd|c228t|c250t)",
    r")(?-u:\b)?",
);

/// Genes that a hot-spot variant names by itself.
const HOTSPOTS: [(&str, &str); 5] =
    [("t790m", "EGFR"), ("l858r", "EGFR"), ("v600e", "BRAF"), ("v600k", "BRAF"), ("c797s", "EGFR")];

/// A variant or a kind of alteration, with the words that belong to it.
struct Change {
    range: Range<usize>,
    text: String,
    /// Tells a variant apart from a mere "mutation".
    variant: bool,
    structural: bool,
    /// "Positive", "detected": of use only right behind the gene.
    result: bool,
    /// "Germline", "pathogenic": a quality without its noun.
    lone: bool,
}

/// Reads the gene alterations.
pub(crate) fn read(view: &View<'_>) -> Values {
    let genes = view.terms(Kind::Gene);
    let changes = changes(view);
    let mut values = Values::default();
    let mut used = vec![false; changes.len()];
    let mut index = 0;
    while let Some(first) = genes.get(index) {
        let run = run_of(view, genes, index);
        index += run;
        let names = genes.get(index - run..index).unwrap_or_default();
        let Some(last) = names.last() else { break };
        let fused = run == 2 && is_fusion_gap(view.folded.slice(first.range.end..last.range.start));
        let mut own: Vec<usize> = following(view, &changes, last, genes.get(index));
        if own.is_empty() {
            own = preceding(view, &changes, first, index - run, genes);
        }
        for at in own {
            let Some(change) = changes.get(at) else { continue };
            let stretch = change.range.start.min(first.range.start)..change.range.end.max(last.range.end);
            if fused && change.structural {
                let pair = first.range.start..last.range.end;
                if view.counts(&stretch_end(&pair, &change.range), Field::GeneMutation) {
                    let joint = view.folded.quote(&pair);
                    values.add(format!("{}{}", first.term.name, last.term.name), format!("{joint} {}", change.text));
                }
                continue;
            }
            for gene in names {
                let shared = !change.variant || gene.range == last.range || run == 1;
                if !shared || !is_value(gene, change) {
                    continue;
                }
                let counts = view.counts(&gene.range, Field::GeneMutation)
                    && view.counts(&change.range, Field::GeneMutation)
                    && !is_wild(view, &stretch);
                if let Some(taken) = used.get_mut(at) {
                    *taken = true;
                }
                if counts {
                    let kind = if change.result { "mutation" } else { change.text.as_str() };
                    values.add(
                        format!("{} {}", gene.term.name, kind.to_lowercase()),
                        format!("{} {kind}", gene.term.spelled),
                    );
                }
            }
        }
    }
    for (change, used) in changes.iter().zip(used) {
        let lower = change.text.to_lowercase();
        let known = HOTSPOTS.iter().find(|(name, _)| lower.trim_start_matches("p.") == *name);
        if let Some((name, gene)) = known.filter(|_| !used && view.counts(&change.range, Field::GeneMutation)) {
            values.add(format!("{gene} {name}"), format!("{gene} {}", change.text));
        }
    }
    drop_vague(view, values)
}

/// The alteration with what stands before the gene: "a deleterious germline BRCA2 mutation".
fn kind(view: &View<'_>, gene: &Mention, change: &Change) -> String {
    let mut kind = if change.result { "mutation".to_owned() } else { change.text.clone() };
    let around = view.folded.before(gene.range.start, 10).contains("germline")
        || view.folded.after(change.range.end, 12).contains("germline");
    if change.variant || change.structural {
        return if around { format!("{kind} (germline)") } else { kind };
    }
    let words = view.terms(Kind::Alteration);
    let to = words.partition_point(|word| word.range.end <= gene.range.start);
    let mut edge = gene.range.start;
    for word in words.get(..to).unwrap_or_default().iter().rev() {
        let beside = word.term.is("adj") && view.folded.slice(word.range.end..edge) == " ";
        if !beside {
            break;
        }
        edge = word.range.start;
        if word.term.is("effect") && !kind.contains(word.term.spelled) {
            kind = format!("{} {kind}", word.term.spelled);
        }
    }
    let sentence = view.sentence(gene.range.start);
    let germline = view.folded.slice(sentence.start..sentence.end.min(change.range.end + 20)).contains("germline");
    if germline && !kind.contains("germline") { format!("{kind} (germline)") } else { kind }
}

fn stretch_end(pair: &Range<usize>, change: &Range<usize>) -> Range<usize> {
    pair.start.min(change.start)..pair.end.max(change.end)
}

/// A gene with a variant needs no "mutation" besides.
fn drop_vague(view: &View<'_>, mut values: Values) -> Values {
    for gene in view.terms(Kind::Gene) {
        let name = gene.term.name;
        if values.any(|key| key.starts_with(name) && key.as_bytes().get(name.len()) == Some(&b' ') && is_exact(key)) {
            for vague in
                ["mutation", "mutated", "mutant", "variant", "alteration", "somatic mutation", "activating mutation"]
            {
                values.remove(&format!("{name} {vague}"));
            }
        }
    }
    values
}

fn is_exact(key: &str) -> bool {
    key.bytes().skip_while(|byte| *byte != b' ').any(|byte| byte.is_ascii_digit())
}

/// HER2 amplified and HER2 positive are biomarkers; ER-like proteins are no genes.
fn is_value(gene: &Mention, change: &Change) -> bool {
    let her2 = matches!(gene.term.name, "HER2" | "ERBB2");
    !(her2 && (change.result || change.structural)) && !(gene.term.name == "AR" && change.result)
}

/// Wild-type genes, whatever else is said of them.
fn is_wild(view: &View<'_>, stretch: &Range<usize>) -> bool {
    view.folded.slice(stretch.clone()).contains("wild")
        || view.folded.after(stretch.end, 12).trim_start_matches([' ', ',', '(', ':']).starts_with("wild")
}

/// How many genes from this one on stand in a list: "KRAS, NRAS and BRAF", "EML4-ALK".
fn run_of(view: &View<'_>, genes: &[Mention], index: usize) -> usize {
    let rest = genes.get(index..).unwrap_or_default();
    1 + rest
        .iter()
        .zip(rest.iter().skip(1))
        .take_while(|(one, next)| {
            let gap = view.folded.slice(one.range.end..next.range.start).trim();
            matches!(gap, "," | "/" | "and" | "&" | "or" | ", and" | "" | "::" | ":" | "-" | "+" | "gene and")
        })
        .count()
}

fn is_fusion_gap(gap: &str) -> bool {
    matches!(gap, "/" | "::" | " " | "-" | ":" | "--")
}

/// Words that may stand between a gene and its alteration.
fn is_filler(gap: &str) -> bool {
    const FILLERS: [&str; 52] = [
        "gene",
        "genes",
        "a",
        "an",
        "the",
        "was",
        "is",
        "positive",
        "for",
        "with",
        "exon",
        "showed",
        "testing",
        "test",
        "revealed",
        "identified",
        "harboring",
        "harbouring",
        "by",
        "of",
        "in",
        "on",
        "status",
        "and",
        "codon",
        "p",
        "c",
        "detected",
        "demonstrated",
        "confirmed",
        "found",
        "also",
        "reported",
        "as",
        "(",
        "were",
        "has",
        "had",
        "known",
        "carries",
        "carrying",
        "presence",
        "promoter",
        "coding",
        "sequence",
        "region",
        "that",
        "its",
        "having",
        "present",
        "analysis",
        "both",
    ];
    gap.len() <= 48
        && !gap.contains(['\n', ';'])
        && !gap.contains(". ")
        && gap
            .split([' ', ',', '(', ')', ':', '.', '-', '/', '='])
            .all(|word| word.is_empty() || FILLERS.contains(&word) || word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The alterations behind a gene: variants may follow one another ("L858R and T790M").
fn following(view: &View<'_>, changes: &[Change], gene: &Mention, next: Option<&Mention>) -> Vec<usize> {
    let mut own = Vec::new();
    let mut edge = gene.range.end;
    let limit = next.map_or(usize::MAX, |next| next.range.start);
    let from = changes.partition_point(|change| change.range.start < edge);
    for (at, change) in changes.iter().enumerate().skip(from) {
        let gap = view.folded.slice(edge..change.range.start);
        if change.range.start >= limit || !is_filler(gap) {
            break;
        }
        let beside = gap.len() <= 5 || matches!(gap.trim(), "was" | "is" | "mutation" | "testing");
        if change.result && (!own.is_empty() || !beside) {
            break;
        }
        if change.lone && !change.text.starts_with("frame") && !gap.ends_with('(') {
            edge = change.range.end;
            continue;
        }
        let more_of_same = own.is_empty() || change.variant;
        if more_of_same {
            own.push(at);
        }
        edge = change.range.end;
    }
    own
}

/// The alteration before a gene: "V600E mutation in BRAF", "mutated KRAS", "deletion of exon 19 of EGFR".
fn preceding(view: &View<'_>, changes: &[Change], gene: &Mention, index: usize, genes: &[Mention]) -> Vec<usize> {
    let floor = index.checked_sub(1).and_then(|before| genes.get(before)).map_or(0, |before| before.range.end);
    let to = changes.partition_point(|change| change.range.end <= gene.range.start);
    let Some(at) = to.checked_sub(1) else { return Vec::new() };
    let Some(change) = changes.get(at).filter(|change| change.range.start >= floor && !change.result && !change.lone)
    else {
        return Vec::new();
    };
    let gap = view.folded.slice(change.range.end..gene.range.start);
    let words = gap.trim();
    let tied = matches!(
        words,
        "" | "in"
            | "of"
            | "in the"
            | "of the"
            | "in exon"
            | "in both"
            | "involving"
            | "in gene"
            | "within"
            | "affecting"
            | "involving the"
    ) || (words.starts_with("in exon") && is_filler(gap));
    if tied { vec![at] } else { Vec::new() }
}

/// All alterations of the note, in order.
fn changes(view: &View<'_>) -> Vec<Change> {
    let text = view.folded.as_str();
    let genes = view.terms(Kind::Gene);
    let mut changes = Vec::new();
    if genes.is_empty() && !HOTSPOTS.iter().any(|(name, _)| text.contains(name)) {
        return changes;
    }
    if let Some(pattern) = VARIANT.as_ref() {
        for found in pattern.find_iter(text) {
            if view.folded.is_bounded(&found.range()) || found.as_str().ends_with(['*', ')']) {
                let quoted = view.folded.quote(&found.range());
                let text = quoted.trim_matches(['(', ' ']).to_owned();
                let text = if found.as_str().contains("exon") || found.as_str().contains("codon") {
                    text.to_lowercase()
                } else {
                    text
                };
                let text = if text.matches('(').count() == text.matches(')').count() {
                    text
                } else {
                    text.trim_end_matches(')').to_owned()
                };
                changes.push(Change {
                    range: found.range(),
                    text,
                    variant: true,
                    structural: false,
                    result: false,
                    lone: false,
                });
            }
        }
    }
    let words = view.terms(Kind::Alteration);
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
        // "BRCA1 (germline)", "germline pathogenic variant", "exon 2 missense".
        let range = start..word.range.end;
        if changes.iter().any(|own: &Change| own.variant && own.range.start < range.end && range.start < own.range.end)
        {
            continue;
        }
        let lone_effect = word.term.is("adj")
            && !word.term.is("origin")
            && range.start == word.range.start
            && matches!(
                word.term.spelled,
                "focal"
                    | "point"
                    | "acquired"
                    | "compound"
                    | "double"
                    | "resistance"
                    | "promoter"
                    | "hotspot"
                    | "driver"
                    | "actionable"
                    | "uncommon"
                    | "in-frame"
                    | "high-level"
                    | "heterozygous"
                    | "homozygous"
            );
        if lone_effect || word.term.spelled == "gene mutation" && range.start != word.range.start {
            continue;
        }
        let text = view.folded.quote(&range).to_lowercase();
        changes.push(Change {
            range,
            text: text
                .replace("mutations", "mutation")
                .replace("mutated", "mutation")
                .replace("mutant", "mutation")
                .replace("variants", "variant")
                .replace("rearranged", "rearrangement")
                .replace("amplified", "amplification"),
            variant: false,
            structural: word.term.is("structural"),
            result: word.term.is("result"),
            lone: word.term.is("adj"),
        });
    }
    changes.sort_by_key(|change| (change.range.start, change.range.end));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_compiles() {
        assert!(VARIANT.is_some());
    }
}
