//! Compares two wordings of one field by their words. Synonyms are not known here, so equal values in different words
//! compare as different, which is the lesser error.

use std::collections::BTreeSet;

use super::fields::parts;

/// Words that turn a value into its opposite: "no residual disease" is not a more detailed wording of "residual
/// disease".
const OPPOSING: &[&str] = &["no", "not", "non", "without", "negative", "never", "absent", "none"];

/// The words of one wording, without case, punctuation, order and plural.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WordSet(BTreeSet<String>);

impl WordSet {
    pub(super) fn of(wording: &str) -> Self {
        let lower = wording.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        Self(words.map(|word| singular(word).to_owned()).collect())
    }

    /// Returns whether the other wording has all words of this one, and no word that reverses it.
    pub(super) fn within(&self, other: &Self) -> bool {
        !self.0.is_empty()
            && self.0.is_subset(&other.0)
            && !other.0.difference(&self.0).any(|word| OPPOSING.contains(&word.as_str()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Returns a word without the `s` of its plural. Short words (`PS`, `CNS`) and words in `-ss`, `-is` and `-us` stay.
fn singular(word: &str) -> &str {
    let plural = word.len() > 4 && !word.ends_with("ss") && !word.ends_with("is") && !word.ends_with("us");
    word.strip_suffix('s').filter(|_| plural).unwrap_or(word)
}

/// Returns whether every part of each value has a matching part in the other value. Common words are not enough:
/// "ER positive" and "ER negative" share half of their words.
pub(super) fn same_values(one: &str, other: &str) -> bool {
    let words = |value| parts(value).map(WordSet::of).collect::<Vec<_>>();
    let (one, other) = (words(one), words(other));
    let has_match = |part: &WordSet, others: &[WordSet]| {
        others.iter().any(|candidate| part.within(candidate) || candidate.within(part))
    };
    one.iter().all(|part| has_match(part, &other)) && other.iter().all(|part| has_match(part, &one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_in_other_words_match() {
        for (one, other, expected) in [
            ("melanoma (cutaneous)", "cutaneous melanoma", true),
            ("melanoma", "cutaneous melanoma", true),
            ("stage IV", "IV", true),
            ("lymph nodes", "lymph node", true),
            ("IV", "III", false),
            ("liver; bone", "Bone; liver", true),
            ("liver; bone", "liver", false),
            ("PD-L1 5%", "PD-L1 50%", false),
            ("ER positive", "ER negative", false),
            ("residual disease", "no residual disease", false),
            ("osimertinib", "gefitinib", false),
            ("--", "--", false),
        ] {
            assert_eq!(same_values(one, other), expected, "{one} / {other}");
            assert_eq!(same_values(other, one), expected, "{other} / {one}");
        }
    }
}
