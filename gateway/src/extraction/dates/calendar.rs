//! Days, months and years of the calendar: which exist, and which lie some time before another.

/// The first and the last year that a date of a note may have.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// A day of the calendar, from 1900 to 2100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarDate {
    pub(super) year: i32,
    pub(super) month: i32,
    pub(super) day: i32,
}

impl std::fmt::Display for CalendarDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl CalendarDate {
    /// Returns the day; `None` if the calendar has no such day, such as 31 February.
    #[must_use]
    pub fn new(year: i32, month: i32, day: i32) -> Option<Self> {
        let exists = is_year(year) && is_month(month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// Parses a day written as `YYYY-MM-DD`; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse().ok();
        if shape { Self::new(number(0..4)?, number(5..7)?, number(8..10)?) } else { None }
    }

    /// Returns the day that is `days` later, or earlier where `days` is negative.
    pub(super) fn plus_days(self, days: i32) -> Option<Self> {
        let mut date = self;
        let mut rest = days;
        // A year at a time, so that the number of turns is bounded by the years of the calendar.
        while rest != 0 {
            let day_of_year = date.day_of_year();
            let length = days_in_year(date.year);
            if rest > 0 && day_of_year + rest > length {
                rest -= length - day_of_year + 1;
                date = Self::new(date.year + 1, 1, 1)?;
            } else if rest < 0 && day_of_year + rest < 1 {
                rest += day_of_year;
                date = Self::new(date.year - 1, 12, 31)?;
            } else {
                return Self::of_day_in_year(date.year, day_of_year + rest);
            }
        }
        Some(date)
    }

    /// Returns the year and month that are `months` later, or earlier where `months` is negative.
    pub(super) fn plus_months(self, months: i32) -> Option<(i32, i32)> {
        let all = self.year * 12 + self.month - 1 + months;
        let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
        is_year(year).then_some((year, month))
    }

    /// Returns the day of the week: 0 for Monday to 6 for Sunday.
    pub(super) fn weekday(self) -> i32 {
        // 1 January 1900 was a Monday.
        let years: i32 = (1900..self.year).map(days_in_year).sum();
        (years + self.day_of_year() - 1).rem_euclid(7)
    }

    fn day_of_year(self) -> i32 {
        (1..self.month).map(|month| days_in_month(self.year, month)).sum::<i32>() + self.day
    }

    fn of_day_in_year(year: i32, mut day: i32) -> Option<Self> {
        for month in 1..=12 {
            let length = days_in_month(year, month);
            if day <= length {
                return Self::new(year, month, day);
            }
            day -= length;
        }
        None
    }
}

/// Returns whether a date of a note may have this year.
pub(super) fn is_year(year: i32) -> bool {
    YEARS.contains(&year)
}

/// Returns whether this is the number of a month.
pub(super) fn is_month(month: i32) -> bool {
    (1..=12).contains(&month)
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_year(year: i32) -> i32 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_exist() {
        for (text, exists) in [
            ("2021-03-14", true),
            ("2020-02-29", true),
            ("2021-02-29", false),
            ("1900-02-29", false),
            ("2021-02-31", false),
            ("2021-13-01", false),
            ("2021-00-10", false),
            ("3024-03-14", false),
            ("1899-12-31", false),
            ("2021-3-14", false),
            ("2021-03-14 ", false),
            ("14/03/2021", false),
            ("2021−03-1", false),
            ("", false),
        ] {
            assert_eq!(CalendarDate::parse(text).is_some(), exists, "{text}");
        }
    }

    #[test]
    fn days_before_and_after() {
        let day = |text: &str| CalendarDate::parse(text).unwrap();
        for (from, days, to) in [
            ("2022-01-01", -1, "2021-12-31"),
            ("2020-03-01", -1, "2020-02-29"),
            ("2021-05-20", 0, "2021-05-20"),
            ("2021-05-20", -800, "2019-03-12"),
            ("2019-12-31", 1, "2020-01-01"),
            ("2019-12-31", 366, "2020-12-31"),
        ] {
            assert_eq!(day(from).plus_days(days), Some(day(to)), "{from} {days}");
        }
        assert_eq!(day("1900-01-01").plus_days(-1), None);
        assert_eq!(day("2021-03-31").plus_months(-1), Some((2021, 2)));
        assert_eq!(day("2021-01-15").plus_months(-13), Some((2019, 12)));
        assert_eq!((day("1900-01-01").weekday(), day("2021-04-07").weekday(), day("2021-04-11").weekday()), (0, 2, 6));
    }
}
