//! `gateway alerts`: prints the alert rules for Prometheus.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use gateway::telemetry::alerts::{Pace, Thresholds, render};

use super::output;

#[derive(Args, Clone)]
pub(super) struct AlertArguments {
    /// File with thresholds, such as config/alerts.toml; what it does not name has its default
    #[arg(long, value_name = "FILE")]
    thresholds: Option<PathBuf>,
    /// For rehearsals: divide each window and waiting time by this number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    faster: u32,
}

/// Prints the rules, or says what is wrong with the thresholds.
pub(super) fn run(arguments: &AlertArguments) -> ExitCode {
    match thresholds(arguments) {
        Ok(thresholds) => {
            let rules = render(&thresholds, Pace::new(arguments.faster));
            output::exit_code(output::print(rules.trim_end()))
        }
        Err(error) => {
            output::print_error(&error);
            ExitCode::from(output::USAGE)
        }
    }
}

fn thresholds(arguments: &AlertArguments) -> Result<Thresholds, String> {
    let Some(path) = &arguments.thresholds else { return Ok(Thresholds::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Thresholds::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}
