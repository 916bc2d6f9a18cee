//! The curated term lists, and an index of their first words that finds all their terms in a single pass.
//!
//! Line format of the lists: `name | alias, alias, ... | tag, tag`. `#` starts a comment. An alias or name that starts
//! with `=` counts only in exactly that letter case, because in another case it is an ordinary word (`=MET`, `=KIT`). A
//! name in parentheses is a heading and is not searched for.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use super::folded::FoldedNote;
use crate::{
    extraction::{Table, words},
    steps,
};

/// The list that a term comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TermKind {
    /// Names of malignancies, heads of such names, their adjectives, and look-alikes.
    Cancer,
    /// Organs and regions, as nouns and adjectives.
    Site,
    /// Genes.
    Gene,
    /// Kinds of alteration of a gene.
    Alteration,
    /// Receptors, expression markers, signatures, serum markers.
    Marker,
    /// Drugs, regimens, procedures, radiotherapy.
    Treatment,
    /// Responses of the disease to treatment.
    Response,
    /// Words that make an organ a metastatic site.
    Spread,
}

const LISTS: [(TermKind, &str); 8] = [
    (TermKind::Cancer, include_str!("lexicons/cancers.txt")),
    (TermKind::Site, include_str!("lexicons/sites.txt")),
    (TermKind::Gene, include_str!("lexicons/genes.txt")),
    (TermKind::Alteration, include_str!("lexicons/alterations.txt")),
    (TermKind::Marker, include_str!("lexicons/markers.txt")),
    (TermKind::Treatment, include_str!("lexicons/treatments.txt")),
    (TermKind::Response, include_str!("lexicons/responses.txt")),
    (TermKind::Spread, include_str!("lexicons/spread.txt")),
];

/// One spelling of one entry of a list.
#[derive(Debug)]
pub(crate) struct Term {
    /// The list.
    pub(crate) kind: TermKind,
    /// The entry's name.
    pub(crate) name: &'static str,
    /// This spelling, in its letter case.
    pub(crate) spelled: &'static str,
    /// The entry's tags, which all its spellings share.
    tags: Arc<[&'static str]>,
    /// Whether the spelling counts only in exactly its letter case.
    exact: bool,
}

impl Term {
    /// Returns whether the spelling counts only in exactly its letter case.
    pub(crate) fn is_acronym(&self) -> bool {
        self.exact
    }

    /// Returns whether the entry has a tag.
    pub(crate) fn is(&self, tag: &str) -> bool {
        self.tags.contains(&tag)
    }

    /// Returns the value of a tag `key=value`.
    pub(crate) fn tag(&self, key: &str) -> Option<&'static str> {
        self.tags.iter().find_map(|own| own.strip_prefix(key)?.strip_prefix('='))
    }
}

/// A term found in a note.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    /// The term.
    pub(crate) term: &'static Term,
    /// Its range in the folded text.
    pub(crate) range: Range<usize>,
}

/// All terms, and those that begin with each word.
#[derive(Debug)]
struct Lexicon {
    terms: Vec<Term>,
    /// For each first word, the folded spellings that begin with it, each with the index of its term.
    by_first_word: Table<Box<str>, Vec<(Box<str>, usize)>>,
}

impl Lexicon {
    fn of(terms: Vec<Term>) -> Self {
        let mut by_first_word: Table<Box<str>, Vec<(Box<str>, usize)>> = Table::default();
        for (at, term) in terms.iter().enumerate() {
            let spelling = FoldedNote::of(term.spelled).as_str().to_owned().into_boxed_str();
            by_first_word.entry(first_word(&spelling).into()).or_default().push((spelling, at));
        }
        by_first_word.shrink_to_fit();
        Self { terms, by_first_word }
    }

    /// Returns the terms whose spelling is at the start of a text that begins with this word, each with the length of
    /// its spelling and its index. A spelling of one word also matches its plural.
    fn starting(&self, word: &str, text: &str) -> impl Iterator<Item = (usize, usize, &Term)> {
        let of_word = |word: &str| self.by_first_word.get(word).map_or(&[][..], Vec::as_slice);
        let own = of_word(word);
        let of_singular = word.strip_suffix('s').map_or(&[][..], of_word);
        steps::count(1 + own.len() + of_singular.len());
        own.iter()
            .chain(of_singular)
            .filter(move |(spelling, _)| text.starts_with(&**spelling))
            .filter_map(|(spelling, index)| Some((spelling.len(), *index, self.terms.get(*index)?)))
    }
}

/// Returns the first word of a spelling; all begin with a letter or a digit.
fn first_word(spelling: &str) -> &str {
    words(spelling).next().and_then(|word| spelling.get(word)).unwrap_or_default()
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut terms = Vec::new();
    for (kind, list) in LISTS {
        for line in list.lines() {
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            let mut columns = line.split('|').map(str::trim);
            let name = columns.next().unwrap_or_default();
            let aliases = columns.next().unwrap_or_default();
            let tags: Arc<[&'static str]> = columns.next().unwrap_or_default().split(',').map(str::trim).collect();
            let heading = name.strip_prefix('(').and_then(|name| name.strip_suffix(')'));
            let searched_name = heading.is_none().then_some(name);
            let name = heading.unwrap_or(name).trim_start_matches('=');
            for spelled in
                searched_name.into_iter().chain(aliases.split(',').map(str::trim)).filter(|term| !term.is_empty())
            {
                let exact = spelled.starts_with('=');
                terms.push(Term {
                    kind,
                    name,
                    spelled: spelled.trim_start_matches('='),
                    tags: Arc::clone(&tags),
                    exact,
                });
            }
        }
    }
    terms.shrink_to_fit();
    Lexicon::of(terms)
});

/// Returns the spellings of the terms of a list, in its order.
pub(super) fn spellings(kind: TermKind) -> impl Iterator<Item = &'static str> {
    LEXICON.terms.iter().filter(move |term| term.kind == kind).map(|term| term.spelled)
}

/// The terms found in a note by list, in the order of the note. Of overlapping terms of a list, the one that starts
/// first counts; of those that start together, the longest.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    lists: [Vec<Mention>; LISTS.len()],
}

impl Mentions {
    /// Finds the terms of all lists.
    pub(crate) fn of(folded: &FoldedNote<'_>) -> Self {
        let mut mentions = Self::default();
        let text = folded.as_str();
        let mut found: Vec<(Mention, usize, usize)> = Vec::new();
        for word in words(text) {
            let (start, rest) = (word.start, text.get(word.start..).unwrap_or_default());
            for (length, index, term) in LEXICON.starting(text.get(word).unwrap_or_default(), rest) {
                let spelled = start..start + length;
                let Some(range) = bounded(folded, spelled.clone(), !term.exact) else { continue };
                let same_case = !term.exact || folded.quote(&spelled).replace('\u{2011}', "-") == term.spelled;
                if same_case || is_telegraphic_receptor(folded, term, &spelled) {
                    found.push((Mention { term, range }, spelled.end, index));
                }
            }
        }
        // Of terms with the same range, a listed singular (`met` in `mets`) counts before a listed plural, then the
        // first in the lists.
        found.sort_by_key(|(mention, end, index)| (mention.range.start, usize::MAX - mention.range.end, *end, *index));
        for (mention, ..) in found {
            let Some(list) = mentions.lists.get_mut(mention.term.kind as usize) else { continue };
            if list.last().is_none_or(|last| last.range.end <= mention.range.start) {
                list.push(mention);
            }
        }
        mentions
    }

    /// Returns the mentions of one list.
    pub(crate) fn get(&self, kind: TermKind) -> &[Mention] {
        self.lists.get(kind as usize).map_or(&[], Vec::as_slice)
    }
}

/// Returns whether "er" and "pr" in small letters are the receptors: each with its result, and the other one or HER2
/// beside it, as in "er pos pr neg her2 neg".
fn is_telegraphic_receptor(folded: &FoldedNote<'_>, term: &Term, range: &Range<usize>) -> bool {
    const REACH: usize = 14;
    const RESULTS: [&str; 4] = [" pos", " neg", "+", "-"];
    let has_result = |text: &str| RESULTS.iter().any(|result| text.starts_with(result));
    let other = match term.spelled {
        "ER" => "pr",
        "PR" => "er",
        _ => return false,
    };
    let beside = |text: &str, name: &str| {
        text.match_indices(name).any(|(at, _)| {
            let word = !text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_ascii_alphanumeric());
            word && has_result(text.get(at + name.len()..).unwrap_or_default())
        })
    };
    let (before, after) = (folded.before(range.start, REACH), folded.after(range.end, 2 * REACH));
    has_result(after) && [other, "her2"].iter().any(|name| beside(before, name) || beside(after, name))
}

/// Returns the stretch, extended by a plural "s", if it begins and ends at word boundaries.
fn bounded(folded: &FoldedNote<'_>, range: Range<usize>, plural: bool) -> Option<Range<usize>> {
    let bytes = folded.bytes();
    if range.start > 0 && bytes.get(range.start - 1).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let plural =
        plural && bytes.get(range.end) == Some(&b's') && bytes.get(range.end - 1).is_some_and(u8::is_ascii_alphabetic);
    let range = range.start..range.end + usize::from(plural);
    folded.is_bounded(&range).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_well_formed() {
        for (kind, list) in LISTS {
            assert!(LEXICON.terms.iter().any(|term| term.kind == kind), "{kind:?} is empty");
            for line in list.lines().map(|line| line.split('#').next().unwrap()) {
                assert!(line.split('|').count() <= 3, "{kind:?}: {line}");
            }
        }
    }

    #[test]
    fn every_spelling_begins_with_a_word() {
        for (spelling, _) in LEXICON.by_first_word.values().flatten() {
            assert_eq!(words(spelling).next().map(|word| word.start), Some(0), "{spelling} is never found");
        }
    }

    #[test]
    fn every_spelling_is_unique_in_its_list() {
        let mut seen = std::collections::HashSet::new();
        for term in &LEXICON.terms {
            let spelled =
                if term.exact { term.spelled.to_owned() } else { FoldedNote::of(term.spelled).as_str().to_owned() };
            let key = (term.kind, spelled, term.exact);
            assert!(seen.insert(key), "{:?} {}", term.kind, term.spelled);
        }
    }

    #[test]
    fn longest_bounded_term_wins() {
        let folded = FoldedNote::of("Metastatic non-small-cell lung cancers; KITs and kit. Melanomas");
        let mentions = Mentions::of(&folded);
        let quotes: Vec<_> =
            mentions.get(TermKind::Cancer).iter().map(|mention| folded.quote(&mention.range)).collect();
        assert!(quotes.contains(&"non-small-cell lung cancers"), "{quotes:?}");
        assert!(quotes.contains(&"Melanomas"), "{quotes:?}");
    }
}
