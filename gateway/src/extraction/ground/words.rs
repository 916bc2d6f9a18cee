//! The few words that alignment treats in a way of their own.

/// Words that join the parts of a value and carry none of its meaning.
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

/// Words that turn what stands around them into its opposite.
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
