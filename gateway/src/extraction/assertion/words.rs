//! The words and marks of a note, and the note in the one spelling that cues are written in.
//!
//! The folded text is lower case, has one space for any white space, a space for a hyphen inside a
//! compound, and no line ends, so that "No\r\n  evidence of" is "no evidence of". Offsets always go
//! back to the note as it is; the folded text is never shown to anyone.

use std::ops::Range;

/// What a word or a punctuation mark does to the scope of a cue that runs into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ScopeMark {
    /// Nothing.
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
    /// `;` and words such as "but": nothing reaches past it.
    End,
    /// A word that opens a new statement: "showed", "stable".
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
    /// A cue that says a treatment was given: what stands before it no longer governs.
    Given,
    /// A noun that completes a list item: "metastases", "involvement".
    Head,
    /// The same for genes: "mutation", "fusion".
    GeneHead,
    /// A noun for what a disease does: "progression". Absence of it is not absence of the disease.
    Reaction,
    /// A word that makes a positive result: "positive", "amplified".
    Positive,
    /// A cue that speaks of what stands before it.
    Result,
}

/// A word, or a punctuation mark that matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// Place in the note.
    pub(super) start: usize,
    /// One past its last byte in the note.
    pub(super) end: usize,
    /// Place in the folded text.
    pub(super) folded_start: usize,
    /// One past its last byte in the folded text.
    pub(super) folded_end: usize,
    /// What it does to scopes.
    pub(super) mark: ScopeMark,
    /// Whether it is the first of its sentence.
    pub(super) opens: bool,
}

/// A folded text and its words.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) text: Vec<u8>,
    pub(super) words: Vec<Word>,
}

/// Folds a text.
pub(super) fn fold(text: &str) -> Folded {
    let mut folder = Folder {
        out: Folded { text: Vec::with_capacity(text.len()), words: Vec::with_capacity(text.len() / 5) },
        in_word: false,
        space: false,
        number: false,
    };
    let mut after = 0;
    while let Some(character) = text.get(after..).and_then(|rest| rest.chars().next()) {
        let at = after;
        let run = ascii_letters(text, at);
        if !run.is_empty() {
            folder.letters(at, run);
            after += run.len();
            continue;
        }
        after += character.len_utf8();
        let next = || text.get(after..).and_then(|rest| rest.chars().next());
        match character {
            '0'..='9' => folder.letter(at, character, character),
            ' ' | '\n' | '\t' | '\r' => folder.gap(),
            '.' | '/' | '%' | '!' | '<' | '>' | '=' => folder.plain(character),
            ',' if !(folder.number && folder.in_word && next().is_some_and(|next| next.is_ascii_digit())) => {
                folder.mark(at, character, ',', ScopeMark::Comma);
            }
            ':' if !(folder.number && folder.in_word && next().is_some_and(|next| next.is_ascii_digit())) => {
                folder.mark(at, character, ':', ScopeMark::Colon);
            }
            ';' => folder.mark(at, character, ';', ScopeMark::End),
            '(' | '[' => folder.mark(at, character, '(', ScopeMark::Open),
            ')' | ']' => folder.mark(at, character, ')', ScopeMark::Close),
            '&' => folder.mark(at, character, '&', ScopeMark::And),
            '?' => folder.mark(at, character, '?', ScopeMark::Plain),
            '\'' | '’' => folder.plain('\''),
            '-' | '\u{2010}'..='\u{2013}' | '\u{2212}' => {
                let follows = next();
                if folder.in_word && follows.is_some_and(char::is_alphanumeric) {
                    folder.gap();
                } else if !folder.in_word && follows.is_none_or(char::is_whitespace) {
                    folder.mark(at, character, '-', ScopeMark::Dash);
                } else {
                    folder.plain('-');
                }
            }
            '—' | '―' => folder.mark(at, character, '-', ScopeMark::Dash),
            // Zero-width characters and soft hyphens are not there for a reader.
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            other if other.is_alphanumeric() => folder.letter(at, other, other),
            other if other.is_whitespace() => folder.gap(),
            other => folder.plain(other),
        }
    }
    folder.out
}

/// The ASCII letters from this place on: most of any note, and taken together.
pub(in crate::extraction) fn ascii_letters(text: &str, at: usize) -> &str {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let count = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    text.get(at..at + count).unwrap_or_default()
}

struct Folder {
    out: Folded,
    in_word: bool,
    space: bool,
    number: bool,
}

impl Folder {
    /// White space before what comes, if there was any.
    fn open(&mut self) {
        if self.space && !self.out.text.is_empty() {
            self.out.text.push(b' ');
        }
        self.space = false;
    }

    /// Takes ASCII letters.
    fn letters(&mut self, at: usize, run: &str) {
        self.open();
        let folded_start = self.out.text.len();
        self.out.text.extend(run.bytes().map(|byte| byte.to_ascii_lowercase()));
        self.word(at..at + run.len(), folded_start);
        self.number = false;
    }

    /// What was just pushed is a word, or the rest of one.
    fn word(&mut self, place: Range<usize>, folded_start: usize) {
        let (start, end, folded_end) = (place.start, place.end, self.out.text.len());
        match self.out.words.last_mut() {
            Some(word) if self.in_word => (word.end, word.folded_end) = (end, folded_end),
            _ => {
                self.out.words.push(Word {
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
        self.open();
        if character.is_ascii() {
            self.out.text.push(u8::try_from(character).unwrap_or(b' '));
        } else {
            self.out.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// Takes a character of a word, and how the folded text spells it.
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

    fn plain(&mut self, character: char) {
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
