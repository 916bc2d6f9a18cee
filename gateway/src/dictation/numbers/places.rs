//! Where a spoken number is certain: after a word that takes a number, before a unit, in a TNM formula, in the name of a
//! gene or marker, and in the name of a protein change.

use std::{collections::HashSet, ops::Range};

use super::{
    Edit,
    lists::{
        AMINO_ACIDS, BEHIND_ONE, CHANGES, COUNTED, DETERMINERS, FILLERS, LABELS, Label, PERCENT, PLACES, PREFIXES,
        RESULTS, UNITS,
    },
    words::{Group, Word, groups, together},
};
use crate::rules::{VocabularyKind, numbered_name};

/// Words between a gene or marker and what concerns it.
const NEAR: usize = 6;
/// Longest name of a gene or marker in words, before its number.
const LONGEST_STEM: usize = 3;

/// The words of a transcript, and what is known about them.
pub(super) struct Places<'a> {
    words: &'a [Word<'a>],
    /// The bytes at which names of cancers, organs and treatments begin.
    starts: HashSet<usize>,
    /// The bytes at which names of genes end, and of markers.
    genes: HashSet<usize>,
    markers: HashSet<usize>,
}

/// Replacements, and the index of the first word after them.
type Replacements = (Vec<Edit>, usize);

impl<'a> Places<'a> {
    pub(super) fn new(words: &'a [Word<'a>], terms: &[(Range<usize>, VocabularyKind)]) -> Self {
        let mut places = Self { words, starts: HashSet::new(), genes: HashSet::new(), markers: HashSet::new() };
        for (range, kind) in terms {
            match kind {
                VocabularyKind::Gene => _ = places.genes.insert(range.end),
                VocabularyKind::Marker => _ = places.markers.insert(range.end),
                _ => _ = places.starts.insert(range.start),
            }
        }
        places
    }

    /// Returns all replacements, in order.
    pub(super) fn edits(mut self) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut at = 0;
        while at < self.words.len() {
            let found = self.formula(at).or_else(|| self.protein_change(at)).or_else(|| {
                let (name, end) = self.name(at)?;
                // In the source it is not a name yet, so no term was found there.
                self.genes.insert(name.range.end);
                self.markers.insert(name.range.end);
                Some((vec![name], end))
            });
            let found = found.or_else(|| self.labelled(at)).or_else(|| self.counted(at));
            at = match found {
                Some((found, end)) => {
                    edits.extend(found);
                    end
                }
                // A number without a meaning is skipped as a whole, so that none of its parts is taken for one.
                None => groups(self.words, at).last().map_or(at + 1, |group| group.end.max(at + 1)),
            };
        }
        edits
    }

    fn word(&self, at: usize) -> Option<&Word<'a>> {
        self.words.get(at)
    }

    /// Returns the word, if only a space or a hyphen is before it.
    fn joined(&self, at: usize) -> Option<&Word<'a>> {
        self.word(at).filter(|word| word.joined)
    }

    fn range(&self, from: usize, end: usize) -> Range<usize> {
        let start = self.word(from).map_or(0, |word| word.range.start);
        start..self.word(end.saturating_sub(1)).map_or(start, |word| word.range.end)
    }

    fn edit(&self, from: usize, end: usize, with: String) -> Edit {
        Edit { range: self.range(from, end), with }
    }

    /// Returns whether the phrase ends before a word: at the end of the text, or at punctuation.
    fn ends_before(&self, at: usize) -> bool {
        self.joined(at).is_none()
    }

    fn are_near(&self, at: usize, ends: &HashSet<usize>) -> bool {
        let from = at.saturating_sub(NEAR);
        self.words.get(from..at).is_some_and(|before| before.iter().any(|word| ends.contains(&word.range.end)))
    }

    /// "T two N one M zero", "p T three": at least two categories, or one with its prefix.
    fn formula(&self, at: usize) -> Option<Replacements> {
        let first_word = self.word(at)?;
        let after_therapy = first_word.lower == "y" && self.joined(at + 1).is_some_and(|word| word.is_one_of("p c"));
        let prefix = if after_therapy { 2 } else { usize::from(first_word.is_one_of(PREFIXES)) };
        let (mut edits, mut count, mut end, mut spoken) = (Vec::new(), 0, at + prefix, false);
        for category in ['t', 'n', 'm'] {
            let first = count == 0;
            let Some(word) =
                self.word(end).filter(|word| word.joined || (!first && word.after_comma) || (first && prefix == 0))
            else {
                break;
            };
            let from = if first { at } else { end };
            let compact = word
                .lower
                .strip_prefix(category)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'x') && rest.len() <= 3);
            if compact && !(first && prefix > 0) {
                (count, end) = (count + 1, end + 1);
                continue;
            }
            if word.letter().map(|c| c.to_ascii_lowercase()) != Some(category) {
                continue;
            }
            let Some((value, behind)) = self.category_value(end + 1) else { break };
            let before: String =
                self.words.get(from..end).into_iter().flatten().map(|word| word.lower.as_str()).collect();
            edits.push(self.edit(from, behind, format!("{before}{}{value}", category.to_ascii_uppercase())));
            (count, end, spoken) = (count + 1, behind, true);
        }
        (spoken && count + prefix.min(1) >= 2).then_some((edits, end))
    }

    /// The value of a category: "two", "two A", "X".
    fn category_value(&self, at: usize) -> Option<(String, usize)> {
        let word = self.joined(at)?;
        if word.lower == "x" {
            return Some(("X".to_owned(), at + 1));
        }
        let group =
            groups(self.words, at).into_iter().next().filter(|group| group.value().is_some_and(|value| value <= 4))?;
        let before_category = |at: usize| self.word(at).is_some_and(|word| matches!(word.lower.as_str(), "n" | "m"));
        let suffix = self.suffix(group.end, before_category).map(|c| c.to_ascii_lowercase());
        let end = group.end + usize::from(suffix.is_some());
        Some((format!("{}{}", group.figures, suffix.map(String::from).unwrap_or_default()), end))
    }

    /// Returns the letter after a number, A to D. "a" in lower case is an article, unless nothing that it could belong
    /// to follows.
    fn suffix(&self, at: usize, shows_end: impl Fn(usize) -> bool) -> Option<char> {
        let letter = self.joined(at)?.letter().filter(|c| matches!(c.to_ascii_lowercase(), 'a'..='d'))?;
        (letter != 'a' || self.ends_before(at + 1) || shows_end(at + 1)).then(|| letter.to_ascii_uppercase())
    }

    /// "L eight five eight R", "V 600 E".
    fn protein_change(&self, at: usize) -> Option<Replacements> {
        let amino_acid = |word: &Word<'_>| {
            let letter = word.letter()?;
            AMINO_ACIDS.contains(letter.to_ascii_uppercase()).then_some(letter)
        };
        let from = amino_acid(self.word(at)?)?;
        self.joined(at + 1)?;
        let groups = groups(self.words, at + 1);
        let end = groups.last()?.end;
        let number = together(&groups).filter(|number| (2..=4).contains(&number.len()) && !number.contains('.'))?;
        let to = amino_acid(self.joined(end)?)?;
        // "T eleven T twelve", "T twelve L one": vertebrae.
        let is_change = !from.eq_ignore_ascii_case(&to) && self::groups(self.words, end + 1).is_empty();
        // "A" and "I" are words.
        let said = self.word(end + 1).is_some_and(|word| word.is_one_of(CHANGES)) || self.are_near(at, &self.genes);
        if !(is_change && said) {
            return None;
        }
        let name = format!("{}{number}{}", from.to_ascii_uppercase(), to.to_ascii_uppercase());
        Some((vec![self.edit(at, end + 1, name)], end + 1))
    }

    /// A name with a number in it: "HER two", "PD L one", "CA nineteen nine", "five FU".
    fn name(&self, at: usize) -> Option<(Edit, usize)> {
        for stem in (0..=LONGEST_STEM).rev() {
            let number = at + stem;
            if (at + 1..=number).any(|at| self.joined(at).is_none()) {
                continue;
            }
            let groups = groups(self.words, number);
            for count in (1..=groups.len().min(LONGEST_STEM)).rev() {
                let Some(taken) = groups.get(..count) else { continue };
                let end = taken.last().map_or(number, |group| group.end);
                let tails: &[usize] = if stem == 0 { &[2, 1] } else { &[0] };
                for tail in tails {
                    let Some(name) = self.numbered(at, number, taken, end, *tail) else { continue };
                    return Some((self.edit(at, end + tail, name.to_owned()), end + tail));
                }
            }
        }
        None
    }

    /// Returns the name that consists of the words before a number, its groups, and `tail` words after it.
    fn numbered(&self, at: usize, number: usize, groups: &[Group], end: usize, tail: usize) -> Option<&'static str> {
        let stem = self.words.get(at..number)?;
        let behind = self.words.get(end..end + tail)?;
        if behind.iter().any(|word| !word.joined) {
            return None;
        }
        let spelled = stem.iter().filter(|word| word.letter().is_some()).count() > 1;
        // "S one" is a heart sound too.
        let letters = stem.iter().chain(behind).map(|word| word.text.len()).sum::<usize>();
        if letters < 2 || !(spelled || groups.len() > 1 || groups.iter().any(|group| group.spoken)) {
            return None;
        }
        // "her two children", "Her two children": a name that is not in capital letters may be ordinary words.
        let is_small = stem.first().is_some_and(|word| word.text.chars().any(char::is_lowercase));
        if is_small && !self.is_result(end) {
            return None;
        }
        let mut written: String = stem.iter().map(|word| word.lower.as_str()).collect();
        written.extend(groups.iter().map(|group| group.figures.as_str()));
        written.extend(behind.iter().map(|word| word.lower.as_str()));
        numbered_name(&written)
    }

    /// Returns whether a word shows that a gene or marker is before it: "her two positive", "ki sixty-seven thirty
    /// percent".
    fn is_result(&self, at: usize) -> bool {
        let of_nodes = self.joined(at + 1).is_some_and(|word| word.is_one_of(COUNTED));
        self.joined(at).is_some_and(|word| (word.is_one_of(RESULTS) && !of_nodes) || !groups(self.words, at).is_empty())
    }

    /// "exon nineteen", "stage three B", "ECOG performance status of one", "Gleason four plus three equals seven".
    fn labelled(&self, at: usize) -> Option<Replacements> {
        let label = self.word(at)?;
        let label = LABELS.iter().find(|known| known.name == label.lower)?;
        if !label.always
            && at.checked_sub(1).and_then(|at| self.word(at)).is_some_and(|word| word.is_one_of(DETERMINERS))
        {
            return None;
        }
        let mut number = at + 1;
        while number < at + 4 && self.joined(number).is_some_and(|word| word.is_one_of(FILLERS)) {
            number += 1;
        }
        self.joined(number)?;
        let (mut edits, mut end) = self.label_value(label, number)?;
        // "exons eighteen and nineteen", "grade two to three", "four plus three equals seven".
        while let Some((more, behind)) = self.further_value(label, end) {
            edits.extend(more);
            end = behind;
        }
        Some((edits, end))
    }

    fn label_value(&self, label: &Label, at: usize) -> Option<Replacements> {
        let groups = groups(self.words, at);
        let first = groups.first()?;
        let all = groups.last()?.end;
        let (figures, end) = match together(&groups) {
            Some(figures) if label.always || groups.len() == 1 => (figures, all),
            // What remains must be a number of its own.
            _ if groups.len() == 1 || self.unit(all).is_some() => (first.figures.clone(), first.end),
            _ => return None,
        };
        figures.parse::<u32>().ok().filter(|value| *value <= label.most)?;
        // "ECOG is one of", "stage two of three".
        if (!label.always || figures == "1") && self.joined(end).is_some_and(|word| word.lower == "of") {
            return None;
        }
        if label.always {
            return Some((self.spoken_edit(at, end, figures), end));
        }
        let names_disease = |at: usize| self.joined(at).is_some_and(|word| self.starts.contains(&word.range.start));
        let letter = if label.name == "stage" { self.suffix(end, names_disease) } else { None };
        if self.word(at).is_some_and(|word| word.lower == "one") && letter.is_none() {
            let certain = self.joined(end).is_none_or(|next| next.is_one_of(BEHIND_ONE)) || names_disease(end);
            if !certain {
                return None;
            }
        }
        let Some(letter) = letter else { return Some((self.spoken_edit(at, end, figures), end)) };
        // "three A one".
        let sub = groups_of_one(self.words, end + 1, 2).filter(|_| self.joined(end + 1).is_some());
        let (sub, behind) = sub.map_or((String::new(), end + 1), |group| (group.figures, group.end));
        Some((vec![self.edit(at, behind, format!("{figures}{letter}{sub}"))], behind))
    }

    /// Returns the next value of a list, a range or a Gleason score.
    fn further_value(&self, label: &Label, at: usize) -> Option<Replacements> {
        let link = self.joined(at)?;
        let is_gleason = label.name == "gleason";
        let symbol = match link.lower.as_str() {
            "and" | "or" | "to" if !is_gleason => None,
            "plus" if is_gleason => Some("+"),
            "equals" if is_gleason => Some("="),
            _ => return None,
        };
        self.joined(at + 1)?;
        let group = groups(self.words, at + 1);
        let [group] = group.as_slice() else { return None };
        group.value().filter(|value| *value <= label.most)?;
        if self.unit(group.end).is_some() || self.joined(group.end).is_some_and(|word| word.lower == "of") {
            return None;
        }
        match symbol {
            Some(symbol) => {
                let from = at.checked_sub(1).and_then(|before| self.word(before))?.range.end;
                let end = self.range(at, group.end).end;
                Some((vec![Edit { range: from..end, with: format!("{symbol}{}", group.figures) }], group.end))
            }
            None => Some((self.spoken_edit(at + 1, group.end, group.figures.clone()), group.end)),
        }
    }

    fn spoken_edit(&self, from: usize, end: usize, figures: String) -> Vec<Edit> {
        let range = self.range(from, end);
        let in_figures = end == from + 1 && self.word(from).is_some_and(|word| word.text == figures);
        if in_figures { Vec::new() } else { vec![Edit { range, with: figures }] }
    }

    /// "thirty percent", "eighty milligrams", "sixty-two year old", "three plus" of a marker, and decimals anywhere.
    fn counted(&self, at: usize) -> Option<Replacements> {
        if let Some(found) = self.measured(at) {
            return Some(found);
        }
        let groups = groups(self.words, at);
        let end = groups.last()?.end;
        let number = together(&groups)?;
        let next = self.joined(end);
        // "thirty to forty percent".
        let is_range = next.is_some_and(|word| word.is_one_of("to or")) && self.joined(end + 1).is_some();
        if let Some((behind, last)) = self.measured(end + 1).filter(|_| is_range) {
            let mut edits = self.spoken_edit(at, end, number);
            edits.extend(behind);
            return Some((edits, last));
        }
        let is_score = next.is_some_and(|word| word.lower == "plus")
            && (self.joined(end + 1).is_none() || self::groups(self.words, end + 1).is_empty())
            && number.len() == 1
            && self.are_near(at, &self.markers);
        if is_score {
            return Some((vec![self.edit(at, end + 1, format!("{number}+"))], end + 1));
        }
        let [group] = groups.as_slice() else { return None };
        // "at one point five patients" is not a decimal.
        let is_place = self.word(at).is_some_and(|word| word.lower == "one")
            && at.checked_sub(1).and_then(|at| self.word(at)).is_some_and(|word| word.is_one_of(PLACES));
        (group.is_decimal() && !is_place).then(|| (self.spoken_edit(at, end, number), end))
    }

    /// A number before a unit.
    fn measured(&self, at: usize) -> Option<Replacements> {
        let groups = groups(self.words, at);
        let end = groups.last()?.end;
        let number = together(&groups)?;
        let (unit, behind) = self.unit(end)?;
        if unit != "%" {
            return Some((self.spoken_edit(at, end, number), behind));
        }
        let in_figures = !groups.iter().any(|group| group.spoken);
        let edits = if in_figures { Vec::new() } else { vec![self.edit(at, behind, format!("{number}%"))] };
        number.parse::<f32>().is_ok_and(|number| number <= 100.0).then_some((edits, behind))
    }

    /// Returns the unit at a word and the index after it. A percentage is `%`; others stay as they are.
    fn unit(&self, at: usize) -> Option<(&'static str, usize)> {
        let word = self.joined(at)?;
        if word.is_one_of(PERCENT) {
            return Some(("%", at + 1));
        }
        let next_is = |words: &str| self.joined(at + 1).is_some_and(|next| next.is_one_of(words));
        if word.lower == "per" && next_is("cent") {
            return Some(("%", at + 2));
        }
        let is_age = word.is_one_of("year years") && next_is("old");
        (is_age || word.is_one_of(UNITS)).then_some(("", at + 1))
    }
}

/// Returns the only group of the number at a word, if its value is at most `most`.
fn groups_of_one(words: &[Word<'_>], at: usize, most: u32) -> Option<Group> {
    let groups = groups(words, at);
    let [group] = groups.as_slice() else { return None };
    group.value().filter(|value| (1..=most).contains(value)).map(|_| group.clone())
}
