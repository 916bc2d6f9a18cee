//! Decides what each date of a text means: the order of day and month, missing years, and dates relative to the note.
//! What stays unsure is left less exact, never guessed.

use std::ops::Range;

use super::{
    calendar::{self, CalendarDate},
    context,
    expressions::{self, DateMeaning, Expression, TimeUnit},
    stated_date::DateValue,
};

/// Maximum number of bytes between a month without a year and the date before it that has one.
const YEAR_REACH: usize = 250;
/// Maximum number of bytes between two dates that belong together.
const LONGEST_JOIN: usize = 16;

/// A date of a text, or several that belong together, such as the first and the last day of a treatment.
#[derive(Clone, Debug)]
pub(super) struct DateMention {
    /// The bytes of the date, with those that belong to it.
    pub(super) range: Range<usize>,
    /// Where the prepositions before it start.
    pub(super) reach: usize,
    /// The bytes of the date whose value this is.
    pub(super) shown: Range<usize>,
    /// The date; `None` if it must not be used but separates the words around it: an impossible date, the end of a
    /// treatment.
    pub(super) value: Option<DateValue>,
}

/// Returns the dates of a text in their order.
pub(super) fn mentions(text: &str, note_date: Option<CalendarDate>) -> Vec<DateMention> {
    let expressions = expressions::find(text);
    let is_day_first = is_day_first(&expressions);
    let mut mentions: Vec<DateMention> = Vec::with_capacity(expressions.len());
    let mut year_before: Option<(usize, DateValue)> = None;
    for (at, expression) in expressions.iter().enumerate() {
        let Expression { range, meaning } = expression;
        if context::is_of_document(text, range.start) {
            continue;
        }
        let reach = context::prepositions_start(text, range.start);
        let (resolved, states_year) = match *meaning {
            DateMeaning::NoYear(month, day) => {
                let next = expressions.get(at + 1);
                let range_end =
                    next.filter(|next| joins(text, range.end..next.range.start, false)).map(|next| next.meaning);
                let earlier = year_before.filter(|&(end, value)| gives_year(text, end..range.start, value));
                let earlier = earlier.map(|(_, value)| value);
                let by_note =
                    note_date.map(|note_date| year_by_note(month, day, note_date, context::is_planned(text, reach)));
                let by_text = year_of_range(month, range_end).or_else(|| year_by_text(month, earlier, by_note));
                let year = by_text.or_else(|| by_note.filter(|_| earlier.is_none()));
                (year.map_or(Some(DateValue::Relative), |year| with_day(year, month, day)), by_text.is_some())
            }
            meaning => {
                let is_relative = matches!(meaning, DateMeaning::Ago(..) | DateMeaning::Period(..));
                (value(meaning, is_day_first, note_date), !is_relative)
            }
        };
        let is_unusable =
            resolved.is_some_and(|value| value.year_and_month().is_some()) && context::is_end(text, reach);
        let shown = if resolved == Some(DateValue::Relative) && matches!(meaning, DateMeaning::NoYear(..)) {
            reach..range.end
        } else {
            range.clone()
        };
        if let Some(value) = resolved.filter(|value| states_year && value.year_and_month().is_some()) {
            year_before = Some((range.end, value));
        }
        let mention = DateMention { range: range.clone(), reach, shown, value: resolved.filter(|_| !is_unusable) };
        match mentions.last_mut() {
            Some(last) if belongs(text, last, &mention, resolved) => join(last, mention),
            _ => mentions.push(mention),
        }
    }
    mentions
}

/// Returns whether the dates of a text that are written in numbers have the day first. None if no date shows it, or if
/// they contradict each other.
fn is_day_first(expressions: &[Expression]) -> Option<bool> {
    let (mut day_first, mut month_first) = (false, false);
    for expression in expressions {
        if let DateMeaning::DayAndMonth(first, second, _) = expression.meaning {
            day_first |= first > 12 && second <= 12;
            month_first |= second > 12 && first <= 12;
        }
    }
    (day_first != month_first).then_some(day_first)
}

/// Returns the value of what an expression says; `None` for an impossible date.
fn value(meaning: DateMeaning, is_day_first: Option<bool>, note_date: Option<CalendarDate>) -> Option<DateValue> {
    let day = |year, month, day| CalendarDate::new(year, month, day).map(DateValue::Day);
    match meaning {
        DateMeaning::Day(year, month, number) => day(year, month, number),
        DateMeaning::DayAndMonth(first, second, year) if first > 12 || first == second => day(year, second, first),
        DateMeaning::DayAndMonth(first, second, year) if second > 12 => day(year, first, second),
        DateMeaning::DayAndMonth(first, second, year) => match is_day_first {
            Some(true) => day(year, second, first),
            Some(false) => day(year, first, second),
            None => calendar::is_year(year).then_some(DateValue::Year(year)),
        },
        DateMeaning::Month(year, month) => Some(DateValue::Month(year, month)),
        DateMeaning::Year(year) => calendar::is_year(year).then_some(DateValue::Year(year)),
        DateMeaning::Age(age) => Some(DateValue::Age(age)),
        DateMeaning::Ago(count, unit) => {
            Some(note_date.and_then(|date| ago(date, count, unit)).unwrap_or(DateValue::Relative))
        }
        DateMeaning::Period(units, unit) => {
            Some(note_date.and_then(|date| period(date, units, unit)).unwrap_or(DateValue::Relative))
        }
        DateMeaning::Words | DateMeaning::NoYear(..) => Some(DateValue::Relative),
        DateMeaning::Impossible => None,
    }
}

fn ago(note_date: CalendarDate, count: i32, unit: TimeUnit) -> Option<DateValue> {
    match unit {
        TimeUnit::Day => note_date.plus_days(-count).map(DateValue::Day),
        TimeUnit::Week => note_date.plus_days(-7 * count).map(|date| DateValue::Month(date.year, date.month)),
        TimeUnit::Month => note_date.plus_months(-count).map(|(year, month)| DateValue::Month(year, month)),
        TimeUnit::Year => calendar::is_year(note_date.year - count).then_some(DateValue::Year(note_date.year - count)),
    }
}

fn period(note_date: CalendarDate, units: i32, unit: TimeUnit) -> Option<DateValue> {
    match unit {
        TimeUnit::Day => note_date.plus_days(units).map(DateValue::Day),
        TimeUnit::Week => {
            let monday = note_date.plus_days(7 * units - note_date.weekday())?;
            // In some countries a week starts on Sunday.
            let (first, last) = (monday.plus_days(-1)?, monday.plus_days(6)?);
            let is_one_month = (first.year, first.month) == (last.year, last.month);
            let year = (first.year == last.year).then_some(DateValue::Year(first.year));
            if is_one_month { Some(DateValue::Month(first.year, first.month)) } else { year }
        }
        TimeUnit::Month => note_date.plus_months(units).map(|(year, month)| DateValue::Month(year, month)),
        TimeUnit::Year => calendar::is_year(note_date.year + units).then_some(DateValue::Year(note_date.year + units)),
    }
}

fn with_day(year: i32, month: i32, day: Option<i32>) -> Option<DateValue> {
    match day {
        Some(day) => CalendarDate::new(year, month, day).map(DateValue::Day),
        None => Some(DateValue::Month(year, month)),
    }
}

/// Returns the year of a month before another date: "from March to August 2019".
fn year_of_range(month: i32, end: Option<DateMeaning>) -> Option<i32> {
    match end? {
        DateMeaning::Month(year, last) | DateMeaning::Day(year, last, _) => {
            Some(if month <= last { year } else { year - 1 })
        }
        _ => None,
    }
}

/// Returns whether an earlier date is near enough to give a month its year. A year alone gives it on its line only.
fn gives_year(text: &str, between: Range<usize>, earlier: DateValue) -> bool {
    let is_same_line = |between: &str| !between.contains('\n');
    between.len() <= YEAR_REACH
        && (!matches!(earlier, DateValue::Year(_)) || text.get(between).is_some_and(is_same_line))
}

/// Returns the year of a month without one, from the date of the note.
fn year_by_note(month: i32, day: Option<i32>, note_date: CalendarDate, is_planned: bool) -> i32 {
    let is_later = (month, day.unwrap_or(1)) > (note_date.month, note_date.day);
    match (is_planned, is_later) {
        (true, false) if month != note_date.month => note_date.year + 1,
        (false, true) => note_date.year - 1,
        _ => note_date.year,
    }
}

/// Returns the year of a month without one, from a date shortly before it.
fn year_by_text(month: i32, earlier: Option<DateValue>, by_note: Option<i32>) -> Option<i32> {
    match earlier.and_then(DateValue::year_and_month)? {
        (year, None) => Some(year),
        (year, Some(before)) if month >= before => Some(year),
        // "In November 2019 ... in March": the year after, if the date of the note agrees.
        (year, Some(_)) => by_note.filter(|&by_note| by_note == year + 1),
    }
}

/// Returns whether a date belongs to the one before it: the end of a range, the day of "C3D1 (14 March 2021)".
fn belongs(text: &str, last: &DateMention, next: &DateMention, value: Option<DateValue>) -> bool {
    let is_absolute = |value: DateValue| value.year_and_month().is_some();
    let is_relative = last.value.is_some_and(|value| !is_absolute(value));
    joins(text, last.range.end..next.range.start, is_relative && value.is_some_and(is_absolute))
}

/// Returns whether the text between two dates joins them.
fn joins(text: &str, gap: Range<usize>, allows_preposition: bool) -> bool {
    if gap.len() > LONGEST_JOIN {
        return false;
    }
    let gap = text.get(gap).unwrap_or_default();
    let punctuation = |letter: char| matches!(letter, ' ' | '\t' | '(' | ',' | '|' | '/' | '-' | '–' | '—');
    let mut words = gap.split(punctuation).filter(|word| !word.is_empty());
    let is_joint = |word: &str| {
        let has = |words: &[&str]| words.iter().any(|each| each.eq_ignore_ascii_case(word));
        has(&["to", "until", "till", "through", "thru", "and"]) || (allows_preposition && has(&["in", "on", "of"]))
    };
    match (words.next(), words.next()) {
        (None, _) => true,
        (Some(word), None) => is_joint(word) && !gap.contains(','),
        _ => false,
    }
}

/// Joins a date to the one before it. Of a range the first date counts; a day counts more than words such as "at
/// diagnosis".
fn join(last: &mut DateMention, next: DateMention) {
    last.range.end = next.range.end;
    let is_absolute = |value: Option<DateValue>| value.is_some_and(|value| value.year_and_month().is_some());
    if last.value.is_some() && !is_absolute(last.value) && is_absolute(next.value) {
        (last.value, last.shown) = (next.value, next.shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_of_a_text() {
        for (text, note_date, expected) in [
            ("03/04/2021", None, &["2021"][..]),
            ("03/04/2021 and then 14/03/2021", None, &["2021-04-03", "2021-03-14"]),
            ("03/04/2021; 3/14/2021", None, &["2021-03-04", "2021-03-14"]),
            ("03/04/2021; 3/14/2021; 14/03/2021", None, &["2021", "2021-03-14", "2021-03-14"]),
            ("31/02/2021", None, &["-"]),
            ("14/03/3024", None, &["-"]),
            ("from March to August 2019", None, &["2019-03"]),
            ("from November to February 2020", None, &["2019-11"]),
            ("03/2019 - 08/2019; 2015–2017", None, &["2019-03", "2015"]),
            ("In January 2019 x. In June y. In March z", None, &["2019-01", "2019-06", "In March"]),
            ("In November 2019 x. In March y", Some("2020-05-20"), &["2019-11", "2020-03"]),
            ("PCI 2018.\nSeen on 12 APR", None, &["2018", "on 12 APR"]),
            ("in December", Some("2020-05-20"), &["2019-12"]),
            ("will start in June", Some("2020-05-20"), &["2020-06"]),
            ("will start in February", Some("2020-05-20"), &["2021-02"]),
            ("at diagnosis (March 2018)", None, &["2018-03"]),
            ("C3D1 on 14 March 2021", None, &["2021-03-14"]),
            ("DOB 12.03.1950, born 1950, dictated 03/14/2021", None, &[]),
            ("until 05/2020", None, &["-"]),
            ("last month; next week", Some("2020-01-15"), &["2019-12", "2020-01"]),
            ("last year", None, &["last year"]),
        ] {
            let note_date = note_date.and_then(CalendarDate::parse);
            let found: Vec<String> = mentions(text, note_date)
                .into_iter()
                .map(|one| {
                    let words = text.get(one.shown).unwrap();
                    one.value.map_or("-".to_owned(), |value| value.to_text(words))
                })
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
