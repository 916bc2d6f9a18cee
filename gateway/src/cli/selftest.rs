//! `gateway selftest`: reads one synthetic note with the configured engine.

use std::sync::Arc;

use gateway::{
    config::Settings,
    extraction::{AnswerOptions, Deadline, EngineRequest, Note, TokenBudget},
    server::Gateway,
};

use super::output::{self, CommandResult};

/// An invented note that is easy for every engine.
const SYNTHETIC_NOTE: &str = "62-year-old woman with stage IIIB invasive ductal carcinoma of the left breast, ER \
                              positive. She received doxorubicin and cyclophosphamide with a partial response.";

/// Prints the answer as JSON; fails if the record is empty.
pub(super) async fn run(settings: Settings) -> CommandResult {
    let (limit, deadline) = (settings.limits.max_note_chars, Deadline::after(settings.admission.deadline));
    let budget = TokenBudget::Adjustable(settings.generation.max_tokens);
    let gateway = Gateway::new(settings)?;
    let note = Note::new(SYNTHETIC_NOTE.to_owned(), limit).map_err(|_| "limits.max_note_chars is too small")?;
    let request = EngineRequest::plain(budget, Arc::from("selftest"));
    let extraction = gateway.app.extractor.pipeline.extract(&note, &request, AnswerOptions::default(), deadline);
    let (answer, _) = deadline.bound(extraction).await??;
    if answer.record.is_empty() {
        return Err("the engine found nothing in a note that names a cancer, its stage and its treatment".into());
    }
    output::print_json(&answer)
}
