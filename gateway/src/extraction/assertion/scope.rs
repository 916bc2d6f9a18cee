//! Computes the scope of each cue of a note.
//!
//! A scope depends on the marks of the words between the cue and the end of its sentence. It has at most
//! `lexicon::MOST_SCOPE_WORDS` words, so a text that consists of cues alone still takes linear time. `mod.rs` decides
//! which assertion applies where scopes overlap.

use std::sync::LazyLock;

use super::{
    Assertion, Field,
    lexicon::{Direction, Rule},
    places::{CuePosition, EitherDirection, ScopeWords},
    sentences::Sentence,
    words::{FoldedWords, ScopeMark},
};

/// The text that one cue applies to, on one side of the cue. All offsets are bytes of the note.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// First byte of the cue.
    pub(super) cue_start: usize,
    /// One past the last byte of the cue.
    pub(super) cue_end: usize,
    /// Whether the scope lies after the cue.
    pub(super) forward: bool,
    /// Index of the cue's word next to the scope.
    pub(super) word: usize,
    /// The far end of the scope.
    pub(super) limits: ScopeLimits,
    /// Whether the cue answers a whole list of names before it: "KRAS G12C, BRAF V600E: not detected".
    pub(super) answers_list: bool,
    /// All rules of the cue.
    pub(super) rules: &'static [Rule],
    /// How commas affect the scope. Only rules with this behaviour apply.
    commas: Commas,
    /// The direction of its rules that allow either direction.
    either: EitherDirection,
}

/// The far end of a scope as a byte offset, for fields with a narrower scope and for all others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScopeLimits {
    /// Directly next to the cue, for stages, because notes seldom negate a stage.
    pub(super) near: usize,
    /// Up to a preposition: "no progression on osimertinib" does not deny osimertinib.
    pub(super) phrase: usize,
    /// Up to a word for what the disease does: "no progression of liver metastases".
    pub(super) named: usize,
    /// Up to where a conclusion begins: "no residual tumor (complete response)".
    pub(super) outcome: usize,
    /// Up to the end of the scope.
    pub(super) whole: usize,
}

impl ScopeLimits {
    /// Returns the same limit for all fields.
    pub(super) fn to(whole: usize) -> Self {
        Self { near: whole, phrase: whole, named: whole, outcome: whole, whole }
    }
}

impl Scope {
    /// Returns the rules that apply in this scope.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        let (forward, either, commas) = (self.forward, self.either, self.commas);
        let applies = move |rule: &&Rule| either.has(rule, forward) && (!forward || Commas::of(rule) == commas);
        self.rules.iter().filter(applies)
    }
}

/// The rule that "Liver: no lesions" negates its label.
static NEGATED_LABEL: LazyLock<[Rule; 1]> =
    LazyLock::new(|| [Rule::new(Assertion::Negated, Direction::After, &[Field::MetastasisSite, Field::GeneMutation])]);

/// Returns the scopes of all cues of a note, in the order of the cues. Also marks the words.
pub(super) fn scopes(folded: &mut FoldedWords, sentences: &[Sentence]) -> Vec<Scope> {
    let (scope_words, cue_positions) = ScopeWords::new(folded, sentences);
    let mut scopes = Vec::with_capacity(cue_positions.len());
    for position in cue_positions.iter().filter(|position| !position.cue.rules.is_empty()) {
        scope_words.add(position, &mut scopes);
    }
    scopes
}

impl ScopeWords<'_> {
    fn add(&self, position: &CuePosition, scopes: &mut Vec<Scope>) {
        let Some((first, last)) = self.words.get(position.first).zip(self.words.get(position.last)) else { return };
        let (rules, either) = (&position.cue.rules, position.either);
        let scope = |forward, limits, commas| Scope {
            cue_start: first.start,
            cue_end: last.end,
            forward,
            word: if forward { position.last } else { position.first },
            limits,
            answers_list: false,
            rules,
            commas,
            either,
        };
        for commas in [Commas::List, Commas::Flow, Commas::History] {
            let within = rules.iter().filter(|rule| either.has(rule, true) && Commas::of(rule) == commas);
            if let Some(within) = within.map(|rule| rule.within).max() {
                scopes.push(scope(true, self.forward(position, commas, within), commas));
            }
        }
        let within = rules.iter().filter(|rule| either.has(rule, false)).map(|rule| rule.within).max();
        if let Some(within) = within {
            let answers_list = self.answered_list(position, within).is_some();
            scopes.push(Scope { answers_list, ..scope(false, self.backward(position, within), Commas::List) });
        } else if self.negates_label(position) {
            let limits = ScopeLimits::to(self.start_of(self.label_start(position.first)));
            scopes.push(Scope { rules: &*NEGATED_LABEL, ..scope(false, limits, Commas::List) });
        }
    }

    /// Returns the first byte of a word; past the last word, the end of the last word.
    pub(super) fn start_of(&self, word: usize) -> usize {
        match self.words.get(word) {
            Some(word) => word.start,
            None => self.words.last().map_or(0, |word| word.end),
        }
    }

    /// Returns whether a negation follows a label directly and so negates the label too: "Liver: no lesions".
    fn negates_label(&self, position: &CuePosition) -> bool {
        let colon = !self.opens(position.first) && self.mark_before(position.first) == ScopeMark::Colon;
        colon && position.cue.rules.iter().any(|rule| rule.assertion == Assertion::Negated)
    }

    fn label_start(&self, cue: usize) -> usize {
        let mut from = cue.saturating_sub(1);
        while cue - from < 6 && !self.opens(from) && from > 0 {
            if matches!(self.mark_before(from), ScopeMark::Comma | ScopeMark::End | ScopeMark::Colon) {
                break;
            }
            from -= 1;
        }
        from
    }
}

/// How a comma affects a scope after its cue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commas {
    /// A comma ends the scope unless it separates the items of a list.
    List,
    /// A comma never ends the scope, because treatments are listed with commas.
    Flow,
    /// As for `List`; in addition, any new statement ends the scope.
    History,
}

impl Commas {
    fn of(rule: &Rule) -> Self {
        match rule.assertion {
            Assertion::Historical => Self::History,
            Assertion::Planned | Assertion::Declined | Assertion::NotTested | Assertion::Family => Self::Flow,
            _ => Self::List,
        }
    }
}
