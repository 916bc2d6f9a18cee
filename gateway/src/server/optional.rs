//! Creates the optional services: questions to a model, dictation, and scans.

use std::sync::Arc;

use super::ServerError;
use crate::{
    admission::Admission,
    ask::{Asker, RedFlags},
    config::Settings,
    dictation::Dictation,
    extraction::{CpuPool, Pipeline},
    rules::RulesEngine,
    scan::ScanReader,
    server_key::ServerKey,
    telemetry::Metrics,
    vllm::InstructModel,
};

/// Returns what answers questions: the record of the rules, and the model of `ask.url` if it is set, with the key of its
/// server.
pub(super) fn asker(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    cpu_pool: CpuPool,
) -> Result<(Asker, Option<Arc<ServerKey>>), ServerError> {
    // The gateway's own engine has compiled what the rules need.
    let rules = Arc::new(RulesEngine::default().with_cpu_pool(cpu_pool.clone()));
    // The rules need no slot, so this admission never gives one.
    let pipeline = Pipeline::new(rules, Admission::new(1, 0), settings.chunk.max_chars).with_cpu_pool(cpu_pool.clone());
    let asker = Asker::new(pipeline, RedFlags::of(&settings.ask.red_flags)).with_cpu_pool(cpu_pool);
    Ok(match InstructModel::new(&settings.ask, metrics)? {
        Some(model) => {
            let admission = Admission::new(settings.ask.in_flight, settings.admission.queue);
            let key = model.key();
            (asker.with_model(Arc::new(model), admission), key)
        }
        None => (asker, None),
    })
}

/// Returns the dictation of the settings; none if they name no server.
pub(super) fn dictation(settings: &Settings) -> Result<Option<Arc<Dictation>>, ServerError> {
    if settings.transcribe.is_readable_on_the_way() {
        tracing::warn!(
            "recordings go to the transcription server in plain HTTP over a public network, where others can read them: \
             use https"
        );
    }
    Ok(Dictation::new(&settings.transcribe, settings.admission.queue)?.map(Arc::new))
}

/// Returns the reader of scans of the settings; none if they name no OCR server.
pub(super) fn scan_reader(settings: &Settings, cpu_pool: CpuPool) -> Result<Option<Arc<ScanReader>>, ServerError> {
    if settings.scan.is_readable_on_the_way() {
        tracing::warn!(
            "scans go to the OCR server in plain HTTP over a public network, where others can read them: use https"
        );
    }
    let reader = ScanReader::new(&settings.scan, settings.admission.queue)?;
    Ok(reader.map(|reader| Arc::new(reader.with_cpu_pool(cpu_pool))))
}
