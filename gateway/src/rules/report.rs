//! Parts of a molecular report that say nothing of the patient: variants of unknown significance, and the therapies and
//! trials that the report proposes.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::view::NoteView;
use crate::statics::pattern;

/// Headings of lists of variants without meaning, up to the end of the heading.
static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| pattern(UNKNOWN_PATTERN));
const UNKNOWN_PATTERN: &str = r"(?-u:\b)(?:(?:genomic |genetic |gene |sequence )?(?:variants?|alterations?|mutations?) of (?:unknown|uncertain|undetermined)(?: clinical)? significance|vus|vous|benign variants|likely benign variants|polymorphisms)(?: ?\((?:vus|s)\))?(?: (?:detected|identified|found|reported))?s?";

/// Headings of proposed therapies, up to the end of the heading.
static THERAPIES: LazyLock<Regex> = LazyLock::new(|| pattern(THERAPIES_PATTERN));
const THERAPIES_PATTERN: &str = r"(?-u:\b)(?:(?:fda[ -]?approved |approved |potential |targeted |matched |associated |available |relevant |candidate )*(?:therapies|drugs|treatments|agents|therapy options?|treatment options?|therapeutic options?) (?:with (?:potential |possible )?(?:clinical )?(?:benefit|evidence|resistance|lack of response)|associated with|to consider|for consideration|based on (?:this|the|these)|approved (?:for|in)|in (?:this |patient'?s? |other )?tumou?r types?)|(?:fda[ -]?approved|potential|targeted|matched|therapeutic|actionable) (?:therap(?:y|ies)|drugs|treatments|agents|implications|options)|(?:therapy|drug|treatment) (?:associations?|recommendations|suggestions|match(?:es)?)|drugs? predicted|(?:potentially relevant |matched |available |eligible |open |relevant )?clinical trials?(?: options| matches| to consider| for consideration)?|(?:predicted|likely) (?:sensitivity|resistance|response) to(?: ?:)?|evidence level|therapies|drugs)";

/// Bytes to which a list reaches after its heading.
const REACH: usize = 1500;

/// Returns the lists of variants of unknown significance.
pub(crate) fn unknown_variants(view: &NoteView<'_>) -> Vec<Range<usize>> {
    lists(view, &UNKNOWN)
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
    if THERAPIES.is_match(text) && SIGNS.iter().any(|sign| text.contains(sign)) {
        lists(view, &THERAPIES)
    } else {
        Vec::new()
    }
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
        lists.push(heading.start()..heading.end() + skipped + length);
    }
    lists
}

/// Returns whether words are a heading: they begin a line or a column, or they follow a full stop and a colon follows them.
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

/// Returns whether the words beside a variant call it one of unknown significance: "CHEK2 I157T (VUS)", "a variant of
/// uncertain significance in ATM".
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
    let near = view.around(stretch, 48, 40);
    let before = view.folded.slice(near.start..stretch.start);
    let before = before.rsplit([';', ',']).next().unwrap_or_default();
    let after = view.folded.slice(stretch.end..near.end);
    let after = after.split([';', ',']).next().unwrap_or_default();
    let inside = view.folded.slice(stretch.clone());
    WORDS.iter().any(|word| {
        let tied = before.rfind(word).is_some_and(|at| {
            let between = before.get(at + word.len()..).unwrap_or_default().trim();
            between.len() <= 14 && !between.contains(" and ")
        });
        let follows = after.find(word).is_some_and(|at| {
            let between = after.get(..at).unwrap_or_default();
            between.len() <= 24 && !between.contains(" and ") && !between.contains(". ")
        });
        tied || follows || inside.contains(word)
    })
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    LazyLock::force(&UNKNOWN);
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
        ] {
            let view = NoteView::of(text);
            let start = view.folded.as_str().find(gene).unwrap();
            assert_eq!(is_called_unknown(&view, &(start..start + gene.len())), unknown, "{text}");
        }
    }
}
