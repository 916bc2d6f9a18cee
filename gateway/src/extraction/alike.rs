//! Whether two wordings of one field say the same, as far as their words tell. Knows no synonyms: of two
//! faults, calling like values unlike is the lesser.

use std::collections::BTreeSet;

use super::fields::parts;

/// Whether every part of each value has a like part in the other.
pub(super) fn values(one: &str, other: &str) -> bool {
    let (one, other): (Vec<_>, Vec<_>) = (parts(one).map(words).collect(), parts(other).map(words).collect());
    let found = |part: &BTreeSet<String>, among: &[BTreeSet<String>]| among.iter().any(|like| alike(part, like));
    one.iter().all(|part| found(part, &other)) && other.iter().all(|part| found(part, &one))
}

/// One says no more than the other: its words are among the other's. A share of common words would not
/// do: "ER positive" and "ER negative" have half of theirs in common.
fn alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    !one.is_empty() && !other.is_empty() && (one.is_subset(other) || other.is_subset(one))
}

/// The words of a part, folded: case, punctuation and order aside.
fn words(part: &str) -> BTreeSet<String> {
    let lower = part.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_values() {
        for (one, other, expected) in [
            ("melanoma (cutaneous)", "cutaneous melanoma", true),
            ("melanoma", "cutaneous melanoma", true),
            ("stage IV", "IV", true),
            ("IV", "III", false),
            ("liver; bone", "Bone; liver", true),
            ("liver; bone", "liver", false),
            ("PD-L1 5%", "PD-L1 50%", false),
            ("ER positive", "ER negative", false),
            ("osimertinib", "gefitinib", false),
            ("--", "--", false),
        ] {
            assert_eq!(values(one, other), expected, "{one} / {other}");
            assert_eq!(values(other, one), expected, "{other} / {one}");
        }
    }
}
