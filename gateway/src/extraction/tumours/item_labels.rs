//! Follows the letters and numbers of a list of tumours: an item such as "A. Uterus: endometrioid carcinoma" states
//! which tumour a later "A3: PTEN" or "Tumour 2: stable" refers to.

use std::collections::HashMap;

use super::units::Unit;

/// Words before the letter or the number of an item.
const NOUNS: [&str; 7] = ["block ", "specimen ", "part ", "tumour ", "tumor ", "lesion ", "slide "];

/// The tumour of each item of a list; `None` for an item with several.
#[derive(Debug, Default)]
pub(super) struct ItemLabels {
    tumours: HashMap<char, Option<usize>>,
    /// The item of the current block.
    current: Option<char>,
}

impl ItemLabels {
    /// Reads the next unit of a text in lower case, and returns the tumour of the item that it refers to.
    /// `begins_block`: whether it is the first of its block.
    pub(super) fn next(&mut self, lower: &str, unit: &Unit, begins_block: bool) -> Option<usize> {
        let words = lower.get(unit.range.clone()).unwrap_or_default();
        // The number of a list item comes before its words.
        let mark = mark(number_before(lower, unit.range.start)).or_else(|| mark(words));
        if begins_block {
            self.current = mark.map(|(item, _)| item);
        }
        match (unit.named, self.current) {
            (Some(named), Some(item)) if !unit.bracket => {
                let known = self.tumours.entry(item).or_insert(Some(named));
                *known = known.filter(|known| *known == named);
                None
            }
            (Some(_), _) => None,
            (None, _) => {
                mark.filter(|(_, refers)| *refers).and_then(|(item, _)| self.tumours.get(&item).copied().flatten())
            }
        }
    }
}

/// Returns the text before a unit in its line, if it is short.
fn number_before(lower: &str, at: usize) -> &str {
    const LONGEST: usize = 6;
    let from = (at.saturating_sub(LONGEST)..=at).find(|from| lower.is_char_boundary(*from)).unwrap_or(at);
    let before = lower.get(from..at).unwrap_or_default();
    let line = before.rsplit_once('\n').map(|(_, line)| line);
    line.or((from == 0).then_some(before)).unwrap_or_default()
}

/// Returns the letter or the digit with which words begin, and whether they refer to an item and do not begin one: "A.
/// ", "(2) ", "tumour 1: ", "b5: ".
fn mark(words: &str) -> Option<(char, bool)> {
    let words = words.trim_start();
    let noun = NOUNS.iter().find_map(|noun| words.strip_prefix(noun));
    let rest = noun.unwrap_or(words);
    let rest = rest.strip_prefix(['(', '#']).unwrap_or(rest);
    let mut chars = rest.chars();
    let item = chars.next().filter(|c| c.is_ascii_digit() || ('a'..='h').contains(c))?;
    let rest = chars.as_str();
    let block = if item.is_ascii_digit() { "" } else { rest.get(..digits(rest)).unwrap_or_default() };
    let after = rest.get(block.len()..).unwrap_or_default();
    let measured = [" cm", " mm", " x ", " of "].iter().any(|unit| after.starts_with(unit));
    let named = noun.is_some() && after.starts_with(' ') && !measured;
    let closes = after.starts_with([':', ')']) || after.starts_with(". ") || named;
    closes.then_some((item, noun.is_some() || !block.is_empty() || after.starts_with(':')))
}

fn digits(words: &str) -> usize {
    words.bytes().take(2).take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_items_are_read() {
        for (words, expected) in [
            ("a. uterus", Some(('a', false))),
            ("(2) gist", Some(('2', false))),
            ("b5: arid1a", Some(('b', true))),
            ("block a3: er 95%", Some(('a', true))),
            ("tumour 1: colon", Some(('1', true))),
            ("tumor 2 is stable", Some(('2', true))),
            ("tumor 2 cm in size", None),
            ("a lesion", None),
            ("12.3 cm", None),
            ("er: negative", None),
            ("tumour board", None),
        ] {
            assert_eq!(mark(words), expected, "{words}");
        }
    }
}
