//! The marks that divide a message, its fields, and its escapes.

use super::charset::Charset;

/// The characters that divide the fields of a message, from its first eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) field: char,
    pub(super) component: char,
    pub(super) repetition: char,
    /// `None` if the message has no escapes.
    pub(super) escape: Option<char>,
    pub(super) subcomponent: Option<char>,
}

impl Marks {
    /// Returns the marks of the segment MSH; `None` if it does not name them.
    pub(super) fn of(header: &[u8]) -> Option<Self> {
        if !super::segments::starts_message(header) {
            return None;
        }
        let mark = |at: usize| header.get(at).copied().map(char::from);
        let field = mark(3)?;
        let other = |at: usize| mark(at).filter(|_| header.get(4..=at).is_some_and(|to| !to.contains(&(field as u8))));
        Some(Self { field, component: other(4)?, repetition: other(5)?, escape: other(6), subcomponent: other(7) })
    }

    /// Returns a field of a segment by its number; empty if the segment is shorter. MSH-1 is the mark itself.
    pub(super) fn field<'a>(&self, segment: &'a str, number: usize) -> &'a str {
        let at = if segment.starts_with("MSH") { number.saturating_sub(1) } else { number };
        segment.split(self.field).nth(at).unwrap_or_default()
    }

    /// Returns a component of a repetition by its number, with its escapes as they are.
    pub(super) fn component<'a>(&self, repetition: &'a str, number: usize) -> &'a str {
        repetition.split(self.component).nth(number.saturating_sub(1)).unwrap_or_default()
    }

    /// Returns the repetitions of a field.
    pub(super) fn repetitions<'a>(&self, field: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        field.split(self.repetition)
    }

    /// Returns what a text with escapes shows; `None` if an escape switches to another character set.
    pub(super) fn shown(&self, text: &str, charset: Charset) -> Option<String> {
        let Some(mark) = self.escape else { return Some(text.to_owned()) };
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(mark) {
            shown.push_str(before);
            rest = match after.split_once(mark) {
                Some((escape, behind)) if self.decode(escape, charset, &mut shown)? => behind,
                // A mark that does not begin an escape is text.
                _ => {
                    shown.push(mark);
                    after
                }
            };
        }
        shown.push_str(rest);
        Some(shown)
    }

    /// Adds what an escape shows and returns true; false if there is no such escape, `None` if it cannot be decoded.
    fn decode(&self, escape: &str, charset: Charset, shown: &mut String) -> Option<bool> {
        let own = match escape {
            "F" => Some(self.field),
            "S" => Some(self.component),
            "R" => Some(self.repetition),
            "E" => self.escape,
            "T" => self.subcomponent.or(Some('&')),
            _ => None,
        };
        if let Some(own) = own {
            shown.push(own);
            return Some(true);
        }
        if matches!(escape, "H" | "N") {
            return Some(true);
        }
        if let Some(command) = escape.strip_prefix('.') {
            return Some(format_command(command, shown));
        }
        let (kind, digits) = (escape.chars().next(), escape.get(1..).unwrap_or_default());
        let is_hex = !digits.is_empty() && digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match kind {
            Some('X') if is_hex => {
                let bytes = hex(digits);
                let text = charset.text(&bytes)?;
                // A carriage return is a line end here, alone or before a line feed.
                shown.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
                Some(true)
            }
            Some('C') if is_hex && digits.len() == 4 => None,
            Some('M') if is_hex && (digits.len() == 4 || digits.len() == 6) => None,
            _ => Some(false),
        }
    }
}

/// Adds what a formatting command shows; false if it is not a formatting command.
fn format_command(command: &str, shown: &mut String) -> bool {
    let digits = command.get(2..).unwrap_or_default();
    let unsigned = digits.trim_start_matches(['+', '-']);
    if unsigned.len() > 2 || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let number = unsigned.parse::<usize>().unwrap_or(1);
    match command.get(..2) {
        Some("br" | "ce") => shown.push('\n'),
        Some("sp") => shown.extend(std::iter::repeat_n('\n', number.max(1))),
        Some("sk") => shown.extend(std::iter::repeat_n(' ', number)),
        Some("fi" | "nf" | "in" | "ti") => {}
        _ => return false,
    }
    true
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
