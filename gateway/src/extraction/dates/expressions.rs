//! Finds the words of a text that may state a date, in one pass, and reads what they say by themselves.
//!
//! `resolve.rs` decides what depends on the rest of the note: the order of day and month, a missing year, "two months
//! ago".

use std::{ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

use super::{calendar, context::is_other_number};
use crate::statics::pattern;

/// Maximum number of expressions of a note that are read. Later ones are ignored.
pub(super) const MOST_DATES: usize = 500;

const MONTH: &str = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?\
    |oct(?:ober)?|nov(?:ember)?|dec(?:ember)?";
const NUMBER: &str = "[0-9]{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|eighteen";
const VAGUE_NUMBER: &str = "(?:a )?few|several|(?:a )?couple(?: of)?|some|many";
/// In the order of preference: where several fit at one place, the first is taken.
const FORMS: [&str; 14] = [
    "(?<iso_year>[0-9]{4})[-/.](?<iso_month>[0-9]{1,2})[-/.](?<iso_day>[0-9]{1,2})(?:T[0-9:]{4,8}Z?)?",
    "(?<first>[0-9]{1,2})[-/.](?<second>[0-9]{1,2})[-/.](?<year>[0-9]{4}|[0-9]{2})",
    "(?<ym_year>[0-9]{4})[-/](?<ym_month>[0-9]{2})",
    "(?<my_month>[0-9]{1,2}) ?[-/.] ?(?<my_year>[0-9]{4})",
    "(?<dmy_day>[0-9]{1,2})(?:st|nd|rd|th)?[ -]{0,2}(?:of )?(?<dmy_name>MONTH)\
        (?:\\.?,?[ -]{0,2}(?:of )?(?<dmy_year>[0-9]{4})|(?:-| ?(?:'|’))?(?<dmy_short>[0-9]{2}))?",
    "(?<mdy_name>MONTH)\\.? (?:the )?(?<mdy_day>[0-9]{1,2})(?<ordinal>st|nd|rd|th)?(?:,? ?(?<mdy_year>[0-9]{4}))?",
    "(?<name>MONTH)(?:\\.?(?:,|,? of|-|/)?\\s?(?<name_year>[0-9]{4})|-(?<hyphen_short>[0-9]{2})\
        |\\.? ?(?:'|’)(?<name_short>[0-9]{2}))?",
    "(?<only_year>(?:19|20)[0-9]{2})",
    "(?:at|when)(?: the)? aged?(?: of)? (?<age>[0-9]{1,3})|at (?<age_years>[0-9]{1,3}) years (?:of age|old)\
        |diagnosed aged (?<age_diagnosed>[0-9]{1,3})",
    "(?<bound>(?:more|less) than |over |almost |nearly )?(?:about |approximately |approx\\.? |around |roughly )?\
        (?:(?<count>NUMBER)|VAGUE)[ -](?<unit>day|week|wk|month|mo|year|yr)s?\
        (?: (?<ago>ago)| (?:back|earlier|later|previously|prior|before|thereafter|afterwards)\
        |,? (?:after|following|from)(?: the| her| his| initial| completion of| end of)? [a-z-]{3,20}\
        | post[- ]?[a-z]{2,20})",
    "(?<period>yesterday|today|tomorrow|(?:last|this|next|the past) (?:week|month|year))",
    "(?:last|on) (?:mon|tues|wednes|thurs|fri|satur|sun)day",
    "at (?:the )?(?:time of )?(?:her |his |their )?(?:initial |first |original |primary )?\
        (?:diagnosis|presentation|baseline|relapse|recurrence|progression|surgery)",
    "(?-i:C)[0-9]{1,2} ?(?-i:D)[0-9]{1,3}|cycle [0-9]{1,2},? day [0-9]{1,3}|post-?op(?:erative)? day #?[0-9]{1,3}\
        |at [0-9]{1,2} (?:weeks|months|years)|(?-i:POD) ?#?[0-9]{1,3}|day \\+?[0-9]{1,3} (?:post|after)[- ][a-z]{3,20}|(?:day |(?-i:D))\\+[0-9]{1,3}",
];

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let forms = FORMS.map(|form| {
        form.replace("MONTH", MONTH).replace("NUMBER", NUMBER).replace("VAGUE", &format!("(?:{VAGUE_NUMBER})"))
    });
    pattern(&format!("(?i-u)\\b(?:{})\\b", forms.join("|")))
});

/// Compiles the pattern before a note needs it.
pub(super) fn compile() {
    LazyLock::force(&PATTERN);
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Day,
    Week,
    Month,
    Year,
}

/// What the words of an expression say by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateMeaning {
    /// Year, month and day.
    Day(i32, i32, i32),
    /// Two numbers, of which one is the day and one the month, and the year.
    DayAndMonth(i32, i32, i32),
    Month(i32, i32),
    Year(i32),
    /// A month without a year, and perhaps a day.
    NoYear(i32, Option<i32>),
    Age(i32),
    /// So many units before the note.
    Ago(i32, TimeUnit),
    /// The unit that lies so many units after that of the note: "last week" is -1.
    Period(i32, TimeUnit),
    /// Relative to another event or too vague to count.
    Words,
    /// An impossible date, such as 31 February.
    Impossible,
}

/// Words that may state a date, as a byte range of the text.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) range: Range<usize>,
    pub(super) meaning: DateMeaning,
}

/// Returns the expressions of a text in their order.
pub(super) fn find(text: &str) -> Vec<Expression> {
    let mut found: Vec<Expression> = Vec::new();
    for captures in PATTERN.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        let range = whole.range();
        let Some(meaning) = meaning(&captures) else { continue };
        let (range, meaning) = without_count(text, range, meaning, &captures);
        let follows_date = found.last().is_some_and(|last| last.range.end + 1 == range.start);
        if is_other_number(text, &range, matches!(meaning, DateMeaning::Year(_)), follows_date) {
            continue;
        }
        found.push(Expression { range, meaning });
        if found.len() == MOST_DATES {
            break;
        }
    }
    found
}

/// Returns an expression without the number before its month if that counts cycles: "carboplatin x 6 Jan-May 2022".
fn without_count(
    text: &str,
    range: Range<usize>,
    meaning: DateMeaning,
    captures: &Captures<'_>,
) -> (Range<usize>, DateMeaning) {
    let before = text.get(..range.start).unwrap_or_default();
    let counts = [" x ", " x", " × ", " ×", "x "].iter().any(|times| before.ends_with(times));
    match (captures.name("dmy_name").filter(|_| counts), meaning) {
        (Some(name), DateMeaning::Day(year, month, _)) => (name.start()..range.end, month_of(year, month)),
        (Some(name), DateMeaning::NoYear(month, _)) => (name.start()..range.end, DateMeaning::NoYear(month, None)),
        _ => (range, meaning),
    }
}

/// Returns what an expression says; `None` if it is not a date.
fn meaning(captures: &Captures<'_>) -> Option<DateMeaning> {
    let text = |name: &str| captures.name(name).map(|found| found.as_str());
    let number = |name: &str| text(name).and_then(|digits| digits.parse::<i32>().ok());
    let short_year = |name: &str| number(name).map(|year| if year <= 40 { 2000 + year } else { 1900 + year });
    let whole = captures.get(0)?.as_str();
    if let (Some(year), Some(month), Some(day)) = (number("iso_year"), number("iso_month"), number("iso_day")) {
        return has_one_separator(whole).then_some(DateMeaning::Day(year, month, day));
    }
    if let (Some(first), Some(second)) = (number("first"), number("second")) {
        let is_short = text("year")?.len() == 2;
        let year = if is_short { short_year("year")? } else { number("year")? };
        // "1.2.20" is more often a number of a version or a section than a date.
        let is_section = is_short && whole.contains('.') && whole.len() < 8;
        return (has_one_separator(whole) && !is_section).then_some(DateMeaning::DayAndMonth(first, second, year));
    }
    if let (Some(year), Some(month)) = (number("ym_year"), number("ym_month")) {
        // "2018/19" are two years.
        let is_season = month == (year + 1) % 100 && !calendar::is_month(month);
        return Some(if is_season { DateMeaning::Year(year) } else { month_of(year, month) });
    }
    if let (Some(month), Some(year)) = (number("my_month"), number("my_year")) {
        let is_plain = whole.contains('/') || (whole.len() == 7 && !whole.contains(' '));
        return (is_plain && (1800..4000).contains(&year)).then(|| month_of(year, month));
    }
    if let (Some(day), Some(name)) = (number("dmy_day"), text("dmy_name")) {
        let month = month_number(name)?;
        return match number("dmy_year").or(short_year("dmy_short")) {
            Some(year) => Some(DateMeaning::Day(year, month, day)),
            None => (is_name(name) && (1..=31).contains(&day)).then_some(DateMeaning::NoYear(month, Some(day))),
        };
    }
    if let (Some(day), Some(name)) = (number("mdy_day"), text("mdy_name")) {
        let month = month_number(name)?;
        if let Some(year) = number("mdy_year") {
            return Some(DateMeaning::Day(year, month, day));
        }
        // "Mar 19" may be a day or a year.
        let is_day = text("ordinal").is_some() || name.len() > 4 || name.eq_ignore_ascii_case("june");
        let meaning = if is_day { DateMeaning::NoYear(month, Some(day)) } else { DateMeaning::Words };
        return (is_name(name) && (1..=31).contains(&day)).then_some(meaning);
    }
    if let Some(name) = text("name") {
        let year = number("name_year").or(short_year("name_short")).or(short_year("hyphen_short"));
        let month = month_number(name)?;
        return year.map(|year| month_of(year, month)).or(is_name(name).then_some(DateMeaning::NoYear(month, None)));
    }
    if let Some(year) = number("only_year") {
        return Some(DateMeaning::Year(year));
    }
    if let Some(age) = number("age").or(number("age_years")).or(number("age_diagnosed")) {
        return (age <= 120).then_some(DateMeaning::Age(age));
    }
    if let Some(unit) = text("unit") {
        let count = text("count").and_then(count_of).filter(|_| text("ago").is_some() && text("bound").is_none());
        return Some(
            count.zip(unit_of(unit)).map_or(DateMeaning::Words, |(count, unit)| DateMeaning::Ago(count, unit)),
        );
    }
    Some(text("period").map_or(DateMeaning::Words, period))
}

fn month_of(year: i32, month: i32) -> DateMeaning {
    if calendar::is_year(year) && calendar::is_month(month) {
        DateMeaning::Month(year, month)
    } else {
        DateMeaning::Impossible
    }
}

fn period(words: &str) -> DateMeaning {
    let words = words.to_ascii_lowercase();
    let unit = words.rsplit(' ').next().and_then(unit_of);
    match (words.split(' ').next(), unit) {
        (Some("yesterday"), _) => DateMeaning::Period(-1, TimeUnit::Day),
        (Some("today"), _) => DateMeaning::Period(0, TimeUnit::Day),
        (Some("tomorrow"), _) => DateMeaning::Period(1, TimeUnit::Day),
        (Some("last"), Some(unit)) => DateMeaning::Period(-1, unit),
        (Some("this"), Some(unit)) => DateMeaning::Period(0, unit),
        (Some("next"), Some(unit)) => DateMeaning::Period(1, unit),
        _ => DateMeaning::Words,
    }
}

/// Returns the unit that a word names; `None` for any other word, whose expression then is relative.
fn unit_of(word: &str) -> Option<TimeUnit> {
    match word.to_ascii_lowercase().as_str() {
        "day" => Some(TimeUnit::Day),
        "week" | "wk" => Some(TimeUnit::Week),
        "month" | "mo" => Some(TimeUnit::Month),
        "year" | "yr" => Some(TimeUnit::Year),
        _ => None,
    }
}

fn count_of(word: &str) -> Option<i32> {
    const WORDS: [(&str, i32); 15] = [
        ("a", 1),
        ("an", 1),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
        ("eighteen", 18),
    ];
    let named = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, count)| count);
    named.or_else(|| word.parse().ok())
}

/// Returns the number of a month from its name or the first three letters of it.
fn month_number(name: &str) -> Option<i32> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = name.get(..3)?;
    (1..).zip(NAMES).find(|(_, each)| each.eq_ignore_ascii_case(start)).map(|(number, _)| number)
}

/// Returns whether a month is spelled as a name. "may" and "march" are verbs too.
fn is_name(month: &str) -> bool {
    month.starts_with(|letter: char| letter.is_ascii_uppercase())
}

/// Returns whether the two separators of a date are the same: 14/03/2021, but not 14-03/2021.
fn has_one_separator(date: &str) -> bool {
    let mut separators = date.bytes().filter(|byte| matches!(byte, b'-' | b'/' | b'.'));
    separators.next() == separators.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("on 2021-03-14T10:00", &[("2021-03-14T10:00", DateMeaning::Day(2021, 3, 14))][..]),
            (
                "03/14/2021, 14.03.21",
                &[
                    ("03/14/2021", DateMeaning::DayAndMonth(3, 14, 2021)),
                    ("14.03.21", DateMeaning::DayAndMonth(14, 3, 2021)),
                ],
            ),
            (
                "14-Mar-2021 14MAR21",
                &[("14-Mar-2021", DateMeaning::Day(2021, 3, 14)), ("14MAR21", DateMeaning::Day(2021, 3, 14))],
            ),
            (
                "March 14th, 2021; Mar '19",
                &[("March 14th, 2021", DateMeaning::Day(2021, 3, 14)), ("Mar '19", DateMeaning::Month(2019, 3))],
            ),
            (
                "Sept. 2018, October of 2016",
                &[("Sept. 2018", DateMeaning::Month(2018, 9)), ("October of 2016", DateMeaning::Month(2016, 10))],
            ),
            ("3/2020-10/2020", &[("3/2020", DateMeaning::Month(2020, 3)), ("10/2020", DateMeaning::Month(2020, 10))]),
            ("2015-2017", &[("2015", DateMeaning::Year(2015)), ("2017", DateMeaning::Year(2017))]),
            ("13/2015", &[("13/2015", DateMeaning::Impossible)]),
            (
                "two months ago, 3 years ago",
                &[
                    ("two months ago", DateMeaning::Ago(2, TimeUnit::Month)),
                    ("3 years ago", DateMeaning::Ago(3, TimeUnit::Year)),
                ],
            ),
            (
                "a few weeks ago; over two years ago",
                &[("a few weeks ago", DateMeaning::Words), ("over two years ago", DateMeaning::Words)],
            ),
            (
                "at diagnosis; C3D1; post-op day 4; POD#2",
                &[
                    ("at diagnosis", DateMeaning::Words),
                    ("C3D1", DateMeaning::Words),
                    ("post-op day 4", DateMeaning::Words),
                    ("POD#2", DateMeaning::Words),
                ],
            ),
            ("at age 52", &[("at age 52", DateMeaning::Age(52))]),
            ("disease-free at 2 years", &[("at 2 years", DateMeaning::Words)]),
            ("1/12 nodes, 3/18, grade 3/4, Gleason 3+4, 60 Gy/30, CA 19-9, 0171-2019-334, 555-2018", &[]),
            ("2000 mg, 1980 cGy, WHO 2016, FIGO 2018, 2018 FIGO, MRN 20192018, Tel. 2019", &[]),
            ("she may start; march on; PT2 may", &[]),
        ] {
            let found: Vec<_> = find(text).into_iter().map(|one| (text.get(one.range).unwrap(), one.meaning)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
