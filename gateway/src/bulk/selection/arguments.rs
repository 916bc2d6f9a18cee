//! The flags that choose the notes for the model.

use clap::{Args, ValueEnum};

/// Which notes the model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Select {
    /// Notes in which the rules see anything about a malignancy, and text that they cannot judge.
    Oncology,
}

/// A share of the notes, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub(super) u32);

impl Default for Share {
    /// 1 %.
    fn default() -> Self {
        Self(10_000)
    }
}

/// The flags that choose the notes for the model.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct SelectionArguments {
    /// Give the model only notes in which the rules see oncology. The others get an empty result with the warning
    /// `model_skipped`
    #[arg(long, value_enum)]
    pub select: Option<Select>,
    /// With --select: percent of the other notes that the model reads too, which shows what the rules miss (default: 1)
    #[arg(long, value_name = "PERCENT", requires = "select", value_parser = percent)]
    pub select_sample: Option<Share>,
}

/// Parses a percentage from 0 to 100 and rounds it to four decimals.
fn percent(value: &str) -> Result<Share, String> {
    match value.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 1,000,000")]
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Share((percent * 10_000.0).round() as u32)),
        _ => Err("give a percentage from 0 to 100, such as 1 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_0_to_100() {
        for (value, expected) in [("1", 10_000), ("0", 0), ("0.5", 5_000), ("100", 1_000_000), ("0.0001", 1)] {
            assert_eq!(percent(value), Ok(Share(expected)), "{value}");
        }
        for value in ["-1", "101", "NaN", "inf", "1%", ""] {
            assert!(percent(value).is_err(), "{value}");
        }
    }
}
