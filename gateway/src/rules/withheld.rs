//! Lists the values that the rules recognised but kept out of the record because of their assertion: a drug that is
//! planned or was declined, a site that is negated, a gene without mutation, a relative's cancer. The list shows a
//! reviewer that the rules saw these words; its values are never in the record.

use std::collections::HashSet;

use super::{
    cancer::Diagnosis,
    lexicon::{Mention, TermKind},
    view::NoteView,
};
use crate::extraction::{Assertion, Field, Record};

/// Maximum number of withheld values; a longer list would hide the important ones.
const MAX_VALUES: usize = 32;

/// Markers whose terms in the lists name a result, so that the bare marker is found only here: "MSI status unknown".
const UNTESTED: [&str; 5] = ["MSI", "MMR", "TMB", "HRD", "MGMT"];

/// A field, the list of its terms, and a predicate for the terms that are values.
type List = (Field, TermKind, fn(&Mention, &Diagnosis) -> bool);

/// Returns the values that are withheld from the record, in the order of the fields, without repetitions.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis, record: &Record) -> Vec<(Field, String)> {
    let mut withheld: Vec<(Field, String)> = Vec::new();
    let lists: [List; 5] = [
        (Field::CancerType, TermKind::Cancer, |cancer, _| cancer.term.is("whole")),
        // HER2 is left out: a negative HER2 is a biomarker and in the record as such.
        (Field::GeneMutation, TermKind::Gene, |gene, _| gene.term.name != "HER2"),
        (Field::Biomarker, TermKind::Marker, |marker, _| !marker.term.is("lineage")),
        (Field::Treatment, TermKind::Treatment, is_treatment),
        (Field::MetastasisSite, TermKind::Site, |_, _| true),
    ];
    for (field, kind, is_value) in lists {
        let kept = record.get(field).unwrap_or_default().to_lowercase();
        // A set, because a list has few names but a note may have many mentions of each.
        let mut seen = HashSet::new();
        for mention in view.terms(kind).iter().filter(|mention| is_value(mention, diagnosis)) {
            let assertion = view.assertion(&mention.range, field);
            if !keeps_out(field, assertion) || (field == Field::MetastasisSite && !is_of_spread(view, mention)) {
                continue;
            }
            let name =
                if field == Field::MetastasisSite { site(view, mention) } else { mention.term.spelled.to_owned() };
            let listed = if field == Field::MetastasisSite { mention.term.name } else { mention.term.spelled };
            if withheld.len() < MAX_VALUES && !kept.contains(&listed.to_lowercase()) && seen.insert(name.clone()) {
                withheld.push((field, name));
            }
        }
    }
    for name in UNTESTED {
        let folded = name.to_lowercase();
        let mut found = view.folded.places(&folded);
        let untested = found.any(|at| {
            let range = at..at + name.len();
            view.folded.is_bounded(&range) && view.assertion(&range, Field::Biomarker) == Assertion::NotTested
        });
        let known = withheld.iter().any(|(field, value)| *field == Field::Biomarker && value == name);
        let kept = record.get(Field::Biomarker).unwrap_or_default().contains(name);
        if untested && !known && !kept && withheld.len() < MAX_VALUES {
            withheld.push((Field::Biomarker, name.to_owned()));
        }
    }
    withheld
}

/// Returns whether this assertion keeps a value of the field out of the record.
fn keeps_out(field: Field, assertion: Assertion) -> bool {
    match field {
        Field::CancerType => {
            matches!(assertion, Assertion::Negated | Assertion::Uncertain | Assertion::Family | Assertion::Historical)
        }
        Field::GeneMutation => matches!(
            assertion,
            Assertion::WildType | Assertion::NotTested | Assertion::Negated | Assertion::Uncertain | Assertion::Family
        ),
        Field::Biomarker => matches!(assertion, Assertion::NotTested | Assertion::Negated | Assertion::Uncertain),
        Field::Treatment => matches!(assertion, Assertion::Planned | Assertion::Declined | Assertion::Negated),
        Field::MetastasisSite => matches!(assertion, Assertion::Negated | Assertion::Uncertain),
        Field::Stage | Field::Response => false,
    }
}

/// Returns the site's name, or its words with the word for metastasis after them where the note also names the organ
/// otherwise: "pleural thickening, questionable pleural metastases".
fn site(view: &NoteView<'_>, mention: &Mention) -> String {
    const MOST_MENTIONS: usize = 32;
    let name = mention.term.name;
    let others = view.terms(TermKind::Site).iter().take(MOST_MENTIONS);
    let elsewhere = others.filter(|other| other.range != mention.range).any(|other| other.term.name == name);
    let near = mention.range.end..mention.range.end + "  metastatic disease".len();
    let spread = view.terms_in(TermKind::Spread, &near).first();
    match spread.filter(|spread| elsewhere && view.folded.slice(mention.range.end..spread.range.start) == " ") {
        Some(spread) => view.folded.quote(&(mention.range.start..spread.range.end)).to_owned(),
        None => name.to_owned(),
    }
}

fn is_treatment(mention: &Mention, diagnosis: &Diagnosis) -> bool {
    let term = mention.term;
    let named = ["drug", "regimen", "surgery", "radiation", "chemo", "class"].iter().any(|tag| term.is(tag));
    let left_out = ["decoy", "supportive", "watch", "diagnostic", "minor"].iter().any(|tag| term.is(tag));
    named && !left_out && (diagnosis.haematologic || !term.is("haem"))
}

/// Returns whether an organ is mentioned as a possible site of metastasis: near a word for metastasis in its sentence.
fn is_of_spread(view: &NoteView<'_>, site: &Mention) -> bool {
    const WINDOW_BYTES: usize = 60;
    let sentence = view.sentence(site.range.start);
    let start = sentence.start.max(site.range.start.saturating_sub(WINDOW_BYTES));
    let end = sentence.end.min(site.range.end + WINDOW_BYTES);
    let follows = view.folded.slice(site.range.end..end).trim_start();
    let involved =
        ["disease", "involvement", "deposit", "spread", "secondaries", "seeding", "implant", "dissemination"];
    involved.iter().any(|word| follows.starts_with(word))
        || view.terms_in(TermKind::Spread, &(start..end)).iter().any(|word| word.term.is("metastatic"))
}
