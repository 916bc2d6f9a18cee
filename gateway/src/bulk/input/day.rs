//! Reads the day of a column as databases and spreadsheets write it. A day that can be read in two ways is refused.

use clap::ValueEnum;

use super::Fault;
use crate::extraction::CalendarDate;

/// The order of day and month in a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DateOrder {
    /// The day first: 31/03/2024.
    Dmy,
    /// The month first: 03/31/2024.
    Mdy,
}

/// Why a day is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayFault {
    NoDay,
    /// Day and month may be exchanged.
    Ambiguous,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl DayFault {
    /// Returns the fault of a note, with the name of its column.
    pub(super) fn of_column(self, column: &str) -> Fault {
        let message = match self {
            Self::NoDay => format!(
                "`{column}` must be a day that exists, from 1900 to 2100, such as 2024-03-31, 20240331, 31.03.2024 or 31-MAR-2024."
            ),
            Self::Ambiguous => format!(
                "`{column}` may mean two days: its first number may be the day or the month. Say which with --date-format dmy or mdy."
            ),
        };
        Fault::of("note_date", "calendar_date", message)
    }
}

/// Returns the day of a value. A time of day and a time zone after it are left out: the day is that of the place where the
/// note was written.
pub(super) fn read(value: &str, order: Option<DateOrder>) -> Result<CalendarDate, DayFault> {
    let value = value.trim();
    let day = value.split_once([' ', 'T']).map_or(value, |(day, _)| day);
    if day.bytes().all(|byte| byte.is_ascii_digit()) {
        // `YYYYMMDD`, with or without hours, minutes and seconds.
        let compact = matches!(day.len(), 8 | 12 | 14).then(|| (day.get(..4), day.get(4..6), day.get(6..8)));
        let Some((Some(year), Some(month), Some(day))) = compact else { return Err(DayFault::NoDay) };
        return date(year, month, day);
    }
    let Some(mark) = day.chars().find(|letter| matches!(letter, '-' | '.' | '/')) else { return Err(DayFault::NoDay) };
    let parts: Vec<&str> = day.split(mark).collect();
    let [first, second, third] = parts.as_slice() else { return Err(DayFault::NoDay) };
    if first.len() == 4 {
        return date(first, second, third);
    }
    if third.len() != 4 {
        return Err(DayFault::NoDay);
    }
    if second.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        let month = MONTHS.iter().position(|name| second.eq_ignore_ascii_case(name)).ok_or(DayFault::NoDay)?;
        return date(third, &(month + 1).to_string(), first);
    }
    match (order, mark) {
        (Some(DateOrder::Mdy), '/' | '-') => date(third, first, second),
        // Dates with points always have the day first.
        (Some(DateOrder::Dmy), _) | (_, '.') => date(third, second, first),
        (None, _) => match (date(third, second, first), date(third, first, second)) {
            (Ok(one), Ok(other)) if one != other => Err(DayFault::Ambiguous),
            (Ok(day), _) | (_, Ok(day)) => Ok(day),
            _ => Err(DayFault::NoDay),
        },
        _ => Err(DayFault::NoDay),
    }
}

fn date(year: &str, month: &str, day: &str) -> Result<CalendarDate, DayFault> {
    let number = |text: &str| {
        let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    let found = number(year).zip(number(month)).zip(number(day));
    found.and_then(|((year, month), day)| CalendarDate::new(year, month, day)).ok_or(DayFault::NoDay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_databases_write_them() {
        let (dmy, mdy) = (Some(DateOrder::Dmy), Some(DateOrder::Mdy));
        for (value, order, expected) in [
            ("2024-03-31", None, Ok("2024-03-31")),
            ("2024-03-31T23:59:59.123+02:00", None, Ok("2024-03-31")),
            ("2024-03-31T23:59:59Z", None, Ok("2024-03-31")),
            ("2024-03-31 00:00:00 UTC", None, Ok("2024-03-31")),
            ("2024/3/1", None, Ok("2024-03-01")),
            ("20240331", None, Ok("2024-03-31")),
            ("20240331235959", None, Ok("2024-03-31")),
            ("20240331T2359", None, Ok("2024-03-31")),
            ("31.03.2024", None, Ok("2024-03-31")),
            ("3.4.2020", None, Ok("2020-04-03")),
            ("03.04.2020", mdy, Ok("2020-04-03")),
            ("31-MAR-2024", None, Ok("2024-03-31")),
            ("31/03/2024", None, Ok("2024-03-31")),
            ("03/31/2024", None, Ok("2024-03-31")),
            ("04/04/2020 10:15", None, Ok("2020-04-04")),
            ("03/04/2020", None, Err(DayFault::Ambiguous)),
            ("03-04-2020", None, Err(DayFault::Ambiguous)),
            ("03/04/2020", dmy, Ok("2020-04-03")),
            ("03/04/2020", mdy, Ok("2020-03-04")),
            ("03/31/2024", dmy, Err(DayFault::NoDay)),
            ("31/03/2024", mdy, Err(DayFault::NoDay)),
            ("31/03/24", dmy, Err(DayFault::NoDay)),
            ("2024-02-30", None, Err(DayFault::NoDay)),
            ("2024-03", None, Err(DayFault::NoDay)),
            ("45382", None, Err(DayFault::NoDay)),
            ("12345678901", None, Err(DayFault::NoDay)),
            ("2024-+3-01", None, Err(DayFault::NoDay)),
            ("März 2024", None, Err(DayFault::NoDay)),
        ] {
            let found = read(value, order).map(|day| day.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{value} {order:?}");
        }
    }
}
