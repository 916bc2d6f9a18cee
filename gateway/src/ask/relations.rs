//! Whether a value of the record fits what a question names beside it: "response to osimertinib", "stage of the breast
//! cancer". The question is looked up once for all values, so that the cost grows only with their number.

use std::{cell::RefCell, collections::HashMap};

use super::{
    classes,
    question::Question,
    things::{has_words_of, is_of, names},
};
use crate::{
    extraction::{Answer, Context, Field, Finding, Note, Tumour},
    rules::{Entity, TermKind, entities},
};

/// The things of a question, and what the answer has of them.
pub(super) struct Relations<'a> {
    note: &'a Note,
    answer: &'a Answer,
    question: &'a Question,
    context: &'a Context<'a>,
    /// The tumours that the question names.
    tumours: Vec<&'a Tumour>,
    /// The treatments that the question names, as the answer has them.
    treatments: Vec<&'a Finding>,
    /// The names of the terms in a sentence, by its first byte.
    named: RefCell<HashMap<usize, Vec<&'static str>>>,
}

impl<'a> Relations<'a> {
    pub(super) fn of(note: &'a Note, answer: &'a Answer, question: &'a Question, context: &'a Context<'a>) -> Self {
        let of_kind = |kinds: &'static [TermKind]| {
            question.entities.iter().filter(|entity| kinds.contains(&entity.kind)).collect::<Vec<&Entity>>()
        };
        let cancers = of_kind(&[TermKind::Cancer, TermKind::Site]);
        let is_named = |tumour: &&Tumour| {
            let named = if cancers.is_empty() { Vec::new() } else { entities(&tumour.cancer_type) };
            cancers.iter().any(|cancer| {
                tumour.site == Some(cancer.name)
                    || named.iter().any(|entity| entity.name == cancer.name)
                    || has_words_of(&tumour.cancer_type, cancer)
            })
        };
        let asked = of_kind(&[TermKind::Treatment]);
        let is_asked = |given: &&Finding| {
            asked.iter().any(|entity| names(given, entity))
                || question.classes.iter().any(|class| classes::is_of(given, class))
        };
        let tumours = answer.tumours.iter().filter(is_named).collect();
        let treatments = answer.evidence.treatment.iter().filter(is_asked).collect();
        Self { note, answer, question, context, tumours, treatments, named: RefCell::default() }
    }

    /// Returns whether a value fits all things of the question that are of another field than the value.
    pub(super) fn hold(&self, field: Field, finding: &Finding) -> bool {
        let others: Vec<&Entity> = self.question.entities.iter().filter(|entity| !is_of(entity, field)).collect();
        let has = |kinds: &[TermKind]| others.iter().any(|entity| kinds.contains(&entity.kind));
        let names_tumour = field != Field::CancerType && has(&[TermKind::Cancer, TermKind::Site]);
        if names_tumour && !self.is_of_tumour(finding) {
            return false;
        }
        let names_class = field != Field::Treatment && !self.question.classes.is_empty();
        if (names_class || has(&[TermKind::Treatment])) && !self.is_of_treatment(field, finding) {
            return false;
        }
        let genes = others.iter().filter(|entity| matches!(entity.kind, TermKind::Gene | TermKind::Marker));
        genes.into_iter().all(|entity| self.stands_beside(finding, entity.name))
    }

    /// Returns whether a thing is named in the sentence of a value.
    fn stands_beside(&self, finding: &Finding, name: &str) -> bool {
        let sentence = finding.start.map(|start| self.context.sentence_at(start)).unwrap_or_default();
        let mut sentences = self.named.borrow_mut();
        let names = sentences.entry(sentence.start).or_insert_with(|| {
            let text = self.note.as_str().get(sentence).unwrap_or_default();
            entities(text).iter().map(|entity| entity.name).collect()
        });
        names.contains(&name)
    }

    /// Returns whether a value belongs to a tumour that the question names.
    fn is_of_tumour(&self, finding: &Finding) -> bool {
        match (self.tumours.as_slice(), self.answer.tumours.len()) {
            ([], _) => false,
            ([_], 1) => true,
            (tumours, _) => tumours.iter().any(|tumour| finding.tumour.as_deref() == Some(tumour.id.as_str())),
        }
    }

    /// Returns whether the note ties a value to a treatment of the question: by the course of the treatment, or as the only
    /// value of its field in the sentence of the treatment.
    fn is_of_treatment(&self, field: Field, finding: &Finding) -> bool {
        let courses = self.treatments.iter().filter_map(|given| given.course.as_ref());
        let known: Vec<&str> = courses.filter_map(|course| course.response.as_deref()).collect();
        if field == Field::Response && !known.is_empty() {
            return known.contains(&finding.value.as_str());
        }
        let Some(start) = finding.start else { return false };
        let sentence = self.context.sentence_at(start);
        let is_within = |other: &&Finding| other.start.is_some_and(|start| sentence.contains(&start));
        let alone = self.answer.evidence.get(field).iter().filter(is_within).all(|other| other.value == finding.value);
        alone && self.treatments.iter().copied().any(|given| is_within(&given))
    }
}
