//! The note that a model server is tried with before callers' notes are sent to it, where `vllm.trial_note` asks for it.
//!
//! A base model that answers in an adapter's name cannot be told by its answers to notes: the constraint holds any
//! model to the record's form, a random one too. So the trial is sent without the constraint. A model that was trained
//! on the form answers in it; others write prose, or a form of their own.
//!
//! What it finds: an adapter that is not applied, a prompt template that is another, a request that the server refuses.
//! What it does not: a base model that happens to know the form, or an adapter that is applied and worse than it was.
//! It is off unless asked for, because it costs each server up to 256 tokens whenever it comes up, and because a good
//! model that was trained on another form (`vllm.model` is anybody's) would never be ready.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{self, HeaderValue};
use serde_json::Value;

use super::{
    body::{self, LARGEST_ANSWER},
    paths::Path,
    prompt::{self, Prompt},
    watch::Probe,
    wire::{self, Request},
};
use crate::{
    config::Vllm,
    extraction::{Field, Finish},
};

/// Made up, easy, and with a value for most fields.
const NOTE: &str = "58-year-old woman with stage IV lung adenocarcinoma, EGFR L858R, PD-L1 60%, on osimertinib with a \
                    partial response. Liver metastases.";
/// A record of this note has less than half of that.
const MOST_TOKENS: u32 = 256;
/// A server that has just come up is slow at first.
const PATIENCE: Duration = Duration::from_mins(1);

/// The trial note's request, always the same.
#[derive(Debug)]
pub(super) struct Trial {
    path: Path,
    body: Bytes,
    model: String,
}

impl Trial {
    /// The trial of these settings, where they ask for one.
    pub(super) fn of(settings: &Vllm) -> Option<Self> {
        if !settings.trial_note {
            return None;
        }
        let (_, path) = prompt::version(settings.prompt);
        let request = Request {
            model: &settings.model,
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
        Some(Self { path, body: wire::written(&request, NOTE.len())?, model: settings.model.clone() })
    }

    /// Asks a server, and says why it is none that reads notes.
    pub(super) async fn fails(&self, probe: &Probe) -> Option<&'static str> {
        let request = probe
            .post(self.path)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("x-request-id", "gateway-trial-note")
            .body(self.body.clone())
            .timeout(PATIENCE);
        let Ok(response) = request.send().await else { return Some("it does not answer") };
        if response.status() != 200 {
            return Some("it refuses the request: see its log for the id gateway-trial-note");
        }
        let Ok(body) = body::read(response, LARGEST_ANSWER).await else { return Some("its answer breaks off") };
        let Some(said) = wire::said(&body) else { return Some("its answer is no completion") };
        let same = |own: &str| own == self.model || probe.models().is_some_and(|models| models.same(own, &self.model));
        if said.envelope.model().is_some_and(|own| !same(own)) {
            return Some("it answers in the name of another model");
        }
        if said.finish != Finish::Complete || !is_record(&said.text) {
            return Some("its answer is no record of seven fields: the adapter may not be applied");
        }
        None
    }
}

/// Whether a text is an object of exactly the seven fields, each a text or null.
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
    fn records_and_what_is_none() {
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
