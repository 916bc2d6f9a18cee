//! What the rules recognised and kept out of the record because of what the note says of it: a drug that is
//! planned or was declined, a site that is denied, a gene without mutation, a relative's cancer. It shows
//! a reviewer that the words were seen. Never in the record.

use std::collections::HashSet;

use super::{
    cancer::Diagnosis,
    lexicon::{Kind, Mention},
    view::NoteView,
};
use crate::extraction::{Assertion, Field, Record};

/// More would bury the rest.
const MOST: usize = 32;

/// A field, the list that its values come from, and which terms of the list are values.
type List = (Field, Kind, fn(&Mention, &Diagnosis) -> bool);

/// Values that are withheld from the record, in the order of the fields, each once.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis, record: &Record) -> Vec<(Field, String)> {
    let mut withheld: Vec<(Field, String)> = Vec::new();
    let lists: [List; 5] = [
        (Field::CancerType, Kind::Cancer, |cancer, _| cancer.term.is("whole")),
        // HER2 that is negative is a biomarker, and in the record as that.
        (Field::GeneMutation, Kind::Gene, |gene, _| gene.term.name != "HER2"),
        (Field::Biomarker, Kind::Marker, |marker, _| !marker.term.is("lineage") && !marker.term.is("status")),
        (Field::Treatment, Kind::Treatment, is_treatment),
        (Field::MetastasisSite, Kind::Site, |_, _| true),
    ];
    for (field, kind, is_value) in lists {
        let kept = record.get(field).unwrap_or_default().to_lowercase();
        // A list has few names, a note may have many mentions of each.
        let mut seen = HashSet::new();
        for mention in view.terms(kind).iter().filter(|mention| is_value(mention, diagnosis)) {
            let standing = view.assertion(&mention.range, field);
            if !keeps_out(field, standing) || (field == Field::MetastasisSite && !is_of_spread(view, mention)) {
                continue;
            }
            let name = if field == Field::MetastasisSite { mention.term.name } else { mention.term.spelled };
            if seen.insert(name) && withheld.len() < MOST && !kept.contains(&name.to_lowercase()) {
                withheld.push((field, name.to_owned()));
            }
        }
    }
    withheld
}

/// Whether this standing is why a value of the field is not in the record.
fn keeps_out(field: Field, standing: Assertion) -> bool {
    match field {
        Field::CancerType => matches!(standing, Assertion::Negated | Assertion::Uncertain | Assertion::Family),
        Field::GeneMutation => matches!(standing, Assertion::WildType | Assertion::NotTested | Assertion::Negated),
        Field::Biomarker => matches!(standing, Assertion::NotTested),
        Field::Treatment => matches!(standing, Assertion::Planned | Assertion::Declined | Assertion::Negated),
        Field::MetastasisSite => matches!(standing, Assertion::Negated | Assertion::Uncertain),
        Field::Stage | Field::Response => false,
    }
}

fn is_treatment(mention: &Mention, diagnosis: &Diagnosis) -> bool {
    let term = mention.term;
    let named = ["drug", "regimen", "surgery", "radiation"].iter().any(|tag| term.is(tag));
    let left_out = ["decoy", "supportive", "watch", "diagnostic", "minor", "class"].iter().any(|tag| term.is(tag));
    named && !left_out && (diagnosis.haematologic || !term.is("haem"))
}

/// Whether an organ is spoken of as a seat of spread: near a word of spread in its sentence.
fn is_of_spread(view: &NoteView<'_>, site: &Mention) -> bool {
    const REACH: usize = 60;
    let sentence = view.sentence(site.range.start);
    let start = sentence.start.max(site.range.start.saturating_sub(REACH));
    let end = sentence.end.min(site.range.end + REACH);
    view.terms_in(Kind::Spread, &(start..end)).iter().any(|word| word.term.is("metastatic"))
}
