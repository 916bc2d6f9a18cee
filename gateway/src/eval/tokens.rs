//! Splits values into parts, and parts into folded tokens. Labels and predictions are folded alike.

use std::{borrow::Cow, collections::BTreeSet, sync::LazyLock};

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use crate::{extraction::Field, statics::pattern};

/// Words that are ignored in a value, because they have no meaning alone.
const STOP_WORDS: &[&str] = &[
    "a", "an", "the", "of", "and", "or", "with", "to", "in", "on", "for", "by", "at", "from", "then", "followed",
    "plus", "per", "no", "not", "as", "was", "is",
];

/// Spellings that mean the same, each with the spelling that replaces it. They are applied in this order.
static SPELLINGS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\bnon[- ]?small[- ]cell\b", "nonsmall cell"),
        (r"\bpos(itive)?\b", " positive"),
        // A plus sign after a word means "positive" if white space, a delimiter or the end of the value follows it.
        (r"(\w)\+([\s,;/)]|$)", "$1 positive$2"),
        (r"\bneg(ative)?\b", " negative"),
        (r"\bmetastas[ei]s\b|\bmetastatic\b|\bmets\b", "metastasis"),
        (r"\btumours?\b|\btumors\b", "tumor"),
        (r"\bp\.([a-z]\d)", "$1"),
        (r"\b(ca)[- ]?(\d)", "$1$2"),
        (r"\bmsi[- ]?(high|h)\b", "msih"),
        (r"\bmss\b|\bmsi[- ]?(stable|s)\b|\bmicrosatellite stable\b", "mss"),
        (r"\btmb[- ]?(high|h)\b", "tmbh"),
        (r"\bher[- ]?2\b", "her2"),
        (r"\bpd[- ]?l1\b", "pdl1"),
    ]
    .into_iter()
    .map(|(text, replacement)| (pattern(text), replacement))
    .collect()
});

static TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"[a-z0-9]+(?:[.%][a-z0-9]*)*|%"));
/// A stage group: a Roman numeral, and perhaps a letter and a digit.
static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(iv|iii|ii|i)([abc]\d?)?$"));
static CONJUNCTION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\s*,\s*|\s+(?:and|plus|with|then|followed by)\s+|\s+\+\s+"));

/// Returns the parts of a value: split at `;` and line ends, and with `deep`, in fields that are lists, also at slashes
/// and at the conjunctions that the labels use.
pub(super) fn parts(value: &str, field: Field, deep: bool) -> Vec<String> {
    let lists = matches!(field, Field::GeneMutation | Field::Biomarker | Field::Treatment | Field::MetastasisSite);
    let mut parts = Vec::new();
    for coarse in value.split([';', '\n']) {
        if deep && lists {
            parts.extend(CONJUNCTION.split(coarse.trim()).flat_map(at_slashes).map(trimmed));
        } else {
            parts.push(trimmed(coarse));
        }
    }
    parts.retain(|part| {
        !part.is_empty() && !matches!(&*part.to_lowercase(), "null" | "none" | "n/a" | "unknown" | "not specified")
    });
    parts
}

fn trimmed(part: &str) -> String {
    part.trim_matches([' ', '.', ',', '\t', '\r']).to_owned()
}

/// Splits a text at each slash between two letters.
fn at_slashes(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices('/') {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + 1..).and_then(|after| after.chars().next());
        if before.is_some_and(|c| c.is_ascii_alphabetic()) && after.is_some_and(|c| c.is_ascii_alphabetic()) {
            pieces.extend(text.get(from..at));
            from = at + 1;
        }
    }
    pieces.extend(text.get(from..));
    pieces
}

/// Returns the folded tokens of a part, in order.
pub(super) fn tokens(part: &str, field: Field) -> Vec<String> {
    let folded = fold(part);
    let all: Vec<&str> = TOKEN.find_iter(&folded).map(|found| found.as_str().trim_end_matches('.')).collect();
    let content_words: Vec<&str> =
        all.iter().copied().filter(|word| !word.is_empty() && !STOP_WORDS.contains(word)).collect();
    let kept = if content_words.is_empty() { all } else { content_words };
    let words = if field == Field::Stage { stage_words(&kept) } else { kept.into_iter().map(Cow::Borrowed).collect() };
    words.into_iter().map(|word| singular(&word).to_owned()).collect()
}

/// Writes Roman stage groups as Arabic ones, and removes "stage", "ajcc" and "figo" unless nothing else is left.
fn stage_words<'t>(words: &[&'t str]) -> Vec<Cow<'t, str>> {
    let arabic = |numeral: &str| match numeral {
        "i" => "1",
        "ii" => "2",
        "iii" => "3",
        _ => "4",
    };
    let converted: Vec<Cow<'t, str>> = words
        .iter()
        .map(|word| match GROUP.captures(word) {
            Some(group) => {
                let capture = |at: usize| group.get(at).map_or("", |found| found.as_str());
                Cow::Owned(format!("{}{}", arabic(capture(1)), capture(2)))
            }
            None => Cow::Borrowed(*word),
        })
        .collect();
    let without_labels: Vec<_> =
        converted.iter().filter(|word| !matches!(&***word, "stage" | "ajcc" | "figo")).cloned().collect();
    if without_labels.is_empty() { converted } else { without_labels }
}

fn singular(word: &str) -> &str {
    let plural = word.chars().count() > 4 && !word.ends_with("ss");
    word.strip_suffix('s').filter(|_| plural).unwrap_or(word)
}

fn fold(text: &str) -> String {
    let mut folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    folded = folded.replace(['\u{2010}', '\u{2011}', '\u{2013}', '\u{2014}'], "-");
    for (pattern, replacement) in SPELLINGS.iter() {
        if let Cow::Owned(changed) = pattern.replace_all(&folded, *replacement) {
            folded = changed;
        }
    }
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a value for the exact measure: its parts as a set, without their order.
pub(super) fn whole(value: &str, field: Field) -> BTreeSet<String> {
    parts(value, field, false).iter().map(|part| tokens(part, field).join(" ")).collect()
}
