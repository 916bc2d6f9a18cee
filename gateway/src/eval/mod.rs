//! `gateway eval`: scores an engine, or a file of predictions, against labelled notes.
//!
//! Notes go through the same pipeline as in the service. Only counts are printed, never a note, a value or an id. See
//! `README.md` in this folder for what is measured and what the measure cannot see.

mod bootstrap;
mod gold;
mod measure;
mod report;
mod review_harm;
#[cfg(test)]
mod tests;
mod tokens;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{StreamExt, stream};

pub use gold::BadFile;
pub use report::{Report, ReportFormat};
pub use review_harm::ReviewHarm;

use self::{gold::LabelledNote, measure::Counts};
use crate::{
    config::Settings,
    extraction::{Answer, AnswerOptions, Basis, Deadline, EngineRequest, ExtractError, Field, Note, TokenBudget},
    http::error::ErrorCode,
    server::Gateway,
};

/// The files of labels and predictions.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Labelled notes.
    pub gold: PathBuf,
    /// Predictions for the notes. Without this file the configured engine reads them.
    pub predictions: Option<PathBuf>,
    /// Other predictions for the notes, with which the scored ones are compared note by note.
    pub against: Option<PathBuf>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file that cannot be used.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The engine cannot be created.
    #[error(transparent)]
    Server(#[from] crate::server::ServerError),
}

/// The prediction for one note: its values, the number of values for each basis, and why it failed, if it did.
#[derive(Clone, Debug, Default)]
struct Prediction {
    values: BTreeMap<Field, String>,
    bases: BTreeMap<(Field, &'static str), usize>,
    left_out: usize,
    failure: Option<&'static str>,
}

/// Reviews the labels of the notes as a model's answers. See [`ReviewHarm`].
pub fn review_harm(gold: &Path, settings: &Settings) -> Result<ReviewHarm, EvalError> {
    Ok(ReviewHarm::of(&gold::read(gold)?, settings.limits.max_note_chars))
}

/// Scores the predictions, or the configured engine if there are none. `progress` gets the number of notes that are
/// done and the number of all notes.
pub async fn evaluate(
    sources: &Sources,
    settings: Settings,
    mut progress: impl FnMut(usize, usize),
) -> Result<Report, EvalError> {
    let items = gold::read(&sources.gold)?;
    let (engine, predicted) = match &sources.predictions {
        Some(path) => ("predictions", gold::predictions(path, &items)?),
        None => run(&items, settings, &mut progress).await?,
    };
    let scored = score_all(&items, &predicted);
    let report = Report::new(engine, &scored, &predicted);
    let Some(path) = &sources.against else { return Ok(report) };
    let others = gold::predictions(path, &items)?;
    Ok(report.against(&scored, &score_all(&items, &others), &others))
}

fn score_all(items: &[LabelledNote], predicted: &[Prediction]) -> Vec<Counts> {
    items.iter().zip(predicted).map(|(item, predicted)| measure::score(&item.expected, &predicted.values)).collect()
}

async fn run(
    items: &[LabelledNote],
    settings: Settings,
    progress: &mut impl FnMut(usize, usize),
) -> Result<(&'static str, Vec<Prediction>), EvalError> {
    let at_once = settings.admission.in_flight;
    let (time, limit) = (settings.admission.deadline, settings.limits.max_note_chars);
    let (budget, temperature) =
        (TokenBudget::Adjustable(settings.generation.max_tokens), settings.generation.temperature);
    let gateway = Gateway::new(settings)?;
    let engine = gateway.app.extractor.pipeline.engine().as_str();
    gateway.app.state.readiness.wait(time).await;
    let request = EngineRequest { temperature, ..EngineRequest::plain(budget, Arc::from("eval")) };
    let mut done = 0;
    let mut predicted = Vec::with_capacity(items.len());
    let mut reading = stream::iter(items)
        .map(|item| async {
            let Ok(note) = Note::new(item.text.clone(), limit) else { return Prediction::failed("invalid_request") };
            let deadline = Deadline::after(time);
            let reading = gateway.app.extractor.pipeline.extract(&note, &request, AnswerOptions::default(), deadline);
            match deadline.bound(reading).await {
                Ok(Ok((answer, _))) => Prediction::of(&answer),
                Ok(Err(error)) => Prediction::failed(code(&error)),
                Err(_) => Prediction::failed(ErrorCode::DeadlineExceeded.row().0),
            }
        })
        .buffered(at_once);
    while let Some(prediction) = reading.next().await {
        predicted.push(prediction);
        done += 1;
        progress(done, items.len());
    }
    drop(reading);
    Ok((engine, predicted))
}

fn code(error: &ExtractError) -> &'static str {
    ErrorCode::from(error).row().0
}

impl Prediction {
    fn failed(code: &'static str) -> Self {
        Self { failure: Some(code), ..Self::default() }
    }

    fn of(answer: &Answer) -> Self {
        let mut predicted = Self::default();
        for field in Field::ALL {
            if let Some(value) = answer.record.get(field) {
                predicted.values.insert(field, value.to_owned());
            }
            let mut seen: Vec<&str> = Vec::new();
            for finding in answer.evidence.get(field) {
                // A value that the note states several times counts once.
                if seen.contains(&finding.value.as_str()) {
                    continue;
                }
                seen.push(&finding.value);
                if finding.in_record {
                    *predicted.bases.entry((field, finding.basis.name())).or_default() += 1;
                } else {
                    predicted.left_out += 1;
                }
            }
        }
        predicted
    }
}

/// All bases, the strongest first.
const BASES: [Basis; 4] = [Basis::Stated, Basis::Normalized, Basis::Inferred, Basis::Unsupported];
