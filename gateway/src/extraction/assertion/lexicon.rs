//! The cue lists in `cues/`, read once into one tree of words.
//!
//! The lists are plain text that a clinician can review: a group line in brackets says what the lines
//! below it are, `{a|b}` stands for either, `{a|}` for a word that may be missing. Nothing here looks
//! at scopes.

use std::{num::NonZeroU16, sync::LazyLock};

use super::{
    Assertion, Field,
    trie::{Builder, Node, Trie},
    words::{ScopeMark, Word},
};
use crate::{extraction::table::Table, statics::made};

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

/// Where the thing stands that a cue speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The cue stands before it: "no metastases".
    Before,
    /// The cue stands after it: "metastases are absent".
    After,
    /// One of the two, as the words around the cue show: "planned surgery", "surgery planned".
    Either,
    /// On both sides of the cue.
    Both,
}

/// What a cue says, and of which fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub(super) assertion: Assertion,
    pub(super) side: Direction,
    /// How many words it reaches.
    pub(super) within: usize,
    fields: u8,
}

impl Rule {
    pub(super) fn new(assertion: Assertion, side: Direction, fields: &[Field]) -> Self {
        let fields = fields.iter().fold(0, |bits, &field| bits | bit(field));
        Self { assertion, side, within: REACH, fields }
    }

    pub(super) fn concerns(&self, field: Field) -> bool {
        self.fields & bit(field) != 0
    }
}

/// All that the lists say of one wording. Many wordings say the same and share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Cue {
    pub(super) rules: Vec<Rule>,
    pub(super) mark: Option<ScopeMark>,
    /// Whether the wording is a predicate ("was not detected"), and in the plural.
    pub(super) predicate: bool,
    /// Whether it has a whole list for its subject ("were not detected").
    pub(super) plural: bool,
    /// Whether it names its object ("no metastases").
    pub(super) phrase: bool,
}

/// The wordings and what they mean.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    trie: Trie,
    /// Which cue each node of the tree is, if it is one.
    at: Vec<Option<CueIndex>>,
    cues: Vec<Cue>,
}

/// Where a cue stands in the list, counted from one.
type CueIndex = NonZeroU16;

impl Lexicon {
    /// The longest cue that begins with this word, and its last word.
    pub(super) fn longest(&self, words: &[Word], text: &[u8], first: usize) -> Option<(usize, &Cue)> {
        let ends = self.trie.walk(words, text, first);
        let (last, place) = ends.filter_map(|(node, last)| Some((last, (*self.at.get(node.index())?)?))).last()?;
        Some((last, self.cues.get(usize::from(place.get()) - 1)?))
    }
}

/// The lists of this program.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| made(read(&FILES), "the lists of cues"));

/// A cue reaches so many words where its list says nothing else.
pub(super) const REACH: usize = 40;

fn bit(field: Field) -> u8 {
    Field::ALL.iter().position(|&each| each == field).map_or(0, |at| 1 << at)
}

/// What the lines below a group line are.
#[derive(Clone, Copy)]
enum Group {
    Rule(Rule),
    Mark(ScopeMark),
    Neutral,
}

/// Cues by what they say: each is kept once.
#[derive(Default)]
struct Cues {
    list: Vec<Cue>,
    places: Table<Cue, CueIndex>,
}

impl Cues {
    fn place(&mut self, cue: Cue) -> Result<CueIndex, String> {
        if let Some(&place) = self.places.get(&cue) {
            return Ok(place);
        }
        let place =
            u16::try_from(self.list.len() + 1).ok().and_then(CueIndex::new).ok_or("more cues than are counted")?;
        self.list.push(cue.clone());
        self.places.insert(cue, place);
        Ok(place)
    }

    fn get(&self, place: Option<&CueIndex>) -> Cue {
        place.and_then(|place| self.list.get(usize::from(place.get()) - 1)).cloned().unwrap_or_default()
    }
}

fn read(files: &[(Option<Assertion>, &str)]) -> Result<Lexicon, String> {
    let mut builder = Builder::default();
    let mut cues = Cues::default();
    let mut found: Table<Node, CueIndex> = Table::default();
    for (assertion, file) in files {
        let mut group = None;
        for line in file.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            if line.is_empty() {
            } else if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                group = Some(read_group(*assertion, heading).ok_or_else(|| format!("not a group: {line}"))?);
            } else {
                let group = group.ok_or_else(|| format!("before any group: {line}"))?;
                let elements = elements(line, &mut builder)?;
                write_out(&mut builder, &elements, Wording::default(), &mut |wording| {
                    let mut cue = cues.get(found.get(&wording.node));
                    cue.plural = matches!(wording.opening, "were" | "are" | "have");
                    cue.predicate = cue.plural || matches!(wording.opening, "was" | "is" | "has");
                    cue.phrase = wording.words > 1;
                    match group {
                        Group::Rule(rule) => cue.rules.push(rule),
                        Group::Mark(mark) => cue.mark = Some(mark),
                        Group::Neutral => {}
                    }
                    found.insert(wording.node, cues.place(cue)?);
                    Ok(())
                })?;
            }
        }
    }
    let (trie, nodes) = builder.finish();
    let at = nodes.iter().map(|node| found.get(node).copied()).collect();
    Ok(Lexicon { trie, at, cues: cues.list })
}

/// The choices of one place of a line; what stands without braces is its only choice.
type Element<'line> = Vec<Choice<'line>>;

/// One choice, spelled once for all wordings that it is in.
struct Choice<'line> {
    first: &'line str,
    /// Words between spaces.
    words: usize,
    /// As the beginning of a wording.
    opening: Vec<u32>,
    /// After other words.
    following: Vec<u32>,
}

impl<'line> Choice<'line> {
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

/// A wording as far as it is written out.
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

/// Takes every wording that a line stands for into the tree.
fn write_out<'line>(
    trie: &mut Builder,
    elements: &[Element<'line>],
    wording: Wording<'line>,
    visit: &mut impl FnMut(Wording<'line>) -> Result<(), String>,
) -> Result<(), String> {
    let Some((choices, rest)) = elements.split_first() else {
        return if wording.words > 0 { visit(wording) } else { Ok(()) };
    };
    for choice in choices {
        let opens = wording.words == 0;
        let spelled = if opens { &choice.opening } else { &choice.following };
        let node = trie.extend(wording.node, spelled);
        let opening = if opens { choice.first } else { wording.opening };
        write_out(trie, rest, Wording { node, opening, words: wording.words + choice.words }, visit)?;
    }
    Ok(())
}

/// The places of a line: `{a|b} c` has two. Braces stand by themselves, never inside a word.
fn elements<'line>(line: &'line str, trie: &mut Builder) -> Result<Vec<Element<'line>>, String> {
    let mut elements = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (choices, after) = after.split_once('}').ok_or_else(|| format!("open brace: {line}"))?;
        if before.ends_with(|c: char| !c.is_whitespace()) || after.starts_with(|c: char| !c.is_whitespace()) {
            return Err(format!("brace inside a word: {line}"));
        }
        if !before.trim().is_empty() {
            elements.push(vec![Choice::of(before.trim(), trie)]);
        }
        elements.push(choices.split('|').map(|choice| Choice::of(choice.trim(), trie)).collect());
        rest = after;
    }
    if !rest.trim().is_empty() {
        elements.push(vec![Choice::of(rest.trim(), trie)]);
    }
    Ok(elements)
}

/// `before: treatment`, `after within 4: all`, `mark clause`, `neutral`
fn read_group(assertion: Option<Assertion>, heading: &str) -> Option<Group> {
    if let Some(mark) = heading.strip_prefix("mark ") {
        return read_mark(mark).map(Group::Mark);
    }
    let Some(assertion) = assertion else { return (heading == "neutral").then_some(Group::Neutral) };
    let (place, fields) = heading.split_once(": ")?;
    let (side, within) = place.split_once(" within ").map_or((place, Some(REACH)), |(side, n)| (side, n.parse().ok()));
    let side = match side {
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
    Some(Group::Rule(Rule { assertion, side, within: within?.min(REACH), fields }))
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
    fn the_lists_can_be_read() {
        let lexicon = read(&FILES).unwrap();
        let wordings = lexicon.at.iter().flatten().count();
        assert!(wordings > 5_000, "{wordings}");
        assert!(lexicon.cues.len() < 1_000, "{}", lexicon.cues.len());
    }

    #[test]
    fn braces() {
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
            assert!(elements(unreadable, &mut Builder::default()).is_err());
        }
    }

    #[test]
    fn unreadable_lists_are_refused() {
        for file in ["no", "[sideways: all]\nno", "[before: liver]\nno", "[before within x: all]\nno", "[mark x]\nno"] {
            assert!(read(&[(Some(Assertion::Negated), file)]).is_err(), "{file}");
        }
    }
}
