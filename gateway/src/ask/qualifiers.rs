//! Words that turn a statement into another: denials, relatives, plans, doubts, refusals, the past. A sentence of an answer
//! must have the same kinds of them as the words of the note that it rests on.

use super::{about::RELATIVES, words::Word};

/// The kinds of words, each a list.
const KINDS: [&[&str]; 6] = [
    // Denials.
    &[
        "no",
        "not",
        "none",
        "never",
        "without",
        "denies",
        "denied",
        "deny",
        "denying",
        "negative",
        "absent",
        "absence",
        "free",
        "neither",
        "nor",
        "cannot",
        "can't",
        "don't",
        "doesn't",
        "didn't",
        "isn't",
        "wasn't",
        "weren't",
        "hasn't",
        "haven't",
        "hadn't",
        "won't",
        "wouldn't",
        "unremarkable",
        "lacks",
        "lack",
        "lacking",
        "nil",
        "nkda",
        "excluded",
        "failed",
        "unable",
        "false",
        "nothing",
        "nobody",
        "rules",
        "ruled",
        "resolved",
        "unlikely",
        "non",
        "nonsmoker",
        "afebrile",
        "asymptomatic",
        "stopped",
        "discontinued",
        "ceased",
        "quit",
        "held",
        "former",
        "ex",
    ],
    RELATIVES,
    // Plans.
    &[
        "plan",
        "plans",
        "planned",
        "planning",
        "will",
        "scheduled",
        "consider",
        "considered",
        "considering",
        "recommend",
        "recommended",
        "recommends",
        "propose",
        "proposed",
        "intend",
        "intended",
        "awaiting",
        "awaits",
        "pending",
        "upcoming",
        "next",
        "future",
        "if",
        "when",
        "unless",
        "until",
        "should",
        "would",
        "discuss",
        "discussed",
        "offered",
        "eligible",
        "candidate",
    ],
    // Doubts.
    &[
        "possible",
        "possibly",
        "may",
        "might",
        "could",
        "suspected",
        "suspicious",
        "suspicion",
        "probable",
        "probably",
        "likely",
        "questionable",
        "uncertain",
        "unclear",
        "unknown",
        "equivocal",
        "differential",
        "versus",
        "vs",
        "presumed",
        "rule",
        "query",
        "appears",
        "suggests",
        "suggestive",
        "suggest",
        "concern",
        "concerning",
        "or",
        "approximately",
        "about",
        "almost",
        "nearly",
    ],
    // Refusals.
    &[
        "declined",
        "declines",
        "refused",
        "refuses",
        "contraindicated",
        "allergy",
        "allergic",
        "allergies",
        "intolerant",
        "intolerance",
    ],
    // The past.
    &["previous", "previously", "prior", "past", "history", "ago", "earlier", "formerly", "once", "used"],
];

/// Returns which kinds of words a sentence has.
pub(super) fn kinds(spelled: &[Word]) -> [bool; KINDS.len()] {
    KINDS.map(|words| spelled.iter().any(|word| words.contains(&word.text.as_str())))
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, *};

    #[test]
    fn kinds_are_seen() {
        for (text, expected) in [
            ("She denies fever.", [true, false, false, false, false, false]),
            ("Her mother had asthma.", [false, true, false, false, false, false]),
            ("CT planned; possible nodule.", [false, false, true, true, false, false]),
            ("She takes metformin.", [false; 6]),
        ] {
            assert_eq!(kinds(&words(text)), expected, "{text}");
        }
    }
}
