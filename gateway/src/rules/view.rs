//! One note as all rules see it: folded text, terms found, and what the note says of each.

use std::{collections::HashSet, ops::Range};

use super::{
    folded::Folded,
    lexicon::{Kind, Mention, Mentions},
};
use crate::{
    extraction::{Assertion, Context, Field},
    steps,
};

/// A note, read once.
pub(crate) struct NoteView<'note> {
    /// The folded text. All ranges below are of it.
    pub(crate) folded: Folded<'note>,
    mentions: Mentions,
    context: Context<'note>,
    /// Sentences of the folded text, in order.
    sentences: Vec<Range<usize>>,
    /// Whether the note speaks of what PD stands for outside oncology: Parkinson's disease, a peritoneal dialysis.
    pub(crate) has_other_pd: bool,
}

impl<'note> NoteView<'note> {
    /// Reads a note.
    pub(crate) fn of(text: &'note str) -> Self {
        let folded = Folded::of(text);
        let mentions = Mentions::of(&folded);
        let context = Context::of(text);
        let mut sentences = Vec::new();
        let mut at = 0;
        while at < text.len() {
            // A sentence always ends after it starts; the maximum makes the walk finite in any case.
            let end = context.sentence_at(at).end.max(at + 1);
            sentences.push(folded.offset_of(at)..folded.offset_of(end));
            at = end;
        }
        let has_other_pd = ["parkinson", "dialysis"].iter().any(|word| folded.as_str().contains(word));
        Self { folded, mentions, context, sentences, has_other_pd }
    }

    /// The terms of one list.
    pub(crate) fn terms(&self, kind: Kind) -> &[Mention] {
        self.mentions.get(kind)
    }

    /// The terms of one list that stand within a range.
    pub(crate) fn terms_in(&self, kind: Kind, range: &Range<usize>) -> &[Mention] {
        let terms = self.terms(kind);
        let from = terms.partition_point(|mention| mention.range.start < range.start);
        let to = terms.partition_point(|mention| mention.range.end <= range.end);
        steps::count(to.saturating_sub(from));
        terms.get(from..to.max(from)).unwrap_or_default()
    }

    /// What the note says of a stretch as a value of a field.
    pub(crate) fn assertion(&self, range: &Range<usize>, field: Field) -> Assertion {
        self.context.assess(self.folded.origin(range), field)
    }

    /// Whether a stretch counts for the record.
    pub(crate) fn counts(&self, range: &Range<usize>, field: Field) -> bool {
        self.assertion(range, field).in_record(field)
    }

    /// The sentence that holds an offset.
    pub(crate) fn sentence(&self, at: usize) -> Range<usize> {
        let index = self.sentences.partition_point(|sentence| sentence.end <= at);
        self.sentences.get(index).cloned().unwrap_or(at..at)
    }

    /// The text around a stretch: so many bytes before and after it at most, and never beyond its
    /// sentence. Limits keep the work linear where a note has no full stops.
    pub(crate) fn near(&self, range: &Range<usize>, before: usize, after: usize) -> &str {
        let stretch = self.around(range, before, after);
        steps::count(stretch.len());
        self.folded.slice(stretch)
    }

    /// The place of that text.
    pub(crate) fn around(&self, range: &Range<usize>, before: usize, after: usize) -> Range<usize> {
        let sentence = self.sentence(range.start);
        let before = self.folded.before(range.start, before.min(range.start.saturating_sub(sentence.start)));
        let after = self.folded.after(range.end, after.min(sentence.end.saturating_sub(range.end)));
        range.start - before.len()..range.end + after.len()
    }
}

/// Whether a word is in a list of words.
pub(crate) fn is_one_of(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|own| own == word)
}

/// Values of one field: each meaning once, in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Values {
    values: Vec<(String, String)>,
    keys: HashSet<String>,
}

impl Values {
    /// Adds a value under the key that tells its meaning, unless that is there already.
    pub(crate) fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        if !value.trim().is_empty() && self.keys.insert(key.clone()) {
            self.values.push((key, value));
        }
    }

    /// Whether a meaning is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The meanings.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(key, _)| key.as_str())
    }

    /// Says a meaning in other words.
    pub(crate) fn replace(&mut self, key: &str, value: &str) {
        for (_, text) in self.values.iter_mut().filter(|(own, _)| own == key) {
            value.clone_into(text);
        }
    }

    /// Keeps only some meanings.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.values.retain(|(key, _)| keep(key));
        self.keys.retain(|key| keep(key));
    }

    /// Drops a meaning.
    pub(crate) fn remove(&mut self, key: &str) {
        self.retain(|own| own != key);
    }

    /// The field's text.
    pub(crate) fn joined(self) -> Option<String> {
        let values: Vec<_> = self.values.into_iter().map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.join("; "))
    }
}
