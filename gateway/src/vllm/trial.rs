//! Tests a model server with a trial note before it gets callers' notes, if the setting `vllm.trial_note` is on.
//!
//! A base model that answers under an adapter's name cannot be recognised by its answers to notes, because the
//! constraint makes any model, even a random one, write the record's format. So the trial note is sent without the
//! constraint. A model that was trained on the format answers in it. Other models write prose or another format.
//!
//! The trial detects an adapter that is not applied, a wrong prompt template and a request that the server refuses. It
//! does not detect a base model that happens to know the format, or an adapter that is applied but has become worse.
//!
//! It is off by default, because it costs each server up to 256 tokens at each start, and because a good model that was
//! trained on another format would never be ready (`vllm.model` can name any model).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::header::{self, HeaderValue};
use serde_json::Value;

use super::{
    body::{self, LARGEST_ANSWER},
    paths::Path,
    probe::Probe,
    prompt::{self, Prompt},
    wire::{self, Request},
};
use crate::{
    config::Vllm,
    extraction::{Field, Finish},
};

/// An invented, easy note with values for most fields.
const NOTE: &str = "58-year-old woman with stage IV lung adenocarcinoma, EGFR L858R, PD-L1 60%, on osimertinib with a \
                    partial response. Liver metastases.";
/// The record of this note has less than half as many tokens.
const MOST_TOKENS: u32 = 256;
/// Generous, because a server is slow just after its start.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The requests with the trial note, one for each model that answers for the public name at the start.
#[derive(Debug)]
pub(super) struct Trial {
    path: Path,
    bodies: Vec<(Arc<str>, Bytes)>,
}

impl Trial {
    /// Returns the trial for these settings; `None` if it is off.
    pub(super) fn of(settings: &Vllm, models: &[Arc<str>]) -> Option<Self> {
        if !settings.trial_note {
            return None;
        }
        let (_, path) = prompt::version(settings.prompt);
        let body = |model: &Arc<str>| {
            let request = Request {
                model,
                prompt: Prompt::of(settings.prompt, NOTE),
                max_tokens: MOST_TOKENS,
                temperature: 0.0,
                stop_token_ids: &settings.stop_token_ids,
                seed: None,
                cache_salt: "trial",
                structured_outputs: None,
                logprobs: None,
                streaming: None,
            };
            Some((Arc::clone(model), wire::to_body(&request, NOTE.len())?))
        };
        Some(Self { path, bodies: models.iter().map(body).collect::<Option<_>>()? })
    }

    /// Sends the trial note to each model of a server. Returns why a model cannot read notes, or `None` if all can.
    pub(super) async fn failure(&self, probe: &Probe) -> Option<&'static str> {
        for (model, body) in &self.bodies {
            if let Some(why) = self.failure_of(model, body, probe).await {
                return Some(why);
            }
        }
        None
    }

    async fn failure_of(&self, model: &str, body: &Bytes, probe: &Probe) -> Option<&'static str> {
        let request = probe
            .post(self.path)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("x-request-id", "gateway-trial-note")
            .body(body.clone())
            .timeout(TIMEOUT);
        let Ok(response) = request.send().await else { return Some("it does not answer") };
        if response.status() != 200 {
            return Some("it refuses the request: see its log for the id gateway-trial-note");
        }
        let Ok(body) = body::read(response, LARGEST_ANSWER).await else { return Some("its answer is incomplete") };
        let Some(completion) = wire::parse_completion(&body) else { return Some("its answer is not a completion") };
        let is_requested = |name: &str| name == model || probe.models().is_some_and(|models| models.same(name, model));
        if completion.envelope.model().is_some_and(|name| !is_requested(name)) {
            return Some("its answer names another model than the requested one");
        }
        if completion.finish != Finish::Complete || !is_record(&completion.text) {
            return Some("its answer is not a record of seven fields: the adapter may not be applied");
        }
        None
    }
}

/// Returns whether a text is a JSON object with exactly the seven fields, each a text or null.
fn is_record(text: &str) -> bool {
    let Ok(Value::Object(members)) = serde_json::from_str(text.trim()) else { return false };
    let is_value = |field: &Field| members.get(field.name()).is_some_and(|value| value.is_null() || value.is_string());
    members.len() == Field::ALL.len() && Field::ALL.iter().all(is_value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extraction::Record;

    #[test]
    fn only_records_of_seven_fields_are_accepted() {
        let record = Record { stage: Some("IV".to_owned()), ..Record::default() }.to_training_json();
        for (text, expected) in [
            (record.clone(), true),
            (format!(" {record}\n"), true),
            (format!("Here it is: {record}"), false),
            (format!("{record} {record}"), false),
            (record.replace("\"IV\"", "4"), false),
            (record.replace("stage", "stages"), false),
            (record.replace(", \"metastasis_site\": null", ""), false),
            (record.replace('{', "{\"more\": null, "), false),
            ("{}".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_record(&text), expected, "{text}");
        }
    }
}
