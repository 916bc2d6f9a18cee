//! The words of a transcript, and the numbers among them: "eight hundred fifty-eight", "two point five", "8".

use std::ops::Range;

/// Most groups of one run of number words. A longer run is not a number that a person speaks.
const MOST_GROUPS: usize = 8;
const UNITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] =
    ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// One word: a run of letters and digits, or a number in figures with its decimals.
#[derive(Debug)]
pub(super) struct Word<'text> {
    /// Its bytes in the transcript.
    pub(super) range: Range<usize>,
    /// Its text in the transcript.
    pub(super) text: &'text str,
    /// In lower case.
    pub(super) lower: String,
    /// Whether only a space or a hyphen is between it and the word before.
    pub(super) joined: bool,
    /// Whether a comma and a space are there.
    pub(super) after_comma: bool,
}

impl Word<'_> {
    /// Returns the word's only letter, in its own case.
    pub(super) fn letter(&self) -> Option<char> {
        let mut chars = self.text.chars();
        let first = chars.next().filter(char::is_ascii_alphabetic)?;
        chars.next().is_none().then_some(first)
    }

    /// Returns whether the word is one of these in a list with spaces, in any case.
    pub(super) fn is_one_of(&self, words: &str) -> bool {
        words.split(' ').any(|word| word == self.lower)
    }
}

/// Returns the words of a text.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut end_of_last = 0;
    while let Some((start, first)) = chars.next() {
        if !first.is_alphanumeric() {
            continue;
        }
        let mut end = start + first.len_utf8();
        let mut figures = first.is_ascii_digit();
        while let Some(&(at, c)) = chars.peek() {
            let next_is_digit =
                || text.get(at + c.len_utf8()..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if !(c.is_alphanumeric() || (c == '.' && figures && next_is_digit())) {
                break;
            }
            figures = figures && (c.is_ascii_digit() || c == '.');
            end = at + c.len_utf8();
            chars.next();
        }
        let gap = text.get(end_of_last..start).unwrap_or_default();
        let word = text.get(start..end).unwrap_or_default();
        words.push(Word {
            range: start..end,
            text: word,
            lower: word.to_lowercase(),
            joined: !words.is_empty() && matches!(gap, " " | "-" | "\u{2010}" | "\u{2011}"),
            after_comma: gap == ", ",
        });
        end_of_last = end;
    }
    words
}

/// One number as a speaker groups it: "eight fifty-eight" has two groups, "eight hundred fifty-eight" has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its figures, such as `58` or `2.5`.
    pub(super) figures: String,
    /// The index after its last word.
    pub(super) end: usize,
    /// Whether it is in words, not in figures.
    pub(super) spoken: bool,
}

impl Group {
    pub(super) fn is_decimal(&self) -> bool {
        self.figures.contains('.')
    }

    fn digits(&self) -> usize {
        if self.is_decimal() { 0 } else { self.figures.len() }
    }

    /// Returns the value of a whole number.
    pub(super) fn value(&self) -> Option<u32> {
        self.figures.parse().ok()
    }
}

/// Returns the groups of the number that begins at a word; none if no number does.
pub(super) fn groups(words: &[Word<'_>], at: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = at;
    while let Some(group) = group(words, at, !groups.is_empty()).filter(|_| groups.len() < MOST_GROUPS) {
        at = group.end;
        groups.push(group);
    }
    groups
}

/// Returns the number that the groups are together, if speakers read numbers this way: digit by digit ("eight five
/// eight"), or the hundreds before the rest ("eight fifty-eight"). A single group is itself.
pub(super) fn together(groups: &[Group]) -> Option<String> {
    let joined = || groups.iter().map(|group| group.figures.as_str()).collect::<String>();
    match groups {
        [only] => Some(only.figures.clone()),
        [hundreds, rest] if hundreds.digits() == 1 && rest.digits() == 2 && hundreds.figures != "0" => Some(joined()),
        [first, ..] if first.figures != "0" && groups.iter().all(|group| group.digits() == 1) => Some(joined()),
        _ => None,
    }
}

fn group(words: &[Word<'_>], at: usize, continues: bool) -> Option<Group> {
    let word = words.get(at).filter(|word| !continues || word.joined)?;
    if word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Some(Group { figures: word.text.to_owned(), end: at + 1, spoken: false });
    }
    if continues && word.lower == "oh" {
        return Some(Group { figures: "0".to_owned(), end: at + 1, spoken: true });
    }
    let (value, end) = cardinal(words, at)?;
    let mut group = Group { figures: value.to_string(), end, spoken: true };
    if is(words, end, "point")
        && let Some((decimals, end)) = decimals(words, end + 1)
    {
        group.figures = format!("{value}.{decimals}");
        group.end = end;
    }
    Some(group)
}

/// Returns the digits after "point": single digits one after the other, or one number such as "seventy-five".
fn decimals(words: &[Word<'_>], at: usize) -> Option<(String, usize)> {
    let digit = |at: usize| {
        let word = words.get(at).filter(|word| word.joined)?;
        if word.lower == "oh" { Some(0) } else { UNITS.iter().position(|unit| *unit == word.lower) }
    };
    let (mut digits, mut end) = (String::new(), at);
    while let Some(value) = digit(end).filter(|_| digits.len() < MOST_GROUPS) {
        digits.push_str(&value.to_string());
        end += 1;
    }
    if !digits.is_empty() {
        return Some((digits, end));
    }
    let (value, end) = words.get(at).filter(|word| word.joined).and_then(|_| below_hundred(words, at))?;
    Some((value.to_string(), end))
}

/// Returns a whole number in words below a million, and the index after it.
fn cardinal(words: &[Word<'_>], at: usize) -> Option<(u32, usize)> {
    let (value, end) = below_thousand(words, at)?;
    if !is(words, end, "thousand") {
        return Some((value, end));
    }
    let behind = end + 1;
    let rest = below_thousand(words, skip_and(words, behind)).filter(|_| continues(words, behind));
    Some(rest.filter(|(rest, _)| *rest > 0).map_or((value * 1000, behind), |(rest, end)| (value * 1000 + rest, end)))
}

fn below_thousand(words: &[Word<'_>], at: usize) -> Option<(u32, usize)> {
    let article = || {
        let is_article = words.get(at).is_some_and(|word| word.lower == "a");
        (is_article && (is(words, at + 1, "hundred") || is(words, at + 1, "thousand"))).then_some((1, at + 1))
    };
    let (value, end) = below_hundred(words, at).or_else(article)?;
    if !(is(words, end, "hundred") && value > 0) {
        return Some((value, end));
    }
    let behind = end + 1;
    let rest = below_hundred(words, skip_and(words, behind)).filter(|_| continues(words, behind));
    Some(rest.filter(|(rest, _)| *rest > 0).map_or((value * 100, behind), |(rest, end)| (value * 100 + rest, end)))
}

fn below_hundred(words: &[Word<'_>], at: usize) -> Option<(u32, usize)> {
    let word = words.get(at)?;
    let position = |list: &[&str], word: &Word<'_>| {
        list.iter().position(|name| *name == word.lower).and_then(|at| u32::try_from(at).ok())
    };
    if let Some(value) = position(&UNITS, word) {
        return Some((value, at + 1));
    }
    if let Some(value) = position(&TEENS, word) {
        return Some((value + 10, at + 1));
    }
    let tens = (position(&TENS, word)? + 2) * 10;
    let unit = words.get(at + 1).filter(|next| next.joined).and_then(|next| position(&UNITS, next));
    Some(unit.filter(|unit| *unit > 0).map_or((tens, at + 1), |unit| (tens + unit, at + 2)))
}

fn is(words: &[Word<'_>], at: usize, text: &str) -> bool {
    words.get(at).is_some_and(|word| word.joined && word.lower == text)
}

fn continues(words: &[Word<'_>], at: usize) -> bool {
    words.get(at).is_some_and(|word| word.joined)
}

/// Returns the index after an "and" that a number follows: "one hundred and five".
fn skip_and(words: &[Word<'_>], at: usize) -> usize {
    if is(words, at, "and") && continues(words, at + 1) { at + 1 } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_speakers_group_them() {
        for (text, expected, number) in [
            ("nineteen", &["19"][..], Some("19")),
            ("sixty-two years", &["62"], Some("62")),
            ("eight five eight", &["8", "5", "8"], Some("858")),
            ("eight oh eight", &["8", "0", "8"], Some("808")),
            ("eight fifty-eight", &["8", "58"], Some("858")),
            ("eight hundred and fifty eight R", &["858"], Some("858")),
            ("two thousand twenty four", &["2024"], Some("2024")),
            ("one hundred", &["100"], Some("100")),
            ("a hundred percent", &["100"], Some("100")),
            ("two point five milligrams", &["2.5"], Some("2.5")),
            ("zero point oh five", &["0.05"], Some("0.05")),
            ("sixty seven thirty", &["67", "30"], None),
            ("two hundred and then", &["200"], Some("200")),
            ("4.5 cm", &["4.5"], Some("4.5")),
            ("three, four", &["3"], Some("3")),
            ("zero five", &["0", "5"], None),
            ("a nodule", &[], None),
            ("second", &[], None),
            ("oh five", &[], None),
        ] {
            let words = words(text);
            let groups = groups(&words, 0);
            let figures: Vec<_> = groups.iter().map(|group| group.figures.as_str()).collect();
            assert_eq!(figures, expected, "{text}");
            assert_eq!(together(&groups).as_deref(), number, "{text}");
        }
        let long = "nine ".repeat(10_000);
        assert_eq!(groups(&words(&long), 0).len(), MOST_GROUPS);
    }
}
