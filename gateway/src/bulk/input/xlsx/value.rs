//! Shows numbers and days as a workbook shows them.

/// How a number is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NumberFormat {
    #[default]
    General,
    /// As a day, a time of day or both.
    Day,
    /// With zeros before it, up to so many digits.
    Padded(usize),
}

/// Digits that Excel keeps of a number.
const EXACT_DIGITS: usize = 15;
/// Serial number of the last day that Excel knows, 31 December 9999.
const LAST_DAY: f64 = 2_958_466.0;
/// Serial number of 1 January 1904 in the calendar that begins in 1900.
const DAYS_TO_1904: i64 = 1_462;

impl NumberFormat {
    /// Returns the format of a number that every workbook has.
    pub(super) fn built_in(id: u32) -> Self {
        match id {
            14..=22 | 27..=36 | 45 | 47 | 50..=58 => Self::Day,
            _ => Self::General,
        }
    }

    /// Returns the format that a code such as `dd.mm.yyyy` or `00000` describes.
    pub(super) fn of_code(code: &str) -> Self {
        if code.len() >= 2 && code.len() <= EXACT_DIGITS && code.bytes().all(|byte| byte == b'0') {
            return Self::Padded(code.len());
        }
        let mut characters = code.chars();
        let mut is_day = false;
        while let Some(character) = characters.next() {
            match character {
                // The format of other numbers.
                ';' => break,
                '\\' | '_' | '*' => drop(characters.next()),
                '"' => drop(characters.find(|character| *character == '"')),
                '[' => {
                    let content: String = characters.by_ref().take_while(|character| *character != ']').collect();
                    let is_duration = !content.is_empty()
                        && content.chars().all(|unit| matches!(unit.to_ascii_lowercase(), 'h' | 'm' | 's'));
                    if is_duration {
                        return Self::General;
                    }
                }
                'd' | 'm' | 'y' | 'h' | 's' | 'D' | 'M' | 'Y' | 'H' | 'S' => is_day = true,
                _ => {}
            }
        }
        if is_day { Self::Day } else { Self::General }
    }
}

/// A number as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownNumber {
    pub(super) text: String,
    /// Whether Excel has rounded it: it keeps 15 digits.
    pub(super) is_rounded: bool,
}

/// Returns a number of the file as a workbook shows it. Text that is not a number is returned unchanged.
pub(super) fn shown(raw: &str, format: NumberFormat, is_1904: bool) -> ShownNumber {
    let raw = raw.trim();
    let exact = |text: String| ShownNumber { text, is_rounded: false };
    let Some(number) = raw.parse::<f64>().ok().filter(|number| number.is_finite()) else {
        return exact(raw.to_owned());
    };
    if let Some(day) = (format == NumberFormat::Day).then(|| day(number, is_1904)).flatten() {
        return exact(day);
    }
    let unsigned = raw.strip_prefix('-').unwrap_or(raw);
    let is_rounded = number.abs() >= 1e15;
    let mut text = if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        raw.to_owned()
    } else {
        // Fifteen digits: 3.2000000000000002 is 3.2.
        let rounded = format!("{number:.*e}", EXACT_DIGITS - 1).parse::<f64>().unwrap_or(number);
        format!("{rounded}")
    };
    if let NumberFormat::Padded(digits) = format
        && number >= 0.0
        && text.bytes().all(|byte| byte.is_ascii_digit())
    {
        text = format!("{text:0>digits$}");
    }
    ShownNumber { text, is_rounded }
}

/// Returns a day as `YYYY-MM-DD`, with `HH:MM` if it has a time of day; only the time if it has no day.
fn day(serial: f64, is_1904: bool) -> Option<String> {
    if !(0.0..LAST_DAY).contains(&serial) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation)]
    let minutes = (serial * 1_440.0).round() as i64;
    let (days, minute) = (minutes / 1_440, minutes % 1_440);
    let time = format!("{:02}:{:02}", minute / 60, minute % 60);
    if days == 0 && !is_1904 {
        return Some(time);
    }
    let days = if is_1904 { days + DAYS_TO_1904 } else { days };
    // Excel counts 29 February 1900, which did not exist.
    let since_1900 = if days < 60 { days + 1 } else { days };
    // From 30 December 1899 to 1 January 1970.
    let (year, month, day) = civil(since_1900 - 25_569);
    let date = format!("{year:04}-{month:02}-{day:02}");
    Some(if minute == 0 { date } else { format!("{date} {time}") })
}

/// Returns year, month and day of a day that is counted from 1 January 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that a leap day is the last day of a year; 400 years have 146,097 days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
