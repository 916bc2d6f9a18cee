//! Decides whether a note may say something about a malignancy, for a run in which a model reads only such notes.
//!
//! It rather selects too many notes than too few. What the note denies, plans, suspects or states about a relative
//! counts too, and so does text that the rules cannot read.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{
    RulesReading,
    lexicon::{Mention, TermKind},
    read, stage,
    view::NoteView,
};
use crate::{
    extraction::{Note, Readable, language::ForeignWords},
    statics::{checked, pattern},
};

/// A code of a malignancy or of a tumour of unknown behaviour: ICD-10 or the morphology of ICD-O.
static CODE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(?:C[0-9]{2}|D0[0-9]|D3[7-9]|D4[0-8])(?:\.?[0-9A-Z]{1,3})?\b|\b[89][0-9]{3}/[0-9]\b"));
static SIGNS: LazyLock<Signs> = LazyLock::new(|| Signs::of(include_str!("lexicons/oncology_signs.txt")));

/// The signs of the list.
struct Signs {
    /// All signs and exceptions. Exceptions come first, so that they win where both begin.
    words: Regex,
    exceptions: HashSet<&'static str>,
}

impl Signs {
    fn of(list: &'static str) -> Self {
        let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (exceptions, signs): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('!'));
        let mut exceptions: Vec<&str> = exceptions.into_iter().map(|line| line.trim_start_matches('!')).collect();
        // The longest exception wins.
        exceptions.sort_by_key(|exception| usize::MAX - exception.len());
        let escaped = exceptions.iter().copied().chain(signs).map(|sign| regex::escape(sign).replace(r"\*", "[a-z]*"));
        let words = Regex::new(&format!(r"\b(?:{})\b", escaped.collect::<Vec<_>>().join("|")));
        Self { words: checked(words, "the signs of oncology"), exceptions: exceptions.into_iter().collect() }
    }

    /// Returns whether a folded text has a sign.
    fn are_in(&self, text: &str) -> bool {
        self.words.find_iter(text).any(|found| !self.exceptions.contains(found.as_str()))
    }
}

/// Returns whether the note may mention a malignancy of any person, or cannot be judged.
#[must_use]
pub fn may_concern_oncology(note: &Note) -> bool {
    let readable = Readable::of(note);
    let text = readable.note().as_str();
    let view = NoteView::of(text);
    has_term(&view)
        || SIGNS.are_in(view.folded.as_str())
        || CODE.is_match(text)
        || ForeignWords::of(view.folded.as_str()).are_of_whole
        || stage::names_formula(&view)
        || stage::stated(&view).is_some()
        || is_read(&read(note))
}

/// Returns whether the note has a term of the other lists that is hardly used without a malignancy.
fn has_term(view: &NoteView<'_>) -> bool {
    let has = |kind: TermKind, tags: &[&str]| {
        view.terms(kind).iter().any(|mention| tags.iter().any(|tag| mention.term.is(tag)))
    };
    has(TermKind::Cancer, &["whole", "head", "decoy"])
        || has(TermKind::Treatment, &["onco", "regimen", "radiation"])
        || has(TermKind::Spread, &["metastatic", "sited", "local"])
        || has(TermKind::Marker, &["status", "her2", "fusionmark", "score"])
        || view.terms(TermKind::Marker).iter().any(|mention| mention.term.is("serum") && !mention.term.is("loose"))
        || view.terms(TermKind::Response).iter().any(|mention| mention.term.is("own"))
        || view.terms(TermKind::Gene).iter().any(|mention| is_gene(view, mention))
}

/// Returns whether the mention is a gene in capital letters, unlike the filtration rate "eGFR", and of four or more
/// letters, because shorter names have other meanings.
fn is_gene(view: &NoteView<'_>, mention: &Mention) -> bool {
    let quote = view.folded.quote(&mention.range);
    quote.len() > 3 && !quote.contains(|c: char| c.is_ascii_lowercase())
}

/// Returns whether the rules have read anything, or have met text that they cannot read.
fn is_read(reading: &RulesReading) -> bool {
    let RulesReading { record, withheld, of_other_tumours, recognised_terms, unreadable, .. } = reading;
    let unreadable = unreadable.language || unreadable.markup;
    *recognised_terms || !record.is_empty() || !withheld.is_empty() || !of_other_tumours.is_empty() || unreadable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(text: &str) -> bool {
        may_concern_oncology(&Note::new(text.to_owned(), usize::MAX).unwrap())
    }

    #[test]
    fn anything_about_a_malignancy_is_seen() {
        for text in [
            "Lung cancer.",
            "No evidence of malignancy.",
            "Her mother had breast cancer at 40.",
            "Rule out lymphoma.",
            "Neurocytoma was suspected.",
            "CT: 4 cm mass in the pancreatic head.",
            "Biopsy of the liver is planned.",
            "Prostate ca, on observation.",
            "Referred to oncology.",
            "Started fictinib 80 mg daily.",
            "On chemo since May.",
            "Classified as stage IV.",
            "pT2 N0 M0",
            "NRAS Q61K was found.",
            "PSA 11.2 ng/mL.",
            "BRCA1 carrier.",
            "Dx: C34.1",
            "Morphology 8140/3.",
            "Mixed response with progression in the brain.",
            "Post-treatment PET/CT shows no uptake.",
            "H/o mastectomy 2009.",
            "Paciente con dolor de rodilla que no mejora con el tratamiento, sin fiebre por la noche.",
            "&lt;b&gt;Knee&lt;/b&gt; pain &#38; fever&nbsp;now",
        ] {
            assert!(sees(text), "{text}");
        }
    }

    #[test]
    fn other_notes_are_not_seen() {
        for text in [
            "Knee pain after a fall. X-ray normal.",
            "Acute hematoma of the thigh, body mass index 31.",
            "Type 2 diabetes, eGFR 61, HbA1c 7.1 %. Metformin 500 mg.",
            "Glaucoma, on timolol. Stroma of the cornea clear.",
            "Community-acquired pneumonia, amoxicillin for 7 days.",
            "Fracture of C5, cervical collar.",
            "Chronic kidney disease stage 3, in the ER for chest pain.",
        ] {
            assert!(!sees(text), "{text}");
        }
    }
}
