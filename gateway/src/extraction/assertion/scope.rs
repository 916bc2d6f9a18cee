//! How far each cue of a note reaches.
//!
//! A scope is worked out from the marks of the words between the cue and its sentence's end, never
//! more than `lexicon::REACH` words, so a text of nothing but cues still costs linear time. Which
//! assertion wins where scopes overlap is not decided here.

use std::sync::LazyLock;

use super::{
    Assertion, Field,
    lexicon::{Direction, Rule},
    places::{CuePosition, Either, ScopeWords},
    sentences::Sentence,
    words::{Folded, ScopeMark},
};

/// The stretch that one cue speaks of, on one side of it. All offsets are bytes of the note.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// First byte of the cue.
    pub(super) cue_start: usize,
    /// One past the last byte of the cue.
    pub(super) cue_end: usize,
    /// Whether the stretch follows the cue.
    pub(super) forward: bool,
    /// Index of the cue's word next to the stretch.
    pub(super) word: usize,
    /// The far end of the stretch.
    pub(super) reach: ScopeLimits,
    /// What the cue says.
    pub(super) rules: &'static [Rule],
    /// What commas do to it; only the rules for which they do that hold.
    commas: Commas,
    /// On which side the rules are that can be on either.
    either: Either,
}

/// How far a scope goes, for the fields that let themselves be reached less far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScopeLimits {
    /// For what stands right by the cue: a stage is seldom denied.
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
    /// The same for all fields.
    pub(super) fn to(whole: usize) -> Self {
        Self { near: whole, phrase: whole, named: whole, outcome: whole, whole }
    }
}

impl Scope {
    /// The rules that hold in this scope.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        let (forward, either, commas) = (self.forward, self.either, self.commas);
        let holds = move |rule: &&Rule| either.has(rule, forward) && (!forward || Commas::of(rule) == commas);
        self.rules.iter().filter(holds)
    }
}

/// "Liver: no lesions"
static DENIED_LABEL: LazyLock<[Rule; 1]> =
    LazyLock::new(|| [Rule::new(Assertion::Negated, Direction::After, &[Field::MetastasisSite, Field::GeneMutation])]);

/// Finds the cues of a note and their scopes, in the order of the cues. Marks the words on the way.
pub(super) fn scopes(folded: &mut Folded, sentences: &[Sentence]) -> Vec<Scope> {
    let (walk, places) = ScopeWords::new(folded, sentences);
    let mut scopes = Vec::with_capacity(places.len());
    for place in places.iter().filter(|place| !place.cue.rules.is_empty()) {
        walk.add(place, &mut scopes);
    }
    scopes
}

impl ScopeWords<'_> {
    fn add(&self, place: &CuePosition, scopes: &mut Vec<Scope>) {
        let Some((first, last)) = self.words.get(place.first).zip(self.words.get(place.last)) else { return };
        let (rules, either) = (&place.cue.rules, place.either);
        let scope = |forward, reach, commas| Scope {
            cue_start: first.start,
            cue_end: last.end,
            forward,
            word: if forward { place.last } else { place.first },
            reach,
            rules,
            commas,
            either,
        };
        for commas in [Commas::List, Commas::Flow, Commas::History] {
            let within = rules.iter().filter(|rule| either.has(rule, true) && Commas::of(rule) == commas);
            if let Some(within) = within.map(|rule| rule.within).max() {
                scopes.push(scope(true, self.forward(place, commas, within), commas));
            }
        }
        let within = rules.iter().filter(|rule| either.has(rule, false)).map(|rule| rule.within).max();
        if let Some(within) = within {
            scopes.push(scope(false, self.backward(place, within), Commas::List));
        } else if self.denies_label(place) {
            let reach = ScopeLimits::to(self.start_of(self.label_start(place.first)));
            scopes.push(Scope { rules: &*DENIED_LABEL, ..scope(false, reach, Commas::List) });
        }
    }

    /// First byte of a word; past the last word, the end of that.
    pub(super) fn start_of(&self, word: usize) -> usize {
        match self.words.get(word) {
            Some(word) => word.start,
            None => self.words.last().map_or(0, |word| word.end),
        }
    }

    /// "Liver: no lesions" denies the label too.
    fn denies_label(&self, place: &CuePosition) -> bool {
        let colon = !self.opens(place.first) && self.mark_before(place.first) == ScopeMark::Colon;
        colon && place.cue.rules.iter().any(|rule| rule.assertion == Assertion::Negated)
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

/// What a comma does to a scope that follows its cue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commas {
    /// Ends it, but for lists.
    List,
    /// Nothing: treatments are listed with commas.
    Flow,
    /// As for lists; besides, any new statement ends it.
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
