//! `gateway eval`: scores the configured engine, or predictions, against labelled notes.

use std::{io::IsTerminal, path::PathBuf};

use clap::Args;
use gateway::{
    config::{RoutingSettings, Settings},
    eval::{self, ReportFormat, Sources},
};

use super::output::{self, CommandResult};

#[derive(Args, Clone)]
pub(super) struct EvalArguments {
    /// Labelled notes, JSON lines: {"id", "text", "expected": {...}}
    #[arg(long)]
    gold: PathBuf,
    /// Predictions to score instead of running the engine, JSON lines matched by id
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// Other predictions for the same notes: the report also has their scores, and the difference with its interval
    #[arg(long, value_name = "PREDICTIONS", requires = "predictions")]
    against: Option<PathBuf>,
    /// Model to score, as the server lists it; needed where several models answer (`routing.models`)
    #[arg(long, conflicts_with_all = ["predictions", "review_harm"])]
    model: Option<String>,
    /// Count the labels that the review of a model's answer would leave out, without running an engine
    #[arg(long, conflicts_with = "predictions")]
    review_harm: bool,
    /// How to write the report
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Prints the report; fails if notes got no prediction.
pub(super) async fn run(arguments: EvalArguments, mut settings: Settings) -> CommandResult {
    let EvalArguments { gold, predictions, against, model, review_harm, format } = arguments;
    if review_harm {
        return output::print(eval::review_harm(&gold, &settings)?.written(format).trim_end());
    }
    if predictions.is_none() {
        match model {
            Some(model) => settings.vllm.model = model,
            None if settings.routing.models.len() > 1 => {
                return Err(
                    "several models answer (routing.models), and a score of their mixed answers would describe none of \
                     them: name one with --model"
                        .into(),
                );
            }
            None => settings.vllm.model = settings.routing.models.pop().map_or(settings.vllm.model, |model| model.name),
        }
        settings.routing = RoutingSettings::default();
    }
    let sources = Sources { gold, predictions, against };
    let terminal = std::io::stderr().is_terminal();
    let report = eval::evaluate(&sources, settings, |done, total| {
        if terminal && (done % 50 == 0 || done == total) {
            eprint!("\r{done} of {total} notes");
        }
    })
    .await?;
    if terminal {
        eprintln!();
    }
    output::print(report.written(format).trim_end())?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(format!("{failed} note(s) got no prediction; the figures count them as empty").into()),
    }
}
