//! Finds the organ of a mass or tumour that the text beside a histology mentions.

use std::ops::Range;

use super::{
    lexicon::{Mention, TermKind},
    view::NoteView,
};

/// Organs to which tumours of others spread.
pub(super) const OFTEN_METASTATIC: [&str; 6] = ["liver", "brain", "bone", "pleura", "peritoneum", "adrenal gland"];

/// Words for a tumour that an organ precedes ("pancreatic head mass").
const MASSES: &str = "mass|tumor|tumour|primary|neoplasm|nodule |lesion |biopsy|biopsies|malignancy|polyp|cancer";

/// Words for a tumour that an organ follows ("mass in the cecum").
const BEFORE_ORGAN: &str = "mass replacing the|mass at the|mass in the|mass of the|mass involving the|\
                            tumor of the|tumor in the|tumour of the|tumour in the|tumor at the|biopsy of the|\
                            biopsies of the|lesion in the|lesion of the|ulcer in the|polyp in the|\
                            stricture of the|stricture in the";

/// Returns the organ of a mass or tumour that the same sentence mentions, or else the previous sentence. Without a
/// mass, returns the organ of a procedure that the same sentence mentions.
pub(super) fn nearby_primary(view: &NoteView<'_>, range: &Range<usize>) -> Option<&'static str> {
    let of_procedure = || {
        let surgery = view.terms_in(TermKind::Treatment, &near(range, view.sentence(range.start)));
        surgery.iter().find_map(|procedure| procedure.term.tag("organ"))
    };
    organ_of_mass(view, range).or_else(of_procedure)
}

/// Returns the organ of a mass or tumour, or the primary site, that the same sentence mentions, or else the previous
/// sentence.
pub(super) fn organ_of_mass(view: &NoteView<'_>, range: &Range<usize>) -> Option<&'static str> {
    let sentence = view.sentence(range.start);
    let earlier = view.sentence(sentence.start.saturating_sub(2));
    let of_mass = |site: &Mention| {
        let after = view.folded.after(site.range.end, 24).trim_start();
        let before = view.folded.before(site.range.start, 22).trim_end();
        // "Growth right buccal mucosa", "a mass replacing the right thyroid lobe".
        let ahead = before.strip_suffix("left").or_else(|| before.strip_suffix("right")).unwrap_or(before).trim_end();
        let grows =
            [" growth", " mass", " ulcer"].iter().any(|mass| ahead.len() < before.len() && ahead.ends_with(mass));
        let tied = grows
            || MASSES.split('|').any(|mass| after.starts_with(mass))
            || BEFORE_ORGAN.split('|').any(|words| ahead.ends_with(words))
            || is_primary_site(view.folded.before(site.range.start, 40));
        (tied && !before.contains("metasta") && !site.term.is("node")).then(|| site.term.tag("primary")).flatten()
    };
    [near(range, sentence), near(range, earlier)]
        .iter()
        .find_map(|stretch| view.terms_in(TermKind::Site, stretch).iter().find_map(of_mass))
}

/// Returns whether the words before an organ call it the primary site: "primary site: ", "primary site C25.0 head of ".
fn is_primary_site(before: &str) -> bool {
    const BETWEEN: [&str; 8] = [":", "is", "was", "the", "in", "head", "of", "code"];
    let between = before.rsplit_once("primary site").map(|(_, between)| between);
    between.is_some_and(|between| {
        let mut words = between.split_ascii_whitespace();
        words.all(|word| word.contains(|c: char| c.is_ascii_digit()) || BETWEEN.contains(&word))
    })
}

/// Returns what of a stretch is not too far from a name.
fn near(name: &Range<usize>, stretch: Range<usize>) -> Range<usize> {
    const WIDEST: usize = 300;
    stretch.start.max(name.start.saturating_sub(WIDEST))..stretch.end.min(name.end + WIDEST)
}
