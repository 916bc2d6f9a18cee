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

/// Has each model that answers for the public name read the note, and prints the answer of the first as JSON; fails if a
/// record is empty.
pub(super) async fn run(settings: Settings) -> CommandResult {
    let (limit, deadline) = (settings.limits.max_note_chars, Deadline::after(settings.admission.deadline));
    let budget = TokenBudget::Adjustable(settings.generation.max_tokens);
    let gateway = Gateway::new(settings)?;
    let note = Note::new(SYNTHETIC_NOTE.to_owned(), limit).map_err(|_| "limits.max_note_chars is too small")?;
    let mut first = None;
    // Each model that may read a caller's note; the rules engine ignores the name.
    for model in gateway.app.extractor.routing.targets() {
        let plain = EngineRequest::plain(budget, Arc::from("selftest"));
        let request = EngineRequest { model: Some(Arc::clone(&model)), ..plain };
        let extraction = gateway.app.extractor.pipeline.extract(&note, &request, AnswerOptions::default(), deadline);
        let (answer, _) = deadline.bound(extraction).await??;
        if answer.record.is_empty() {
            let note = "a note that names a cancer, its stage and its treatment";
            return Err(format!("{} found nothing in {note}", answer.model).into());
        }
        first.get_or_insert(answer);
    }
    output::print_json(&first)
}
