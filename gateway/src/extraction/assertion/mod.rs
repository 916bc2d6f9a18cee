//! Decides what a note says about a value that it names: present, historical, planned, possible, absent and others.
//!
//! [`Context::of`] reads a note once, in linear time; [`Context::assess`] then answers for any byte
//! range of it. The cues are lists in `cues/`; the tests check the examples in `cases.txt`. This module does
//! not decide what a range means or which field it belongs to: the caller knows both.
//!
//! Where several cues apply to a value, the first of these rows decides:
//!
//! | | assertion | reason |
//! |---|---|---|
//! | 1 | `family` | a relative's disease is never the patient's |
//! | 2 | `not_tested` | without a test there is no result to negate or to doubt |
//! | 3 | `wild_type` | it is the most specific negation |
//! | 4 | `negated` | "no prior", "no possible" and "not recommended" are negations |
//! | 5 | `present`, cue after the value | "planned surgery was performed", "suspected, then confirmed" |
//! | 6 | `declined` | "planned but declined", "recommended; she refused" |
//! | 7 | `planned` | "will possibly receive" |
//! | 8 | `uncertain` | it is the stronger of the two doubts |
//! | 9 | `probable` | |
//! | 10 | `historical` | |
//! | 11 | `present`, cue before the value | "continues" under the heading Plan |
//! | 12 | the default of the section | Plan: planned; Past history: historical |
//! | 13 | `present` | |
//!
//! A planned treatment whose course the next sentences describe is present, see `carried_out.rs`.

use std::{borrow::Cow, fmt, ops::Range};

use super::{Field, tick_boxes};
use crate::steps;

mod automaton;
mod backward;
mod carried_out;
mod forward;
mod general;
mod headings;
mod item_answers;
mod kinds;
mod lexicon;
mod nothing;
mod places;
mod scope;
mod sentences;
mod stops;
#[cfg(test)]
mod tests;
mod words;

pub use headings::{LineHeading, line_heading};
use item_answers::DeniedItem;
pub use kinds::{Assertion, Section};
use lexicon::{MOST_SCOPE_WORDS, Rule};
use scope::Scope;
pub(super) use sentences::{Sentence, split as sentences};
use words::{ScopeMark, ScopeWord};

/// Maximum number of words of a cue.
const LONGEST_CUE: usize = 12;

/// Markers whose result may follow a site without applying to the site.
const MARKERS: [&str; 20] = [
    "ER", "PR", "HR", "AR", "HER2", "EGFR", "ALK", "ROS1", "BRAF", "KRAS", "NRAS", "RET", "PSA", "TTF1", "CK7", "CK20",
    "GATA3", "p40", "p63", "CD20",
];

/// Words that state a positive result inside the name of a marker: "MSI-H", "1p/19q codeletion", "dMMR".
const POSITIVE: [&str; 8] =
    ["h", "codeletion", "codeleted", "dmmr", "hypermutated", "hypermethylated", "hypermethylation", "expressor"];

/// The sentences, sections and cues of one note.
#[derive(Clone)]
pub struct Context<'note> {
    text: Cow<'note, str>,
    sentences: Vec<Sentence>,
    words: Vec<ScopeWord>,
    scopes: Vec<Scope>,
    denied: Vec<DeniedItem>,
}

impl Context<'static> {
    /// Reads a note and keeps its text.
    #[must_use]
    pub fn of_owned(text: String) -> Self {
        Self::read(Cow::Owned(text))
    }
}

impl<'note> Context<'note> {
    /// Reads a note.
    #[must_use]
    pub fn of(text: &'note str) -> Self {
        Self::read(Cow::Borrowed(text))
    }

    fn read(text: Cow<'note, str>) -> Self {
        let sentences = sentences(&text);
        let mut folded = words::fold(&text);
        let denied = item_answers::read(&text);
        let mut scopes = scope::scopes(&mut folded, &sentences);
        // An answer denies the item before it, or the whole list, and not the words after it.
        scopes.retain(|scope| {
            let after = denied.partition_point(|one| one.answer.end <= scope.cue_start);
            scope.answers_list || denied.get(after).is_none_or(|one| one.open || one.answer.start >= scope.cue_end)
        });
        Self { text, sentences, words: folded.words, scopes, denied }
    }

    /// Returns the context with a text of its own.
    pub(crate) fn with_own_text(self) -> Context<'static> {
        let Self { text, sentences, words, scopes, denied } = self;
        Context { text: Cow::Owned(text.into_owned()), sentences, words, scopes, denied }
    }

    /// Returns the sentences of the note, in order.
    pub(super) fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// Returns what the note says about the value in `range` (bytes) of `field`.
    ///
    /// The field matters: "HER2 negative" is a biomarker with a result, so it is present; "negative for brain
    /// metastases" negates a site. A biomarker is negated only where the range itself names a positive
    /// result ("no HER2 amplification"). A cue inside the range of a biomarker or a response is part of its
    /// value ("no evidence of disease").
    #[must_use]
    pub fn assess(&self, range: Range<usize>, field: Field) -> Assertion {
        steps::count(MOST_SCOPE_WORDS);
        let section = self.effective_section(&range);
        if section == Section::FamilyHistory {
            return Assertion::Family;
        }
        if let Some(answer) = self.answered(&range, field) {
            return answer;
        }
        let word = self.words.partition_point(|word| word.end <= range.start);
        let earliest = self.word_start(word.saturating_sub(MOST_SCOPE_WORDS + LONGEST_CUE));
        let latest =
            self.word_start(self.words.partition_point(|word| word.start < range.end) + MOST_SCOPE_WORDS + LONGEST_CUE);
        let first = self.scopes.partition_point(|scope| scope.cue_start < earliest);
        let near = self.scopes.get(first..).unwrap_or_default().iter();
        let strongest = near
            .take_while(|scope| scope.cue_start <= latest)
            .inspect(|_| steps::count(1))
            .flat_map(|scope| scope.rules().map(move |rule| (scope, rule)))
            .filter(|(_, rule)| rule.concerns(field))
            .filter(|(scope, rule)| self.covers(scope, rule, &range, field))
            .filter(|(scope, rule)| {
                let affirms = rule.assertion == Assertion::Present && !scope.forward;
                !affirms || !self.is_condition(word, scope.cue_start)
            })
            .max_by_key(|(scope, rule)| priority(rule.assertion, scope.forward));
        let assertion = match strongest {
            Some((_, rule)) => rule.assertion,
            None => section_default(section, field),
        };
        // The text of an eligibility criterion does not describe this patient: "Exclusion criteria: prior docetaxel".
        let of_nobody = section == Section::Criteria && assertion.in_record(field);
        let assertion = if of_nobody { section_default(section, field) } else { assertion };
        if field == Field::Stage && assertion.in_record(field) && self.is_general(&range) {
            return Assertion::Uncertain;
        }
        let carried_out = assertion == Assertion::Planned && field == Field::Treatment && self.is_carried_out(&range);
        if carried_out { Assertion::Present } else { assertion }
    }

    /// Returns the byte range of the sentence at this offset; between two sentences, of the earlier one.
    #[must_use]
    pub fn sentence_at(&self, offset: usize) -> Range<usize> {
        self.sentence(offset).map_or(0..0, |sentence| sentence.start..sentence.end)
    }

    /// Returns the section at this offset.
    #[must_use]
    pub fn section_at(&self, offset: usize) -> Section {
        self.sentence(offset).map_or(Section::Body, |sentence| sentence.section)
    }

    /// Returns the section of a range, corrected by the words of its sentence. "PMH: breast cancer 2010, now stage IV
    /// lung cancer" returns to the present at "now". The reason for an examination counts as a question only if its
    /// wording asks one.
    fn effective_section(&self, range: &Range<usize>) -> Section {
        let Some(sentence) = self.sentence(range.start) else { return Section::Body };
        let from = self.words.partition_point(|word| word.start < sentence.start);
        let to = self.words.partition_point(|word| word.start < range.start);
        let before = self.words.get(from.max(to.saturating_sub(MOST_SCOPE_WORDS))..to).unwrap_or_default();
        let precedes = |triggers: &[&str]| {
            let mut spelled = before.iter().filter_map(|word| self.text.get(word.start..word.end));
            spelled.any(|word| triggers.iter().any(|trigger| trigger.eq_ignore_ascii_case(word)))
        };
        match sentence.section {
            Section::PastHistory if precedes(&["now", "currently", "presents", "presenting"]) => Section::Body,
            Section::Reason if precedes(&["evaluate", "evaluation", "eval", "assess", "exclude", "rule"]) => {
                Section::Question
            }
            Section::Reason if self.question_follows(range.end..sentence.end) => Section::Question,
            Section::Reason => Section::Body,
            section => section,
        }
    }

    /// Returns whether a question mark follows in the sentence, within 200 bytes. Except at the very start, a
    /// question mark after a space or "(" does not count, because it asks about the words after it.
    fn question_follows(&self, rest: Range<usize>) -> bool {
        let rest = self.text.as_bytes().get(rest).unwrap_or_default();
        let rest = rest.get(..rest.len().min(200)).unwrap_or_default();
        rest.first() == Some(&b'?')
            || rest
                .windows(2)
                .any(|pair| matches!(pair, [before, b'?'] if !before.is_ascii_whitespace() && *before != b'('))
    }

    fn sentence(&self, offset: usize) -> Option<&Sentence> {
        let after = self.sentences.partition_point(|sentence| sentence.start <= offset);
        self.sentences.get(after.saturating_sub(1))
    }

    fn word_start(&self, word: usize) -> usize {
        self.words.get(word).map_or(self.text.len(), |word| word.start)
    }

    /// Returns whether the rule of this cue applies to the value in `range`.
    fn covers(&self, scope: &Scope, rule: &Rule, range: &Range<usize>, field: Field) -> bool {
        let cue_is_part_of_value = matches!(field, Field::Biomarker | Field::Response);
        if scope.cue_start < range.end && range.start < scope.cue_end {
            // The cue is part of the range, as in "EGFR wild-type". In a longer range only a cue at its edge counts.
            // "No adjuvant chemotherapy" as a value says what the note says, and is not denied by its own first word.
            let at_edge = if scope.forward { scope.cue_start <= range.start } else { scope.cue_end >= range.end };
            let says_no = field == Field::Treatment
                && rule.assertion == Assertion::Negated
                && scope.forward
                && scope.cue_start == range.start;
            return at_edge && !cue_is_part_of_value && !says_no;
        }
        let doubt = matches!(rule.assertion, Assertion::Negated | Assertion::Uncertain | Assertion::Probable);
        let limit = match field {
            Field::Stage if doubt => scope.limits.near,
            Field::Treatment | Field::CancerType if doubt => scope.limits.phrase,
            Field::CancerType if rule.assertion == Assertion::Historical => scope.limits.phrase,
            Field::Response if doubt => scope.limits.outcome,
            Field::MetastasisSite | Field::GeneMutation | Field::Biomarker if doubt => scope.limits.named,
            _ => scope.limits.whole,
        };
        let is_in_scope = if scope.forward {
            scope.cue_end <= range.start && range.start < limit.min(self.word_start(scope.word + 1 + rule.within))
        } else {
            let from = self.word_start(scope.word.saturating_sub(rule.within));
            range.end <= scope.cue_start && range.end > limit.max(from)
        };
        // "Metastasis of the liver: ER negative" denies a result and not the site before it.
        let of_marker = !scope.forward && field == Field::MetastasisSite && self.follows_marker(scope);
        let negates_biomarker = rule.assertion == Assertion::Negated && field == Field::Biomarker;
        is_in_scope && !of_marker && (!negates_biomarker || self.names_positive(range))
    }

    /// Returns whether the value at a word is the subject of a condition, which no verb after it makes a fact: "if
    /// stage IV is confirmed".
    fn is_condition(&self, word: usize, cue_start: usize) -> bool {
        let before = self.words.get(word.saturating_sub(3)..word).unwrap_or_default();
        let Some(condition) = before.iter().rev().find(|word| {
            let spelled = self.text.get(word.start..word.end).unwrap_or_default();
            ["if", "unless"].iter().any(|condition| condition.eq_ignore_ascii_case(spelled))
        }) else {
            return false;
        };
        self.sentence(condition.start).is_some_and(|sentence| cue_start < sentence.end)
    }

    /// Returns whether the word directly before the cue is a marker: "ER negative".
    fn follows_marker(&self, scope: &Scope) -> bool {
        let before = scope.word.checked_sub(1).and_then(|at| self.words.get(at));
        let spelled = before.and_then(|word| self.text.get(word.start..word.end)).unwrap_or_default();
        MARKERS.contains(&spelled)
    }

    /// Returns what an answer after the value says about it: "Chemotherapy: No", "KRAS G12C? Not yet known."
    fn answered(&self, range: &Range<usize>, field: Field) -> Option<Assertion> {
        let at = self.denied.partition_point(|one| one.item.end <= range.start);
        let denied = self.denied.get(at).filter(|one| one.item.start <= range.start && range.start < one.item.end)?;
        let result = matches!(field, Field::GeneMutation | Field::Biomarker);
        match field {
            // Of the answers, only an empty box denies these: "Response: [x] CMR [ ] PD".
            Field::Stage | Field::Response => {
                let answer = self.text.get(denied.answer.clone()).unwrap_or_default();
                tick_boxes::find(answer).next().is_some_and(|(_, ticked)| !ticked).then_some(Assertion::Negated)
            }
            _ if denied.open && result => Some(Assertion::NotTested),
            Field::MetastasisSite if denied.open => Some(Assertion::Uncertain),
            _ if denied.open => None,
            // A cancer is denied only where it begins its item: "Breast cancer with liver metastases: no".
            Field::CancerType if range.start > denied.item.start => None,
            // With its answer it is a negative result, which is present: "HER2 amplification: negative".
            Field::Biomarker if range.end > denied.item.end || !self.names_positive(range) => None,
            _ => Some(Assertion::Negated),
        }
    }

    /// Returns whether the range names a positive result: "HER2 amplification".
    fn names_positive(&self, range: &Range<usize>) -> bool {
        let first = self.words.partition_point(|word| word.end <= range.start);
        let words = self.words.get(first..).unwrap_or_default().iter();
        words.take_while(|word| word.start < range.end).any(|word| {
            let spelled = self.text.get(word.start..word.end).unwrap_or_default();
            matches!(word.mark, ScopeMark::Positive | ScopeMark::GeneHead)
                || POSITIVE.iter().any(|positive| positive.eq_ignore_ascii_case(spelled))
        })
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({} sentences, {} scopes)", self.sentences.len(), self.scopes.len())
    }
}

/// Returns the priority of an assertion in the table of this module; the highest one decides.
fn priority(assertion: Assertion, forward: bool) -> u8 {
    match assertion {
        Assertion::Family => 10,
        Assertion::NotTested => 9,
        Assertion::WildType => 8,
        Assertion::Negated => 7,
        Assertion::Present if !forward => 6,
        Assertion::Declined => 5,
        Assertion::Planned => 4,
        Assertion::Uncertain => 3,
        Assertion::Probable => 2,
        Assertion::Historical => 1,
        Assertion::Present | Assertion::OtherTumour | Assertion::Superseded | Assertion::Unknown => 0,
    }
}

/// Returns the assertion of a value in this section that no cue applies to.
fn section_default(section: Section, field: Field) -> Assertion {
    match (section, field) {
        (Section::FamilyHistory, _) => Assertion::Family,
        (Section::PastHistory, Field::CancerType | Field::Treatment | Field::Response) => Assertion::Historical,
        (Section::Plan | Section::Criteria, Field::Treatment) => Assertion::Planned,
        (Section::Allergies, Field::Treatment) => Assertion::Declined,
        (Section::Pending, Field::GeneMutation | Field::Biomarker) => Assertion::NotTested,
        (Section::Criteria, _) | (Section::Question, Field::CancerType | Field::MetastasisSite | Field::Response) => {
            Assertion::Uncertain
        }
        _ => Assertion::Present,
    }
}
