//! Splits a note into words and marks, and folds it into the spelling of the cue lists.
//!
//! The folded text is lower case, has one space for any white space, a space for a hyphen inside a
//! compound, and no line ends: "No\r\n  evidence of" becomes "no evidence of". Each word keeps its offsets in the
//! original note; no answer contains the folded text.

use std::ops::Range;

use crate::extraction::{
    readable::{is_apostrophe, is_hyphen},
    word_runs::ascii_letters,
};

/// How a word or a punctuation mark affects a scope that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ScopeMark {
    /// No effect.
    Plain,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// A dash between spaces.
    Dash,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// `;` and words such as "but", which end every scope.
    End,
    /// A word that begins a new statement: "showed", "stable".
    Clause,
    /// "and"
    And,
    /// "or", "nor"
    Or,
    /// "in", "of", "for"
    Preposition,
    /// "with"
    With,
    /// "a", "the", "her"
    Article,
    /// A cue that says that a treatment was given, which ends the scopes of earlier cues.
    Given,
    /// A noun that completes a list item: "metastases", "involvement".
    Head,
    /// A noun that completes a list item after a gene: "mutation", "fusion".
    GeneHead,
    /// A noun for a development of the disease: "progression". Its absence is not the absence of the disease.
    Reaction,
    /// A word for a positive result: "positive", "amplified".
    Positive,
    /// A cue whose scope lies before it.
    Result,
}

/// A word, or a punctuation mark that affects scopes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScopeWord {
    /// Its first byte in the note.
    pub(super) start: usize,
    /// One past its last byte in the note.
    pub(super) end: usize,
    /// Its first byte in the folded text.
    pub(super) folded_start: usize,
    /// One past its last byte in the folded text.
    pub(super) folded_end: usize,
    /// How it affects scopes.
    pub(super) mark: ScopeMark,
    /// Whether it is the first word of its sentence.
    pub(super) opens: bool,
}

/// A folded text and its words.
#[derive(Debug, Default)]
pub(super) struct FoldedWords {
    pub(super) text: Vec<u8>,
    pub(super) words: Vec<ScopeWord>,
}

/// Returns the folded text and its words.
pub(super) fn fold(text: &str) -> FoldedWords {
    let mut folder = Folder {
        out: FoldedWords { text: Vec::with_capacity(text.len()), words: Vec::with_capacity(text.len() / 5) },
        in_word: false,
        space: false,
        number: false,
    };
    let mut after = 0;
    while let Some(&byte) = text.as_bytes().get(after) {
        let at = after;
        if byte.is_ascii_alphabetic() {
            let run = ascii_letters(text, at);
            folder.letters(at, run);
            after += run.len();
            continue;
        }
        if byte == b' ' {
            folder.gap();
            after += 1;
            continue;
        }
        let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        after += character.len_utf8();
        let next = || text.get(after..).and_then(|rest| rest.chars().next());
        match character {
            '0'..='9' => folder.letter(at, character, character),
            '\n' | '\t' | '\r' => folder.gap(),
            '.' | '/' | '%' | '!' | '<' | '>' | '=' => folder.separator(character),
            ',' if !(folder.number && folder.in_word && next().is_some_and(|next| next.is_ascii_digit())) => {
                folder.mark(at, character, ',', ScopeMark::Comma);
            }
            ':' if !(folder.number && folder.in_word && next().is_some_and(|next| next.is_ascii_digit())) => {
                folder.mark(at, character, ':', ScopeMark::Colon);
            }
            // "t(8;21)" is one change, and its semicolon does not end a scope.
            ';' if folder.number && is_translocation(text, at) => folder.separator(';'),
            ';' => folder.mark(at, character, ';', ScopeMark::End),
            '(' | '[' => folder.mark(at, character, '(', ScopeMark::Open),
            ')' | ']' => folder.mark(at, character, ')', ScopeMark::Close),
            '&' => folder.mark(at, character, '&', ScopeMark::And),
            '?' => folder.mark(at, character, '?', ScopeMark::Plain),
            quote if is_apostrophe(quote) => folder.separator('\''),
            hyphen if is_hyphen(hyphen) => {
                let follows = next();
                if folder.in_word && follows.is_some_and(char::is_alphanumeric) {
                    folder.gap();
                } else if !folder.in_word && follows.is_none_or(char::is_whitespace) && !folder.ends_in(b'/') {
                    folder.mark(at, character, '-', ScopeMark::Dash);
                } else {
                    folder.separator('-');
                }
            }
            '—' | '―' => folder.mark(at, character, '-', ScopeMark::Dash),
            // Zero-width characters and soft hyphens are dropped, because a reader does not see them.
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            other if other.is_alphanumeric() => folder.letter(at, other, other),
            other if other.is_whitespace() => folder.gap(),
            other => folder.separator(other),
        }
    }
    folder.out
}

/// Returns whether the semicolon at `at` is between two chromosomes: "t(8;21)", "der(1;7)".
fn is_translocation(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
    let next = text.as_bytes().get(at + 1);
    before.ends_with('(') && next.is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'X' | b'Y'))
}

/// Returns whether a full stop and a number follow a "no".
pub(super) fn number_follows(rest: Option<&[u8]>) -> bool {
    match rest {
        Some([b'.', b' ', digit, ..] | [b'.', digit, ..]) => digit.is_ascii_digit(),
        _ => false,
    }
}

struct Folder {
    out: FoldedWords,
    in_word: bool,
    space: bool,
    number: bool,
}

impl Folder {
    /// Writes one space if white space came before the next character.
    fn write_space(&mut self) {
        if self.space && !self.out.text.is_empty() {
            self.out.text.push(b' ');
        }
        self.space = false;
    }

    /// Adds a run of ASCII letters.
    fn letters(&mut self, at: usize, run: &str) {
        self.write_space();
        let folded_start = self.out.text.len();
        self.out.text.extend_from_slice(run.as_bytes());
        if let Some(added) = self.out.text.get_mut(folded_start..) {
            added.make_ascii_lowercase();
        }
        self.word(at..at + run.len(), folded_start);
        self.number = false;
    }

    /// Records the text that was just added as a word, or as the continuation of the current word.
    fn word(&mut self, range: Range<usize>, folded_start: usize) {
        let (start, end, folded_end) = (range.start, range.end, self.out.text.len());
        match self.out.words.last_mut() {
            Some(word) if self.in_word => (word.end, word.folded_end) = (end, folded_end),
            _ => {
                self.out.words.push(ScopeWord {
                    start,
                    end,
                    folded_start,
                    folded_end,
                    mark: ScopeMark::Plain,
                    opens: false,
                });
            }
        }
        self.in_word = true;
    }

    fn push(&mut self, character: char) {
        self.write_space();
        if character.is_ascii() {
            self.out.text.push(u8::try_from(character).unwrap_or(b' '));
        } else {
            self.out.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// Adds a character of a word; `spelled` is its spelling in the folded text.
    fn letter(&mut self, at: usize, character: char, spelled: char) {
        self.push(spelled);
        let folded_start = self.out.text.len() - spelled.len_utf8();
        self.word(at..at + character.len_utf8(), folded_start);
        self.number = character.is_ascii_digit();
    }

    fn mark(&mut self, at: usize, character: char, spelled: char, mark: ScopeMark) {
        self.in_word = false;
        self.letter(at, character, spelled);
        if let Some(word) = self.out.words.last_mut() {
            word.mark = mark;
        }
        self.in_word = false;
    }

    /// Returns whether this byte was added last: the dash of "+/-" is not a separator.
    fn ends_in(&self, byte: u8) -> bool {
        !self.space && self.out.text.last() == Some(&byte)
    }

    fn separator(&mut self, character: char) {
        self.push(character);
        self.in_word = false;
    }

    fn gap(&mut self) {
        self.space = true;
        self.in_word = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, folded: &str, words: &[&str]) {
        let found = fold(text);
        assert_eq!(String::from_utf8(found.text).unwrap(), folded);
        assert_eq!(found.words.iter().map(|word| text.get(word.start..word.end).unwrap()).collect::<Vec<_>>(), words);
    }

    #[test]
    fn folding() {
        check("No\r\n  Evidence-of", "no evidence of", &["No", "Evidence", "of"]);
        check("CEA 1,000; 3:1", "cea 1,000; 3:1", &["CEA", "1", "000", ";", "3", "1"]);
        check("EGFR: neg", "egfr: neg", &["EGFR", ":", "neg"]);
        check("didn’t", "didn't", &["didn", "t"]);
        check("été – no", "été - no", &["été", "–", "no"]);
        check("ER-, A\u{200b}LK", "er-, alk", &["ER", ",", "A\u{200b}LK"]);
    }
}
