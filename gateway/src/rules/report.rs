//! Parts of a molecular report that do not describe the patient: variants of unknown significance, and the therapies
//! and trials that the report proposes.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    lexicon::TermKind,
    panel_scope,
    view::{NoteView, is_one_of},
};
use crate::statics::pattern;

/// Headings of lists of variants without meaning, up to the end of the heading.
static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| pattern(UNKNOWN_PATTERN));
const UNKNOWN_PATTERN: &str = r"(?-u:\b)(?:(?:genomic |genetic |gene |sequence )?(?:variants?|alterations?|mutations?) of (?:unknown|uncertain|undetermined)(?: clinical)? significance|tier (?:iii|iv|3|4)(?: variants?| alterations?)?|vus|vous|benign variants|likely benign variants|polymorphisms)(?: ?\((?:vus|s)\))?(?: (?:detected|identified|found|reported))?s?";

/// Headings of proposed therapies, up to the end of the heading.
static THERAPIES: LazyLock<Regex> = LazyLock::new(|| pattern(THERAPIES_PATTERN));
const THERAPIES_PATTERN: &str = r"(?-u:\b)(?:(?:fda[ -]?approved |approved |potential |targeted |matched |associated |available |relevant |candidate )*(?:therapies|drugs|treatments|agents|therapy options?|treatment options?|therapeutic options?) (?:with (?:potential |possible )?(?:clinical )?(?:benefit|evidence|resistance|lack of response)|associated with|to consider|for consideration|based on (?:this|the|these)|approved (?:for|in)|in (?:this |patient'?s? |other )?tumou?r types?)|(?:fda[ -]?approved|potential|targeted|matched|therapeutic|actionable) (?:therap(?:y|ies)|drugs|treatments|agents|implications|options)|(?:therapy|drug|treatment) (?:associations?|recommendations|suggestions|match(?:es)?)|drugs? predicted|(?:potentially relevant |matched |available |eligible |open |relevant )?clinical trials?(?: options| matches| to consider| for consideration)?|(?:predicted|likely) (?:sensitivity|resistance|response) to(?: ?:)?|evidence level|therapies|drugs)";

/// Bytes to which a list reaches after its heading.
const REACH: usize = 1500;

/// Returns the stretches whose variants do not count, in order: the lists of variants of unknown significance and the
/// scopes of tests.
pub(crate) fn unknown_variants(view: &NoteView<'_>) -> Vec<Range<usize>> {
    let mut found = lists(view, &UNKNOWN);
    let scopes = panel_scope::stretches(view);
    found.extend(scopes);
    found.sort_by_key(|stretch| stretch.start);
    // Later searches expect that the ends are in order, too.
    found.dedup_by(|next, before| {
        let overlaps = next.start < before.end;
        if overlaps {
            before.end = before.end.max(next.end);
        }
        overlaps
    });
    found
}

/// Returns the lists of therapies that a molecular report proposes. A letter that only says "treatment options" has no
/// such lists: the note must also be, or quote, a report of a sequencing test.
pub(crate) fn proposals<'v>(view: &'v NoteView<'_>) -> &'v [Range<usize>] {
    view.proposals.get_or_init(|| find_proposals(view))
}

fn find_proposals(view: &NoteView<'_>) -> Vec<Range<usize>> {
    const SIGNS: [&str; 15] = [
        "foundation",
        "profil",
        "report",
        "genomic",
        "molecular",
        "sequencing",
        "ngs",
        "gene alteration",
        "variant",
        "mutational burden",
        "vaf",
        "biomarker",
        "fusion",
        "foundationone",
        "guardant",
    ];
    let text = view.folded.as_str();
    if !THERAPIES.is_match(text) {
        return Vec::new();
    }
    let mut found = lists(view, &THERAPIES);
    if !SIGNS.iter().any(|sign| text.contains(sign)) {
        // Beside a gene, a list of trials is such a part, too: "BRAF V600E. Clinical trials: dabrafenib".
        let beside_gene = !view.terms(TermKind::Gene).is_empty();
        found.retain(|list| {
            let label = view.folded.after(list.start, 48).split_once(':').map_or("", |(label, _)| label);
            beside_gene && label.contains("clinical trial")
        });
    }
    found
}

/// Returns the stretches from each heading to the empty line after its list.
fn lists(view: &NoteView<'_>, headings: &Regex) -> Vec<Range<usize>> {
    let mut lists: Vec<Range<usize>> = Vec::new();
    for heading in headings.find_iter(view.folded.as_str()) {
        if covers(&lists, heading.start()) || !is_heading(view, &heading.range()) {
            continue;
        }
        let rest = view.folded.after(heading.end(), REACH);
        let body = rest.trim_start_matches([' ', '\n', ':', '-']);
        let skipped = rest.len() - body.len();
        let mut length = body.find('\n').unwrap_or(body.len());
        // A heading with a colon may begin a sentence; a table has no full stop.
        if rest.trim_start().starts_with(':') {
            length = length.min(body.find(". ").unwrap_or(length));
        }
        length = length.min(next_label(view, heading.end() + skipped, length));
        if tells_of_giving(body.get(..length).unwrap_or_default()) {
            continue;
        }
        lists.push(heading.start()..heading.end() + skipped + length);
    }
    lists
}

/// Returns how many bytes of a list lie before a line that begins with another label: "Pathogenic variants:". The names
/// of genes in a list may have a colon too, unless the list begins on the line of its heading.
fn next_label(view: &NoteView<'_>, start: usize, length: usize) -> usize {
    const LONGEST_LABEL: usize = 40;
    let breaks_line = |at: usize| view.folded.quote(&(at..at + 1)).contains('\n');
    let list = view.folded.slice(start..start + length);
    let on_heading_line = !view.folded.quote(&(start.saturating_sub(1)..start + 1)).contains('\n');
    let mut spaces = list.match_indices(' ').map(|(at, _)| at);
    let label = spaces.find(|&at| {
        let rest = list.get(at + 1..).unwrap_or_default();
        let Some(colon) = rest.find(':').filter(|colon| *colon <= LONGEST_LABEL) else { return false };
        let label = start + at + 1..start + at + 1 + colon;
        let is_label = !rest.get(..colon).unwrap_or_default().contains(['.', ',', ';']);
        is_label && breaks_line(start + at) && (on_heading_line || view.terms_in(TermKind::Gene, &label).is_empty())
    });
    label.unwrap_or(length)
}

/// Returns whether a list is about treatments that the patient received: "Targeted therapy: osimertinib since March".
fn tells_of_giving(list: &str) -> bool {
    const WORDS: &str = "since started commenced began received receiving given daily tolerating tolerated completed \
                         stopped discontinued enrolled cycle cycles";
    list.split(|c: char| !c.is_alphanumeric()).any(|word| is_one_of(WORDS, word))
        || [" from january", " from february", " from march", " from april", " from may", " from june", " from july"]
            .iter()
            .chain(&[
                " from august",
                " from september",
                " from october",
                " from november",
                " from december",
                " from 20",
            ])
            .any(|month| list.contains(month))
}

/// Returns whether words are a heading: they begin a line or a column, or they follow a full stop and a colon follows
/// them.
fn is_heading(view: &NoteView<'_>, words: &Range<usize>) -> bool {
    let Some(before) = words.start.checked_sub(1) else { return true };
    // The source from the white space on, which is one space in the folded text.
    let gap = view.folded.quote(&(before..words.start + 1));
    let column = gap.contains(['\n', '\t', '|', '*', '#']) || gap.starts_with("  ");
    let after = view.folded.after(words.end, 2).trim_start();
    if matches!(view.folded.slice(words.clone()), "therapies" | "drugs") {
        return gap.starts_with("  ") || gap.starts_with(['\t', '|']); // Only as the head of a column.
    }
    column || (view.folded.before(words.start, 2).starts_with(['.', ';']) && after.starts_with([':', '-']))
}

/// Returns whether an offset is in one of these stretches, which are in order.
pub(crate) fn covers(stretches: &[Range<usize>], at: usize) -> bool {
    let index = stretches.partition_point(|stretch| stretch.end <= at);
    stretches.get(index).is_some_and(|stretch| stretch.start <= at)
}

/// Returns whether the words beside a variant say that it does not count: it is of unknown significance, benign, not a
/// variant of the tumour or not a variant at all. "CHEK2 I157T (VUS)", "a variant of uncertain significance in ATM",
/// "DNMT3A R882H considered CHIP", "likely artefact".
pub(crate) fn is_called_unknown(view: &NoteView<'_>, stretch: &Range<usize>) -> bool {
    const WORDS: [&str; 7] = [
        "vus",
        "unknown significance",
        "uncertain significance",
        "undetermined significance",
        "unknown clinical significance",
        "uncertain clinical significance",
        "likely benign",
    ];
    let near = view.around(stretch, 48, 110);
    let before = view.folded.slice(near.start..stretch.start);
    let before = before.rsplit([';', ',']).next().unwrap_or_default();
    let after = view.folded.slice(stretch.end..near.end);
    let inside = view.folded.slice(stretch.clone());
    let follows = said_behind(view, stretch.end, after);
    WORDS.iter().any(|word| {
        let tied = before.rfind(word).is_some_and(|at| {
            let between = before.get(at + word.len()..).unwrap_or_default().trim();
            between.len() <= 14 && !between.contains(" and ")
        });
        tied || inside.contains(word)
    }) || follows
}

/// Returns whether the words after a variant say that it does not count.
fn said_behind(view: &NoteView<'_>, end: usize, after: &str) -> bool {
    const WORDS: [&str; 26] = [
        "vus",
        "tier iii",
        "tier iv",
        "tier 3",
        "tier 4",
        "unknown significance",
        "uncertain significance",
        "undetermined significance",
        "unknown clinical significance",
        "uncertain clinical significance",
        "likely benign",
        "benign polymorphism",
        "benign variant",
        "polymorphism",
        "acmg class 1",
        "acmg class 2",
        "acmg class 3",
        "class 3 variant",
        "class 3 (",
        "class 2 (likely benign",
        "class 1 (benign",
        "chip",
        "clonal hematopoiesis",
        "clonal haematopoiesis",
        "artefact",
        "artifact",
    ];
    const LONGEST: usize = 48;
    /// Words after a comma that introduce a statement about the variant before it.
    const APPOSITIONS: [&str; 16] = [
        " a ",
        " an ",
        " acmg",
        " class ",
        " likely",
        " benign",
        " classified",
        " considered",
        " probably",
        " probable",
        " possible",
        " which ",
        " vus",
        " interpreted",
        " tier",
        " suspected",
    ];
    /// The only words between a variant and what it is called. "Detected with a VUS in ATM" calls another variant so.
    const LINKS: &str = "a an the is was are were be to as of which classified considered interpreted reported regarded \
                         called deemed thought felt likely probable probably possible possibly suspected suspicious \
                         represents representing represent consistent variant variants alteration acmg clinical \
                         currently germline somatic vaf allele frequency at detected identified found c p";
    const UPGRADED: [&str; 3] = ["reclassified as", "reclassified to", "upgraded to"];
    let after = match after.split_once(',') {
        // "BRCA2 c.223G>C, a variant of ..." says it of this variant, "EGFR L858R, VUS in ATM" of another one.
        Some((first, rest)) if first.trim().len() <= 16 && APPOSITIONS.iter().any(|word| rest.starts_with(word)) => {
            let of_other = rest.find(" in ").is_some_and(|at| at <= 24 + " a variant of uncertain".len());
            let same = first.len() + 1 + rest.find([',', ';']).unwrap_or(rest.len());
            if of_other { first } else { after.get(..same).unwrap_or(after) }
        }
        _ => after.split(',').next().unwrap_or_default(),
    };
    let after = after.split(';').next().unwrap_or_default();
    let upgraded = UPGRADED.iter().any(|word| after.contains(word)) && !after.contains("benign");
    let found = WORDS.iter().filter_map(|word| {
        let at = after.find(word)?;
        let whole = !after.get(..at)?.ends_with(char::is_alphanumeric)
            && !after.get(at + word.len()..)?.starts_with(|c: char| c.is_alphanumeric() && c != 's');
        // "Artefact excluded".
        let rest = after.get(at + word.len()..)?;
        let excluded =
            [" excluded", " was excluded", " ruled out", " unlikely"].iter().any(|end| rest.starts_with(end));
        (whole && !excluded).then_some(at)
    });
    let said = found.min().filter(|at| {
        let between = after.get(..*at).unwrap_or_default();
        let consistent = between.replace("consistent with", "consistent");
        let mut words = consistent.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        // "VAF 2%" and the parts of "p.R882H" have digits.
        *at <= LONGEST
            && !between.contains(". ")
            && words.all(|word| is_one_of(LINKS, word) || word.contains(|c: char| c.is_ascii_digit()))
    });
    said.is_some_and(|at| view.terms_in(TermKind::Gene, &(end..end + at)).is_empty()) && !upgraded
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    LazyLock::force(&UNKNOWN);
    panel_scope::compile();
    LazyLock::force(&THERAPIES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        compile();
    }

    #[test]
    fn lists_end_at_an_empty_line() {
        let text = "NGS report\nTHERAPIES WITH CLINICAL BENEFIT\nosimertinib\nafatinib\n\nPrior erlotinib.";
        let view = NoteView::of(text);
        let found = proposals(&view);
        assert_eq!(found.len(), 1);
        let at = |word: &str| view.folded.as_str().find(word).unwrap();
        assert!(covers(found, at("afatinib")));
        assert!(!covers(found, at("erlotinib")));
        for text in
            ["NGS: BRAF V600E. He began targeted therapy with dabrafenib.", "a variant; she joined clinical trials"]
        {
            assert!(proposals(&NoteView::of(text)).is_empty(), "{text}");
        }
        assert_eq!(
            proposals(&NoteView::of("Variant: KRAS G12C. Matched therapies: sotorasib. Given FOLFOX.")).len(),
            1
        );
        assert!(proposals(&NoteView::of("We discussed treatment options: surgery.")).is_empty());
    }

    #[test]
    fn lists_end_before_the_next_label() {
        for (text, inside, outside) in [
            ("NGS report.\nVUS: none detected\nPathogenic variants: KRAS G12D", "none", "kras"),
            ("NGS.\nTier III variants: ATM p.Ser707Pro\nTier I variants: KRAS G12C", "atm", "kras"),
            ("Panel.\nVUS: ATM c.2T>C\nBRCA2: c.5946delT pathogenic", "atm", "brca2"),
            (
                "Variants of unknown significance\nATM: P1054R\nFANCA: S858R\nGenomic findings: EGFR L858R",
                "fanca",
                "egfr",
            ),
        ] {
            let view = NoteView::of(text);
            let at = |word: &str| view.folded.as_str().find(word).unwrap();
            let found = unknown_variants(&view);
            assert!(covers(&found, at(inside)) && !covers(&found, at(outside)), "{text}");
        }
        for text in [
            "Molecular: EGFR L858R.\nTargeted therapy: osimertinib 80 mg daily since March 2023.",
            "NGS: BRAF V600E.\nTargeted therapy: encorafenib and binimetinib from May 2022.",
            "Biomarker report.\nClinical trial: she received sotorasib on the CodeBreaK 200 study.",
        ] {
            assert!(proposals(&NoteView::of(text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn variants_of_unknown_significance_are_told() {
        let view = NoteView::of("Variants of unknown significance:\nATM P1054R, FANCA S858R\n\nEGFR L858R");
        let found = unknown_variants(&view);
        let at = |word: &str| view.folded.as_str().find(word).unwrap();
        assert!(covers(&found, at("fanca")) && !covers(&found, at("l858r")));
        for (text, gene, unknown) in [
            ("a CHEK2 variant of uncertain significance", "chek2", true),
            ("CHEK2 I157T (VUS)", "chek2 i157t", true),
            ("a VUS in ATM", "atm", true),
            ("BRCA1 c.68_69delAG, and a VUS in ATM", "brca1", false),
            ("EGFR L858R; VUS in ATM", "egfr l858r", false),
            ("PALB2 c.2816T>G, a variant of uncertain significance.", "palb2 c.2816t>g", true),
            ("PALB2 c.2816T>G was classified as a variant of uncertain significance", "palb2 c.2816t>g", true),
            ("BRCA2 c.223G>C, ACMG class 3.", "brca2 c.223g>c", true),
            ("BRCA2 p.Ala75Pro, class 2 (likely benign).", "brca2 p.ala75pro", true),
            ("BRCA2 p.Lys3326*: benign polymorphism.", "brca2 p.lys3326*", true),
            ("DNMT3A R882H considered CHIP, not tumour-derived.", "dnmt3a r882h", true),
            ("KRAS G12C likely artefact, not reported.", "kras g12c", true),
            ("KRAS G12C is not an artefact.", "kras g12c", false),
            ("KRAS G12C (artefact excluded)", "kras g12c", false),
            ("EGFR L858R, a VUS in ATM", "egfr l858r", false),
            ("EGFR L858R and ATM p.Ser707Pro (VUS)", "egfr l858r", false),
            ("BRCA2 c.223G>C, a VUS reclassified as pathogenic", "brca2 c.223g>c", false),
            ("BRAF D594G, class 3", "braf d594g", false),
            ("KRAS G12C in a chipped block", "kras g12c", false),
            ("EGFR L858R detected with a VUS in ATM.", "egfr l858r", false),
            ("ATM p.S707P (Tier III)", "atm p.s707p", true),
            ("KEAP1 | R470C | Tier 3", "keap1 | r470c", true),
            ("EGFR L858R (Tier I), ATM S707P (Tier III)", "egfr l858r", false),
            ("EGFR L858R (Tier I/II)", "egfr l858r", false),
            ("EGFR L858R detected plus one VUS.", "egfr l858r", false),
            ("KRAS G12D mutation with a UGT1A1*28 polymorphism.", "kras g12d", false),
            ("KRAS G12C detected despite fixation artefact.", "kras g12c", false),
            ("TP53 R273H is unlikely to be CHIP.", "tp53 r273h", false),
            ("TP53 R273H confirmed in tissue, excluding CHIP.", "tp53 r273h", false),
            ("EGFR L858R in a sample with crush artefact.", "egfr l858r", false),
            ("BRCA2 c.8488-1G>A reclassified from VUS to pathogenic.", "brca2 c.8488-1g>a", false),
            ("DNMT3A R882H, VAF 2%, likely clonal haematopoiesis.", "dnmt3a r882h", false),
            ("DNMT3A R882H (VAF 2%) is consistent with clonal haematopoiesis.", "dnmt3a r882h", true),
        ] {
            let view = NoteView::of(text);
            let start = view.folded.as_str().find(gene).unwrap();
            assert_eq!(is_called_unknown(&view, &(start..start + gene.len())), unknown, "{text}");
        }
    }
}
