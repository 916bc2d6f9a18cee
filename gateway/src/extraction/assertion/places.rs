//! Where the cues of a note stand, which side each of them speaks of, and what they are to each other.
//!
//! One walk over the words finds them; the words they begin with are marked, so that the scopes of
//! other cues know where to stop. How far a cue reaches is not decided here.

use super::{
    Assertion,
    lexicon::{Cue, Direction, LEXICON, Lexicon, Rule},
    sentences::Sentence,
    words::{Folded, ScopeMark, Word},
};

/// A cue where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct CuePosition {
    /// Its first word.
    pub(super) first: usize,
    /// Its last word.
    pub(super) last: usize,
    pub(super) cue: &'static Cue,
    /// On which side the rules are that can be on either.
    pub(super) either: Either,
}

/// The side taken by rules that can be on either.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Either {
    /// Planned, declined and stopped treatments: an object usually follows.
    treatment_forward: bool,
    /// Results: they usually follow their subject.
    result_forward: bool,
}

impl Either {
    /// Whether the rule speaks of this side of its cue.
    pub(super) fn has(self, rule: &Rule, forward: bool) -> bool {
        match rule.side {
            Direction::Before => forward,
            Direction::After => !forward,
            Direction::Both => true,
            Direction::Either => self.of(rule) == forward,
        }
    }

    fn of(self, rule: &Rule) -> bool {
        if matches!(rule.assertion, Assertion::Declined | Assertion::Planned | Assertion::Historical) {
            self.treatment_forward
        } else {
            self.result_forward
        }
    }
}

/// The words of a note while scopes are worked out.
pub(super) struct ScopeWords<'words> {
    pub(super) words: &'words mut [Word],
    pub(super) text: &'words [u8],
}

impl<'words> ScopeWords<'words> {
    /// Finds the cues, in order, and marks the words.
    pub(super) fn new(folded: &'words mut Folded, sentences: &[Sentence]) -> (Self, Vec<CuePosition>) {
        open_sentences(&mut folded.words, sentences);
        let mut places = find(folded, &LEXICON);
        let mut walk = Self { words: &mut folded.words, text: &folded.text };
        for place in &places {
            if let Some(mark) = place.cue.mark {
                walk.set(place.first, mark);
            }
        }
        // Cues are marked after the words that only bound them, left to right: the side of a cue
        // depends on both.
        for place in &mut places {
            place.either = walk.mark_cue(place);
        }
        (walk, places)
    }

    pub(super) fn mark(&self, at: usize) -> ScopeMark {
        self.words.get(at).map_or(ScopeMark::End, |word| word.mark)
    }

    /// The mark of the word before this one.
    pub(super) fn mark_before(&self, at: usize) -> ScopeMark {
        at.checked_sub(1).map_or(ScopeMark::End, |before| self.mark(before))
    }

    /// The word as cues are written; nothing past the last one.
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

    /// Decides the side of an `either` cue, and marks the cue for the scopes of others.
    fn mark_cue(&mut self, place: &CuePosition) -> Either {
        let either = self.either(place);
        let rules = &place.cue.rules;
        if rules.is_empty() || place.cue.mark.is_some() {
            return either;
        }
        let forward = rules.iter().any(|rule| match rule.side {
            Direction::Before | Direction::Both => true,
            Direction::After => false,
            Direction::Either => either.of(rule),
        });
        let given = rules.iter().all(|rule| rule.assertion == Assertion::Present && rule.side == Direction::Before);
        let mark = if given {
            ScopeMark::Given
        } else if forward {
            ScopeMark::Clause
        } else {
            ScopeMark::Result
        };
        self.set(place.first, mark);
        either
    }

    /// Whether a word turns to something else: what comes after "was considered but" is not considered.
    fn turns(&self, at: usize) -> bool {
        matches!(self.spelled(at), b"but" | b"however")
    }

    fn either(&self, place: &CuePosition) -> Either {
        let next = place.last + 1;
        let after = self.mark(next);
        let nothing_follows = self.opens(next)
            || self.turns(next)
            || !matches!(
                after,
                ScopeMark::Plain
                    | ScopeMark::Article
                    | ScopeMark::Clause
                    | ScopeMark::Head
                    | ScopeMark::GeneHead
                    | ScopeMark::Open
            );
        let begins = self.opens(place.first)
            || !matches!(
                self.mark_before(place.first),
                ScopeMark::Plain
                    | ScopeMark::Head
                    | ScopeMark::GeneHead
                    | ScopeMark::Reaction
                    | ScopeMark::Positive
                    | ScopeMark::Close
            );
        let heads_list =
            self.opens(place.first) && matches!(after, ScopeMark::Colon | ScopeMark::Dash) && !self.opens(next);
        Either {
            treatment_forward: heads_list || !nothing_follows,
            result_forward: heads_list || (begins && !nothing_follows),
        }
    }
}

fn open_sentences(words: &mut [Word], sentences: &[Sentence]) {
    let mut sentences = sentences.iter().peekable();
    for word in words {
        while sentences.next_if(|sentence| sentence.start <= word.start).is_some() {
            word.opens = true;
        }
    }
}

/// The longest cues, left to right.
fn find(folded: &Folded, lexicon: &'static Lexicon) -> Vec<CuePosition> {
    let (text, words) = (&folded.text, &folded.words);
    let mut places = Vec::with_capacity(words.len() / 4);
    let mut first = 0;
    while first < words.len() {
        match lexicon.longest(words, text, first) {
            Some((last, cue)) => {
                places.push(CuePosition { first, last, cue, either: Either::default() });
                first = last + 1;
            }
            None => first += 1,
        }
    }
    places
}
