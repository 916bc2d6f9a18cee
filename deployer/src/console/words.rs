//! Formats times and amounts for a person.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns a duration as text: `40 s`, `6 min`, `3 h 05 min`, `2 days`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Returns an amount of US dollars as text.
#[must_use]
pub fn money(usd: f64) -> String {
    format!("{usd:.2} USD")
}

/// Returns the seconds since a time given in seconds since 1970; 0 if the time is in the future.
#[must_use]
pub fn since(moment: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().saturating_sub(moment))
}

/// Returns the seconds until a time given in seconds since 1970; 0 if the time is in the past.
#[must_use]
pub fn until(moment: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| moment.saturating_sub(now.as_secs()))
}

/// Returns the current time as RFC 3339 with milliseconds, in UTC.
#[must_use]
pub fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(now.as_secs(), now.subsec_millis())
}

fn rfc3339(seconds: u64, milliseconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// Returns year, month and day of a day counted from 1 January 1970. The calculation counts years from 1 March, so
/// that the leap day comes last, in spans of 400 years, after which the calendar repeats.
fn date(days: u64) -> (u64, u64, u64) {
    // 1 January 1970 is day 719,468 after 1 March of the year 0.
    let days = days + 719_468;
    let (span, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, the lengths of the months repeat as 31, 30, 31, 30, 31 days.
    let march = (5 * day + 2) / 153;
    let day = day - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (span * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{duration, rfc3339};

    #[test]
    fn timestamps() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (951_868_800, "2000-03-01T00:00:00.007Z"),
            (1_795_834_800, "2026-11-28T03:00:00.007Z"),
            (4_107_542_399, "2100-02-28T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(rfc3339(seconds, 7), expected, "{seconds}");
        }
    }

    #[test]
    fn durations() {
        for (seconds, expected) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7500, "2 h 05 min"), (200_000, "2 days")]
        {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
