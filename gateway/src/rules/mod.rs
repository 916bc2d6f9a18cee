//! The embedded engine: deterministic, no GPU, no network, no model.

use std::sync::Arc;

use crate::extraction::{
    Ask, Deadline, Draft, DraftFuture, Engine, EngineName, Finish, ModelName, ModelText, Note, Record,
};

/// What the rules read in a note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The record.
    pub record: Record,
    /// Whether any oncology term was recognised, be it negated, planned or of no use to the record.
    pub recognised_terms: bool,
}

/// Reads a note.
#[must_use]
pub fn read(_note: &Note) -> Reading {
    Reading::default()
}

/// The rules behind the engine port.
#[derive(Debug)]
pub struct RulesEngine {
    model: ModelName,
}

impl RulesEngine {
    /// The name that the rules engine has among the models.
    pub const MODEL: &'static str = "rules";
}

impl Default for RulesEngine {
    fn default() -> Self {
        Self { model: Arc::from(Self::MODEL) }
    }
}

impl Engine for RulesEngine {
    fn name(&self) -> EngineName {
        EngineName::Rules
    }

    fn needs_lease(&self) -> bool {
        false
    }

    fn draft<'a>(&'a self, note: &'a Note, _ask: &'a Ask, _deadline: Deadline) -> DraftFuture<'a> {
        let reading = read(note);
        let draft = Draft {
            text: ModelText::new(reading.record.to_training_json()),
            finish: Finish::Complete,
            tokens_used: 0,
            model: Arc::clone(&self.model),
            prompt: None,
            recognised_terms: reading.recognised_terms,
        };
        Box::pin(std::future::ready(Ok(draft)))
    }
}
