//! How far a cue reaches into the words before it: "EGFR, ALK and ROS1 were not detected".
//!
//! Ends of scopes and lists only, by the marks of the words.

use super::{
    Assertion, Field,
    places::{CuePosition, ScopeWords},
    scope::ScopeLimits,
    words::ScopeMark,
};

/// A walk from the cue towards the start of its sentence. Words are given by their index.
struct Back {
    /// Whether it may still pass over an offer: "was recommended, but she declined".
    refusal: bool,
    /// Whether it speaks of a single plan: "followed by lumpectomy and trastuzumab planned".
    intent: bool,
    /// Whether it speaks of treatments: "surgery and radiation was declined" is of one thing only.
    of_treatment: bool,
    /// Parentheses closed since the cue, which stand between it and its subject.
    depth: usize,
    /// The "and" or "or" next to the cue.
    joined: Option<usize>,
    /// The word after the last place where the subject may begin.
    begins: Option<usize>,
}

impl ScopeWords<'_> {
    /// Walks from the cue towards the start of the sentence.
    pub(super) fn backward(&self, place: &CuePosition, within: usize) -> ScopeLimits {
        let says = |assertion| place.cue.rules.iter().any(|rule| rule.assertion == assertion);
        let mut back = Back {
            refusal: says(Assertion::Declined),
            intent: says(Assertion::Planned) && !place.cue.plural,
            of_treatment: place.cue.rules.iter().any(|rule| rule.concerns(Field::Treatment)),
            depth: 0,
            joined: None,
            begins: None,
        };
        let limit = place.first.saturating_sub(within);
        let mut from = place.first;
        while from > limit && !self.opens(from) {
            if let Some(end) = self.step_back(&mut back, place, from - 1) {
                from = end;
                break;
            }
            from -= 1;
        }
        let near = self.start_of(from.max(place.first.saturating_sub(4)));
        ScopeLimits { near, ..ScopeLimits::to(self.start_of(from)) }
    }

    /// Takes one word; gives the first word of the scope where it begins after this one.
    fn step_back(&self, back: &mut Back, place: &CuePosition, at: usize) -> Option<usize> {
        let after = at + 1;
        let adjacent = after == place.first;
        match self.mark(at) {
            // Not a semicolon, which cuts but does not govern.
            ScopeMark::End if back.intent && self.words.get(at).is_some_and(|word| word.end - word.start > 1) => {
                return Some(back.begins.unwrap_or(after));
            }
            ScopeMark::Given => return Some(back.begins.unwrap_or(place.first)),
            ScopeMark::End | ScopeMark::Clause | ScopeMark::With => return Some(after),
            ScopeMark::Open if back.depth > 0 => back.depth -= 1,
            ScopeMark::Open | ScopeMark::Dash if !adjacent => return Some(after),
            ScopeMark::Close => back.depth += 1,
            ScopeMark::Comma if back.depth == 0 && !adjacent => {
                if !self.list_goes_back(at, back.joined, place) {
                    return Some(after);
                }
                back.begins = Some(after);
            }
            ScopeMark::Result if back.refusal => back.refusal = false,
            ScopeMark::Positive if place.cue.predicate && back.begins.is_none() => {}
            ScopeMark::Result | ScopeMark::Positive if back.depth == 0 && !adjacent => return Some(after),
            ScopeMark::And | ScopeMark::Or => {
                let complete = self.mark_before(at) == ScopeMark::Head || self.is_variant(at.saturating_sub(1));
                let singular = place.cue.predicate && !place.cue.plural && (back.of_treatment || adjacent);
                if singular || (complete && !place.cue.plural) {
                    return Some(after);
                }
                back.joined = back.joined.or(Some(at));
                back.begins = Some(after);
            }
            ScopeMark::Preposition => back.begins = Some(after),
            _ => {}
        }
        None
    }

    /// Whether this word is a protein change such as V600E: the end of a finding, not an item of a list.
    fn is_variant(&self, at: usize) -> bool {
        match self.spelled(at) {
            [first, digits @ .., last] => {
                let letters = first.is_ascii_alphabetic() && last.is_ascii_alphabetic();
                letters && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        }
    }

    /// Whether the words before this comma already make a positive finding.
    fn is_finding(&self, comma: usize) -> bool {
        let words = (0..comma).rev().take(8);
        let segment =
            words.take_while(|&at| !matches!(self.mark(at), ScopeMark::Comma | ScopeMark::End) && !self.opens(at + 1));
        let mut marks = segment.map(|at| self.mark(at));
        marks.any(|mark| matches!(mark, ScopeMark::GeneHead | ScopeMark::Positive | ScopeMark::Head))
    }

    /// Whether a list goes on before this comma: "EGFR, ALK and ROS1 were negative".
    fn list_goes_back(&self, comma: usize, joined: Option<usize>, place: &CuePosition) -> bool {
        let Some(left) = comma.checked_sub(1) else { return false };
        // "EGFR mutation, ALK fusion and ROS1 fusion were not found": every item ends in such a noun.
        let headed = |at: usize| matches!(self.mark(at), ScopeMark::Head | ScopeMark::GeneHead);
        if place.cue.plural && headed(left) && joined.and_then(|join| join.checked_sub(1)).is_some_and(headed) {
            return true;
        }
        let before = left
            .checked_sub(1)
            .map_or(ScopeMark::End, |at| if self.opens(left) { ScopeMark::End } else { self.mark(at) });
        let single = !matches!(
            before,
            ScopeMark::Plain | ScopeMark::Head | ScopeMark::GeneHead | ScopeMark::Positive | ScopeMark::Result
        );
        let right = self.mark(comma + 2);
        let single_right = !matches!(right, ScopeMark::Plain | ScopeMark::Head | ScopeMark::GeneHead);
        self.mark(left) == ScopeMark::Plain
            && single
            && !self.is_finding(comma)
            && (joined.is_some() || (single_right && (place.cue.plural || !place.cue.predicate)))
    }
}
