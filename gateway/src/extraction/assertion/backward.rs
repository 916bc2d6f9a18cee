//! Finds how far the scope of a cue extends over the words before it: "EGFR, ALK and ROS1 were not detected".
//!
//! It finds the ends of scopes and lists, by the marks of the words.

use super::{
    Assertion, Field,
    places::{CuePosition, ScopeWords},
    scope::ScopeLimits,
    words::ScopeMark,
};

/// Whether the cue says that its whole subject is planned: "pembrolizumab with carboplatin is planned".
fn is_plan_of_subject(position: &CuePosition) -> bool {
    position.predicate && position.cue.rules.iter().any(|rule| rule.assertion == Assertion::Planned)
}

/// Whether the cue says that a test was not done or has no result yet: a result before it is that of another test.
fn is_untested(position: &CuePosition) -> bool {
    position.cue.rules.iter().any(|rule| rule.assertion == Assertion::NotTested)
}

/// The state of a scan from the cue towards the start of its sentence. A `usize` is the index of a word.
struct BackwardScan {
    /// Whether the scan may still pass over one offer: "was recommended, but she declined".
    may_pass_offer: bool,
    /// Whether the cue names a single plan: "followed by lumpectomy and trastuzumab planned".
    is_single_plan: bool,
    /// Whether the cue applies to treatments: "surgery and radiation was declined" declines one of the two only.
    is_treatment_cue: bool,
    /// Closing parentheses that the scan has passed without their opening ones.
    depth: usize,
    /// The "and" or "or" nearest to the cue.
    conjunction: Option<usize>,
    /// Where the subject may begin: the word after the last comma, conjunction or preposition that the scan passed.
    subject_start: Option<usize>,
}

impl ScopeWords<'_> {
    /// Returns the limits of the scope before the cue, of at most `within` words.
    pub(super) fn backward(&self, position: &CuePosition, within: usize) -> ScopeLimits {
        let has_rule = |assertion| position.cue.rules.iter().any(|rule| rule.assertion == assertion);
        let mut scan = BackwardScan {
            may_pass_offer: has_rule(Assertion::Declined),
            is_single_plan: has_rule(Assertion::Planned) && !position.plural,
            is_treatment_cue: position.cue.rules.iter().any(|rule| rule.concerns(Field::Treatment)),
            depth: 0,
            conjunction: None,
            subject_start: None,
        };
        let limit = position.first.saturating_sub(within);
        if let Some(start) = self.answered_list(position, within) {
            return ScopeLimits::to(self.start_of(start));
        }
        let mut from = position.first;
        while from > limit && !self.opens(from) {
            if let Some(end) = self.step_backward(&mut scan, position, from - 1) {
                from = end;
                break;
            }
            from -= 1;
        }
        let near = self.start_of(from.max(position.first.saturating_sub(4)));
        ScopeLimits { near, ..ScopeLimits::to(self.start_of(from)) }
    }

    /// Returns the first word of a sentence that is a list of names before the colon of this cue, which answers them
    /// all: "EGFR L858R, KRAS G12C, BRAF V600E: not detected".
    pub(super) fn answered_list(&self, position: &CuePosition, within: usize) -> Option<usize> {
        let limit = position.first.saturating_sub(within);
        let colon = position.first.checked_sub(1).filter(|&at| self.mark(at) == ScopeMark::Colon)?;
        let first = (limit..colon).rev().find(|&at| self.opens(at))?;
        // "Liver metastases, brain: negative" answers its last item alone.
        let closed = !self.opens(colon) && !self.opens(position.first);
        let commas = (first..colon).filter(|&at| self.mark(at) == ScopeMark::Comma);
        let plain = (first..colon).all(|at| {
            matches!(
                self.mark(at),
                ScopeMark::Plain
                    | ScopeMark::Comma
                    | ScopeMark::Open
                    | ScopeMark::Close
                    | ScopeMark::Head
                    | ScopeMark::GeneHead
            )
        });
        let kind = self.kind_of_item(first, colon)?;
        let mut from = first;
        let alike = commas.chain([colon]).all(|end| {
            let whole = end > from + 1 && self.kind_of_item(from, end) == Some(kind);
            from = end + 1;
            whole
        });
        (closed && plain && alike).then_some(first)
    }

    /// Returns whether a sign answers a word and the list goes on after it: "NPM1+, FLT3 wild type".
    fn has_own_sign(&self, at: usize) -> bool {
        let end = self.words.get(at).map_or(0, |word| word.folded_end);
        let mut next = self.text.get(end..).unwrap_or_default().iter().copied();
        next.next() == Some(b'+') && matches!(next.find(|byte| *byte != b' '), Some(b',' | b'/' | b';'))
    }

    /// Scans one word. Returns the first word of the scope if the scope ends here.
    fn step_backward(&self, scan: &mut BackwardScan, position: &CuePosition, at: usize) -> Option<usize> {
        let after = at + 1;
        let adjacent = after == position.first;
        if (is_untested(position) && self.is_measured(at)) || self.has_own_sign(at) {
            return Some(after);
        }
        match self.mark(at) {
            ScopeMark::With | ScopeMark::End
                if is_plan_of_subject(position)
                    && matches!(self.spelled(at), b"with" | b"followed" | b"plus")
                    && self.begins_sentence_before(at) => {}
            // An end that is a word limits a single plan to its subject. A semicolon, of one byte, only ends the scope.
            ScopeMark::End
                if scan.is_single_plan && self.words.get(at).is_some_and(|word| word.end - word.start > 1) =>
            {
                return Some(scan.subject_start.unwrap_or(after));
            }
            ScopeMark::Given => return Some(scan.subject_start.unwrap_or(position.first)),
            ScopeMark::End | ScopeMark::Clause | ScopeMark::With => return Some(after),
            ScopeMark::Open if scan.depth > 0 => scan.depth -= 1,
            ScopeMark::Open | ScopeMark::Dash if !adjacent => return Some(after),
            ScopeMark::Close => scan.depth += 1,
            ScopeMark::Comma if scan.depth == 0 && !adjacent => {
                if !self.list_continues_before(at, scan.conjunction, position) {
                    return Some(after);
                }
                scan.subject_start = Some(after);
            }
            ScopeMark::Result if scan.may_pass_offer => scan.may_pass_offer = false,
            ScopeMark::Positive if position.predicate && scan.subject_start.is_none() => {}
            ScopeMark::Result | ScopeMark::Positive if scan.depth == 0 && !adjacent => return Some(after),
            ScopeMark::And | ScopeMark::Or => {
                let complete = self.mark_before(at) == ScopeMark::Head || self.is_variant(at.saturating_sub(1));
                let singular = position.predicate && !position.plural && (scan.is_treatment_cue || adjacent);
                if singular || (complete && !position.plural) {
                    return Some(after);
                }
                scan.conjunction = scan.conjunction.or(Some(at));
                scan.subject_start = Some(after);
            }
            ScopeMark::Preposition => scan.subject_start = Some(after),
            _ => {}
        }
        None
    }

    /// Returns whether a word is a result: `90%`, `ER+`, the number of "12 ng/mL".
    fn is_measured(&self, at: usize) -> bool {
        let sign = self.words.get(at).and_then(|word| self.text.get(word.folded_end));
        let is_number = self.spelled(at).iter().all(u8::is_ascii_digit);
        let has_unit = matches!(self.spelled(at + 1), b"ng" | b"pg" | b"u" | b"iu" | b"ku" | b"miu");
        matches!(sign, Some(b'%' | b'+')) || (is_number && has_unit)
    }

    /// Returns whether there are only nouns and the words that join them between the start of the sentence and a word:
    /// "recommended" or "planned" at its end then applies to all of them.
    fn begins_sentence_before(&self, at: usize) -> bool {
        const LONGEST_SUBJECT: usize = 10;
        let joins = |mark| {
            matches!(
                mark,
                ScopeMark::Plain
                    | ScopeMark::Head
                    | ScopeMark::And
                    | ScopeMark::Or
                    | ScopeMark::With
                    | ScopeMark::Preposition
            )
        };
        let first = (at.saturating_sub(LONGEST_SUBJECT)..=at).rev().find(|&word| self.opens(word));
        first.is_some_and(|first| (first..at).all(|word| joins(self.mark(word))))
    }

    /// Returns whether this word is a protein change such as V600E, which ends a finding and is not an item of a list.
    pub(super) fn is_variant(&self, at: usize) -> bool {
        match self.spelled(at) {
            [first, digits @ .., last] => {
                let letters = first.is_ascii_alphabetic() && last.is_ascii_alphabetic();
                letters && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        }
    }

    /// Returns whether the words before this comma already form a positive finding.
    fn is_finding(&self, comma: usize) -> bool {
        let words = (0..comma).rev().take(8);
        let segment =
            words.take_while(|&at| !matches!(self.mark(at), ScopeMark::Comma | ScopeMark::End) && !self.opens(at + 1));
        let mut marks = segment.map(|at| self.mark(at));
        marks.any(|mark| matches!(mark, ScopeMark::GeneHead | ScopeMark::Positive | ScopeMark::Head))
    }

    /// Returns whether the list continues before this comma: "EGFR, ALK and ROS1 were negative".
    fn list_continues_before(&self, comma: usize, conjunction: Option<usize>, position: &CuePosition) -> bool {
        let Some(left) = comma.checked_sub(1) else { return false };
        // "EGFR mutation, ALK fusion and ROS1 fusion were not found": every item ends in a noun that completes it.
        let is_head = |at: usize| matches!(self.mark(at), ScopeMark::Head | ScopeMark::GeneHead | ScopeMark::Close);
        if position.plural && is_head(left) && conjunction.and_then(|join| join.checked_sub(1)).is_some_and(is_head) {
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
            && (conjunction.is_some() || (single_right && (position.plural || !position.predicate)))
    }
}
