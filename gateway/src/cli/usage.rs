//! `gateway usage`: adds up the audit file by month and key.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gateway::{
    audit::usage::{Usage, UsageError, is_month, with_older},
    config::Settings,
};

use super::output::{self, CommandResult};

/// What is added up, and how it is printed.
#[derive(Args, Clone)]
pub(super) struct UsageArguments {
    /// Audit files to add up (default: `audit.path` of the settings and its older files)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// First month, such as 2026-11
    #[arg(long, value_name = "MONTH", value_parser = month)]
    since: Option<String>,
    /// Only this key; - is for extractions without a key
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    key: Option<String>,
    /// What the box cost in a month, to be shared among the keys by their time at the engine (default: `usage.month_cost`
    /// of the settings)
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    month_cost: Option<f64>,
    /// How the sums are printed
    #[arg(long, value_enum, default_value_t)]
    format: UsageFormat,
}

/// How the sums are printed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum UsageFormat {
    /// A table to read.
    #[default]
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object.
    Json,
}

fn month(text: &str) -> Result<String, String> {
    if is_month(text) { Ok(text.to_owned()) } else { Err("not a month; write it as 2026-11".to_owned()) }
}

fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse::<f64>().ok().filter(|amount| amount.is_finite() && *amount >= 0.0);
    amount.ok_or_else(|| "not an amount of money; write it as 712.50".to_owned())
}

/// Adds up the files and prints the sums. Lines that could not be added up are reported on standard error.
pub(super) fn run(arguments: UsageArguments, settings: &Settings) -> CommandResult {
    let UsageArguments { files, since, key, month_cost, format } = arguments;
    let files = match (&settings.audit.path, files.is_empty()) {
        (_, false) => files,
        (Some(path), true) => with_older(path),
        (None, true) => return Err(UsageError::NoFile.into()),
    };
    let month_cost = month_cost.or(settings.usage.month_cost);
    let mut usage = Usage::default();
    for file in &files {
        usage.add_file(file)?;
    }
    let report = usage.report(since.as_deref(), key.as_deref(), month_cost);
    match format {
        UsageFormat::Table => output::print(&report.table())?,
        UsageFormat::Csv => output::print(&report.csv()?)?,
        UsageFormat::Json => output::print_json(&report)?,
    }
    if report.unreadable > 0 {
        output::tell(&format!("{} of {} lines are not whole and were skipped\n", report.unreadable, report.lines));
    }
    if report.untimed > 0 {
        output::tell(&format!(
            "{} lines have no time at the engine: an earlier version of the gateway wrote them\n",
            report.untimed
        ));
    }
    Ok(())
}
