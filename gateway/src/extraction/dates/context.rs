//! Reads the words directly before and after a date: prepositions, and signs that the words are not a date, or are a
//! date of the document.

use std::ops::Range;

/// Bytes before and after a date that are read.
const NEAR: usize = 48;
/// Words that belong to the date after them: "since early March".
const PREPOSITIONS: [&str; 27] = [
    "in",
    "on",
    "since",
    "from",
    "of",
    "by",
    "at",
    "dated",
    "around",
    "about",
    "approximately",
    "circa",
    "ca",
    "early",
    "mid",
    "late",
    "beginning",
    "end",
    "spring",
    "summer",
    "autumn",
    "fall",
    "winter",
    "the",
    "during",
    "between",
    "last",
];
/// Words before a date that is the end of something, or later than it.
const ENDS: [&str; 8] = ["until", "till", "through", "thru", "before", "to", "by", "after"];
/// Words after a number that is not a year, such as units.
const NOT_YEAR_AFTER: [&str; 34] = [
    "mg",
    "mcg",
    "µg",
    "ug",
    "ng",
    "g",
    "kg",
    "ml",
    "l",
    "cgy",
    "gy",
    "iu",
    "u",
    "unit",
    "units",
    "cell",
    "cells",
    "kcal",
    "cc",
    "mm",
    "cm",
    "m",
    "x",
    "h",
    "hr",
    "hrs",
    "hours",
    "pg",
    "copies",
    "figo",
    "who",
    "ajcc",
    "classification",
    "edition",
];
/// Words before a number that is not a year.
const NOT_YEAR_BEFORE: [&str; 34] = [
    "who",
    "figo",
    "ajcc",
    "uicc",
    "recist",
    "isup",
    "nccn",
    "asco",
    "esmo",
    "iss",
    "iaslc",
    "iwcll",
    "lugano",
    "version",
    "ref",
    "room",
    "no",
    "number",
    "tel",
    "phone",
    "fax",
    "mrn",
    "id",
    "call",
    "psa",
    "ca",
    "cea",
    "afp",
    "ldh",
    "hcg",
    "ferritin",
    "platelets",
    "wbc",
    "dose",
];
/// Phrases before the date of a document or an appointment, a date of birth, or that of an earlier scan which another
/// is compared with.
const DOCUMENT: [&str; 30] = [
    "compared with",
    "compared to",
    "comparison",
    "cf ",
    "birth",
    "dob",
    "d.o.b",
    "born",
    "dictated",
    "typed",
    "transcribed",
    "printed",
    "signed",
    "report date",
    "reported",
    "date of report",
    "date of the report",
    "appointment",
    "next visit",
    "next follow",
    "follow-up on",
    "follow up on",
    "verified",
    "faxed",
    "received:",
    "date of letter",
    "letter date",
    "date of visit",
    "visit date",
    "date of service",
];

/// Returns at most `most` bytes of a text before an offset, from the start of a character.
pub(super) fn before(text: &str, at: usize, most: usize) -> &str {
    let mut start = at.saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..at).unwrap_or_default()
}

/// Returns at most `most` bytes of a text from an offset, to the end of a character.
pub(super) fn after(text: &str, at: usize, most: usize) -> &str {
    let mut end = (at + most).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(at..end).unwrap_or_default()
}

fn among(words: &[&str], word: &str) -> bool {
    words.iter().any(|each| each.eq_ignore_ascii_case(word))
}

/// Returns the last word of a text and the byte at which it starts; the word may be followed by spaces.
fn last_word(text: &str) -> Option<(usize, &str)> {
    let trimmed = text.trim_end_matches([' ', '-', '~']);
    let start = trimmed
        .rfind(|letter: char| !letter.is_alphanumeric())
        .map_or(0, |at| at + trimmed.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
    trimmed.get(start..).filter(|word| !word.is_empty()).map(|word| (start, word))
}

/// Returns whether words that look like a date are a number of another kind: of a telephone, a dose, a manual.
pub(super) fn is_other_number(text: &str, range: &Range<usize>, bare_year: bool, follows_date: bool) -> bool {
    let bytes = text.as_bytes();
    let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
    let starts_in_number = matches!(byte(range.start.checked_sub(1)), b'.' | b'/' | b'-')
        && byte(range.start.checked_sub(2)).is_ascii_digit();
    let starts_with_digit = byte(Some(range.start)).is_ascii_digit();
    let (next, second) = (byte(Some(range.end)), byte(Some(range.end + 1)));
    let ends_in_number = next == b'%' || (matches!(next, b'.' | b'/') && second.is_ascii_digit() && bare_year);
    if starts_with_digit
        && ((starts_in_number && !follows_date) || ends_in_number || byte(range.start.checked_sub(1)) == b'#')
    {
        return true;
    }
    if !bare_year {
        return false;
    }
    let rest = after(text, range.end, NEAR);
    // "2019-334" is a telephone number, "2015-2017" are years.
    let joined: String =
        rest.strip_prefix('-').into_iter().flat_map(str::chars).take_while(char::is_ascii_digit).collect();
    let is_joined =
        !joined.is_empty() && !(joined.len() == 4 && (joined.starts_with("19") || joined.starts_with("20")));
    let next_word = rest.trim_start_matches([' ', '/']).split(|letter: char| !letter.is_alphanumeric()).next();
    let preceding = before(text, range.start, NEAR);
    let last = preceding.trim_end_matches(['.', ':', ' ', '-']);
    let last = last_word(last).map(|(_, word)| word).unwrap_or_default();
    let is_number_before = last.len() >= 3 && last.bytes().all(|byte| byte.is_ascii_digit()) && !follows_date;
    is_joined
        || next_word.is_some_and(|word| among(&NOT_YEAR_AFTER, word))
        || among(&NOT_YEAR_BEFORE, last)
        || (is_number_before && preceding.ends_with(' ') && !preceding.trim_end().ends_with([',', ';']))
}

/// Returns where the prepositions before a date start.
pub(super) fn prepositions_start(text: &str, at: usize) -> usize {
    let preceding = before(text, at, NEAR);
    let from = at - preceding.len();
    let mut start = preceding.len();
    while let Some((word_start, word)) = preceding.get(..start).and_then(last_word) {
        let is_quarter = word.len() == 2 && word.starts_with(['q', 'Q']);
        let between = preceding.get(word_start..start).unwrap_or_default();
        if !(is_quarter || among(&PREPOSITIONS, word)) || between == word {
            break;
        }
        start = word_start;
    }
    from + start
}

/// Returns whether a date is the end of something: "until 05/2020".
pub(super) fn is_end(text: &str, start: usize) -> bool {
    last_word(before(text, start, NEAR)).is_some_and(|(_, word)| among(&ENDS, word))
        || before(text, start, NEAR).trim_end().to_ascii_lowercase().ends_with("prior to")
}

/// Returns whether the words before a date plan something.
pub(super) fn is_planned(text: &str, start: usize) -> bool {
    const PLANS: [&str; 6] = ["will", "plan", "plans", "planned", "scheduled", "next"];
    let preceding = before(text, start, NEAR);
    let preceding = preceding.rsplit(['.', ';', '\n']).next().unwrap_or_default();
    preceding.split(' ').any(|word| among(&PLANS, word))
}

/// Returns whether a date is that of the document, of an appointment, of a birth or of an earlier scan.
pub(super) fn is_of_document(text: &str, start: usize) -> bool {
    let preceding = before(text, start, NEAR).to_ascii_lowercase();
    let line = preceding.rsplit(['\n', '\r']).next().unwrap_or_default();
    let clause = line.rsplit([',', ';', '|', '(']).next().unwrap_or_default();
    let clause = clause.rsplit(". ").next().unwrap_or_default();
    matches!(clause.trim(), "date:" | "dos:" | "date") || DOCUMENT.iter().any(|phrase| clause.contains(phrase))
}
