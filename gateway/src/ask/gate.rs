//! Checks what a model says of a note. An answer passes only if the words of the note support all of it.
//!
//! Each quote must be a slice of the note and refer to what the question names; the whole sentence around it counts, so
//! that no quote can leave out a "no". Each sentence of the answer must rest on one of these sentences: its words are
//! there in the same order and close together, its numbers belong to the same thing, and both have the same kinds of
//! words that deny, plan, doubt or name a relative.

use std::{ops::Range, sync::Arc};

use super::{
    about,
    answer::AskQuote,
    draft::ModelDraft,
    locate::Squeezed,
    qualifiers,
    question::Question,
    support::{self, Sentence},
    words::words,
};
use crate::{
    extraction::{Assertion, Context, Field, Note, OffsetUnit, Section, language::ForeignWords},
    rules::{Entity, TermKind, entities},
};

/// Longest sentence that is shown whole, in bytes; of a longer one only the quote is shown.
const LONGEST_SHOWN: usize = 600;

/// Longest sentence that is compared with an answer, in bytes. A longer stretch is not a sentence: only its quotes
/// pass.
const LONGEST_SENTENCE: usize = 1_000;

/// The part of a model's draft that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelReply {
    /// The model found nothing, or none of its quotes is in the note and refers to the question.
    Silent,
    /// Only the quotes pass.
    Quotes,
    /// The answer passes too.
    Answer(String),
}

/// A quote that is in the note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Quote {
    /// What is shown.
    shown: Range<usize>,
    /// The whole sentences around it, if they are of ordinary length; else the quote.
    sentences: Range<usize>,
    /// Whether an answer may rest on it.
    whole: bool,
}

/// Checks drafts against one note and one question.
pub(crate) struct Gate {
    note: Note,
    question: Arc<Question>,
    squeezed: Squeezed,
    context: Context<'static>,
    /// Whether the note has a language whose negations are not known here.
    foreign: bool,
}

impl Gate {
    /// Returns the gate of a note and a question.
    pub(crate) fn of(note: Note, question: Arc<Question>) -> Self {
        let text = note.as_str();
        let foreign = ForeignWords::of(&text.to_lowercase());
        let foreign = foreign.are_of_whole || !foreign.parts.is_empty();
        let (squeezed, context) = (Squeezed::of(text), Context::of_owned(text.to_owned()));
        Self { note, question, squeezed, context, foreign }
    }

    /// Returns a quote as it is shown; `None` if it is not in the note, or is not about the question.
    pub(crate) fn quote(&self, text: &str, unit: OffsetUnit) -> Option<AskQuote> {
        let quote = self.placed(text)?;
        AskQuote::of(&self.note, unit, &[quote.shown]).pop()
    }

    /// Returns what passes of a draft, and the quotes that are shown.
    pub(crate) fn reply(&self, draft: &ModelDraft, unit: OffsetUnit) -> (ModelReply, Vec<AskQuote>) {
        let mut quotes: Vec<Quote> = Vec::new();
        for quote in draft.quotes.iter().filter_map(|quote| self.placed(quote)) {
            if !quotes.contains(&quote) {
                quotes.push(quote);
            }
        }
        if !draft.found || quotes.is_empty() {
            return (ModelReply::Silent, Vec::new());
        }
        let shown: Vec<Range<usize>> = quotes.iter().map(|quote| quote.shown.clone()).collect();
        let answer = draft.answer.trim();
        let parts: Vec<&str> = support::parts(answer).collect();
        let passes =
            !parts.is_empty() && parts.iter().all(|part| quotes.iter().any(|quote| self.supports(quote, part)));
        let reply = if passes { ModelReply::Answer(answer.to_owned()) } else { ModelReply::Quotes };
        (reply, AskQuote::of(&self.note, unit, &shown))
    }

    fn placed(&self, text: &str) -> Option<Quote> {
        let found = self.squeezed.find(text)?;
        let first = self.context.sentence_at(found.start);
        let last = self.context.sentence_at(found.end.saturating_sub(1));
        let sentences = first.start.min(found.start)..last.end.max(found.end);
        let whole = sentences.len() <= LONGEST_SENTENCE;
        let shown = if sentences.len() > LONGEST_SHOWN { found.clone() } else { sentences.clone() };
        let sentences = if whole { sentences } else { found };
        let shown = self.trimmed(shown)?;
        let of_relatives = !self.question.relative
            || self.context.section_at(sentences.start) == Section::FamilyHistory
            || words(self.text(&sentences)).iter().any(|word| about::RELATIVES.contains(&word.text.as_str()));
        (of_relatives && about::is_about(&self.question, self.text(&sentences))).then_some(Quote {
            shown,
            sentences,
            whole,
        })
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.note.as_str().get(range.clone()).unwrap_or_default()
    }

    fn trimmed(&self, range: Range<usize>) -> Option<Range<usize>> {
        let text = self.note.as_str().get(range.clone())?;
        let start = range.start + text.len() - text.trim_start().len();
        let end = start + text.trim().len();
        (start < end).then_some(start..end)
    }

    /// Returns whether one part of an answer rests on the sentences of a quote.
    fn supports(&self, quote: &Quote, part: &str) -> bool {
        if self.foreign || !quote.whole {
            return false;
        }
        let source = self.text(&quote.sentences);
        let (said, written) = (words(part), words(source));
        let kinds = qualifiers::kinds(&said);
        if kinds != self.with_section(quote, qualifiers::kinds(&written)) {
            return false;
        }
        let sentence = Sentence::of(source);
        if !sentence.supports(&said, &self.question) {
            return false;
        }
        let affirms = said.first().is_some_and(|word| matches!(word.text.as_str(), "yes" | "correct" | "true"));
        let answers_yes_or_no = affirms || support::is_bare(&said);
        if answers_yes_or_no && (self.question.open || !about::has_all_words(&self.question, source)) {
            return false;
        }
        let plain = kinds == [false; 6];
        entities(part).iter().all(|thing| self.is_asserted(quote, thing, plain))
    }

    /// Adds what the heading above the sentence says about it.
    fn with_section(&self, quote: &Quote, mut kinds: [bool; 6]) -> [bool; 6] {
        let [_, relatives, plans, doubts, refusals, past] = &mut kinds;
        match self.context.section_at(quote.sentences.start) {
            Section::FamilyHistory => *relatives = true,
            Section::Plan | Section::Pending => *plans = true,
            Section::Question | Section::Criteria => *doubts = true,
            Section::Allergies => *refusals = true,
            Section::PastHistory => *past = true,
            Section::Body | Section::Reason => {}
        }
        kinds
    }

    /// Returns whether the note asserts a thing that a part of the answer names without any reservation (`plain`).
    fn is_asserted(&self, quote: &Quote, thing: &Entity, plain: bool) -> bool {
        let Some(field) = field_of(thing) else { return true };
        let source = self.text(&quote.sentences);
        let start = quote.sentences.start;
        let places =
            entities(source).into_iter().filter(|entity| entity.name == thing.name && entity.kind == thing.kind);
        let mut assertions =
            places.map(|entity| self.context.assess(start + entity.range.start..start + entity.range.end, field));
        let holds = |assertion| matches!(assertion, Assertion::Present | Assertion::Probable | Assertion::Historical);
        !plain || assertions.all(holds)
    }
}

fn field_of(thing: &Entity) -> Option<Field> {
    Some(match thing.kind {
        TermKind::Cancer if !thing.general => Field::CancerType,
        TermKind::Treatment => Field::Treatment,
        TermKind::Gene => Field::GeneMutation,
        TermKind::Marker => Field::Biomarker,
        TermKind::Cancer | TermKind::Site | TermKind::Alteration | TermKind::Response | TermKind::Spread => {
            return None;
        }
    })
}
