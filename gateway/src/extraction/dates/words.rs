//! The words that say to what a date belongs: diagnosis, treatment, examination, visit.

/// Words that say when a disease was found.
const DIAGNOSIS: [&str; 8] =
    ["diagnosed", "diagnosis", "dx", "found", "detected", "discovered", "confirmed", "presented"];
/// Words that say when a treatment was given.
const TREATMENT: [&str; 16] = [
    "treated",
    "underwent",
    "received",
    "started",
    "starting",
    "began",
    "begun",
    "initiated",
    "commenced",
    "given",
    "resected",
    "operated",
    "removed",
    "irradiated",
    "switched",
    "completed",
];
/// Examinations whose date is not that of the disease or the treatment.
const IMAGING: [&str; 17] = [
    "ct",
    "pet",
    "mri",
    "scan",
    "scans",
    "imaging",
    "restaging",
    "ultrasound",
    "mammogram",
    "mammography",
    "radiograph",
    "x-ray",
    "scintigraphy",
    "echocardiogram",
    "colonoscopy",
    "endoscopy",
    "bronchoscopy",
];
/// Examinations of tissue or blood.
const TISSUE: [&str; 10] =
    ["biopsy", "pathology", "histology", "cytology", "fna", "ngs", "sequencing", "ihc", "fish", "marrow"];
/// Words for a visit.
const VISIT: [&str; 8] = ["seen", "reviewed", "visit", "clinic", "visited", "attended", "consultation", "review"];
/// Words that may be between a value, or the comma after it, and its date.
const CONNECTING_WORDS: [&str; 58] = [
    "was",
    "were",
    "is",
    "are",
    "has",
    "been",
    "had",
    "first",
    "initially",
    "diagnosed",
    "dx",
    "found",
    "detected",
    "confirmed",
    "noted",
    "started",
    "starting",
    "start",
    "begun",
    "began",
    "initiated",
    "commenced",
    "given",
    "performed",
    "done",
    "resected",
    "completed",
    "stopped",
    "discontinued",
    "ongoing",
    "since",
    "from",
    "in",
    "on",
    "at",
    "of",
    "by",
    "the",
    "dated",
    "cycle",
    "cycles",
    "daily",
    "po",
    "iv",
    "mg",
    "gy",
    "weekly",
    "q3w",
    "bid",
    "last",
    "final",
    "x",
    "fractions",
    "administered",
    "developed",
    "appeared",
    "newly",
    "recently",
];
/// Verbs at the start of a clause that describe a new event.
const VERBS: [&str; 29] = [
    "was",
    "were",
    "is",
    "has",
    "had",
    "underwent",
    "received",
    "started",
    "began",
    "begun",
    "completed",
    "developed",
    "showed",
    "shows",
    "progressed",
    "switched",
    "treated",
    "given",
    "resected",
    "diagnosed",
    "found",
    "noted",
    "on",
    "in",
    "to",
    "did",
    "remains",
    "remained",
    "stopped",
];

/// Returns the words of a text.
pub(super) fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'').filter(|word| !word.is_empty())
}

fn has(list: &[&str], word: &str) -> bool {
    list.iter().any(|each| each.eq_ignore_ascii_case(word))
}

pub(super) fn tells_diagnosis(word: &str) -> bool {
    has(&DIAGNOSIS, word)
}

pub(super) fn tells_treatment(word: &str) -> bool {
    has(&TREATMENT, word)
}

pub(super) fn is_imaging(word: &str) -> bool {
    has(&IMAGING, word)
}

pub(super) fn is_examination(word: &str) -> bool {
    is_imaging(word) || has(&TISSUE, word)
}

pub(super) fn tells_visit(word: &str) -> bool {
    has(&VISIT, word)
}

/// Returns whether a word before a date makes it the start of something that continues.
pub(super) fn opens_duration(word: &str) -> bool {
    has(&["since", "from"], word)
}

/// Returns whether a text has only words that may be between a value and its date, and numbers.
pub(super) fn is_connecting(text: &str) -> bool {
    words(text).all(|word| has(&CONNECTING_WORDS, word) || word.contains(|letter: char| letter.is_ascii_digit()))
}

/// Returns whether a clause starts with a verb, and so describes a new event.
pub(super) fn starts_with_verb(clause: &str) -> bool {
    words(clause).next().is_some_and(|word| has(&VERBS, word))
}
