//! Staging systems of single diseases, whose stages mean nothing without the name of the system: "R-ISS II", "BCLC B".

use super::super::view::NoteView;
use crate::extraction::Field;

/// A system: its spellings in folded text, its name in the record, and its stages.
struct System {
    spellings: &'static [&'static str],
    name: &'static str,
    stages: &'static [&'static str],
}

const ROMAN: &[&str] = &["iii", "ii", "iv", "i", "3", "2", "1"];

/// Longer spellings first, because a shorter one may be part of them.
const SYSTEMS: &[System] = &[
    System {
        spellings: &["r iss", "riss", "revised iss", "revised international staging system"],
        name: "R-ISS",
        stages: ROMAN,
    },
    System { spellings: &["iss", "international staging system"], name: "ISS", stages: ROMAN },
    System {
        spellings: &["durie salmon"],
        name: "Durie-Salmon",
        stages: &["iiia", "iiib", "iii", "iia", "iib", "ii", "ia", "ib", "i"],
    },
    System { spellings: &["rai"], name: "Rai", stages: &["iii", "ii", "iv", "i", "0", "1", "2", "3", "4"] },
    System { spellings: &["binet"], name: "Binet", stages: &["a", "b", "c"] },
    System {
        spellings: &["bclc", "barcelona clinic liver cancer", "barcelona"],
        name: "BCLC",
        stages: &["0", "a", "b", "c", "d"],
    },
    System { spellings: &["inrgss", "inrg"], name: "INRG", stages: &["l1", "l2", "ms", "m"] },
    System {
        spellings: &["dukes'", "duke's", "dukes"],
        name: "Dukes",
        stages: &["c1", "c2", "b1", "b2", "a", "b", "c", "d"],
    },
    System {
        spellings: &["masaoka koga", "masaoka"],
        name: "Masaoka",
        stages: &["iva", "ivb", "iia", "iib", "iii", "ii", "i"],
    },
    System { spellings: &["inss"], name: "INSS", stages: &["2a", "2b", "4s", "1", "2", "3", "4"] },
];

/// Words between the name of a system and its stage.
const FILLERS: &[&str] =
    &["stage", "staging", "system", "score", "group", "class", "classification", "risk", "was", "is"];

/// Returns the first stage of a named system, such as `R-ISS II`, that counts for the record.
pub(super) fn read(view: &NoteView<'_>) -> Option<String> {
    SYSTEMS.iter().find_map(|system| {
        system.spellings.iter().find_map(|spelling| {
            view.folded.places(spelling).find_map(|at| {
                let before = view.folded.before(at, 5);
                // "Dr Rai 2 weeks ago".
                let doctor = ["dr ", "dr. ", "prof "].iter().any(|title| before.ends_with(title));
                let word = !before.ends_with(char::is_alphanumeric) && !doctor;
                let (stage, length) =
                    stage_after(view.folded.after(at + spelling.len(), 48), system.stages).filter(|_| word)?;
                let enters_record = view.enters_record(&(at..at + spelling.len() + length), Field::Stage);
                enters_record.then(|| format!("{} {}", system.name, stage.to_ascii_uppercase()))
            })
        })
    })
}

/// Returns the stage that follows the name of a system, and where it ends.
fn stage_after(text: &str, stages: &'static [&'static str]) -> Option<(&'static str, usize)> {
    if text.starts_with(char::is_alphanumeric) {
        return None;
    }
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let word_at = rest.find(char::is_alphanumeric)?;
        let between = rest.get(..word_at)?;
        if !between.chars().all(|c| matches!(c, ' ' | ':' | '=' | '(' | ')' | '-' | '|' | '\n')) {
            return None;
        }
        let rest = rest.get(word_at..)?;
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let word = rest.get(..length)?;
        if !FILLERS.contains(&word) {
            let stage = stages.iter().find(|stage| **stage == word)?;
            return Some((stage, at + word_at + length));
        }
        at += word_at + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_named_systems() {
        for (note, expected) in [
            ("Multiple myeloma, R-ISS stage II.", "R-ISS II"),
            ("ISS 2 myeloma", "ISS 2"),
            ("Revised ISS: III", "R-ISS III"),
            ("CLL, Rai stage 0", "Rai 0"),
            ("CLL, Binet C", "Binet C"),
            ("HCC, BCLC stage B", "BCLC B"),
            ("Barcelona Clinic Liver Cancer (BCLC): C", "BCLC C"),
            ("BCLC-A hepatocellular carcinoma", "BCLC A"),
            ("Neuroblastoma, INRG stage M", "INRG M"),
            ("INSS stage 4S", "INSS 4S"),
            ("Durie-Salmon stage IIIA", "Durie-Salmon IIIA"),
            ("Colon cancer, Dukes C.", "Dukes C"),
            ("Dukes' stage B2", "Dukes B2"),
            ("Thymoma, Masaoka-Koga stage IIb", "Masaoka IIB"),
            ("Seen by Dr Rai 2 weeks ago", ""),
            ("Dukes County Hospital", ""),
            ("He raised the issue II times", ""),
            ("rainy 3", ""),
            ("ISS", ""),
        ] {
            assert_eq!(read(&NoteView::of(note)).unwrap_or_default(), expected, "{note}");
        }
    }
}
