//! One component of a formula: its prefix, its letter, its degree and the text in brackets after it.

use std::ops::Range;

/// What a component is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TnmLetter {
    Tumour,
    Nodes,
    Metastasis,
}

/// One component, such as `ypN1a (sn)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) letter: TnmLetter,
    pub(super) range: Range<usize>,
    /// Lower case, such as `yp`.
    prefix: String,
    /// `0` to `4`, `x` or `is`.
    degree: String,
    /// Lower case: `a`, `mi`, `1`.
    suffix: String,
    /// With its brackets, such as `(sn)`; empty where there is none.
    bracket: String,
    /// Whether the degree was written as a letter, `NO`.
    pub(super) misread: bool,
    /// Whether a space is between letter and degree, `pT 2`: in other texts "at 3" and "pt 2" are words.
    spaced: bool,
}

/// Prefixes are the TNM classifications: clinical, pathological, after therapy, recurrent, autopsy, multiple, by
/// ultrasound; `mr`: by magnetic resonance.
const PREFIXES: &[u8] = b"cpyramu";
const LONGEST_PREFIX: usize = 3;
/// The letters with which a component may begin, as bits.
const INITIALS: u32 = bits(PREFIXES) | bits(b"tnm");
/// The longest qualifier in brackets that belongs to a component: `(i+)`, `(sn)`, `(mol-)`, `(DCIS)`.
const LONGEST_BRACKET: usize = 8;

impl Component {
    /// The degree as a number; `None` for `X`, and 0 for a tumour in situ.
    pub(super) fn degree(&self) -> Option<u8> {
        match &*self.degree {
            "is" => Some(0),
            degree => degree.parse().ok(),
        }
    }

    pub(super) fn is_in_situ(&self) -> bool {
        self.degree == "is"
    }

    /// The first letter of the suffix: `a` of `T4a`.
    pub(super) fn sub(&self) -> Option<char> {
        self.suffix.chars().next()
    }

    pub(super) fn has_suffix(&self, suffix: &str) -> bool {
        self.suffix == suffix
    }

    pub(super) fn is_pathological(&self) -> bool {
        self.prefix.contains('p')
    }

    /// Returns whether this component says all that the other one says, which may lack the prefix and the qualifier.
    pub(super) fn says(&self, other: &Self) -> bool {
        (self.letter, &self.degree, &self.suffix) == (other.letter, &other.degree, &other.suffix)
            && (other.prefix.is_empty() || self.prefix == other.prefix)
            && (other.bracket.is_empty() || self.bracket.eq_ignore_ascii_case(&other.bracket))
    }

    /// Returns whether a tumour component needs no nodes to be one: `pT2` and `cT2`, but not `T2`, nor `AT3`
    /// (antithrombin), `rT3` (a hormone) or "pt 2 days after".
    pub(super) fn stands_alone(&self) -> bool {
        !self.spaced && self.prefix.contains(['p', 'c', 'y'])
    }

    pub(super) fn has_prefix(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// Returns whether it may also be an English word or a unit: `no`, `mo`.
    pub(super) fn is_a_word(&self) -> bool {
        self.misread && self.prefix.is_empty()
    }

    /// Returns whether the text after it does not continue a sentence.
    pub(super) fn is_closed(&self, text: &str) -> bool {
        if !self.bracket.is_empty() {
            return true;
        }
        let rest = text.get(self.range.end..).unwrap_or_default().trim_start_matches([' ', ',', '/']);
        let next = rest.bytes().next();
        let metastasis = next.is_some_and(|next| next.eq_ignore_ascii_case(&b'm'))
            && component_at(rest, 0).is_some_and(|next| next.letter == TnmLetter::Metastasis);
        metastasis || next.is_none_or(|next| matches!(next, b'.' | b';' | b')' | b'\n' | b'\r'))
    }

    pub(super) fn to_text(&self) -> String {
        let space = if self.bracket.is_empty() { "" } else { " " };
        format!("{}{}{space}{}", self.prefix, self.letter_and_degree(), self.bracket)
    }

    /// Letter, degree and suffix: `N1a`.
    fn letter_and_degree(&self) -> String {
        let letter = match self.letter {
            TnmLetter::Tumour => 'T',
            TnmLetter::Nodes => 'N',
            TnmLetter::Metastasis => 'M',
        };
        let degree = if self.degree == "x" { "X" } else { &self.degree };
        format!("{letter}{degree}{}", self.suffix)
    }

    /// The prefix in lower case; empty where there is none.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The component without its brackets, and without its prefix if that is this one: `N1a` of `ypN1a (sn)`.
    pub(super) fn without_prefix(&self, prefix: &str) -> String {
        let own = if self.prefix == prefix { "" } else { &*self.prefix };
        format!("{own}{}", self.letter_and_degree())
    }

    /// The text in the brackets; `None` where there are none.
    pub(super) fn in_brackets(&self) -> Option<&str> {
        let inner = self.bracket.trim_matches(['(', ')']).trim();
        (!inner.is_empty()).then_some(inner)
    }
}

/// Finds all components of a text, in order. "Pn" is perineural invasion, unless the text writes all prefixes so.
pub(super) fn components(text: &str) -> impl Iterator<Item = Component> {
    let bytes = text.as_bytes();
    let perineural = !text.contains("Pt");
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            // A component begins a word, or follows another: `T2N0M0`. Half of the words begin with another letter.
            let may_begin = bytes.get(at).is_some_and(|&byte| may_begin(byte));
            let begins = || {
                at == 0 || bytes.get(at - 1).is_none_or(|before| !before.is_ascii_alphanumeric() && before.is_ascii())
            };
            let start = at;
            let of_nerves = perineural && bytes.get(start..).is_some_and(|rest| rest.starts_with(b"Pn"));
            if may_begin
                && begins()
                && !of_nerves
                && let Some(found) = component_at(text, start)
            {
                at = found.range.end;
                return Some(found);
            }
            at += 1;
        }
        None
    })
    .flat_map(move |first| RunTogether { text, next: Some(first) })
}

/// The components that follow one another without a gap.
struct RunTogether<'text> {
    text: &'text str,
    next: Option<Component>,
}

impl Iterator for RunTogether<'_> {
    type Item = Component;

    fn next(&mut self) -> Option<Component> {
        let component = self.next.take()?;
        self.next = component_at(self.text, component.range.end);
        Some(component)
    }
}

/// Returns whether a component may begin with a byte.
const fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphabetic() && (INITIALS >> (byte.to_ascii_lowercase() - b'a')) & 1 == 1
}

/// Returns letters as bits, `a` as the lowest.
const fn bits(mut letters: &[u8]) -> u32 {
    let mut bits = 0;
    while let [letter, rest @ ..] = letters {
        bits |= 1 << (*letter - b'a');
        letters = rest;
    }
    bits
}

/// Reads the component that begins at an offset.
fn component_at(text: &str, start: usize) -> Option<Component> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).map(u8::to_ascii_lowercase);
    let mut at = start;
    while at - start < LONGEST_PREFIX && byte(at).is_some_and(|byte| PREFIXES.contains(&byte)) {
        // The `m` of `M0` is a letter, and not a prefix.
        if byte(at) == Some(b'm') && !matches!(byte(at + 1), Some(b't' | b'n' | b'p' | b'y' | b'r')) {
            break;
        }
        at += 1;
    }
    let prefix = start..at;
    let letter = match byte(at)? {
        b't' => TnmLetter::Tumour,
        b'n' => TnmLetter::Nodes,
        b'm' => TnmLetter::Metastasis,
        _ => return None,
    };
    at += 1;
    // "pT 2", and with the letter in brackets or a colon: "pT: 2" would be a label.
    let spaced = !prefix.is_empty() && byte(at) == Some(b' ') && byte(at + 1).is_some_and(|next| next.is_ascii_digit());
    at += usize::from(spaced);
    let (degree, misread, length) = degree(letter, byte(at)?, byte(at + 1))?;
    at += length;
    let suffix_start = at;
    match (byte(at), byte(at + 1)) {
        (Some(b'm'), Some(b'i')) => at += 2,
        (Some(b'a'..=b'd'), _) if degree != "x" && degree != "is" => {
            at += 1;
            if matches!(byte(at), Some(b'1' | b'2')) {
                at += 1;
            }
        }
        _ => {}
    }
    let suffix = lower(text, suffix_start..at);
    // After it the word ends, or the next component begins.
    let next_letter = matches!(byte(at), Some(b'n' | b'm' | b'p' | b'c' | b'y' | b't'));
    if byte(at).is_some_and(|next| next.is_ascii_alphanumeric())
        && !(next_letter && component_at(text, at).is_some_and(|next| next.letter as u8 > letter as u8))
    {
        return None;
    }
    let (bracket, end) = bracket(text, at);
    // Copied last, because most words that begin like a component are not components.
    let prefix = lower(text, prefix);
    Some(Component { letter, range: start..end, prefix, degree, suffix, bracket, misread, spaced })
}

/// The degree that these characters write, whether it is misread, and how many characters it has.
fn degree(letter: TnmLetter, first: u8, second: Option<u8>) -> Option<(String, bool, usize)> {
    let most = match letter {
        TnmLetter::Tumour => b'4',
        TnmLetter::Nodes => b'3',
        TnmLetter::Metastasis => b'1',
    };
    Some(match (letter, first) {
        (_, digit @ b'0'..=b'4') if digit <= most => (char::from(digit).to_string(), false, 1),
        (_, b'x') => ("x".to_owned(), false, 1),
        (TnmLetter::Tumour, b'i') if second == Some(b's') => ("is".to_owned(), false, 2),
        (TnmLetter::Tumour, b'l') if matches!(second, Some(b'a'..=b'd')) => ("1".to_owned(), true, 1),
        (TnmLetter::Nodes | TnmLetter::Metastasis, b'o') => ("0".to_owned(), true, 1),
        _ => return None,
    })
}

/// The qualifier in brackets after a component, and where it ends.
fn bracket(text: &str, at: usize) -> (String, usize) {
    let none = (String::new(), at);
    let Some(rest) = text.get(at..) else { return none };
    let open = rest.trim_start_matches(' ');
    let spaces = rest.len() - open.len();
    let Some(inner) = open.strip_prefix('(').filter(|_| spaces <= 1) else { return none };
    let Some(end) = inner.bytes().take(LONGEST_BRACKET).position(|byte| byte == b')') else { return none };
    let words = inner.get(..end).unwrap_or_default();
    let qualifies = words.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-')) && {
        let first = words.bytes().next();
        // "(mi)", "(sn)", "(i+)", "(m)", "(2)", "(f)", "(is)", "(mol+)"; not "(see)" or "(AJCC)".
        let folded = words.to_ascii_lowercase();
        first.is_some_and(|first| first.is_ascii_digit())
            || matches!(
                folded.trim_end_matches(['+', '-']),
                "mi" | "sn" | "i" | "m" | "f" | "is" | "mol" | "dcis" | "lcis" | "r1" | "r2"
            )
    };
    if qualifies { (format!("({words})"), at + spaces + end + 2) } else { none }
}

fn lower(text: &str, range: Range<usize>) -> String {
    text.get(range).unwrap_or_default().to_ascii_lowercase()
}
