//! Finds the sentences that list what a molecular test looks for, which are no results: "Assay covers EGFR, ALK and BRAF
//! V600E", "Variants tested: KRAS G12C, G12D".

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::view::NoteView;
use crate::statics::pattern;

/// The words that introduce the scope of a test.
static SCOPE: LazyLock<Regex> = LazyLock::new(|| pattern(SCOPE_PATTERN));
const SCOPE_PATTERN: &str = concat!(
    r"(?-u:\b)(?:(?:assay|panel|test|kit|platform|method|testing|sequencing)s? (?:[a-z0-9+-]{1,16} ){0,3}?",
    r"(?:covers|covering|includes|included|including|interrogates|targets|assesses|assessed|analy[sz]es|analy[sz]ed|evaluates|evaluated|screens for",
    r"|is designed to detect|is designed to identify|can detect|is able to detect|detects mutations in|detects the following)",
    r"|(?:genes|regions|hotspots|exons|codons|targets|variants|mutations|alterations) (?:tested|analy[sz]ed|covered|included|interrogated|assessed|evaluated|sequenced|examined|screened)(?: for)?(?: by this (?:assay|panel|test))?:)",
);

/// Returns the stretches from such words to the end of their sentence, in order. A sentence that tells a result, too, is
/// none: "the panel includes KRAS G12C, which was detected".
pub(super) fn stretches(view: &NoteView<'_>) -> Vec<Range<usize>> {
    const RESULTS: [&str; 8] = ["detected", "identified", "found", "positive", "revealed", "showed", "harbo", "wild"];
    let text = view.folded.as_str();
    let stretches = SCOPE.find_iter(text).map(|words| words.start()..view.sentence(words.start()).end);
    stretches
        .filter(|stretch| {
            let listed = view.folded.after(stretch.start, stretch.len().min(600));
            !RESULTS.iter().any(|word| listed.contains(word))
        })
        .collect()
}

/// Compiles the pattern before a note needs it.
pub(super) fn compile() {
    LazyLock::force(&SCOPE);
}

#[cfg(test)]
mod tests {
    use crate::rules::{cancer, genes, view::NoteView};

    #[test]
    fn the_scope_of_a_test_is_no_result() {
        for (note, expected) in [
            ("Lung cancer. Assay covers EGFR, ALK, BRAF V600E and KRAS G12C. No alterations detected.", ""),
            ("Lung cancer. The hotspot panel includes BRAF V600E. Result: KRAS G12C detected.", "KRAS G12C"),
            ("Colon cancer. The panel used here covers KRAS codons 12 and 13; BRAF V600E. All wild type.", ""),
            ("Colon cancer. Variants tested: KRAS G12C, KRAS G12D.\nResult: KRAS G12D.", "KRAS G12D"),
            ("Colon cancer. Genes tested: KRAS, BRAF. Findings: BRAF V600E.", "BRAF V600E"),
            ("Melanoma. The kit can detect BRAF V600E and V600K.", ""),
            ("Lung cancer. The panel included KRAS G12C, which was detected.", "KRAS G12C"),
            ("Lung cancer. Panel testing: EGFR L858R.", "EGFR L858R"),
            ("Lung cancer. Sequencing showed EGFR L858R, including in plasma.", "EGFR L858R"),
        ] {
            let view = NoteView::of(note);
            let read = genes::read(&view, &cancer::read(&view)).joined();
            assert_eq!(read.unwrap_or_default(), expected, "{note}");
        }
    }
}
