//! The words that the search treats in a special way.

/// Returns whether a word is a result that a hyphen can join to a marker: "TMB-high" counts as two words.
pub(super) fn is_result(folded: &str) -> bool {
    matches!(
        folded,
        "positive"
            | "negative"
            | "high"
            | "low"
            | "stable"
            | "amplified"
            | "amplification"
            | "mutated"
            | "mutant"
            | "deficient"
            | "proficient"
            | "elevated"
            | "rearranged"
            | "resistant"
            | "methylated"
    )
}

/// Returns whether a word is a positive or negative result, whose meaning would be reversed by a neighbour's result.
pub(super) fn is_pole(folded: &str) -> bool {
    matches!(folded, "positive" | "negative" | "+" | "-")
}

/// Returns whether a word only joins the parts of a value and carries none of its meaning.
pub(super) fn is_joiner(folded: &str) -> bool {
    matches!(
        folded,
        "a" | "an"
            | "and"
            | "as"
            | "at"
            | "by"
            | "combined"
            | "combination"
            | "for"
            | "followed"
            | "from"
            | "in"
            | "of"
            | "on"
            | "or"
            | "plus"
            | "the"
            | "then"
            | "to"
            | "was"
            | "were"
            | "is"
            | "with"
    )
}

/// Returns whether a word reverses the meaning of the words around it.
pub(super) fn is_negator(folded: &str) -> bool {
    matches!(
        folded,
        "no" | "not"
            | "non"
            | "without"
            | "never"
            | "neither"
            | "nor"
            | "negative"
            | "positive"
            | "denies"
            | "denied"
            | "absent"
            | "absence"
            | "excluded"
            | "declined"
            | "refused"
    )
}
