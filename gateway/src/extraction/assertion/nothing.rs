//! Recognises the answers that end a section at once: "Family history: none.", "Allergies: NKDA.", "Eligibility: met."
//!
//! The text after such an answer belongs to the rest of the note. It must not be read as a relative's disease, a drug
//! that the patient does not tolerate, or a question.

/// Maximum number of words of an answer.
const LONGEST_ANSWER: usize = 8;

/// Words that answer a heading. One of them is in each answer.
const ANSWERS: &[&str] = &[
    "none",
    "nil",
    "no",
    "negative",
    "neg",
    "unremarkable",
    "noncontributory",
    "contributory",
    "insignificant",
    "nkda",
    "nka",
    "nkfda",
    "unknown",
    "denies",
    "denied",
    "nothing",
    "nad",
    "na",
    "n",
    "met",
    "fulfilled",
    "eligible",
];

/// Words that may be beside them: "no known drug allergies", "none of note", "non-contributory", "not applicable".
const BESIDE: &[&str] = &[
    "known",
    "of",
    "note",
    "non",
    "not",
    "significant",
    "relevant",
    "reported",
    "drug",
    "food",
    "drugs",
    "medication",
    "medications",
    "allergy",
    "allergies",
    "intolerances",
    "family",
    "history",
    "cancer",
    "cancers",
    "malignancy",
    "malignancies",
    "other",
    "positive",
    "pertinent",
    "oncological",
    "oncologic",
    "for",
    "any",
    "recorded",
    "documented",
    "stated",
    "given",
    "a",
    "applicable",
    "to",
    "date",
    "is",
    "are",
    "was",
    "all",
    "criteria",
    "yes",
    "medical",
    "past",
];

/// Parts of the words that name a malignant disease, which no list of allergies has.
const DISEASES: &[&str] = &["cancer", "carcinoma", "metasta", "lymphoma", "melanoma", "sarcoma", "myeloma", "stage"];

/// Returns whether a sentence only answers its heading: with "none" or the like, or that the criteria are met.
pub(super) fn answers(sentence: &[u8]) -> bool {
    let mut has_answer = false;
    let mut words = 0;
    let all = each_word(sentence).all(|word| {
        let answers = is_one_of(word, ANSWERS);
        has_answer |= answers;
        words += 1;
        words <= LONGEST_ANSWER && (answers || is_one_of(word, BESIDE))
    });
    // "Not known" and "not applicable" have no word of the first list.
    let opens_with_not = || each_word(sentence).next().is_some_and(|word| word.eq_ignore_ascii_case(b"not"));
    all && words > 0 && (has_answer || opens_with_not())
}

/// Returns whether a sentence begins with a malignant disease or its stage, as no item of a list of allergies does:
/// "Stage IV lung cancer on osimertinib".
pub(super) fn begins_with_disease(sentence: &[u8]) -> bool {
    const BEGINNING: usize = 4;
    let bracket = sentence.iter().position(|&byte| byte == b'(').unwrap_or(sentence.len());
    let beginning = sentence.get(..bracket).unwrap_or_default();
    each_word(beginning).take(BEGINNING).any(|word| has_part(word, DISEASES))
}

/// Returns whether a sentence describes something that is not tolerated.
pub(super) fn is_intolerance(sentence: &[u8]) -> bool {
    const PARTS: &[&str] =
        &["rash", "hives", "anaphyl", "react", "allerg", "intoler", "hypersens", "urticar", "caused", "itch"];
    each_word(sentence).any(|word| has_part(word, PARTS))
}

/// Returns whether a sentence names a relative.
pub(super) fn names_relative(sentence: &[u8]) -> bool {
    const PARTS: &[&str] = &[
        "mother", "father", "sister", "brother", "daughter", "aunt", "uncle", "cousin", "niece", "nephew", "sibling",
        "parent", "maternal", "paternal", "relative", "family",
    ];
    each_word(sentence).any(|word| has_part(word, PARTS) || word.eq_ignore_ascii_case(b"son"))
}

fn has_part(word: &[u8], parts: &[&str]) -> bool {
    parts.iter().any(|part| word.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes())))
}

fn each_word(sentence: &[u8]) -> impl Iterator<Item = &[u8]> {
    sentence.split(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii()).filter(|word| !word.is_empty())
}

fn is_one_of(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|each| each.as_bytes().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_end_a_section() {
        for answer in [
            "none.",
            "None",
            "NIL",
            "negative",
            "Non-contributory.",
            "no known drug allergies",
            "NKDA",
            "N/A",
            "Unremarkable.",
            "no known cancers",
            "none of note",
            "not known",
            "met",
            "Not met.",
            "all criteria met",
            "denies",
            "No family history of cancer.",
        ] {
            assert!(answers(answer.as_bytes()), "{answer}");
        }
        for other in [
            "",
            "mother",
            "negative for BRCA1",
            "none on the father's side",
            "no, but an aunt had cancer",
            "no breast cancer",
            "none except paclitaxel",
            "known",
            "cancer",
            "positive for cancer",
            "no known allergies to any drug, but to latex",
        ] {
            assert!(!answers(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn what_follows_an_answer() {
        for (sentence, disease, intolerance, relative) in [
            ("Stage IV lung disease", true, false, false),
            ("Metastatic breast cancer on paclitaxel", true, false, false),
            ("Cisplatin (given for lung cancer)", false, false, false),
            ("Carboplatin - rash", false, true, false),
            ("Carboplatin, stage 3 reaction", true, true, false),
            ("Colon cancer - paternal grandfather", true, false, true),
            ("Otherwise lung cancer in a smoking uncle", true, false, true),
            ("On osimertinib since May", false, false, false),
        ] {
            let sentence = sentence.as_bytes();
            let found = (begins_with_disease(sentence), is_intolerance(sentence), names_relative(sentence));
            assert_eq!(found, (disease, intolerance, relative), "{}", String::from_utf8_lossy(sentence));
        }
    }
}
