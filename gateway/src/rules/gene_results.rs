//! Results of a gene that no word directly beside its name states: after the name of the test ("ALK FISH: positive"), or
//! in parentheses ("mutation detected (p.G12D)").

use super::{
    alterations::{Alteration, AlterationWord},
    lexicon::Mention,
    view::{NoteView, is_one_of},
};

/// Genes whose altered form is a fusion, which a stain or FISH shows: a positive test does not say "mutation".
const FUSED: &str = "ALK ROS1 RET NTRK NTRK1 NTRK2 NTRK3";

/// Words between such a gene and the result of its test.
const OF_TEST: &str = "ihc fish immunohistochemistry immunohistochemical immunostain immunostaining d5f3 sp384 break \
                       apart rearrangement test testing result results stain staining protein was is by on the clone \
                       ventana pan trk";

/// Returns whether a positive result of the gene shows a fusion.
pub(super) fn shows_fusion(gene: &Mention) -> bool {
    is_one_of(FUSED, gene.term.name)
}

/// Returns whether the words between a gene and a result name the test: "ALK IHC positive", "ROS1 FISH: positive".
pub(super) fn is_of_test(gap: &str) -> bool {
    let mut words = gap.split([' ', ':', ',', '(', ')', '=', '|', '-']).filter(|word| !word.is_empty()).peekable();
    gap.len() <= 48 && words.peek().is_some() && words.all(|word| is_one_of(OF_TEST, word))
}

/// Returns whether a result repeats the noun before it, and the variant that was detected follows in parentheses:
/// "mutation detected (p.G12D)".
pub(super) fn precedes_variant(
    view: &NoteView<'_>,
    alterations: &[Alteration],
    at: usize,
    before: Option<usize>,
) -> bool {
    let Some(result) = alterations.get(at).filter(|found| found.sort == AlterationWord::Result) else { return false };
    let noun = before.and_then(|before| alterations.get(before));
    noun.is_some_and(|noun| {
        noun.sort == AlterationWord::Named && view.folded.slice(noun.range.end..result.range.start).trim().is_empty()
    }) && alterations.get(at + 1).is_some_and(|next| {
        next.sort == AlterationWord::Variant && view.folded.slice(result.range.end..next.range.start) == " ("
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::{cancer, genes, view::NoteView};

    #[test]
    fn signs_and_tests_state_alterations() {
        for (note, expected) in [
            ("Lung adenocarcinoma, ALK+, on alectinib.", "ALK positive"),
            ("Lung adenocarcinoma. EGFR+, ROS1 -ve.", "EGFR mutation"),
            ("Metastatic ROS1 +ve lung adenocarcinoma", "ROS1 positive"),
            ("Lung adenocarcinoma. ALK (+), EGFR (-).", "ALK positive"),
            ("Lung adenocarcinoma. ALK IHC positive (D5F3).", "ALK positive"),
            ("Lung adenocarcinoma. ALK FISH: positive in 60% of nuclei.", "ALK positive"),
            ("Lung adenocarcinoma. ALK by IHC was positive.", "ALK positive"),
            ("Lung adenocarcinoma. ALK IHC negative, ROS1 FISH not detected.", ""),
            ("Lung adenocarcinoma. ALK-, ROS1-, EGFR-.", ""),
            ("Melanoma on BRAF+MEK inhibitors, later BRAF+ MEK inhibition.", ""),
            ("Colon cancer. IHC: MLH1+, MSH2+, MSH6+, PMS2+.", ""),
            ("GIST, KIT+, DOG1+.", ""),
            ("Breast cancer. BRCA1+ mother, patient untested.", ""),
            ("Lung cancer. ALK FISH test positive control adequate, result negative.", ""),
            ("AML with FLT3-ITD.", "FLT3-ITD"),
            ("AML, NPM1+, FLT3 wild type.", "NPM1 mutation"),
            ("AML, FLT3-ITD not detected.", ""),
            ("Ewing sarcoma, EWSR1-FLI1.", "EWSR1-FLI1"),
            ("Solitary fibrous tumour, NAB2-STAT6 fusion.", "NAB2-STAT6 fusion"),
            ("Lung adenocarcinoma with MET amp.", "MET amp"),
            ("Pancreatic cancer. KRAS: mutation detected (p.G12D).", "KRAS p.G12D"),
            ("Colon cancer. KRAS mutation detected (G12V), NRAS no mutation detected.", "KRAS G12V"),
            ("Colon cancer. KRAS: no mutation detected (G12D, G13D).", ""),
            ("Glioblastoma with TERT promoter mutation.", "TERT promoter mutation"),
            ("Glioblastoma. TERT promoter mutation not detected.", ""),
        ] {
            let view = NoteView::of(note);
            let read = genes::read(&view, &cancer::read(&view)).joined();
            assert_eq!(read.unwrap_or_default(), expected, "{note}");
        }
    }
}
