//! The cue lists in `cues/`, read once into one automaton.
//!
//! The lists are plain text that a clinician can review: a group line in brackets says what the lines
//! below it are, `{a|b}` stands for either, `{a|}` for a word that may be missing. Nothing here looks
//! at scopes.

use std::{collections::BTreeMap, iter, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};

use super::{
    Assertion, Field,
    words::{Mark, fold},
};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) assertion: Assertion,
    pub(super) side: Side,
    /// How many words it reaches.
    pub(super) within: usize,
    fields: u8,
}

impl Rule {
    pub(super) fn new(assertion: Assertion, side: Side, fields: &[Field]) -> Self {
        let fields = fields.iter().fold(0, |bits, &field| bits | bit(field));
        Self { assertion, side, within: REACH, fields }
    }

    pub(super) fn concerns(&self, field: Field) -> bool {
        self.fields & bit(field) != 0
    }
}

/// All that the lists say of one wording.
#[derive(Debug, Default)]
pub(super) struct Cue {
    pub(super) rules: Vec<Rule>,
    pub(super) mark: Option<Mark>,
    /// Whether the wording is a predicate ("was not detected"), and in the plural.
    pub(super) predicate: bool,
    /// Whether it has a whole list for its subject ("were not detected").
    pub(super) plural: bool,
    /// Whether it names its object ("no metastases").
    pub(super) phrase: bool,
}

/// The automaton over folded text and what its patterns mean.
#[derive(Debug)]
pub(super) struct Lexicon {
    pub(super) automaton: AhoCorasick,
    pub(super) cues: Vec<Cue>,
}

/// The lists of this program. A test reads them; where they could not be read there would be no cue.
pub(super) static LEXICON: LazyLock<Option<Lexicon>> = LazyLock::new(|| read(&FILES).ok());

/// A cue reaches so many words where its list says nothing else.
pub(super) const REACH: usize = 40;

fn bit(field: Field) -> u8 {
    Field::ALL.iter().position(|&each| each == field).map_or(0, |at| 1 << at)
}

/// What the lines below a group line are.
#[derive(Clone, Copy)]
enum Group {
    Rule(Rule),
    Mark(Mark),
    Neutral,
}

fn read(files: &[(Option<Assertion>, &str)]) -> Result<Lexicon, String> {
    let mut wordings: BTreeMap<Vec<u8>, Cue> = BTreeMap::new();
    for (assertion, file) in files {
        let mut group = None;
        for line in file.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            if line.is_empty() {
            } else if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                group = Some(read_group(*assertion, heading).ok_or_else(|| format!("not a group: {line}"))?);
            } else {
                let group = group.ok_or_else(|| format!("before any group: {line}"))?;
                for wording in alternatives(line)? {
                    let cue = wordings.entry(fold(&wording).text).or_default();
                    let starts = |words: &[&str]| words.iter().any(|word| wording.split(' ').next() == Some(word));
                    cue.plural = starts(&["were", "are", "have"]);
                    cue.predicate = cue.plural || starts(&["was", "is", "has"]);
                    cue.phrase = wording.contains(' ');
                    match group {
                        Group::Rule(rule) => cue.rules.push(rule),
                        Group::Mark(mark) => cue.mark = Some(mark),
                        Group::Neutral => {}
                    }
                }
            }
        }
    }
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(aho_corasick::AhoCorasickKind::DFA))
        .build(wordings.keys())
        .map_err(|error| error.to_string())?;
    Ok(Lexicon { automaton, cues: wordings.into_values().collect() })
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
        "before" => Side::Before,
        "after" => Side::After,
        "either" => Side::Either,
        "both" => Side::Both,
        _ => return None,
    };
    let fields = fields.split(' ').try_fold(0, |bits, name| match name {
        "all" => Some(0x7f),
        name => Some(bits | bit(Field::named(name)?)),
    })?;
    Some(Group::Rule(Rule { assertion, side, within: within?.min(REACH), fields }))
}

fn read_mark(name: &str) -> Option<Mark> {
    Some(match name {
        "end" => Mark::End,
        "clause" => Mark::Clause,
        "and" => Mark::And,
        "or" => Mark::Or,
        "article" => Mark::Article,
        "with" => Mark::With,
        "preposition" => Mark::Preposition,
        "head" => Mark::Head,
        "gene head" => Mark::GeneHead,
        "reaction" => Mark::Reaction,
        "positive" => Mark::Positive,
        _ => return None,
    })
}

/// Writes out the braces of a line.
fn alternatives(line: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = line.split_once('{') else {
        return Ok(vec![line.split_whitespace().collect::<Vec<_>>().join(" ")]);
    };
    let (choices, after) = rest.split_once('}').ok_or_else(|| format!("open brace: {line}"))?;
    let mut out = Vec::new();
    for choice in choices.split('|') {
        let whole: String = iter::once(before).chain([choice.trim(), after]).collect();
        out.extend(alternatives(&whole)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_read() {
        let lexicon = read(&FILES).unwrap();
        assert!(lexicon.cues.len() > 500, "{}", lexicon.cues.len());
        let widest = lexicon.automaton.max_pattern_len();
        assert!(widest < 60, "{widest}");
    }

    #[test]
    fn braces() {
        assert_eq!(alternatives("{is|} not {x|y}").unwrap(), ["is not x", "is not y", "not x", "not y"]);
        assert!(alternatives("{is").is_err());
    }

    #[test]
    fn unreadable_lists_are_refused() {
        for file in ["no", "[sideways: all]\nno", "[before: liver]\nno", "[before within x: all]\nno", "[mark x]\nno"] {
            assert!(read(&[(Some(Assertion::Negated), file)]).is_err(), "{file}");
        }
    }
}
