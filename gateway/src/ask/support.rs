//! Whether the words of a sentence are in another one: in the same order, close together, with the same owners of the
//! numbers.

use super::{
    about::stands_for,
    question::Question,
    words::{Word, words},
};
use crate::rules::{TermKind, entities};

/// Most words of the note that an answer may leave out between two of its words.
const WIDEST_GAP: usize = 2;

/// Most words of a part of an answer: a longer one is not a short answer.
const MOST_WORDS: usize = 60;
/// Most words of a question that are compared.
const MOST_ASKED: usize = 40;
/// Most places of a sentence at which a part of an answer is tried.
const MOST_STARTS: usize = 20;

/// Words that carry no fact of their own.
const FUNCTION: &[&str] = &[
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "there",
    "it",
    "its",
    "he",
    "she",
    "they",
    "him",
    "her",
    "his",
    "their",
    "them",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "being",
    "has",
    "have",
    "had",
    "having",
    "does",
    "do",
    "did",
    "of",
    "in",
    "on",
    "at",
    "to",
    "for",
    "with",
    "by",
    "from",
    "as",
    "and",
    "also",
    "patient",
    "patients",
    "pt",
    "note",
    "says",
    "states",
    "stated",
    "reports",
    "reported",
    "documented",
    "according",
    "yes",
    "correct",
    "true",
    "which",
    "who",
    "whose",
    "per",
    "mr",
    "mrs",
    "ms",
];
/// Words that deny. The note may have another one of them: "denies fever", "no fever".
const DENIALS: &[&str] = &[
    "no", "not", "none", "denies", "denied", "deny", "denying", "without", "don't", "doesn't", "didn't", "isn't",
    "wasn't", "weren't", "hasn't", "haven't", "hadn't", "never",
];
const UNITS: &[&str] = &[
    "mg",
    "mcg",
    "g",
    "kg",
    "ug",
    "µg",
    "ng",
    "pg",
    "ml",
    "l",
    "dl",
    "iu",
    "u",
    "units",
    "unit",
    "gy",
    "cgy",
    "mm",
    "cm",
    "m",
    "mmhg",
    "bpm",
    "mmol",
    "nmol",
    "umol",
    "m2",
    "mg/m2",
    "lb",
    "lbs",
    "pounds",
    "percent",
    "celsius",
    "fahrenheit",
    "c",
];

/// Returns the parts of an answer that are checked one by one: its sentences.
pub(super) fn parts(answer: &str) -> impl Iterator<Item = &str> {
    let mut rest = answer;
    std::iter::from_fn(move || {
        if rest.trim().is_empty() {
            return None;
        }
        let ends = |(at, c): (usize, char)| {
            let after = rest.get(at + c.len_utf8()..).unwrap_or_default();
            let is_end = c == '\n'
                || (matches!(c, '.' | '!' | '?' | ';') && after.chars().next().is_none_or(char::is_whitespace));
            is_end.then_some(at + c.len_utf8())
        };
        let end = rest.char_indices().find_map(ends).unwrap_or(rest.len());
        let (part, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = more;
        Some(part.trim())
    })
    .filter(|part| !part.is_empty())
}

/// Returns whether an answer has no word of its own: "Yes.", "No."
pub(super) fn is_bare(said: &[Word]) -> bool {
    !said.iter().any(is_content)
}

fn is_content(word: &Word) -> bool {
    !FUNCTION.contains(&word.text.as_str()) && !is_denial(word)
}

fn is_denial(word: &Word) -> bool {
    DENIALS.contains(&word.text.as_str())
}

fn is_unit(word: &Word) -> bool {
    UNITS.contains(&word.text.as_str())
}

/// A number that is a date: "2021", "2021-03-05", "3/2021".
fn is_date(word: &Word) -> bool {
    let year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    word.text.split(['-', '/', '.']).any(year)
}

/// A sentence of the note, by the words that carry facts.
pub(super) struct Sentence {
    words: Vec<Word>,
    /// The thing of the lexicons that each word belongs to.
    things: Vec<Option<&'static str>>,
    /// The part of the sentence between commas and conjunctions that each word belongs to.
    clauses: Vec<usize>,
    /// For each word the distance to the nearest quantity and to the nearest date.
    nearest: Vec<[Option<usize>; 2]>,
    /// Whether a word that denies is directly before each word.
    denied: Vec<bool>,
}

/// Returns the words that carry facts, each with whether a word that denies is directly before it.
fn facts(spelled: &[Word]) -> (Vec<&Word>, Vec<bool>) {
    let mut denied = false;
    let mut facts = (Vec::new(), Vec::new());
    for word in spelled {
        if is_content(word) {
            facts.0.push(word);
            facts.1.push(std::mem::take(&mut denied));
        } else {
            denied |= is_denial(word);
        }
    }
    facts
}

impl Sentence {
    pub(super) fn of(text: &str) -> Self {
        let mut found = entities(text);
        found.retain(|entity| matches!(entity.kind, TermKind::Treatment | TermKind::Gene | TermKind::Marker));
        let spelled = words(text);
        let (content, denied) = facts(&spelled);
        let content: Vec<Word> = content.into_iter().cloned().collect();
        let thing = |word: &Word| {
            let over = found.iter().find(|it| it.range.start <= word.range.start && word.range.end <= it.range.end);
            over.map(|entity| entity.name)
        };
        let things = content.iter().map(thing).collect();
        let (mut clauses, mut clause, mut end) = (Vec::with_capacity(content.len()), 0, 0);
        for word in &content {
            let between = text.get(end..word.range.start).unwrap_or_default().to_ascii_lowercase();
            let ends = between.contains([',', ';', '\n'])
                || [" and ", " then ", " but "].iter().any(|it| between.contains(it));
            clause += usize::from(ends);
            clauses.push(clause);
            end = word.range.end;
        }
        let mut sentence = Self { words: content, things, clauses, nearest: Vec::new(), denied };
        sentence.nearest = (0..sentence.words.len()).map(|place| sentence.nearest_numbers(place)).collect();
        sentence
    }

    fn nearest_numbers(&self, place: usize) -> [Option<usize>; 2] {
        [false, true].map(|date| {
            let numbers = (0..self.words.len()).filter(|&at| self.is_number(at) && self.is_date(at) == date);
            numbers.map(|at| at.abs_diff(place)).min()
        })
    }

    fn is_date(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(is_date)
    }

    /// Returns whether this sentence supports the words of an answer.
    pub(super) fn supports(&self, said: &[Word], question: &Question) -> bool {
        let says_no = said.iter().any(is_denial);
        let (said, denied) = facts(said);
        let Some(first) = said.first() else { return !says_no || self.denies_asked(question) };
        if said.len() > MOST_WORDS {
            return false;
        }
        let mut starts =
            self.words.iter().enumerate().filter(|(_, word)| word.is_same(first)).map(|(at, _)| at).take(MOST_STARTS);
        starts.any(|start| {
            self.aligned(&said, start)
                .is_some_and(|places| self.denies_alike(&places, &denied) && self.owns_numbers(&places, question))
        })
    }

    /// Returns whether the same words are denied here and in the answer. A "no" elsewhere in the sentence does not
    /// count.
    fn denies_alike(&self, places: &[usize], denied: &[bool]) -> bool {
        places.iter().zip(denied).all(|(&place, &denied)| {
            let directly = self.denied.get(place) == Some(&true);
            if denied { self.is_denied(place) } else { !directly }
        })
    }

    /// Returns whether a word is denied, or one of the few before it in its clause: "no acute distress".
    fn is_denied(&self, place: usize) -> bool {
        let from = place.saturating_sub(WIDEST_GAP);
        (from..=place).any(|at| self.denied.get(at) == Some(&true) && self.clauses.get(at) == self.clauses.get(place))
    }

    /// Returns whether what the question names is denied here.
    fn denies_asked(&self, question: &Question) -> bool {
        let is_asked = |word: &Word| question.content.iter().take(MOST_ASKED).any(|asked| asked.is_same(word));
        self.words.iter().position(is_asked).is_some_and(|place| self.is_denied(place))
    }

    /// Returns the places of the words from `start` on, in order.
    fn aligned(&self, said: &[&Word], start: usize) -> Option<Vec<usize>> {
        let mut places = vec![start];
        let mut at = start;
        for word in said.get(1..).unwrap_or_default() {
            let reach = at + 1..=at + 1 + WIDEST_GAP;
            let next = reach.into_iter().find(|&next| self.words.get(next).is_some_and(|it| it.is_same(word)))?;
            let skips_thing = (at + 1..next).any(|skipped| self.things.get(skipped).is_some_and(Option::is_some));
            if skips_thing {
                return None;
            }
            places.push(next);
            at = next;
        }
        Some(places)
    }

    /// Returns whether each number belongs to what the answer or the question names.
    fn owns_numbers(&self, places: &[usize], question: &Question) -> bool {
        let mut numbers = places.iter().copied().filter(|&at| self.is_number(at)).peekable();
        // The further numbers of an answer follow closely after the first: "10 mg every 4 hours".
        numbers.peek().is_none_or(|&first| self.is_near_asked(first, question))
            && numbers
                .all(|at| self.is_of_named_thing(at, places, question) && self.has_named_owner(at, places, question))
    }

    fn is_number(&self, at: usize) -> bool {
        let starts_with_digit = |word: &Word| {
            word.text.trim_start_matches(['<', '>', '≤', '≥', '~']).starts_with(|c: char| c.is_ascii_digit())
        };
        self.words.get(at).is_some_and(starts_with_digit) && self.things.get(at).is_some_and(Option::is_none)
    }

    /// Returns whether no other number of its kind is nearer to the words of the question.
    fn is_near_asked(&self, at: usize, question: &Question) -> bool {
        let kind = usize::from(self.is_date(at));
        question.content.iter().take(MOST_ASKED).all(|asked| {
            let places = self.words.iter().enumerate().filter(|(_, word)| word.is_same(asked)).map(|(place, _)| place);
            let mut places = places.filter(|&place| !self.is_number(place)).peekable();
            let is_nearest = |place: usize| {
                self.nearest.get(place).and_then(|nearest| *nearest.get(kind)?) == Some(at.abs_diff(place))
            };
            places.peek().is_none() || places.any(is_nearest)
        })
    }

    /// Returns whether the nearest thing of several is one that the answer or the question names.
    fn is_of_named_thing(&self, at: usize, places: &[usize], question: &Question) -> bool {
        let things: Vec<(usize, &str)> =
            self.things.iter().enumerate().filter_map(|(place, thing)| Some((place, (*thing)?))).collect();
        let several = things.iter().any(|(_, name)| Some(name) != things.first().map(|(_, first)| first));
        let Some(nearest) = things.iter().map(|(place, _)| place.abs_diff(at)).min().filter(|_| several) else {
            return true;
        };
        things
            .iter()
            .filter(|(place, _)| place.abs_diff(at) == nearest)
            .all(|(place, name)| places.contains(place) || question.entities.iter().any(|entity| entity.name == *name))
    }

    /// Returns whether the word that a number belongs to is in the answer or the question: the one before it in its
    /// clause, or the counted one after it.
    fn has_named_owner(&self, at: usize, places: &[usize], question: &Question) -> bool {
        let clause = self.clauses.get(at);
        let is_owner = |&place: &usize| {
            self.clauses.get(place) == clause && !self.is_number(place) && !self.words.get(place).is_some_and(is_unit)
        };
        let is_named = |place: usize| {
            places.contains(&place)
                || self.words.get(place).is_some_and(|word| {
                    let asks = |asked: &Word| asked.is_same(word) || stands_for(&asked.text, &word.text);
                    question.content.iter().take(MOST_ASKED).any(asks)
                })
                || self
                    .things
                    .get(place)
                    .copied()
                    .flatten()
                    .is_some_and(|name| question.entities.iter().any(|entity| entity.name == name))
        };
        let before = (0..at).rev().find(is_owner);
        let after = (at + 1..self.words.len()).find(is_owner);
        match (before, after) {
            (Some(before), _) if is_named(before) => true,
            (Some(before), Some(after)) => {
                let is_thing = self.things.get(before).is_some_and(Option::is_some);
                !is_thing && after == at + 1 && self.is_counted(after) && is_named(after)
            }
            (None, Some(after)) => is_named(after),
            (Some(_), None) => false,
            (None, None) => true,
        }
    }

    /// Returns whether a word is what a number counts: "cycles", "year".
    fn is_counted(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| {
            word.text.ends_with('s') || matches!(word.text.as_str(), "year" | "old" | "pack" | "month" | "week" | "day")
        })
    }
}
