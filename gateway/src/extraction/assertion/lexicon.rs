//! Reads the cue lists in `cues/` once into one tree of words.
//!
//! The lists are plain text that a clinician can review. A group line in brackets says what the lines
//! below it mean, `{a|b}` stands for either word, and `{a|}` for a word that may be missing. This file does not
//! compute scopes.

use std::{num::NonZeroU16, sync::LazyLock};

use super::{
    Assertion, Field,
    trie::{Builder, Node, Trie},
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

/// On which side of the value a cue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The cue stands before the value: "no metastases".
    Before,
    /// The cue stands after the value: "metastases are absent".
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
    /// Most words of its scope.
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
    /// Whether the wording begins with a verb such as "was" or "were": "was not detected".
    pub(super) predicate: bool,
    /// Whether that verb is plural, so that a whole list can be its subject: "were not detected".
    pub(super) plural: bool,
    /// Whether it has more than one word, and so may name its object: "no metastases".
    pub(super) phrase: bool,
}

/// All wordings and their cues.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    trie: Trie,
    /// The cue of each node of the tree, for nodes that end a wording.
    cue_of_node: Vec<Option<CueIndex>>,
    cues: Vec<Cue>,
}

/// The index of a cue in the list, from 1.
type CueIndex = NonZeroU16;

impl Lexicon {
    /// Returns the index of the last word of the longest cue that begins at word `first`, and the cue.
    pub(super) fn longest(&self, words: &[ScopeWord], text: &[u8], first: usize) -> Option<(usize, &Cue)> {
        let ends = self.trie.walk(words, text, first);
        let (last, index) =
            ends.filter_map(|(node, last)| Some((last, (*self.cue_of_node.get(node.index())?)?))).last()?;
        Some((last, self.cues.get(usize::from(index.get()) - 1)?))
    }
}

/// The cues of the lists in `cues/`.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| checked(read(&FILES), "the lists of cues"));

/// Most words of a scope. A list can set a lower limit (`within`).
pub(super) const MOST_SCOPE_WORDS: usize = 40;

fn bit(field: Field) -> u8 {
    1 << field as u8
}

/// What the lines below a group line mean.
#[derive(Clone, Copy)]
enum Group {
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

    fn get(&self, index: Option<&CueIndex>) -> Cue {
        index.and_then(|index| self.list.get(usize::from(index.get()) - 1)).cloned().unwrap_or_default()
    }
}

fn read(files: &[(Option<Assertion>, &str)]) -> Result<Lexicon, String> {
    let mut builder = Builder::default();
    let mut cues = Cues::default();
    let mut cue_by_node: Table<Node, CueIndex> = Table::default();
    for (assertion, file) in files {
        let mut group = None;
        for line in file.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            if line.is_empty() {
            } else if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                group = Some(read_group(*assertion, heading).ok_or_else(|| format!("not a group: {line}"))?);
            } else {
                let group = group.ok_or_else(|| format!("before any group: {line}"))?;
                let positions = positions(line, &mut builder)?;
                add_wordings(&mut builder, &positions, Wording::default(), &mut |wording| {
                    let mut cue = cues.get(cue_by_node.get(&wording.node));
                    cue.plural = matches!(wording.opening, "were" | "are" | "have");
                    cue.predicate = cue.plural || matches!(wording.opening, "was" | "is" | "has");
                    cue.phrase = wording.words > 1;
                    match group {
                        Group::Rule(rule) => cue.rules.push(rule),
                        Group::Mark(mark) => cue.mark = Some(mark),
                        Group::Neutral => {}
                    }
                    cue_by_node.insert(wording.node, cues.add(cue)?);
                    Ok(())
                })?;
            }
        }
    }
    let (trie, nodes) = builder.finish();
    let cue_of_node = nodes.iter().map(|node| cue_by_node.get(node).copied()).collect();
    Ok(Lexicon { trie, cue_of_node, cues: cues.list })
}

/// The alternatives at one position of a line. Text without braces is its only alternative.
type Position<'line> = Vec<Alternative<'line>>;

/// One alternative, spelled once for all wordings that contain it.
struct Alternative<'line> {
    first: &'line str,
    /// The number of its words, separated by spaces.
    words: usize,
    /// Its spelling at the start of a wording.
    opening: Vec<u32>,
    /// Its spelling after other words.
    following: Vec<u32>,
}

impl<'line> Alternative<'line> {
    fn of(words: &'line str, trie: &mut Builder) -> Self {
        let first = words.split(' ').next().unwrap_or_default();
        Self {
            first,
            words: words.split_whitespace().count(),
            opening: trie.spell(words, true),
            following: trie.spell(words, false),
        }
    }
}

/// The first part of a wording that is being expanded.
#[derive(Clone, Copy)]
struct Wording<'line> {
    node: Node,
    opening: &'line str,
    words: usize,
}

impl Default for Wording<'_> {
    fn default() -> Self {
        Self { node: Node::ROOT, opening: "", words: 0 }
    }
}

/// Adds every wording of a line to the tree and calls `visit` for each.
fn add_wordings<'line>(
    trie: &mut Builder,
    positions: &[Position<'line>],
    wording: Wording<'line>,
    visit: &mut impl FnMut(Wording<'line>) -> Result<(), String>,
) -> Result<(), String> {
    let Some((alternatives, rest)) = positions.split_first() else {
        return if wording.words > 0 { visit(wording) } else { Ok(()) };
    };
    for alternative in alternatives {
        let opens = wording.words == 0;
        let spelled = if opens { &alternative.opening } else { &alternative.following };
        let node = trie.extend(wording.node, spelled);
        let opening = if opens { alternative.first } else { wording.opening };
        add_wordings(trie, rest, Wording { node, opening, words: wording.words + alternative.words }, visit)?;
    }
    Ok(())
}

/// Returns the positions of a line: `{a|b} c` has two. Fails at a brace inside a word or without its pair.
fn positions<'line>(line: &'line str, trie: &mut Builder) -> Result<Vec<Position<'line>>, String> {
    let mut positions = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (alternatives, after) = after.split_once('}').ok_or_else(|| format!("open brace: {line}"))?;
        if before.ends_with(|c: char| !c.is_whitespace()) || after.starts_with(|c: char| !c.is_whitespace()) {
            return Err(format!("brace inside a word: {line}"));
        }
        if !before.trim().is_empty() {
            positions.push(vec![Alternative::of(before.trim(), trie)]);
        }
        positions.push(alternatives.split('|').map(|alternative| Alternative::of(alternative.trim(), trie)).collect());
        rest = after;
    }
    if !rest.trim().is_empty() {
        positions.push(vec![Alternative::of(rest.trim(), trie)]);
    }
    Ok(positions)
}

/// Reads a group line: `before: treatment`, `after within 4: all`, `mark clause`, `neutral`.
fn read_group(assertion: Option<Assertion>, heading: &str) -> Option<Group> {
    if let Some(mark) = heading.strip_prefix("mark ") {
        return read_mark(mark).map(Group::Mark);
    }
    let Some(assertion) = assertion else { return (heading == "neutral").then_some(Group::Neutral) };
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
    Some(Group::Rule(Rule { assertion, direction, within: within?.min(MOST_SCOPE_WORDS), fields }))
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
    use super::*;

    #[test]
    fn lists_are_readable() {
        let lexicon = read(&FILES).unwrap();
        let wordings = lexicon.cue_of_node.iter().flatten().count();
        assert!(wordings > 5_000, "{wordings}");
        assert!(lexicon.cues.len() < 1_000, "{}", lexicon.cues.len());
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
            let folded = super::super::words::fold(text);
            let found = lexicon.longest(&folded.words, &folded.text, 0);
            assert_eq!(found.map(|(last, _)| last + 1), words, "{text}");
        }
        for unreadable in ["{is", "metasta{sis|ses}"] {
            assert!(positions(unreadable, &mut Builder::default()).is_err());
        }
    }

    #[test]
    fn unreadable_lists_are_rejected() {
        for file in ["no", "[sideways: all]\nno", "[before: liver]\nno", "[before within x: all]\nno", "[mark x]\nno"] {
            assert!(read(&[(Some(Assertion::Negated), file)]).is_err(), "{file}");
        }
    }
}
