//! Times and amounts as a person says them.

use std::time::{SystemTime, UNIX_EPOCH};

/// `40 s`, `6 min`, `3 h 05 min`, `2 days`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// US dollars.
#[must_use]
pub fn money(usd: f64) -> String {
    format!("{usd:.2} USD")
}

/// Seconds since a moment given in seconds since 1970; 0 for one that is still to come.
#[must_use]
pub fn since(moment: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().saturating_sub(moment))
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations() {
        for (seconds, expected) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7500, "2 h 05 min"), (200_000, "2 days")]
        {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
