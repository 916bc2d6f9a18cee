//! Reads the cue lists in `cues/` once into one automaton over words.
//!
//! The lists are plain text that a clinician can review. A group line in brackets says what the lines
//! below it mean, `{a|b}` stands for either word, and `{a|}` for a word that may be missing. This file does not
//! compute scopes.

use std::{num::NonZeroU16, sync::LazyLock};

use super::{
    Assertion, Field,
    automaton::{Automaton, Builder, Position},
    words::{ScopeMark, ScopeWord},
};
use crate::{extraction::table::Table, statics::checked};

const FILES: [(Option<Assertion>, &str); 12] = [
    (Some(Assertion::Present), include_str!("cues/present.txt")),
    (Some(Assertion::Probable), include_str!("cues/probable.txt")),
    (Some(Assertion::Uncertain), include_str!("cues/uncertain.txt")),
    (Some(Assertion::Historical), include_str!("cues/historical.txt")),
    (Some(Assertion::Planned), include_str!("cues/planned.txt")),
    (Some(Assertion::Declined), include_str!("cues/declined.txt")),
    (Some(Assertion::Negated), include_str!("cues/negated.txt")),
    (Some(Assertion::NotTested), include_str!("cues/not_tested.txt")),
    (Some(Assertion::WildType), include_str!("cues/wild_type.txt")),
    (Some(Assertion::Family), include_str!("cues/family.txt")),
    (None, include_str!("cues/neutral.txt")),
    (None, include_str!("cues/marks.txt")),
];

/// The side of the value on which a cue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The cue is before the value: "no metastases".
    Before,
    /// The cue is after the value: "metastases are absent".
    After,
    /// Before or after the value; the words around the cue decide: "planned surgery", "surgery planned".
    Either,
    /// The cue applies to values on both of its sides.
    Both,
}

/// The assertion that a cue makes, and the fields that it applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub(super) assertion: Assertion,
    pub(super) direction: Direction,
    /// Maximum number of words of its scope.
    pub(super) within: usize,
    fields: u8,
}

impl Rule {
    pub(super) fn new(assertion: Assertion, direction: Direction, fields: &[Field]) -> Self {
        let fields = fields.iter().fold(0, |bits, &field| bits | bit(field));
        Self { assertion, direction, within: MOST_SCOPE_WORDS, fields }
    }

    pub(super) fn concerns(&self, field: Field) -> bool {
        self.fields & bit(field) != 0
    }
}

/// All rules of one wording. Wordings with equal rules share one cue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Cue {
    pub(super) rules: Vec<Rule>,
    pub(super) mark: Option<ScopeMark>,
}

/// All wordings and their cues.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    automaton: Automaton,
    /// The cue of each state of the automaton, for states that end a wording.
    cue_of_state: Vec<Option<CueIndex>>,
    cues: Vec<Cue>,
}

/// The index of a cue in the list, from 1.
type CueIndex = NonZeroU16;

impl Lexicon {
    /// Returns the index of the last word of the longest cue that begins at word `first`, and the cue.
    pub(super) fn longest(&self, words: &[ScopeWord], text: &[u8], first: usize) -> Option<(usize, &Cue)> {
        let ends = self.automaton.walk(words, text, first);
        let (last, index) =
            ends.filter_map(|(state, last)| Some((last, (*self.cue_of_state.get(state.index())?)?))).last()?;
        Some((last, self.cues.get(usize::from(index.get()) - 1)?))
    }
}

/// The cues of the lists in `cues/`.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| checked(read(&FILES), "the lists of cues"));

/// Maximum number of words of a scope. A list can set a lower limit (`within`).
pub(super) const MOST_SCOPE_WORDS: usize = 40;

fn bit(field: Field) -> u8 {
    1 << field as u8
}

/// What the lines below a group line mean.
#[derive(Clone, Copy)]
enum CueGroup {
    Rule(Rule),
    Mark(ScopeMark),
    Neutral,
}

/// The distinct cues, each stored once.
#[derive(Default)]
struct Cues {
    list: Vec<Cue>,
    indices: Table<Cue, CueIndex>,
}

impl Cues {
    fn add(&mut self, cue: Cue) -> Result<CueIndex, String> {
        if let Some(&index) = self.indices.get(&cue) {
            return Ok(index);
        }
        let index = u16::try_from(self.list.len() + 1)
            .ok()
            .and_then(CueIndex::new)
            .ok_or("more cues than an index can hold")?;
        self.list.push(cue.clone());
        self.indices.insert(cue, index);
        Ok(index)
    }
}

fn read(files: &[(Option<Assertion>, &str)]) -> Result<Lexicon, String> {
    let mut builder = Builder::default();
    let mut group_of_line = Vec::new();
    for (assertion, file) in files {
        let mut group = None;
        for line in file.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            if line.is_empty() {
            } else if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                group = Some(read_group(*assertion, heading).ok_or_else(|| format!("not a group: {line}"))?);
            } else {
                group_of_line.push(group.ok_or_else(|| format!("before any group: {line}"))?);
                builder.add(&positions(line)?);
            }
        }
    }
    let (automaton, ends) = builder.finish();
    let mut cues = Cues::default();
    let mut cue_of_state = Vec::with_capacity(ends.len());
    for lines in ends {
        let groups = lines.iter().filter_map(|line| group_of_line.get(*line as usize));
        cue_of_state.push(if lines.is_empty() { None } else { Some(cues.add(Cue::of(groups))?) });
    }
    Ok(Lexicon { automaton, cue_of_state, cues: cues.list })
}

impl Cue {
    /// Returns what a wording means that these groups have.
    fn of<'g>(groups: impl Iterator<Item = &'g CueGroup>) -> Self {
        let mut cue = Self::default();
        for group in groups {
            match *group {
                CueGroup::Rule(rule) => cue.rules.push(rule),
                CueGroup::Mark(mark) => cue.mark = Some(mark),
                CueGroup::Neutral => {}
            }
        }
        cue
    }
}

/// Returns the positions of a line: `{a|b} c` has two. Fails at a brace inside a word or without its pair.
fn positions(line: &str) -> Result<Vec<Position<'_>>, String> {
    let mut positions = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (alternatives, after) = after.split_once('}').ok_or_else(|| format!("open brace: {line}"))?;
        if before.ends_with(|c: char| !c.is_whitespace()) || after.starts_with(|c: char| !c.is_whitespace()) {
            return Err(format!("brace inside a word: {line}"));
        }
        if !before.trim().is_empty() {
            positions.push(vec![before.trim()]);
        }
        positions.push(alternatives.split('|').map(str::trim).collect());
        rest = after;
    }
    if !rest.trim().is_empty() {
        positions.push(vec![rest.trim()]);
    }
    Ok(positions)
}

/// Reads a group line: `before: treatment`, `after within 4: all`, `mark clause`, `neutral`.
fn read_group(assertion: Option<Assertion>, heading: &str) -> Option<CueGroup> {
    if let Some(mark) = heading.strip_prefix("mark ") {
        return read_mark(mark).map(CueGroup::Mark);
    }
    let Some(assertion) = assertion else { return (heading == "neutral").then_some(CueGroup::Neutral) };
    let (side, fields) = heading.split_once(": ")?;
    let (name, within) =
        side.split_once(" within ").map_or((side, Some(MOST_SCOPE_WORDS)), |(name, n)| (name, n.parse().ok()));
    let direction = match name {
        "before" => Direction::Before,
        "after" => Direction::After,
        "either" => Direction::Either,
        "both" => Direction::Both,
        _ => return None,
    };
    let fields = fields.split(' ').try_fold(0, |bits, name| match name {
        "all" => Some(0x7f),
        name => Some(bits | bit(Field::named(name)?)),
    })?;
    Some(CueGroup::Rule(Rule { assertion, direction, within: within?.min(MOST_SCOPE_WORDS), fields }))
}

fn read_mark(name: &str) -> Option<ScopeMark> {
    Some(match name {
        "end" => ScopeMark::End,
        "clause" => ScopeMark::Clause,
        "and" => ScopeMark::And,
        "or" => ScopeMark::Or,
        "article" => ScopeMark::Article,
        "with" => ScopeMark::With,
        "preposition" => ScopeMark::Preposition,
        "head" => ScopeMark::Head,
        "gene head" => ScopeMark::GeneHead,
        "reaction" => ScopeMark::Reaction,
        "positive" => ScopeMark::Positive,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{places::CuePosition, words::fold},
        *,
    };

    #[test]
    fn lists_are_readable() {
        let lexicon = read(&FILES).unwrap();
        assert!(lexicon.cues.len() < 1_000, "{}", lexicon.cues.len());
        assert!(lexicon.cue_of_state.len() < 10_000, "{}", lexicon.cue_of_state.len());
    }

    /// Returns the wordings of a line, spelled out.
    fn wordings(positions: &[Position<'_>]) -> Vec<String> {
        let Some((alternatives, rest)) = positions.split_first() else { return vec![String::new()] };
        let rest = wordings(rest);
        let joined = |words: &&str| {
            let words = *words;
            rest.iter().map(move |rest| format!("{words} {rest}").trim().to_owned()).collect::<Vec<_>>()
        };
        alternatives.iter().flat_map(joined).collect()
    }

    #[test]
    fn every_wording_has_the_rules_of_all_its_lines() {
        let mut expected: std::collections::HashMap<String, Vec<CueGroup>> = std::collections::HashMap::new();
        for (assertion, file) in FILES {
            let mut group = None;
            for line in file.lines().map(|line| line.split('#').next().unwrap().trim()).filter(|line| !line.is_empty())
            {
                if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                    group = read_group(assertion, heading);
                } else {
                    let mut spelled = wordings(&positions(line).unwrap());
                    spelled.sort();
                    spelled.dedup();
                    for wording in spelled.into_iter().filter(|wording| !wording.is_empty()) {
                        expected.entry(wording).or_default().push(group.unwrap());
                    }
                }
            }
        }
        assert!(expected.len() > 30_000, "{}", expected.len());
        let accepted = LEXICON.automaton.count_texts(&|state| LEXICON.cue_of_state[state.index()].is_some());
        assert_eq!(accepted, expected.len(), "other texts are accepted, too");
        for (wording, groups) in expected {
            let folded = fold(&wording);
            let (last, cue) = LEXICON.longest(&folded.words, &folded.text, 0).unwrap();
            assert_eq!(last + 1, folded.words.len(), "{wording}");
            assert_eq!(*cue, Cue::of(groups.iter()), "{wording}");
            let position = CuePosition::of(&folded, 0, last, cue);
            let words: Vec<&str> = wording.split_whitespace().collect();
            assert_eq!(position.phrase, words.len() > 1, "{wording}");
            assert_eq!(position.plural, matches!(words[0], "were" | "are" | "have"), "{wording}");
            assert_eq!(position.predicate, position.plural || matches!(words[0], "was" | "is" | "has"), "{wording}");
        }
    }

    #[test]
    fn braces_expand() {
        let lexicon = read(&[(Some(Assertion::Negated), "[before: all]\n{is|} not {x|y z|}\nw/o")]).unwrap();
        for (text, words) in [
            ("is not x", Some(3)),
            ("not y z", Some(3)),
            ("not y", Some(1)),
            ("is", None),
            ("w/o", Some(2)),
            ("w o", None),
            ("is, not", None),
        ] {
            let folded = fold(text);
            let found = lexicon.longest(&folded.words, &folded.text, 0);
            assert_eq!(found.map(|(last, _)| last + 1), words, "{text}");
        }
        for unreadable in ["{is", "metasta{sis|ses}"] {
            assert!(positions(unreadable).is_err());
        }
    }

    #[test]
    fn unreadable_lists_are_rejected() {
        for file in ["no", "[sideways: all]\nno", "[before: liver]\nno", "[before within x: all]\nno", "[mark x]\nno"] {
            assert!(read(&[(Some(Assertion::Negated), file)]).is_err(), "{file}");
        }
    }
}
