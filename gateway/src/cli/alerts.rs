//! `gateway alerts`: prints the alert rules, for Prometheus or as a template of alarms for `CloudWatch`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use gateway::telemetry::alerts::{Pace, Thresholds, render, render_alarms};

use super::output;

#[derive(Args, Clone)]
pub(super) struct AlertArguments {
    /// File with thresholds, such as config/alerts.toml; what it does not name has its default
    #[arg(long, value_name = "FILE")]
    thresholds: Option<PathBuf>,
    /// What the rules are for
    #[arg(long, value_enum, default_value_t)]
    format: AlertFormat,
    /// For rehearsals: divide each window and waiting time by this number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    faster: u32,
}

/// What the rules are for.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum AlertFormat {
    /// A rule file of Prometheus.
    #[default]
    Prometheus,
    /// A `CloudFormation` template with alarms of `CloudWatch`.
    Cloudwatch,
}

/// Prints the rules, or reports what is wrong with the thresholds.
pub(super) fn run(arguments: &AlertArguments) -> ExitCode {
    match thresholds(arguments) {
        Ok(thresholds) => {
            let pace = Pace::new(arguments.faster);
            let rules = match arguments.format {
                AlertFormat::Prometheus => render(&thresholds, pace),
                AlertFormat::Cloudwatch => render_alarms(&thresholds, pace),
            };
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
