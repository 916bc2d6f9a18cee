//! The embedded engine: deterministic, no GPU, no network, no model.
//!
//! The terms of curated lists are found in one pass; a few patterns read notations with a grammar. The rules fill a
//! field only in a note about a malignancy, and only with values that the note asserts.

mod alterations;
mod benign;
mod biomarkers;
mod cancer;
#[cfg(test)]
mod coded;
mod control_tissue;
mod diagnosis_status;
mod entities;
mod folded;
mod formula;
mod fusions;
mod gene_results;
mod genes;
mod in_situ;
mod lexicon;
mod marker_course;
mod marker_results;
mod marker_rows;
mod marker_values;
mod markup;
mod masses;
mod meanings;
mod named_only;
mod oncologic;
mod panel_scope;
mod receptor_scores;
mod report;
mod response;
mod response_scope;
mod retracted;
mod sight;
mod sites;
mod specimen;
mod stage;
mod treatment;
mod tumour_organs;
mod tumour_paragraphs;
mod tumour_references;
mod tumours;
mod view;
mod vocabulary;
mod withheld;

use std::sync::Arc;

use self::{cancer::Diagnosis, view::NoteView};
pub(crate) use self::{
    entities::{Entity, entities},
    lexicon::TermKind,
};
pub use self::{
    sight::may_concern_oncology,
    vocabulary::{VocabularyKind, numbered_name, terms_in},
};
use crate::extraction::{
    self, CpuPool, Deadline, Draft, DraftFuture, Engine, EngineName, EngineRequest, Field, Finish, ModelName,
    ModelText, Note, NoteContext, Readable, Record, Tumours, UnreadableText, ground, language::ForeignWords,
};

/// The result of reading a note with the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulesReading {
    /// The record.
    pub record: Record,
    /// Values that were recognised and kept out of the record because of how the note asserts them.
    pub withheld: Vec<(Field, String)>,
    /// Values that were kept out of the record because they are another tumour's than the index.
    pub of_other_tumours: Vec<(Field, String)>,
    /// The tumours of the note.
    pub tumours: Tumours,
    /// Whether any oncology term was recognised, even if it is negated, planned or irrelevant for the record. Always
    /// `false` for notes in other languages than English, because the rules do not know their negations.
    pub recognised_terms: bool,
    /// Content of the note that the rules cannot read.
    pub unreadable: UnreadableText,
}

/// Reads a note with the rules.
#[must_use]
pub fn read(note: &Note) -> RulesReading {
    read_with_context(note).0
}

/// Reads a note with the rules. Also returns what is needed again to judge a record of the note.
fn read_with_context(note: &Note) -> (RulesReading, NoteContext) {
    let readable = Readable::of(note);
    let text = readable.note().as_str();
    let view = NoteView::of(text);
    let names = cancer::names(&view);
    let (diagnosis, signs) = (cancer::among(&view, &names), tumours::signs(&view, &names));
    let tumours = Tumours::of(text, &signs);
    let (record, of_other_tumours) =
        if tumours.are_several() { tumours::records(text, &tumours) } else { (record(&view, &diagnosis), Vec::new()) };
    let withheld = withheld::read(&view, &diagnosis, &record);
    let foreign = ForeignWords::of(view.folded.as_str());
    let recognised_terms = (names_oncology(&view) || !record.is_empty()) && !foreign.are_of_whole;
    let markup = readable.is_doubtful() || markup::is_in(text);
    let unreadable = UnreadableText { language: !foreign.parts.is_empty(), markup };
    let stage_conflict = if tumours.are_several() { Vec::new() } else { stage::conflict(&view, &diagnosis) };
    let context = NoteContext { context: view.into_context(), homonyms: signs.homonyms, stage_conflict };
    (RulesReading { record, withheld, of_other_tumours, tumours, recognised_terms, unreadable }, context)
}

/// Returns the record of a note; an empty one if the note is not about a malignancy.
fn record(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Record {
    if !oncologic::is_oncologic(view, diagnosis) {
        return Record::default();
    }
    let stated = stage::stated(view);
    let stage_iv = stated.as_ref().is_some_and(|stage| stage.starts_with("IV"));
    let spread = sites::read(view, diagnosis, stage_iv);
    Record {
        stage: stage::read(view, diagnosis, &spread, stated),
        gene_mutation: genes::read(view, diagnosis).joined(),
        biomarker: biomarkers::read(view).joined(),
        treatment: treatment::read(view, diagnosis).joined(),
        response: response::read(view, diagnosis, &spread),
        metastasis_site: spread.sites.joined(),
        cancer_type: diagnosis.value.clone(),
    }
}

/// Returns whether the note has any oncology term, regardless of its assertion.
fn names_oncology(view: &NoteView<'_>) -> bool {
    let has_term = |kind: TermKind, tags: &[&str]| {
        view.terms(kind).iter().any(|mention| tags.iter().any(|tag| mention.term.is(tag)))
    };
    has_term(TermKind::Cancer, &["whole", "head"])
        || has_term(TermKind::Treatment, &["onco"])
        || has_term(TermKind::Spread, &["metastatic", "sited"])
        || has_term(TermKind::Marker, &["status", "her2", "fusionmark"])
}

/// The rules as an [`Engine`].
#[derive(Debug)]
pub struct RulesEngine {
    model: ModelName,
    cpu_pool: Option<CpuPool>,
}

impl RulesEngine {
    /// The model name of the rules engine.
    pub const MODEL: &'static str = "rules";

    /// Returns an engine whose lexicons and patterns are compiled in the background, so that the service starts at
    /// once. A note waits only for those that it needs. A pattern that cannot be compiled is a fault of the program
    /// that tests find; each note that needs the pattern fails.
    #[must_use]
    pub fn warming_up() -> Self {
        let compile = || {
            // In the order in which a note needs them, so that the first one waits least.
            if let Ok(note) = Note::new("stage IV lung cancer".to_owned(), usize::MAX) {
                let reading = read(&note);
                let _ = ground::ground(&note, &reading.record);
            }
            biomarkers::compile();
            stage::compile();
            alterations::compile();
            response::compile();
            sites::compile();
            receptor_scores::compile();
            report::compile();
            extraction::compile();
        };
        // Without a thread, the first notes compile what they need themselves. A second thread would take a core from
        // them.
        let _ = std::thread::Builder::new().name("warm-up".to_owned()).spawn(compile);
        Self::default()
    }

    /// Returns the engine set up to read long notes on these cores, outside the async workers.
    #[must_use]
    pub fn with_cpu_pool(self, cpu_pool: CpuPool) -> Self {
        Self { cpu_pool: Some(cpu_pool), ..self }
    }

    fn draft_of(&self, (reading, context): (RulesReading, NoteContext)) -> Draft {
        Draft {
            text: ModelText::new(reading.record.to_training_json()),
            finish: Finish::Complete,
            tokens_used: 0,
            model: Arc::clone(&self.model),
            prompt: None,
            likelihoods: None,
            withheld: reading.withheld,
            of_other_tumours: reading.of_other_tumours,
            tumours: Some(reading.tumours),
            note_context: Some(context),
            recognised_terms: reading.recognised_terms,
            unreadable: reading.unreadable,
            suspect: false,
        }
    }
}

impl Default for RulesEngine {
    fn default() -> Self {
        Self { model: Arc::from(Self::MODEL), cpu_pool: None }
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
        match self.cpu_pool.as_ref().filter(|_| CpuPool::takes(note.as_str().len())) {
            Some(cpu_pool) => Box::pin(async move {
                let note = note.clone();
                let reading = cpu_pool.run(&request.priority, deadline, move || read_with_context(&note)).await?;
                Ok(self.draft_of(reading))
            }),
            None => Box::pin(std::future::ready(Ok(self.draft_of(read_with_context(note))))),
        }
    }
}

#[cfg(test)]
mod tests;
