//! The date of a value, as the answer shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::calendar::CalendarDate;

/// How exact a date is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "month")]
pub enum DatePrecision {
    /// A day: `2018-03-14`.
    Day,
    /// A month: `2018-03`.
    Month,
    /// A year: `2018`.
    Year,
    /// An age of the patient in years: `52`.
    Age,
    /// A time relative to another event or to the note, in the words of the note: `at diagnosis`.
    Relative,
}

/// The date that the words near a value state. `start` and `end` are a half-open range of `text` as it was sent, in the
/// unit of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatedDate {
    /// The date: `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; an age in years; or the words of the note for a relative date.
    /// A range of dates has its first.
    #[schema(example = "2018-03")]
    pub value: String,
    /// How exact the date is.
    pub precision: DatePrecision,
    /// The first position of the words that state the date.
    #[schema(example = 34, minimum = 0)]
    pub start: usize,
    /// One past the last position of the words that state the date.
    #[schema(example = 44, minimum = 0)]
    pub end: usize,
}

/// When something happened, as far as the note and `note_date` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateValue {
    Day(CalendarDate),
    Month(i32, i32),
    Year(i32),
    Age(i32),
    Relative,
}

impl DateValue {
    pub(super) fn precision(self) -> DatePrecision {
        match self {
            Self::Day(_) => DatePrecision::Day,
            Self::Month(..) => DatePrecision::Month,
            Self::Year(_) => DatePrecision::Year,
            Self::Age(_) => DatePrecision::Age,
            Self::Relative => DatePrecision::Relative,
        }
    }

    /// Returns the date as text. `words`: the words of the note that state it.
    pub(super) fn to_text(self, words: &str) -> String {
        match self {
            Self::Day(date) => date.to_string(),
            Self::Month(year, month) => format!("{year:04}-{month:02}"),
            Self::Year(year) => year.to_string(),
            Self::Age(age) => age.to_string(),
            Self::Relative => words.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    /// Returns the year and, if it is known, the month.
    pub(super) fn year_and_month(self) -> Option<(i32, Option<i32>)> {
        match self {
            Self::Day(date) => Some((date.year, Some(date.month))),
            Self::Month(year, month) => Some((year, Some(month))),
            Self::Year(year) => Some((year, None)),
            Self::Age(_) | Self::Relative => None,
        }
    }
}
