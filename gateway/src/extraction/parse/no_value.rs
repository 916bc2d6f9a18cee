//! Phrases that a model writes where the note gives no value. A phrase that reports a result, even that nothing was
//! found or done (`negative`, `not tested`, `none identified`, `no evidence of disease`), is a value and never one of
//! these.

/// Whole phrases, in lower case and without a full stop at the end.
const PHRASES: [&str; 43] = [
    "",
    "-",
    "--",
    "\u{2013}",
    "\u{2014}",
    "?",
    "??",
    "???",
    "[]",
    "{}",
    "()",
    "null",
    "none",
    "nil",
    "nan",
    "nothing",
    "missing",
    "absent",
    "undefined",
    "unknown",
    "unspecified",
    "empty",
    "blank",
    "n/a",
    "na",
    "n.a",
    "n.k",
    "n/k",
    "n/d",
    "tbd",
    "tba",
    "k.a",
    "k. a",
    "keine angabe",
    "to be determined",
    "to be confirmed",
    "see text",
    "see note",
    "see above",
    "string",
    "text",
    "cannot be determined",
    "unable to determine",
];

/// First words of a phrase.
const DENIALS: [&str; 4] = ["not", "none", "no", "nothing"];

/// What a phrase says is missing: any mention of the field in the text.
const STATEMENTS: [&str; 28] = [
    "applicable",
    "available",
    "data",
    "described",
    "detail",
    "details",
    "disclosed",
    "documented",
    "found",
    "given",
    "indicated",
    "info",
    "information",
    "known",
    "listed",
    "mention",
    "mentioned",
    "noted",
    "provided",
    "recorded",
    "reported",
    "specified",
    "stated",
    "supplied",
    "value",
    "values",
    "written",
    "said",
];

/// What may be between and after these words.
const FILLERS: [&str; 27] = [
    "above",
    "any",
    "been",
    "by",
    "case",
    "clearly",
    "clinical",
    "document",
    "explicitly",
    "for",
    "from",
    "has",
    "here",
    "in",
    "is",
    "note",
    "of",
    "or",
    "otherwise",
    "passage",
    "patient",
    "record",
    "report",
    "specifically",
    "text",
    "the",
    "this",
];

/// Returns whether a trimmed text only says that there is no value.
pub(super) fn is_no_value(text: &str) -> bool {
    const LONGEST: usize = 80;
    if text.len() > LONGEST {
        return false;
    }
    // At most one full stop: "..." is a placeholder copied from somewhere, not a null.
    let text = text.strip_suffix('.').filter(|text| !text.is_empty()).unwrap_or(text).to_lowercase();
    PHRASES.contains(&&*text) || is_placeholder(&text) || says_nothing_stated(&text)
}

/// Returns whether a text is a place in a template: "<stage>", "string or null".
fn is_placeholder(text: &str) -> bool {
    let inside = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let is_name = |inside: &str| inside.chars().all(|c| c.is_alphabetic() || matches!(c, '_' | ' ' | '-' | '/' | '|'));
    let mut types = text.split([' ', '|']).filter(|word| !word.is_empty() && *word != "or").peekable();
    inside.is_some_and(|inside| !inside.is_empty() && is_name(inside))
        || (types.peek().is_some() && types.all(|word| matches!(word, "string" | "null" | "text" | "str" | "none")))
}

/// Returns whether a text says that nothing is stated: "not stated in the text", "no information available".
fn says_nothing_stated(text: &str) -> bool {
    let mut words = text.split_whitespace().map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()));
    let mut stated = false;
    words.next().is_some_and(|first| DENIALS.contains(&first))
        && words.all(|word| {
            let is_statement = STATEMENTS.contains(&word);
            stated |= is_statement;
            is_statement || FILLERS.contains(&word)
        })
        && stated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_without_a_value_are_told_from_results() {
        for phrase in [
            "n.a.",
            "N/A",
            "?",
            "TBD",
            "none reported",
            "None mentioned",
            "not stated in the text",
            "Not found in the text.",
            "not clearly documented",
            "No information available",
            "no data",
            "nothing",
            "missing",
            "absent",
            "k.A.",
            "see text",
            "string or null",
            "string | null",
            "string",
            "<stage>",
            "<null>",
            "<cancer type>",
            "NaN",
            "[]",
            "No mention of this in the note",
            "unknown",
            "-",
            "not otherwise specified",
        ] {
            assert!(is_no_value(phrase), "{phrase}");
        }
        for value in [
            "negative",
            "not tested",
            "no evidence of disease",
            "none identified",
            "not detected",
            "no mutation found",
            "EGFR absent",
            "no metastases",
            "not performed",
            "nothing by mouth",
            "stable",
            "no response",
            "NED",
            "PD-L1 <1%",
            "<1%",
            "not",
            "no",
            "...",
            "missing teeth",
            "carcinoma not otherwise specified",
            "in the text",
            "not assessed",
            "no progression reported",
            "text neck",
        ] {
            assert!(!is_no_value(value), "{value}");
        }
    }
}
