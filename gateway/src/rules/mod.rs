//! The embedded engine: deterministic, no GPU, no network, no model.
//!
//! Curated term lists, found in one pass by one automaton, and a few patterns where grammar rules. It
//! would rather say nothing than guess: a field is filled only in a note about a malignancy, and only
//! with what the note asserts.

mod alterations;
mod biomarkers;
mod cancer;
mod folded;
mod gate;
mod genes;
mod language;
mod lexicon;
mod markup;
mod response;
mod sites;
mod stage;
mod treatment;
mod view;
mod withheld;

use std::sync::Arc;

use self::{cancer::Diagnosis, lexicon::Kind, view::NoteView};
use crate::extraction::{
    Context, Cores, Deadline, Draft, DraftFuture, Engine, EngineName, EngineRequest, Field, Finish, ModelName,
    ModelText, Note, Readable, Record, Unfamiliar, ground,
};

/// What the rules read in a note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The record.
    pub record: Record,
    /// What was recognised and kept out of the record because of what the note says of it.
    pub withheld: Vec<(Field, String)>,
    /// Whether any oncology term was recognised, be it negated, planned or of no use to the record, in a language
    /// whose denials the rules know.
    pub recognised_terms: bool,
    /// What stands in the note that the rules do not know how to read.
    pub unfamiliar: Unfamiliar,
}

/// Reads a note.
#[must_use]
pub fn read(note: &Note) -> Reading {
    let readable = Readable::of(note);
    let text = readable.note().as_str();
    let view = NoteView::of(text);
    let diagnosis = cancer::read(&view);
    let record = if gate::is_oncologic(&view, &diagnosis) { record(&view, &diagnosis) } else { Record::default() };
    let withheld = withheld::read(&view, &diagnosis, &record);
    let recognised_terms = (names_oncology(&view) || !record.is_empty()) && !language::is_foreign(view.folded.as_str());
    let language = language::has_foreign_part(view.folded.as_str());
    let unfamiliar = Unfamiliar { language, markup: readable.is_doubtful() || markup::is_in(text) };
    Reading { record, withheld, recognised_terms, unfamiliar }
}

/// The record of a note about a malignancy.
fn record(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Record {
    let stated = stage::stated(view);
    let stage_iv = stated.as_ref().is_some_and(|stage| stage.starts_with("IV"));
    let spread = sites::read(view, diagnosis, stage_iv);
    Record {
        stage: stage::read(view, diagnosis, &spread, stated),
        gene_mutation: genes::read(view, diagnosis).joined(),
        biomarker: biomarkers::read(view).joined(),
        treatment: treatment::read(view, diagnosis).joined(),
        response: response::read(view, diagnosis),
        metastasis_site: spread.sites.joined(),
        cancer_type: diagnosis.value.clone(),
    }
}

/// Whether any term of oncology stands in the note, whatever is said of it.
fn names_oncology(view: &NoteView<'_>) -> bool {
    let oncologic =
        |kind: Kind, tags: &[&str]| view.terms(kind).iter().any(|mention| tags.iter().any(|tag| mention.term.is(tag)));
    oncologic(Kind::Cancer, &["whole", "head"])
        || oncologic(Kind::Treatment, &["onco"])
        || oncologic(Kind::Spread, &["metastatic", "sited"])
        || oncologic(Kind::Marker, &["status", "her2", "fusionmark"])
}

/// The rules behind the engine port.
#[derive(Debug)]
pub struct RulesEngine {
    model: ModelName,
    cores: Option<Cores>,
}

impl RulesEngine {
    /// The name that the rules engine has among the models.
    pub const MODEL: &'static str = "rules";

    /// An engine whose lexicons and patterns are compiled already, so that the first caller does not wait.
    /// They are compiled side by side: a cold start is most of what a small box feels.
    #[must_use]
    pub fn ready() -> Self {
        std::thread::scope(|scope| {
            scope.spawn(|| Context::of("No metastases."));
            scope.spawn(|| {
                stage::compile();
                response::compile();
                alterations::compile();
                biomarkers::compile();
            });
            if let Ok(note) = Note::new("stage IV lung cancer".to_owned(), usize::MAX) {
                let reading = read(&note);
                let _ = ground::ground(&note, &reading.record);
            }
        });
        Self::default()
    }

    /// The same engine, reading long notes beside the async workers.
    #[must_use]
    pub fn on(self, cores: Cores) -> Self {
        Self { cores: Some(cores), ..self }
    }

    fn drafted(&self, reading: Reading) -> Draft {
        Draft {
            text: ModelText::new(reading.record.to_training_json()),
            finish: Finish::Complete,
            tokens_used: 0,
            model: Arc::clone(&self.model),
            prompt: None,
            likelihoods: None,
            withheld: reading.withheld,
            recognised_terms: reading.recognised_terms,
            unfamiliar: reading.unfamiliar,
            suspect: false,
        }
    }
}

impl Default for RulesEngine {
    fn default() -> Self {
        Self { model: Arc::from(Self::MODEL), cores: None }
    }
}

impl Engine for RulesEngine {
    fn name(&self) -> EngineName {
        EngineName::Rules
    }

    fn needs_lease(&self) -> bool {
        false
    }

    fn draft<'a>(&'a self, note: &'a Note, request: &'a EngineRequest, deadline: Deadline) -> DraftFuture<'a> {
        match self.cores.as_ref().filter(|_| Cores::takes(note.as_str().len())) {
            Some(cores) => Box::pin(async move {
                let note = note.clone();
                Ok(self.drafted(cores.run(&request.priority, deadline, move || read(&note)).await?))
            }),
            None => Box::pin(std::future::ready(Ok(self.drafted(read(note))))),
        }
    }
}

#[cfg(test)]
mod tests;
