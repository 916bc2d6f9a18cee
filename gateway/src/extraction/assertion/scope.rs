//! How far each cue of a note reaches.
//!
//! A scope is worked out from the marks of the words between the cue and its sentence's end, never
//! more than `lexicon::REACH` words, so a text of nothing but cues still costs linear time. Which assertion
//! wins where scopes overlap is not decided here.

use super::{
    lexicon::{Cue, LEXICON, Lexicon, Rule, Side},
    sentences::Sentence,
    words::{Folded, Mark, Word},
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
    pub(super) reach: Reach,
    /// What the cue says.
    pub(super) rules: &'static [Rule],
    /// What commas do to it; only the rules for which they do that hold.
    commas: Commas,
    /// On which side the rules are that can be on either.
    either: Either,
}

/// How far a scope goes, for the fields that let themselves be reached less far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
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

/// The side taken by rules that can be on either.
#[derive(Clone, Copy, Debug, Default)]
struct Either {
    /// Planned and declined treatments: an object usually follows.
    treatment_forward: bool,
    /// Results: they usually follow their subject.
    result_forward: bool,
}

impl Scope {
    /// The rules that hold on this side of the cue.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        let (forward, either, commas) = (self.forward, self.either, self.commas);
        let holds = move |rule: &&Rule| either.has(rule, forward) && (!forward || Commas::of(rule) == commas);
        self.rules.iter().filter(holds)
    }
}

impl Either {
    /// Whether the rule speaks of this side of its cue.
    fn has(self, rule: &Rule, forward: bool) -> bool {
        match rule.side {
            Side::Before => forward,
            Side::After => !forward,
            Side::Both => true,
            Side::Either => self.of(rule) == forward,
        }
    }

    fn of(self, rule: &Rule) -> bool {
        use super::Assertion::{Declined, Planned};
        if matches!(rule.assertion, Declined | Planned) { self.treatment_forward } else { self.result_forward }
    }
}

/// A cue where it stands: its first and last word.
#[derive(Clone, Copy)]
struct Place {
    first: usize,
    last: usize,
    cue: &'static Cue,
}

/// Finds the cues of a note and their scopes, in the order of the cues. Marks the words on the way.
pub(super) fn scopes(folded: &mut Folded, sentences: &[Sentence]) -> Vec<Scope> {
    open_sentences(&mut folded.words, sentences);
    let Some(lexicon) = LEXICON.as_ref() else { return Vec::new() };
    let places = find(folded, lexicon);
    for place in &places {
        if let (Some(mark), Some(word)) = (place.cue.mark, folded.words.get_mut(place.first)) {
            word.mark = mark;
        }
    }
    let walk = &mut Walk { words: &mut folded.words, text: &folded.text };
    let sides: Vec<_> = places.iter().map(|place| walk.mark_cue(place)).collect();
    let mut scopes = Vec::with_capacity(places.len());
    for (place, either) in places.iter().zip(sides) {
        walk.add(place, either, &mut scopes);
    }
    scopes
}

fn open_sentences(words: &mut [Word], sentences: &[Sentence]) {
    let mut sentences = sentences.iter().peekable();
    for word in words {
        while sentences.next_if(|sentence| sentence.start <= word.start).is_some() {
            word.opens = true;
        }
    }
}

/// The longest whole-word matches, left to right, in one pass of the automaton.
fn find(folded: &Folded, lexicon: &'static Lexicon) -> Vec<Place> {
    let inside = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    let (text, words) = (&folded.text, &folded.words);
    let mut places: Vec<Place> = Vec::with_capacity(words.len() / 4);
    let mut last = 0;
    for found in lexicon.automaton.find_overlapping_iter(text) {
        let (start, end) = (found.start(), found.end());
        let cut = start > 0 && inside(text.get(start - 1)) && inside(text.get(start));
        if cut || (inside(text.get(end)) && inside(text.get(end - 1))) {
            continue;
        }
        // Matches come by their ends, so the last word moves on only.
        while words.get(last).is_some_and(|word| word.folded_end < end) {
            last += 1;
        }
        let first = words.get(..=last).unwrap_or_default().partition_point(|word| word.folded_start < start);
        let whole = words.get(first).is_some_and(|word| word.folded_start == start)
            && words.get(last).is_some_and(|word| word.folded_end == end);
        let Some(cue) = lexicon.cues.get(found.pattern().as_usize()).filter(|_| whole) else { continue };
        // A later match that starts no later holds the earlier ones; one that starts inside an earlier
        // one yields to it.
        while places.last().is_some_and(|place| place.first >= first) {
            places.pop();
        }
        if places.last().is_none_or(|place| place.last < first) {
            places.push(Place { first, last, cue });
        }
    }
    places
}

struct Walk<'words> {
    words: &'words mut [Word],
    text: &'words [u8],
}

impl Walk<'_> {
    fn mark(&self, at: usize) -> Mark {
        self.words.get(at).map_or(Mark::End, |word| word.mark)
    }

    fn opens(&self, at: usize) -> bool {
        self.words.get(at).is_none_or(|word| word.opens)
    }

    /// Decides the side of an `either` cue, and marks the cue for the scopes of others.
    fn mark_cue(&mut self, place: &Place) -> Either {
        let either = self.either(place);
        let rules = &place.cue.rules;
        if rules.is_empty() || place.cue.mark.is_some() {
            return either;
        }
        let forward = rules.iter().any(|rule| match rule.side {
            Side::Before | Side::Both => true,
            Side::After => false,
            Side::Either => either.of(rule),
        });
        let given = rules.iter().all(|rule| rule.assertion == super::Assertion::Present && rule.side == Side::Before);
        let mark = if given {
            Mark::Given
        } else if forward {
            Mark::Clause
        } else {
            Mark::Result
        };
        if let Some(word) = self.words.get_mut(place.first) {
            word.mark = mark;
        }
        either
    }

    fn either(&self, place: &Place) -> Either {
        let next = place.last + 1;
        let after = self.mark(next);
        let nothing_follows = self.opens(next)
            || !matches!(after, Mark::Plain | Mark::Article | Mark::Clause | Mark::Head | Mark::GeneHead | Mark::Open);
        let begins = self.opens(place.first)
            || place.first.checked_sub(1).is_none_or(|before| {
                !matches!(
                    self.mark(before),
                    Mark::Plain | Mark::Head | Mark::GeneHead | Mark::Reaction | Mark::Positive | Mark::Close
                )
            });
        let heads_list = self.opens(place.first) && matches!(after, Mark::Colon | Mark::Dash) && !self.opens(next);
        Either {
            treatment_forward: heads_list || !nothing_follows,
            result_forward: heads_list || (begins && !nothing_follows),
        }
    }

    fn add(&self, place: &Place, either: Either, scopes: &mut Vec<Scope>) {
        let Some((first, last)) = self.words.get(place.first).zip(self.words.get(place.last)) else { return };
        let rules = &place.cue.rules;
        let scope = |forward, word, reach, commas| Scope {
            cue_start: first.start,
            cue_end: last.end,
            forward,
            word,
            reach,
            rules,
            commas,
            either,
        };
        for commas in [Commas::List, Commas::Flow, Commas::History] {
            let within = rules.iter().filter(|rule| either.has(rule, true) && Commas::of(rule) == commas);
            if let Some(within) = within.map(|rule| rule.within).max() {
                scopes.push(scope(true, place.last, self.forward(place, commas, within), commas));
            }
        }
        let within = rules.iter().filter(|rule| either.has(rule, false)).map(|rule| rule.within).max();
        if let Some(within) = within {
            scopes.push(scope(false, place.first, self.backward(place, within), Commas::List));
        } else if self.denies_label(place) {
            let from = self.start_of(self.label_start(place.first));
            let reach = Reach { near: from, phrase: from, named: from, outcome: from, whole: from };
            scopes.push(Scope { rules: &DENIED_LABEL, ..scope(false, place.first, reach, Commas::List) });
        }
    }

    fn start_of(&self, word: usize) -> usize {
        self.words.get(word).map_or(0, |word| word.start)
    }

    /// "Liver: no lesions" denies the label too.
    fn denies_label(&self, place: &Place) -> bool {
        let colon = !self.opens(place.first)
            && place.first.checked_sub(1).is_some_and(|before| self.mark(before) == Mark::Colon);
        colon && place.cue.rules.iter().any(|rule| rule.assertion == super::Assertion::Negated)
    }

    fn label_start(&self, cue: usize) -> usize {
        let mut from = cue.saturating_sub(1);
        while cue - from < 6 && !self.opens(from) && from > 0 {
            if matches!(self.mark(from - 1), Mark::Comma | Mark::End | Mark::Colon) {
                break;
            }
            from -= 1;
        }
        from
    }

    /// Walks from the cue towards the end of the sentence.
    fn forward(&self, place: &Place, policy: Commas, within: usize) -> Reach {
        let from = place.last + 1;
        let limit = from.saturating_add(within);
        let (mut phrase, mut named, mut outcome, mut broken, mut depth) = (None, None, None, None, 0_usize);
        let mut list_until = None;
        let mut at = from;
        while at < limit && !self.opens(at) {
            let adjacent = at == from;
            match self.mark(at) {
                Mark::End => break,
                Mark::Given if !adjacent => break,
                Mark::Clause if policy == Commas::History => break,
                Mark::Clause => {
                    if let Some(broken) = broken {
                        at = broken;
                        break;
                    }
                    if !adjacent {
                        outcome.get_or_insert(at);
                    }
                }
                Mark::Open => {
                    outcome.get_or_insert(at);
                    depth += 1;
                }
                Mark::Close if depth == 0 => break,
                Mark::Close => depth -= 1,
                Mark::Dash if !adjacent || !self.opens(place.first) => break,
                Mark::And => broken = Some(at),
                Mark::Comma if depth > 0 => {}
                Mark::Comma => {
                    broken = Some(at);
                    let listed = policy == Commas::Flow
                        || at < *list_until.get_or_insert_with(|| self.list_end(place, at, limit));
                    if !listed && !self.bare_item(from, at) {
                        break;
                    }
                }
                Mark::Preposition if at > 0 && self.mark(at - 1) != Mark::GeneHead => {
                    phrase.get_or_insert(at);
                }
                Mark::With => {
                    phrase.get_or_insert(at);
                    outcome.get_or_insert(at);
                }
                Mark::Reaction => {
                    named.get_or_insert(at);
                }
                _ => {}
            }
            at += 1;
        }
        let end_of = |word: usize| match self.words.get(word) {
            Some(word) => word.start,
            None => self.words.last().map_or(0, |word| word.end),
        };
        let whole = at;
        let named = named.unwrap_or(at).min(at);
        let phrase = phrase.unwrap_or(at).min(named);
        let near = (from + 3).min(phrase);
        let outcome = outcome.unwrap_or(at).min(at);
        Reach {
            near: end_of(near),
            phrase: end_of(phrase),
            named: end_of(named),
            outcome: end_of(outcome),
            whole: end_of(whole),
        }
    }

    /// Where the list ends that the first comma, at `comma`, may be part of: after its "or" or "and",
    /// or at the comma itself where there is none.
    fn list_end(&self, place: &Place, comma: usize, limit: usize) -> usize {
        let before = comma.saturating_sub(1);
        let complete = if before == place.last { place.cue.phrase } else { self.mark(before) == Mark::Head };
        for at in comma + 1..limit {
            if self.opens(at) {
                break;
            }
            match self.mark(at) {
                Mark::Or => return at,
                // "no brain metastases, liver and bone lesions" is two statements.
                Mark::And if !complete => return at,
                Mark::And | Mark::End | Mark::Clause | Mark::Given | Mark::Dash | Mark::Result => break,
                _ => {}
            }
        }
        comma
    }

    /// Whether a single word, and no noun that completes an item, stands before this comma and is
    /// followed by another single word or item: "no EGFR, ALK, ROS1 mutations".
    fn bare_item(&self, from: usize, comma: usize) -> bool {
        let before = comma.saturating_sub(1);
        let alone = before == from || (before > from && self.mark(before - 1) == Mark::Comma);
        alone && self.mark(before) == Mark::Plain
    }

    /// Walks from the cue towards the start of the sentence.
    fn backward(&self, place: &Place, within: usize) -> Reach {
        let limit = place.first.saturating_sub(within);
        let (mut joined, mut last_break, mut depth) = (None, None, 0_usize);
        // "surgery was recommended, but she declined": a refusal passes over the offer.
        let mut refusal = place.cue.rules.iter().any(|rule| rule.assertion == super::Assertion::Declined);
        // "followed by lumpectomy and trastuzumab planned": only the last is.
        let intent =
            !place.cue.plural && place.cue.rules.iter().any(|rule| rule.assertion == super::Assertion::Planned);
        let mut from = place.first;
        while from > limit && !self.opens(from) {
            let at = from - 1;
            let adjacent = from == place.first;
            match self.mark(at) {
                Mark::End if intent && self.words.get(at).is_some_and(|word| word.end - word.start > 1) => {
                    from = last_break.unwrap_or(from);
                    break;
                }
                Mark::End | Mark::Clause | Mark::With => break,
                Mark::Given => {
                    from = last_break.unwrap_or(place.first);
                    break;
                }
                Mark::Open if depth > 0 => depth -= 1,
                Mark::Open if adjacent => {}
                Mark::Open => break,
                Mark::Close => depth += 1,
                Mark::Dash if !adjacent => break,
                Mark::Comma if depth > 0 || adjacent => {}
                Mark::Comma => {
                    if !self.list_goes_back(at, joined, place.cue.plural) {
                        break;
                    }
                    last_break = Some(from);
                }
                Mark::Result if refusal => refusal = false,
                Mark::Positive if place.cue.predicate && last_break.is_none() => {}
                Mark::Result | Mark::Positive if depth == 0 && !adjacent => break,
                Mark::And | Mark::Or => {
                    let left = at.checked_sub(1).map_or(Mark::End, |left| self.mark(left));
                    let variant = at.checked_sub(1).is_some_and(|left| self.is_variant(left));
                    if (left == Mark::Head || variant) && !place.cue.plural {
                        break;
                    }
                    joined = joined.or(Some(at));
                    last_break = Some(from);
                }
                Mark::Preposition => last_break = Some(from),
                _ => {}
            }
            from -= 1;
        }
        let whole = self.start_of(from);
        let near = self.start_of(from.max(place.first.saturating_sub(4)));
        Reach { near, phrase: whole, named: whole, outcome: whole, whole }
    }

    /// Whether this word is a protein change such as V600E: the end of a finding, not an item of a list.
    fn is_variant(&self, at: usize) -> bool {
        let word = self.words.get(at).and_then(|word| self.text.get(word.folded_start..word.folded_end));
        match word.unwrap_or_default() {
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
        let segment = words.take_while(|&at| !matches!(self.mark(at), Mark::Comma | Mark::End) && !self.opens(at + 1));
        let mut marks = segment.map(|at| self.mark(at));
        marks.any(|mark| matches!(mark, Mark::GeneHead | Mark::Positive | Mark::Head))
    }

    /// Whether a list goes on before this comma: "EGFR, ALK and ROS1 were negative".
    fn list_goes_back(&self, comma: usize, joined: Option<usize>, plural: bool) -> bool {
        let Some(left) = comma.checked_sub(1) else { return false };
        // "EGFR mutation, ALK fusion and ROS1 fusion were not found": every item ends in such a noun.
        let headed = |at: usize| matches!(self.mark(at), Mark::Head | Mark::GeneHead);
        if plural && headed(left) && joined.and_then(|join| join.checked_sub(1)).is_some_and(headed) {
            return true;
        }
        let before =
            left.checked_sub(1).map_or(Mark::End, |at| if self.opens(left) { Mark::End } else { self.mark(at) });
        let single = !matches!(before, Mark::Plain | Mark::Head | Mark::GeneHead | Mark::Positive | Mark::Result);
        let right = self.mark(comma + 2);
        let single_right = !matches!(right, Mark::Plain | Mark::Head | Mark::GeneHead);
        self.mark(left) == Mark::Plain && single && !self.is_finding(comma) && (joined.is_some() || single_right)
    }
}

/// What a comma does to a scope that follows its cue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commas {
    /// Ends it, but for lists.
    List,
    /// Nothing: treatments are listed with commas.
    Flow,
    /// As for lists; besides, any new statement ends it.
    History,
}

impl Commas {
    fn of(rule: &Rule) -> Self {
        use super::Assertion::{Declined, Family, Historical, NotTested, Planned};
        match rule.assertion {
            Historical => Self::History,
            Planned | Declined | NotTested | Family => Self::Flow,
            _ => Self::List,
        }
    }
}

static DENIED_LABEL: std::sync::LazyLock<Vec<Rule>> = std::sync::LazyLock::new(|| {
    vec![Rule::new(super::Assertion::Negated, Side::After, &[super::Field::MetastasisSite, super::Field::GeneMutation])]
});
