//! Writes characters that look alike in one way: dashes, quotes, blanks, line ends, full-width letters, ligatures,
//! Roman numerals, subscripts, superscripts and single Greek letters.
//!
//! Only characters of the tables below change. Unicode's compatibility forms are not used as a whole: they would turn
//! "№" into "No", which denies, and "10⁹" into "109".

use super::rewrite::Rewrite;

/// Returns whether it is a hyphen, an en dash or a minus sign. An em dash separates clauses and is not one of them.
pub(in crate::extraction) fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '\u{2010}'..='\u{2013}' | '\u{2043}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}')
}

/// Returns whether it is an apostrophe or a single quotation mark.
pub(in crate::extraction) fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2018}'..='\u{201b}' | '\u{2bc}' | '\u{ff07}')
}

/// The names of Greek letters in names of genes, markers and drugs. Mu is missing, because it occurs in units.
const GREEK: [(char, &str); 9] = [
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('ε', "epsilon"),
    ('ζ', "zeta"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('σ', "sigma"),
];
/// U+2160 to U+216F; the small numerals follow in the same order.
const ROMAN: [&str; 16] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "L", "C", "D", "M"];
/// U+FB00 to U+FB06.
const LIGATURES: [&str; 7] = ["ff", "fi", "fl", "ffi", "ffl", "st", "st"];
/// A raised digit after a word of more letters is a mark of a footnote and not part of the word. The longest unit or
/// category with a raised digit ("cm³", "mm²", "T²") has two letters.
const MOST_LETTERS_WITH_DIGIT: usize = 2;

/// Returns the text with characters that look alike written in one way; `None` if it is written so already.
pub(super) fn unify(text: &str) -> Option<Rewrite> {
    if !text.bytes().any(|byte| !byte.is_ascii() || matches!(byte, b'\r' | b'\x0b' | b'\x0c')) {
        return None;
    }
    let (mut made, mut copied) = (Rewrite::default(), 0);
    let mut characters = text.char_indices().peekable();
    // The last two characters, and the number of ASCII letters that end here.
    let (mut before, mut letters) = ([None; 2], 0_usize);
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|&(_, next)| next);
        let plain = if character.is_ascii() && character != '\r' && !matches!(character, '\x0b' | '\x0c') {
            None
        } else {
            plain(character, before[0], next, letters)
        };
        if let Some(plain) = plain {
            let range = at..at + character.len_utf8();
            made.copy(text, copied..at);
            copied = range.end;
            plain.write(&mut made, &range);
        }
        letters = if character.is_ascii_alphabetic() { letters + 1 } else { 0 };
        before = [Some(character), before[0]];
    }
    if copied == 0 {
        return None;
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// What replaces a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replacement {
    Character(char),
    Text(&'static str),
    /// A name between hyphens where letters or digits touch it: `TGFβ` becomes `TGF-beta`.
    Name {
        name: &'static str,
        touches_before: bool,
        touches_after: bool,
    },
}

impl Replacement {
    fn write(self, made: &mut Rewrite, from: &std::ops::Range<usize>) {
        let mut put = |character| made.put(character, from.clone());
        match self {
            Self::Character(character) => put(character),
            Self::Text(text) => text.chars().for_each(put),
            Self::Name { name, touches_before, touches_after } => {
                if touches_before {
                    put('-');
                }
                name.chars().for_each(&mut put);
                if touches_after {
                    put('-');
                }
            }
        }
    }
}

/// Returns what replaces a character between two others; `None` if it stays. `letters` counts the ASCII
/// letters right before it.
fn plain(character: char, before: Option<char>, next: Option<char>, letters: usize) -> Option<Replacement> {
    let offset = |first: u32| usize::try_from(u32::from(character).checked_sub(first)?).ok();
    let ascii =
        |distance: u32| u32::from(character).checked_sub(distance).and_then(char::from_u32).map(Replacement::Character);
    match character {
        '\r' => (before != Some('\r') && !matches!(next, Some('\r' | '\n'))).then_some(Replacement::Character('\n')),
        // A page end beside a line end stays: it adds no line end of its own.
        '\x0c' if before == Some('\n') || matches!(next, Some('\r' | '\n')) => None,
        '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' => Some(Replacement::Character('\n')),
        '\u{2029}' => Some(Replacement::Text("\n\n")),
        blank if blank.is_whitespace() => Some(Replacement::Character(' ')),
        hyphen if is_hyphen(hyphen) => Some(Replacement::Character('-')),
        quote if is_apostrophe(quote) => Some(Replacement::Character('\'')),
        '\u{201c}'..='\u{201f}' => Some(Replacement::Character('"')),
        '\u{ff01}'..='\u{ff5e}' => ascii(0xfee0),
        '\u{fb00}'..='\u{fb06}' => LIGATURES.get(offset(0xfb00)?).map(|text| Replacement::Text(text)),
        '\u{2160}'..='\u{216f}' => ROMAN.get(offset(0x2160)?).map(|text| Replacement::Text(text)),
        '\u{2170}'..='\u{217f}' => ROMAN.get(offset(0x2170)?).map(|text| Replacement::Text(text)),
        '\u{2080}'..='\u{2089}' => ascii(0x2080 - 0x30),
        '\u{208a}' => Some(Replacement::Character('+')),
        '\u{208b}' => Some(Replacement::Character('-')),
        '\u{207a}' | '\u{207b}' if next.is_none_or(|next| raised_digit(next).is_none()) => {
            Some(Replacement::Character(if character == '\u{207a}' { '+' } else { '-' }))
        }
        raised if raised_digit(raised).is_some() => {
            let power = before.is_some_and(|before| {
                before.is_ascii_digit() || matches!(before, '\u{207a}' | '\u{207b}') || raised_digit(before).is_some()
            });
            match letters {
                _ if power => None,
                1..=MOST_LETTERS_WITH_DIGIT => raised_digit(raised).map(Replacement::Character),
                0 => None,
                _ => Some(Replacement::Character(' ')),
            }
        }
        _ => {
            let (_, name) = GREEK.iter().find(|(letter, _)| *letter == character)?;
            let is_greek = |side: Option<char>| side.is_some_and(|side| matches!(side, '\u{370}'..='\u{3ff}'));
            let touches = |side: Option<char>| side.is_some_and(|side| side.is_ascii_alphanumeric());
            let (touches_before, touches_after) = (touches(before), touches(next));
            (!is_greek(before) && !is_greek(next)).then_some(Replacement::Name { name, touches_before, touches_after })
        }
    }
}

/// Returns the digit of a superscript.
fn raised_digit(character: char) -> Option<char> {
    match character {
        '\u{b9}' => Some('1'),
        '\u{b2}' => Some('2'),
        '\u{b3}' => Some('3'),
        '\u{2070}' | '\u{2074}'..='\u{2079}' => {
            u32::from(character).checked_sub(0x2070).and_then(|digit| char::from_digit(digit, 10))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_look_alike_are_written_alike() {
        for (text, expected) in [
            ("HER2\u{2011}positive, T4 \u{2013} N1", "HER2-positive, T4 - N1"),
            ("Crohn\u{2019}s \u{201c}mass\u{201d}", "Crohn's \"mass\""),
            ("PD\u{2010}L1\u{a0}60\u{202f}%", "PD-L1 60 %"),
            ("ＥＧＦＲ\u{3000}Ｌ８５８Ｒ：ｐｏｓ", "EGFR L858R:pos"),
            ("stage \u{2163}B, \u{2172}", "stage IVB, III"),
            ("T\u{2082}N\u{2081}M\u{2080}", "T2N1M0"),
            ("T\u{b2} 3 cm\u{b3}", "T2 3 cm3"),
            ("in\u{fb01}ltrating", "infiltrating"),
            ("ER\u{207a} PR\u{207b}", "ER+ PR-"),
            ("one\u{2028}two\u{85}three\u{b}four\u{c}five\rsix\r\nseven", "one\ntwo\nthree\nfour\nfive\nsix\r\nseven"),
            ("one\u{2029}two", "one\n\ntwo"),
            ("TGF\u{3b2} \u{3b1}-fetoprotein IFN-\u{3b1} \u{3b2}HCG", "TGF-beta alpha-fetoprotein IFN-alpha beta-HCG"),
            ("carcinoma\u{b9} of the lung", "carcinoma  of the lung"),
        ] {
            assert_eq!(unify(text).unwrap().text(), expected, "{text:?}");
        }
    }

    #[test]
    fn characters_with_a_meaning_of_their_own_stay() {
        for text in [
            "10\u{2079}/l",
            "10\u{207b}\u{b3}",
            "\u{2116} 3",
            "Herceptin\u{2122}",
            "\u{bd} tablet",
            "5 \u{b5}g",
            "5 \u{3bc}g",
            "caf\u{e9}",
            "\u{3b1}\u{3b2}\u{3b3}",
            "one\u{2014}two",
            "line\r\nline\r\r\nline",
            "page\n\u{c}page\u{c}\r\n",
            "\u{2265} 50 %",
        ] {
            assert!(unify(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn each_character_keeps_its_source() {
        let text = "é TGF\u{3b2}, \u{2163}";
        let (made, from) = unify(text).unwrap().into_parts();
        let at = made.find("-beta").unwrap();
        assert!((at..at + 5).all(|byte| text.get(from[byte].0..from[byte].1) == Some("\u{3b2}")));
        let at = made.find("IV").unwrap();
        assert_eq!(text.get(from[at].0..from[at + 1].1), Some("\u{2163}"));
    }
}
