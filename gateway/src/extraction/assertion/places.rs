//! Finds the cues of a note, decides the direction of each, and marks where they begin.
//!
//! One pass over the words finds the cues. The first word of each cue gets a mark, so that the scopes of
//! other cues can end at it. `forward.rs` and `backward.rs` compute how far a scope extends.

use super::{
    Assertion,
    lexicon::{Cue, Direction, LEXICON, Lexicon, Rule},
    sentences::Sentence,
    words::{FoldedWords, ScopeMark, ScopeWord, number_follows},
};

/// A cue and its words in the note.
#[derive(Clone, Copy, Debug)]
pub(super) struct CuePosition {
    /// Index of its first word.
    pub(super) first: usize,
    /// Index of its last word.
    pub(super) last: usize,
    pub(super) cue: &'static Cue,
    /// Whether it begins with a verb such as "was" or "were": "was not detected".
    pub(super) predicate: bool,
    /// Whether that verb is plural, so that a whole list can be its subject: "were not detected".
    pub(super) plural: bool,
    /// Whether it has more than one word, and so may name its object: "no metastases".
    pub(super) phrase: bool,
    /// The direction of its rules that allow either direction.
    pub(super) either: EitherDirection,
}

impl CuePosition {
    pub(super) fn of(folded: &FoldedWords, first: usize, last: usize, cue: &'static Cue) -> Self {
        let word = |at: usize| folded.words.get(at).map_or(0..0, |word| word.folded_start..word.folded_end);
        let (opening, whole) = (word(first), word(first).start..word(last).end);
        let opening = folded.text.get(opening).unwrap_or_default();
        let plural = matches!(opening, b"were" | b"are" | b"have");
        Self {
            first,
            last,
            cue,
            predicate: plural || matches!(opening, b"was" | b"is" | b"has"),
            plural,
            phrase: folded.text.get(whole).unwrap_or_default().contains(&b' '),
            either: EitherDirection::default(),
        }
    }
}

/// The direction that was chosen for rules with [`Direction::Either`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EitherDirection {
    /// For planned, declined and past treatments, which usually follow the cue: whether the scope lies after it.
    treatment_forward: bool,
    /// For results, which usually come after their subject: whether the scope lies after the cue.
    result_forward: bool,
    /// Whether the cue is the label of a list: "Not detected: KRAS G12C". A cue that otherwise follows its subject then
    /// precedes it.
    label: bool,
}

impl EitherDirection {
    /// Returns whether the rule applies to this side of its cue.
    pub(super) fn has(self, rule: &Rule, forward: bool) -> bool {
        match rule.direction {
            Direction::Before => forward,
            Direction::After => forward == self.label,
            Direction::Both => true,
            Direction::Either => self.is_forward(rule) == forward,
        }
    }

    fn is_forward(self, rule: &Rule) -> bool {
        if matches!(rule.assertion, Assertion::Declined | Assertion::Planned | Assertion::Historical) {
            self.treatment_forward
        } else {
            self.result_forward
        }
    }
}

/// The words of a note, for computing scopes.
pub(super) struct ScopeWords<'words> {
    pub(super) words: &'words mut [ScopeWord],
    pub(super) text: &'words [u8],
}

impl<'words> ScopeWords<'words> {
    /// Finds the cues, in order, and marks their first words.
    pub(super) fn new(folded: &'words mut FoldedWords, sentences: &[Sentence]) -> (Self, Vec<CuePosition>) {
        mark_sentence_starts(&mut folded.words, sentences);
        let mut cue_positions = find_cues(folded, &LEXICON);
        let mut scope_words = Self { words: &mut folded.words, text: &folded.text };
        for position in &cue_positions {
            if let Some(mark) = position.cue.mark {
                scope_words.set(position.first, mark);
            }
        }
        // Cues are marked after the words that only end or carry scopes, from left to right, because the direction of
        // a cue depends on the marks of both.
        for position in &mut cue_positions {
            position.either = scope_words.mark_cue(position);
        }
        (scope_words, cue_positions)
    }

    pub(super) fn mark(&self, at: usize) -> ScopeMark {
        self.words.get(at).map_or(ScopeMark::End, |word| word.mark)
    }

    /// Returns the mark of the word before this one.
    pub(super) fn mark_before(&self, at: usize) -> ScopeMark {
        at.checked_sub(1).map_or(ScopeMark::End, |before| self.mark(before))
    }

    /// Returns the word in the spelling of the cue lists; empty past the last word.
    pub(super) fn spelled(&self, at: usize) -> &[u8] {
        let word = self.words.get(at);
        word.and_then(|word| self.text.get(word.folded_start..word.folded_end)).unwrap_or_default()
    }

    pub(super) fn opens(&self, at: usize) -> bool {
        self.words.get(at).is_none_or(|word| word.opens)
    }

    fn set(&mut self, at: usize, mark: ScopeMark) {
        if let Some(word) = self.words.get_mut(at) {
            word.mark = mark;
        }
    }

    /// Decides the direction of a cue whose rules allow either, and marks the cue for the scopes of other cues.
    fn mark_cue(&mut self, position: &CuePosition) -> EitherDirection {
        let either = self.either(position);
        let rules = &position.cue.rules;
        if rules.is_empty() || position.cue.mark.is_some() {
            return either;
        }
        let forward = rules.iter().any(|rule| match rule.direction {
            Direction::Before | Direction::Both => true,
            Direction::After => either.label,
            Direction::Either => either.is_forward(rule),
        });
        let given =
            rules.iter().all(|rule| rule.assertion == Assertion::Present && rule.direction == Direction::Before);
        let mark = if given {
            ScopeMark::Given
        } else if forward {
            ScopeMark::Clause
        } else {
            ScopeMark::Result
        };
        self.set(position.first, mark);
        either
    }

    /// Returns whether a word begins a contrast: "was considered but" does not apply to the words after "but".
    fn is_contrast(&self, at: usize) -> bool {
        matches!(self.spelled(at), b"but" | b"however")
    }

    /// Returns whether a cue is the label of the words after it in its sentence.
    pub(super) fn is_label(&self, position: &CuePosition) -> bool {
        let next = position.last + 1;
        let begins = self.opens(position.first) || self.mark_before(position.first) == ScopeMark::End;
        begins && self.mark(next) == ScopeMark::Colon && !self.opens(next) && !self.opens(next + 1)
    }

    fn either(&self, position: &CuePosition) -> EitherDirection {
        let next = position.last + 1;
        let after = self.mark(next);
        let nothing_follows = self.opens(next)
            || self.is_contrast(next)
            || !matches!(
                after,
                ScopeMark::Plain
                    | ScopeMark::Article
                    | ScopeMark::Clause
                    | ScopeMark::Head
                    | ScopeMark::GeneHead
                    | ScopeMark::Open
            );
        let begins_statement = self.opens(position.first)
            || !matches!(
                self.mark_before(position.first),
                ScopeMark::Plain
                    | ScopeMark::Head
                    | ScopeMark::GeneHead
                    | ScopeMark::Reaction
                    | ScopeMark::Positive
                    | ScopeMark::Close
            );
        let begins_list =
            self.opens(position.first) && matches!(after, ScopeMark::Colon | ScopeMark::Dash) && !self.opens(next);
        EitherDirection {
            treatment_forward: begins_list || !nothing_follows,
            result_forward: begins_list || (begins_statement && !nothing_follows),
            label: self.is_label(position),
        }
    }
}

fn mark_sentence_starts(words: &mut [ScopeWord], sentences: &[Sentence]) {
    let mut sentences = sentences.iter().peekable();
    for word in words {
        while sentences.next_if(|sentence| sentence.start <= word.start).is_some() {
            word.opens = true;
        }
    }
}

/// Returns whether a word is the sign before a number and not a denial: "copy no. 12", "block No.3".
fn is_number_sign(text: &[u8], word: &ScopeWord) -> bool {
    text.get(word.folded_start..word.folded_end) == Some(b"no") && number_follows(text.get(word.folded_end..))
}

/// Returns the cues from left to right, the longest at each word.
fn find_cues(folded: &FoldedWords, lexicon: &'static Lexicon) -> Vec<CuePosition> {
    let (text, words) = (&folded.text, &folded.words);
    let mut cue_positions = Vec::with_capacity(words.len() / 4);
    let mut first = 0;
    while first < words.len() {
        match lexicon.longest(words, text, first) {
            Some((last, _)) if last == first && words.get(first).is_some_and(|word| is_number_sign(text, word)) => {
                first += 1;
            }
            Some((last, cue)) => {
                cue_positions.push(CuePosition::of(folded, first, last, cue));
                first = last + 1;
            }
            None => first += 1,
        }
    }
    cue_positions
}
