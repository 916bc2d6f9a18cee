//! Splits values that name several things in one part: "liver, bone", "surgery followed by FOLFOX", "ER+/PR+".

use std::sync::LazyLock;

use regex::Regex;

use crate::{extraction::Field, statics::pattern};

/// Separators between things that could be values by themselves.
static JOINER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\s*,\s+(?:and\s+|then\s+|followed by\s+|with\s+)?|\s+(?:and then|and|plus|with|then|followed by)\s+|\s+\+\s+|\s*/\s*",
    )
});

/// Separators between the phases of a response.
static SEGMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\s*[,/;()+]\s*(?:then\s+|and\s+|followed by\s+)?|\s+(?:and then|and|then|followed by|followed|after|before|with|on|to|in|at|but|of|by|per)\s+",
    )
});

/// Separators between whole phases.
static PHASE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\s*[,;]\s*(?:(?:and|then|but)\s+)*|\s+(?:and then|and|then|but|followed by)\s+"));

/// Returns whether a field lists things that are each true or false independently.
pub(super) fn is_list(field: Field) -> bool {
    matches!(field, Field::GeneMutation | Field::Biomarker | Field::Treatment | Field::MetastasisSite)
}

/// Returns the things that a value names, split only outside brackets; the value itself if it names one thing.
pub(super) fn pieces(value: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in JOINER.find_iter(value) {
        let before = value.get(..cut.start()).unwrap_or_default();
        let inside = before.matches('(').count() > before.matches(')').count();
        if inside || !separates_words(value, &cut) {
            continue;
        }
        pieces.extend(value.get(from..cut.start()).map(str::trim).filter(|piece| !piece.is_empty()));
        from = cut.end();
    }
    pieces.extend(value.get(from..).map(str::trim).filter(|piece| !piece.is_empty()));
    pieces
}

/// Returns whether a separator separates words. Every separator does except some slashes: those before a number
/// ("BRCA1/2", "0/15"), a single letter, a unit or the second half of a name ("HER2/neu").
fn separates_words(value: &str, cut: &regex::Match<'_>) -> bool {
    if !cut.as_str().contains('/') {
        return true;
    }
    let after = value.get(cut.end()..).unwrap_or_default();
    let word: String = after.chars().take_while(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    word.len() > 1 && word != "neu" && word.starts_with(char::is_alphabetic) && !matches!(&*word, "ml" | "dl" | "mb")
}

/// Returns the phases of a response and the treatments between them: "stable disease on FOLFOX, then progression".
pub(super) fn segments(value: &str) -> Vec<&str> {
    SEGMENT.split(value).map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

/// Returns the phases of a response, each with its site or treatment.
pub(super) fn phases(value: &str) -> Vec<&str> {
    PHASE.split(value).map(str::trim).filter(|phase| !phase.is_empty()).collect()
}

/// Splits "BRCA2 (germline)" into the text outside brackets and the texts inside; `None` if either is missing.
pub(super) fn brackets(value: &str) -> Option<(String, Vec<&str>)> {
    let mut outside = String::with_capacity(value.len());
    let mut inside = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('(') {
        let (bracketed, after) = after.split_once(')')?;
        outside.push_str(before);
        inside.push(bracketed.trim());
        rest = after;
    }
    outside.push_str(rest);
    inside.retain(|bracketed| !bracketed.is_empty());
    (!inside.is_empty() && !outside.trim().is_empty()).then_some((outside, inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_between_things() {
        for (value, expected) in [
            ("liver, bone", &["liver", "bone"][..]),
            ("ER+/PR+", &["ER+", "PR+"]),
            ("HER2/neu 3+", &["HER2/neu 3+"]),
            ("BRCA1/2 mutation", &["BRCA1/2 mutation"]),
            ("PSA 5 ng/mL", &["PSA 5 ng/mL"]),
            ("surgery followed by FOLFOX and bevacizumab", &["surgery", "FOLFOX", "bevacizumab"]),
            ("docetaxel + carboplatin (TCH, neoadjuvant)", &["docetaxel", "carboplatin (TCH, neoadjuvant)"]),
            ("a, b, and c", &["a", "b", "c"]),
            ("osimertinib", &["osimertinib"]),
            ("", &[]),
        ] {
            assert_eq!(pieces(value), expected, "{value}");
        }
    }

    #[test]
    fn brackets_are_split_off() {
        assert_eq!(brackets("BRCA2 (germline)"), Some(("BRCA2 ".to_owned(), vec!["germline"])));
        assert_eq!(brackets("a (b) c (d)"), Some(("a  c ".to_owned(), vec!["b", "d"])));
        for value in ["BRCA2", "(a)", "a (b", "a ()"] {
            assert_eq!(brackets(value), None, "{value}");
        }
    }
}
