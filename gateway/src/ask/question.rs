//! Reads what a question about a note asks for: fields of the record, things that the lexicons name, and what of them.
//!
//! A question is answered from the record only if every word of it is understood. With one other word ("dose", "why",
//! "smoke") it asks for more than the record holds.

use std::{collections::HashMap, sync::LazyLock};

use super::words::{Word, words};
use crate::{
    extraction::Field,
    rules::{Entity, TermKind, entities},
};

/// What a word of a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QuestionMeaning {
    Field(Field),
    Cancer,
    Verb,
    Class(&'static str),
    Thing(&'static str),
    Work,
    Tnm,
    When,
    Start,
    Stop,
    Planned,
    Relative,
    Current,
    Refuse,
    Skip,
}

/// Words of questions that neither yes nor no answers.
const OPEN: [&str; 10] = ["what", "what's", "which", "who", "whom", "whose", "where", "when", "why", "how"];

/// Phrases, each as its words with what it asks for, by their first word.
type Phrases = HashMap<String, Vec<(Vec<String>, QuestionMeaning)>>;

/// The phrases of `question_words.txt` by their first word, the longest first.
static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let mut phrases = Phrases::new();
    for (meaning, phrase) in rows(include_str!("question_words.txt")) {
        let Some(meaning) = meaning_named(meaning) else { continue };
        let spelled: Vec<String> = words(phrase).into_iter().map(|word| word.text).collect();
        let Some(first) = spelled.first().cloned() else { continue };
        phrases.entry(first).or_default().push((spelled, meaning));
    }
    for of_word in phrases.values_mut() {
        of_word.sort_by_key(|(spelled, _)| usize::MAX - spelled.len());
    }
    phrases
});

/// Returns the rows `key | item, item` of a list, one for each item.
pub(super) fn rows(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = list.lines().map(|line| line.split_once('#').map_or(line, |(before, _)| before));
    lines.filter_map(|line| line.split_once('|')).flat_map(|(key, items)| {
        items.split(',').map(str::trim).filter(|item| !item.is_empty()).map(move |item| (key.trim(), item))
    })
}

fn meaning_named(name: &'static str) -> Option<QuestionMeaning> {
    Some(match name {
        "cancer" => QuestionMeaning::Cancer,
        "verb" => QuestionMeaning::Verb,
        "work" => QuestionMeaning::Work,
        "tnm" => QuestionMeaning::Tnm,
        "when" => QuestionMeaning::When,
        "start" => QuestionMeaning::Start,
        "stop" => QuestionMeaning::Stop,
        "planned" => QuestionMeaning::Planned,
        "relative" => QuestionMeaning::Relative,
        "current" => QuestionMeaning::Current,
        "refuse" => QuestionMeaning::Refuse,
        "skip" => QuestionMeaning::Skip,
        name => match name.split_once(':') {
            Some(("class", class)) => QuestionMeaning::Class(class),
            Some((_, thing)) => QuestionMeaning::Thing(thing),
            None => QuestionMeaning::Field(Field::named(name)?),
        },
    })
}

/// A question, as far as it is understood.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what a question asks of a value, in any combination")]
pub(crate) struct Question {
    /// The fields that it names.
    pub(super) fields: Vec<Field>,
    /// The things that it names: drugs, genes, markers, organs, cancers.
    pub(super) entities: Vec<Entity>,
    /// The classes of treatments that it names.
    pub(super) classes: Vec<&'static str>,
    /// Whether it asks for the TNM formula.
    pub(super) tnm: bool,
    /// Whether it asks when.
    pub(super) when: bool,
    pub(super) start: bool,
    pub(super) stop: bool,
    pub(super) planned: bool,
    pub(super) relative: bool,
    pub(super) current: bool,
    /// Whether it asks for advice, or is about the person who asks.
    pub(super) refuse: bool,
    /// The words that carry meaning, also those of fields and things.
    pub(super) content: Vec<Word>,
    /// Whether it has a word that is not understood.
    pub(super) has_other_words: bool,
    /// Whether it asks what, which or when, so that neither yes nor no answers it.
    pub(super) open: bool,
}

impl Question {
    /// Reads a question.
    #[must_use]
    pub(crate) fn of(text: &str) -> Self {
        let spelled = words(text);
        let open = spelled.iter().any(|word| OPEN.contains(&word.text.as_str()));
        let mut question = Self { entities: things(text), open, ..Self::default() };
        let (mut cancer, mut verb, mut work, mut at) = (false, false, false, 0);
        while let Some(word) = spelled.get(at) {
            let covered = question.entities.iter().any(|entity| {
                entity.range.start <= word.range.start && word.range.end <= entity.range.end && !is_generic(entity)
            });
            let after_stage =
                at.checked_sub(1).and_then(|before| spelled.get(before)).is_some_and(|it| it.text == "stage");
            let (length, meaning) = match phrase(spelled.get(at..).unwrap_or_default()) {
                // "Stage I" is not a question about the person who asks.
                _ if after_stage && is_stage_number(&word.text) => (1, None),
                // "Hormone therapy" is a thing, and its words are not read again.
                Some((1, _)) | None if covered => (1, None),
                Some((length, meaning)) => (length, Some(meaning)),
                None => {
                    let acronym = acronym(word);
                    question.has_other_words |= acronym.is_empty();
                    question.entities.extend(acronym);
                    (1, None)
                }
            };
            if meaning != Some(QuestionMeaning::Skip) {
                question.content.extend(spelled.get(at..at + length).unwrap_or_default().iter().cloned());
            }
            match meaning {
                Some(QuestionMeaning::Field(field)) if !question.fields.contains(&field) => question.fields.push(field),
                Some(QuestionMeaning::Class(class)) => question.classes.push(class),
                Some(QuestionMeaning::Thing(name)) => question.entities.extend(things(name).into_iter().map(|thing| {
                    let range = word.range.start..spelled.get(at + length - 1).unwrap_or(word).range.end;
                    Entity { range, ..thing }
                })),
                Some(QuestionMeaning::Work) => work = true,
                Some(QuestionMeaning::Cancer) => cancer = true,
                Some(QuestionMeaning::Verb) => verb = true,
                Some(QuestionMeaning::Tnm) => question.tnm = true,
                Some(QuestionMeaning::When) => question.when = true,
                Some(QuestionMeaning::Start) => question.start = true,
                Some(QuestionMeaning::Stop) => question.stop = true,
                Some(QuestionMeaning::Planned) => question.planned = true,
                Some(QuestionMeaning::Relative) => question.relative = true,
                Some(QuestionMeaning::Current) => question.current = true,
                Some(QuestionMeaning::Refuse) => question.refuse = true,
                Some(QuestionMeaning::Field(_) | QuestionMeaning::Skip) | None => {}
            }
            at += length;
        }
        question.classes.extend(question.entities.iter().filter_map(|entity| entity.covers));
        question.entities.retain(|entity| entity.covers.is_none() && !is_generic(entity));
        if work {
            let of_treatment = |entity: &Entity| entity.kind == TermKind::Treatment;
            let treated = question.fields.contains(&Field::Treatment) || !question.classes.is_empty();
            if treated || question.entities.iter().any(of_treatment) || spelled.iter().any(|word| word.text == "it") {
                question.fields = vec![Field::Response];
            } else {
                question.has_other_words = true;
            }
        }
        question.complete(cancer, verb);
        question
    }

    /// Adds the field that a question means without naming it.
    fn complete(&mut self, cancer: bool, verb: bool) {
        if self.tnm && !self.fields.contains(&Field::Stage) {
            self.fields.push(Field::Stage);
        }
        let is_treatment = |entity: &Entity| entity.kind == TermKind::Treatment;
        let names_treatment = !self.classes.is_empty() || self.entities.iter().any(is_treatment);
        if !self.fields.is_empty() {
            return;
        }
        let implied = if names_treatment {
            Some(Field::Treatment)
        } else if self.relative {
            Some(Field::CancerType)
        } else if !self.entities.is_empty() {
            None
        } else if cancer {
            Some(Field::CancerType)
        } else if verb || self.planned || self.current || self.start || self.stop {
            Some(Field::Treatment)
        } else {
            None
        };
        self.fields.extend(implied);
    }

    /// Returns whether the record can hold the answer: every word is understood, and the question names a field or a thing.
    pub(super) fn is_about_record(&self) -> bool {
        let names_something = !self.fields.is_empty() || !self.entities.is_empty();
        names_something && !self.refuse && !self.has_other_words
    }

    /// Returns whether the question is refused: it asks for advice, or it is about the person who asks.
    pub(crate) fn is_refused(&self) -> bool {
        self.refuse
    }
}

/// Returns the things that a question names. Words that name an alteration, a response or a spread in general are read
/// from the list of words.
fn things(text: &str) -> Vec<Entity> {
    let mut found = entities(text);
    found.retain(|entity| !matches!(entity.kind, TermKind::Alteration | TermKind::Response | TermKind::Spread));
    // "L1" alone is a vertebra, not a part of "PD-L1".
    let molecular = found.iter().filter(|entity| matches!(entity.kind, TermKind::Gene | TermKind::Marker));
    let molecular: Vec<_> = molecular.map(|entity| entity.range.clone()).collect();
    let is_inside = |entity: &Entity, whole: &std::ops::Range<usize>| {
        whole.start <= entity.range.start && entity.range.end <= whole.end && entity.range != *whole
    };
    found.retain(|entity| !molecular.iter().any(|whole| is_inside(entity, whole)));
    found
}

/// Returns whether a thing is named so generally that it narrows nothing.
fn is_generic(entity: &Entity) -> bool {
    entity.kind == TermKind::Cancer && entity.general
}

/// Returns whether a word is the number of a stage: "i", "iiib", "4".
fn is_stage_number(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, 'a'..='c'));
    !word.is_empty() && word.len() <= 5 && digits.bytes().all(|byte| matches!(byte, b'i' | b'v'))
}

/// Returns the thing that a word names if it is written in capitals, as "er" in "is er positive".
fn acronym(word: &Word) -> Vec<Entity> {
    let mut found = things(&word.text.to_uppercase());
    for entity in &mut found {
        entity.range = word.range.clone();
    }
    found
}

/// Returns the longest phrase that the words begin with: its number of words, and what it asks for.
fn phrase(rest: &[Word]) -> Option<(usize, QuestionMeaning)> {
    let first = rest.first()?;
    let begins = |spelled: &[String]| {
        rest.len() >= spelled.len() && rest.iter().zip(spelled).all(|(word, spelled)| word.text == *spelled)
    };
    let (spelled, meaning) = PHRASES.get(&first.text)?.iter().find(|(spelled, _)| begins(spelled))?;
    Some((spelled.len(), *meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_meaning_and_every_word_one() {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for (meaning, phrase) in rows(include_str!("question_words.txt")) {
            assert!(meaning_named(meaning).is_some(), "{meaning}");
            let other = seen.insert(phrase, meaning);
            assert!(other.is_none_or(|other| other == meaning), "{phrase}: {other:?} and {meaning}");
        }
    }

    #[test]
    fn questions_name_fields_and_things() {
        for (text, fields, things) in [
            ("Stage?", &[Field::Stage][..], &[][..]),
            ("What mutation was found?", &[Field::GeneMutation], &[]),
            ("Which drugs did she get?", &[Field::Treatment], &[]),
            ("Is HER2 positive?", &[], &["HER2"]),
            ("is er positive?", &[], &["ER"]),
            ("Has it spread to the liver?", &[Field::MetastasisSite], &["liver"]),
            ("Did he receive Tagrisso?", &[Field::Treatment], &["osimertinib"]),
            ("Does she have cancer?", &[Field::CancerType], &[]),
            ("Is it stage I?", &[Field::Stage], &[]),
            ("Did osimertinib work?", &[Field::Response], &["osimertinib"]),
            ("Did the treatment work?", &[Field::Response], &[]),
            ("PD-L1 level?", &[Field::Biomarker], &["PD-L1"]),
            ("What is the microsatellite status?", &[], &["microsatellite instability-high"]),
            ("What cancer runs in the family?", &[Field::CancerType], &[]),
            ("What is planned next?", &[Field::Treatment], &[]),
        ] {
            let question = Question::of(text);
            assert!(question.is_about_record(), "{text}: {question:?}");
            assert_eq!(question.fields, fields, "{text}");
            let names: Vec<&str> = question.entities.iter().map(|entity| entity.name).collect();
            assert!(
                things.iter().all(|thing| names.contains(thing)) && things.is_empty() == names.is_empty(),
                "{names:?}"
            );
        }
    }

    #[test]
    fn other_questions_are_not_about_the_record() {
        for text in [
            "Does she smoke?",
            "What dose of osimertinib did she get?",
            "Why was carboplatin stopped?",
            "How many cycles were given?",
            "How old is she?",
            "",
            "???",
            "Hello",
            "What work does he do?",
            "What does she do for work?",
            "Who won the match?",
        ] {
            assert!(!Question::of(text).is_about_record(), "{text}");
        }
        for text in ["Should she get chemotherapy?", "Do I have cancer?", "Is osimertinib safe?"] {
            assert!(Question::of(text).is_refused(), "{text}");
        }
    }
}
