//! The view of a note that all rules share: folded text, terms, and the assertion of each stretch.

use std::{borrow::Cow, cell::OnceCell, collections::HashSet, ops::Range};

use super::{
    folded::FoldedNote,
    lexicon::{Mention, Mentions, TermKind},
};
use crate::{
    extraction::{Assertion, Context, Field, tnm::Formula},
    steps,
};

/// The stage groups that a note states.
pub(super) struct StatedStage {
    /// The group that counts.
    pub(super) group: Option<String>,
    /// A clinical group and the pathological one that replaces it, if they differ.
    pub(super) conflict: Vec<String>,
}

/// A note, folded and searched once.
pub(crate) struct NoteView<'note> {
    /// The folded text. All ranges of this type refer to it.
    pub(crate) folded: FoldedNote<'note>,
    mentions: Mentions,
    context: Cow<'note, Context<'note>>,
    /// Sentences of the folded text, in order.
    sentences: Vec<Range<usize>>,
    /// Whether the note mentions another meaning of PD: Parkinson's disease or peritoneal dialysis.
    pub(crate) has_other_pd: bool,
    /// Whether the text is a part of a note that names malignancies elsewhere, so that short acronyms of them count.
    pub(super) is_part_of_oncology_note: bool,
    /// What [`super::formula::of`] found, which several rules ask for.
    pub(super) formula: OnceCell<Option<Formula>>,
    /// What [`super::stage::stated`] found, which several rules ask for.
    pub(super) stated_stage: OnceCell<StatedStage>,
    /// What [`super::report::proposals`] found, which several rules ask for.
    pub(super) proposals: OnceCell<Vec<Range<usize>>>,
}

impl<'note> NoteView<'note> {
    /// Reads a note.
    pub(crate) fn of(text: &'note str) -> Self {
        Self::with_context(text, Cow::Owned(Context::of(text)))
    }

    /// Reads a part of a note that names malignancies elsewhere.
    pub(super) fn of_part(text: &'note str) -> Self {
        Self { is_part_of_oncology_note: true, ..Self::of(text) }
    }

    /// Reads a note whose context is known.
    pub(crate) fn with_context(text: &'note str, context: Cow<'note, Context<'note>>) -> Self {
        let folded = FoldedNote::of(text);
        let mentions = Mentions::of(&folded);
        let mut sentences = Vec::new();
        let mut at = 0;
        while at < text.len() {
            // A sentence always ends after its start; the maximum guarantees that the loop ends.
            let end = context.sentence_at(at).end.max(at + 1);
            sentences.push(folded.offset_of(at)..folded.offset_of(end));
            at = end;
        }
        let has_other_pd = ["parkinson", "dialysis"].iter().any(|word| folded.contains(word));
        Self {
            folded,
            mentions,
            context,
            sentences,
            has_other_pd,
            is_part_of_oncology_note: false,
            formula: OnceCell::new(),
            stated_stage: OnceCell::new(),
            proposals: OnceCell::new(),
        }
    }

    /// Returns the context of the text, which others need again.
    pub(super) fn into_context(self) -> Context<'static> {
        self.context.into_owned().with_own_text()
    }

    /// Returns the terms of one list.
    pub(crate) fn terms(&self, kind: TermKind) -> &[Mention] {
        self.mentions.get(kind)
    }

    /// Returns the terms of one list within a range.
    pub(crate) fn terms_in(&self, kind: TermKind, range: &Range<usize>) -> &[Mention] {
        let terms = self.terms(kind);
        let from = terms.partition_point(|mention| mention.range.start < range.start);
        let to = terms.partition_point(|mention| mention.range.end <= range.end);
        steps::count(to.saturating_sub(from));
        terms.get(from..to.max(from)).unwrap_or_default()
    }

    /// Returns the assertion of a stretch as a value of a field.
    pub(crate) fn assertion(&self, range: &Range<usize>, field: Field) -> Assertion {
        self.context.assess(self.folded.origin(range), field)
    }

    /// Returns whether the assertion of a stretch allows it in the record.
    pub(crate) fn enters_record(&self, range: &Range<usize>, field: Field) -> bool {
        self.assertion(range, field).in_record(field)
    }

    /// Returns the sentence that contains an offset.
    pub(crate) fn sentence(&self, at: usize) -> Range<usize> {
        let index = self.sentences.partition_point(|sentence| sentence.end <= at);
        self.sentences.get(index).cloned().unwrap_or(at..at)
    }

    /// Returns the text around a stretch: at most `before` and `after` bytes, and only of its sentence. The limits keep
    /// the work linear for notes without full stops.
    pub(crate) fn near(&self, range: &Range<usize>, before: usize, after: usize) -> &str {
        let stretch = self.around(range, before, after);
        steps::count(stretch.len());
        self.folded.slice(stretch)
    }

    /// Returns the range of the text that [`Self::near`] returns.
    pub(crate) fn around(&self, range: &Range<usize>, before: usize, after: usize) -> Range<usize> {
        let sentence = self.sentence(range.start);
        let before = self.folded.before(range.start, before.min(range.start.saturating_sub(sentence.start)));
        let after = self.folded.after(range.end, after.min(sentence.end.saturating_sub(range.end)));
        range.start - before.len()..range.end + after.len()
    }
}

/// Returns whether a word is in a list of words separated by white space.
pub(crate) fn is_one_of(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|listed| listed == word)
}

/// Values of one field, each under a key for its meaning, in order of appearance. Each meaning has one value.
#[derive(Debug, Default)]
pub(crate) struct Values {
    values: Vec<(String, String)>,
    keys: HashSet<String>,
}

impl Values {
    /// Adds a value under the key for its meaning, unless that key exists or the value is empty.
    pub(crate) fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        if !value.trim().is_empty() && self.keys.insert(key.clone()) {
            self.values.push((key, value));
        }
    }

    /// Returns whether a key exists.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(existing, _)| existing == key).map(|(_, value)| value.as_str())
    }

    /// Returns whether there are no values.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the keys in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(key, _)| key.as_str())
    }

    /// Replaces the value of a key.
    pub(crate) fn replace(&mut self, key: &str, value: &str) {
        for (_, text) in self.values.iter_mut().filter(|(existing, _)| existing == key) {
            value.clone_into(text);
        }
    }

    /// Keeps only the keys that satisfy the predicate, with their values.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.values.retain(|(key, _)| keep(key));
        self.keys.retain(|key| keep(key));
    }

    /// Removes a key with its value.
    pub(crate) fn remove(&mut self, key: &str) {
        self.retain(|existing| existing != key);
    }

    /// Returns the text of the field, or `None` if there are no values.
    pub(crate) fn joined(self) -> Option<String> {
        let values: Vec<_> = self.values.into_iter().map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.join("; "))
    }
}
