//! Stores the wordings of all cues as an automaton over words, because a note is matched word by word.
//!
//! A line of the lists represents up to thousands of wordings, so they are never written out: wordings that continue in
//! the same way share a state. The automaton is small and quick to build, because the service builds it at start. It
//! does not hold the cues.

use super::words::{FoldedWords, ScopeWord, fold};
use crate::extraction::table::Table;

/// A state of the automaton: the set of ways in which wordings can continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State(u32);

impl State {
    /// Returns its index in a list of all states.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The alternatives at one position of a line. Text without braces is its only alternative; an empty one says that the
/// position may be missing.
pub(super) type Position<'line> = Vec<&'line str>;

/// A word of an alternative.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Its spelling.
    word: Spelling,
    /// Its spelling as the first word of a wording.
    opening: Spelling,
    /// What follows it: the next word of its alternative, or everything that is possible at a position.
    next: Option<PositionIndex>,
}

/// The number of a spelling.
type Spelling = u32;
/// The index of a position among those of all lines.
type PositionIndex = usize;

/// What can follow in a wording: a step, or its end. Ordered, so that equal sets of them have equal lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Follower {
    /// The end of a wording of the line with this number.
    End(u32),
    /// A step, by its index.
    Step(u32),
}

/// The lines from which an automaton is built.
#[derive(Debug, Default)]
pub(super) struct Builder {
    spellings: Table<Box<[u8]>, Spelling>,
    steps: Vec<Step>,
    /// For each position, what is possible there.
    positions: Vec<Vec<Follower>>,
    /// What can begin a wording.
    openings: Vec<Follower>,
    lines: u32,
}

impl Builder {
    /// Adds a line. A wording takes one alternative of each position; it has at least one word.
    pub(super) fn add(&mut self, line: &[Position<'_>]) {
        let end = Follower::End(self.lines);
        self.lines += 1;
        let mut following = self.position(vec![end]);
        for alternatives in line.iter().rev() {
            let mut here = Vec::new();
            for words in alternatives {
                match self.steps_of(words, following) {
                    Some(first) => here.push(first),
                    None => here.extend(self.positions.get(following).into_iter().flatten()),
                }
            }
            following = self.position(here);
        }
        let openings = self.positions.get(following).into_iter().flatten();
        self.openings.extend(openings.filter(|opening| **opening != end));
    }

    fn position(&mut self, followers: Vec<Follower>) -> PositionIndex {
        self.positions.push(followers);
        self.positions.len() - 1
    }

    /// Adds the steps of an alternative before a position, and returns the first; `None` if it is empty.
    fn steps_of(&mut self, alternative: &str, following: PositionIndex) -> Option<Follower> {
        let FoldedWords { text, words } = fold(alternative);
        let first = u32::try_from(self.steps.len()).ok()?;
        let mut end = 0;
        for (at, word) in words.iter().enumerate() {
            let from = if at == 0 { word.folded_start } else { end };
            let spelled = text.get(from..word.folded_end).unwrap_or_default();
            let opening = self.spelling(spelled.to_owned());
            let word_spelling = if at == 0 { self.spelling([b" ", spelled].concat()) } else { opening };
            end = word.folded_end;
            let next = (at + 1 == words.len()).then_some(following);
            self.steps.push(Step { word: word_spelling, opening, next });
        }
        (!words.is_empty()).then_some(Follower::Step(first))
    }

    fn spelling(&mut self, spelled: Vec<u8>) -> Spelling {
        let new = u32::try_from(self.spellings.len()).unwrap_or(Spelling::MAX);
        *self.spellings.entry(spelled.into_boxed_slice()).or_insert(new)
    }

    /// Returns what can follow after one of these steps.
    fn after(&self, steps: &[(Spelling, u32)]) -> Vec<Follower> {
        let mut after = Vec::new();
        for &(_, index) in steps {
            match self.steps.get(index as usize).map(|step| step.next) {
                Some(Some(position)) => after.extend(self.positions.get(position).into_iter().flatten()),
                Some(None) => after.push(Follower::Step(index + 1)),
                None => {}
            }
        }
        after.sort_unstable();
        after.dedup();
        after
    }

    /// Returns the automaton and, for each of its states in order, the numbers of the lines that have a wording which
    /// ends there, in order.
    pub(super) fn finish(mut self) -> (Automaton, Vec<Vec<u32>>) {
        let mut states: Table<Vec<Follower>, State> = Table::default();
        let mut sets: Vec<Vec<Follower>> = vec![std::mem::take(&mut self.openings)];
        let (mut edges, mut first_edges, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(set) = sets.get(first_edges.len()) {
            let opens = first_edges.is_empty();
            let spelled = |index: u32| {
                let step = self.steps.get(index as usize);
                step.map_or(Spelling::MAX, |step| if opens { step.opening } else { step.word })
            };
            let mut steps = Vec::with_capacity(set.len());
            let mut lines = Vec::new();
            for &follower in set {
                match follower {
                    Follower::Step(index) => steps.push((spelled(index), index)),
                    Follower::End(line) => lines.push(line),
                }
            }
            steps.sort_unstable();
            first_edges.push(edges.len());
            ends.push(lines);
            for same_word in steps.chunk_by(|(one, _), (other, _)| one == other) {
                let Some(&(word, _)) = same_word.first() else { continue };
                let after = self.after(same_word);
                let new = State(u32::try_from(sets.len()).unwrap_or(u32::MAX));
                let to = *states.entry(after).or_insert_with_key(|after| {
                    sets.push(after.clone());
                    new
                });
                edges.push((word, to));
            }
        }
        first_edges.push(edges.len());
        self.spellings.shrink_to_fit();
        edges.shrink_to_fit();
        (Automaton { spellings: self.spellings, edges, first_edges }, ends)
    }
}

/// A deterministic automaton.
#[derive(Debug, Default)]
pub(super) struct Automaton {
    /// The number of each word, spelled as in folded text with the characters between it and the previous word:
    /// " evidence", "/o".
    spellings: Table<Box<[u8]>, Spelling>,
    /// The words that lead from each state, with the states that they lead to, sorted by word.
    edges: Vec<(Spelling, State)>,
    /// The first edge of each state. The edges of a state end where those of the next state begin.
    first_edges: Vec<usize>,
}

impl Automaton {
    /// Returns the states that the words of a text lead to, from word `first` on, each with the index of its last word.
    pub(super) fn walk<'t>(
        &'t self,
        words: &'t [ScopeWord],
        text: &'t [u8],
        first: usize,
    ) -> impl Iterator<Item = (State, usize)> + 't {
        let mut state = State(0);
        let mut end = words.get(first).map_or(0, |word| word.folded_start);
        words.iter().enumerate().skip(first).map_while(move |(at, word)| {
            let spelling = self.spellings.get(text.get(end..word.folded_end)?)?;
            end = word.folded_end;
            state = self.next(state, *spelling)?;
            Some((state, at))
        })
    }

    /// Returns how many texts lead to one of these states.
    #[cfg(test)]
    pub(super) fn count_texts(&self, ends: &impl Fn(State) -> bool) -> usize {
        // A state's edges may lead to earlier states, but not in a circle.
        fn below(
            automaton: &Automaton,
            state: State,
            ends: &impl Fn(State) -> bool,
            known: &mut std::collections::HashMap<State, usize>,
        ) -> usize {
            if let Some(count) = known.get(&state) {
                return *count;
            }
            let edges = automaton.first_edges[state.index()]..automaton.first_edges[state.index() + 1];
            let count = automaton.edges[edges]
                .iter()
                .map(|&(_, to)| usize::from(ends(to)) + below(automaton, to, ends, known))
                .sum();
            known.insert(state, count);
            count
        }
        below(self, State(0), ends, &mut std::collections::HashMap::new())
    }

    fn next(&self, state: State, word: Spelling) -> Option<State> {
        let first = *self.first_edges.get(state.index())?;
        let end = *self.first_edges.get(state.index() + 1)?;
        let edges = self.edges.get(first..end)?;
        let found = edges.binary_search_by_key(&word, |&(word, _)| word).ok()?;
        edges.get(found).map(|&(_, to)| to)
    }
}
