//! Reads RTF and the escapes of HL7 text segments as the text that they show.

use std::ops::Range;

use super::rewrite::Rewrite;

/// Groups of an RTF document that show no text.
const HIDDEN: [&str; 9] =
    ["fonttbl", "colortbl", "stylesheet", "info", "pict", "listtable", "listoverridetable", "generator", "themedata"];
/// The characters of Windows-1252 from 0x80 to 0x9F; a space where it has none.
const WINDOWS_1252: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// Returns the shown text of an RTF document or of HL7 text; `None` for other text.
pub(super) fn decode(text: &str) -> Option<Rewrite> {
    if text.trim_start().starts_with("{\\rtf") {
        return rtf(text);
    }
    text.contains("\\.br\\").then(|| hl7(text))
}

fn hl7(text: &str) -> Rewrite {
    const ESCAPES: [(&str, &str); 9] = [
        ("\\.br\\", "\n"),
        ("\\.sp\\", "\n"),
        ("\\T\\", "&"),
        ("\\F\\", "|"),
        ("\\S\\", "^"),
        ("\\R\\", "~"),
        ("\\E\\", "\\"),
        ("\\H\\", ""),
        ("\\N\\", ""),
    ];
    let (mut made, mut copied, mut at) = (Rewrite::default(), 0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest.as_bytes())) {
        let start = at + found;
        let rest = text.get(start..).unwrap_or_default();
        let Some((escape, shown)) = ESCAPES.iter().find(|(escape, _)| rest.starts_with(escape)) else {
            at = start + 1;
            continue;
        };
        at = start + escape.len();
        made.copy(text, copied..start);
        shown.chars().for_each(|character| made.put(character, start..at));
        copied = at;
    }
    made.copy(text, copied..text.len());
    made
}

/// Returns `None` if a group that shows no text never closes: it would hide the rest of the note.
fn rtf(text: &str) -> Option<Rewrite> {
    let mut made = Rewrite::default();
    let mut at = 0;
    // The depth of braces, and the depth of the outermost group that is not shown.
    let (mut depth, mut hidden) = (0_usize, None::<usize>);
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let start = at;
        at += character.len_utf8();
        match character {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                hidden = hidden.filter(|&outer| outer <= depth);
            }
            '\r' | '\n' => {}
            '\\' => {
                let control = Control::at(text, at);
                at = control.end;
                if control.hides_group() {
                    hidden = hidden.or(Some(depth));
                } else if hidden.is_none() {
                    control.shown().chars().for_each(|shown| made.put(shown, start..at));
                }
            }
            shown if hidden.is_none() => made.put(shown, start..at),
            _ => {}
        }
    }
    hidden.is_none().then_some(made)
}

/// A control word or symbol, without its backslash.
struct Control<'text> {
    word: &'text str,
    number: Option<i32>,
    /// One past it, with the blank or the substitute character that belongs to it.
    end: usize,
}

impl<'text> Control<'text> {
    fn at(text: &'text str, start: usize) -> Self {
        let rest = text.get(start..).unwrap_or_default();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if letters == 0 {
            return Self::symbol(text, start, rest);
        }
        let word = rest.get(..letters).unwrap_or_default();
        let digits = rest.get(letters..).unwrap_or_default();
        let sign = usize::from(digits.starts_with('-'));
        let length = sign + digits.bytes().skip(sign).take_while(u8::is_ascii_digit).take(6).count();
        let number = digits.get(..length).and_then(|digits| digits.parse().ok());
        let mut end = start + letters + if number.is_some() { length } else { 0 };
        let next = text.get(end..).unwrap_or_default();
        if next.starts_with(' ') {
            end += 1;
        }
        // A Unicode character is followed by a substitute for programs that do not know it.
        if word == "u" && number.is_some() {
            let next = text.get(end..).unwrap_or_default();
            if next.starts_with("\\'") {
                end = (end + 4).min(text.len());
            } else if next.starts_with('?') {
                end += 1;
            }
        }
        Self { word, number, end }
    }

    fn symbol(text: &'text str, start: usize, rest: &'text str) -> Self {
        let length = rest.chars().next().map_or(0, char::len_utf8);
        let word = rest.get(..length).unwrap_or_default();
        let digits: Range<usize> = start + 1..start + 3;
        match text.get(digits.clone()).and_then(|digits| i32::from_str_radix(digits, 16).ok()) {
            Some(code) if word == "'" => Self { word, number: Some(code), end: digits.end },
            _ => Self { word, number: None, end: start + length },
        }
    }

    fn hides_group(&self) -> bool {
        self.word == "*" || HIDDEN.contains(&self.word)
    }

    /// Returns the text that it shows.
    fn shown(&self) -> String {
        let unicode =
            |code: i32| u32::try_from(if code < 0 { code + 0x1_0000 } else { code }).ok().and_then(char::from_u32);
        match (self.word, self.number) {
            ("par" | "line" | "row" | "page" | "sect" | "\n" | "\r", _) => "\n".to_owned(),
            ("tab" | "cell", _) => "\t".to_owned(),
            ("~", _) => " ".to_owned(),
            ("emdash", _) => "\u{2014}".to_owned(),
            ("_" | "endash", _) => "-".to_owned(),
            ("bullet", _) => "\u{2022}".to_owned(),
            ("lquote" | "rquote", _) => "'".to_owned(),
            ("{" | "}" | "\\", _) => self.word.to_owned(),
            ("'", Some(code @ 0x80..=0x9f)) => usize::try_from(code - 0x80)
                .ok()
                .and_then(|at| WINDOWS_1252.chars().nth(at))
                .map(String::from)
                .unwrap_or_default(),
            ("'" | "u", Some(code)) => unicode(code).map(String::from).unwrap_or_default(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_words_are_read_as_what_they_show() {
        for (text, expected) in [
            (
                r"{\rtf1\ansi\pard Stage\~IIIB\par\b colon cancer\b0\par\tab FOLFOX\i0\par}",
                "Stage IIIB\ncolon cancer\n\tFOLFOX\n",
            ),
            (r"{\rtf1{\fonttbl{\f0 Arial;}}{\*\generator Word;}Lung\cell liver\row}", "Lung\tliver\n"),
            (r"{\rtf1 ad\'e9nocarcinome \'96 caf\u233?\_1 \{x\}}", "adénocarcinome – café-1 {x}"),
            (r"Stage IIIB\.br\colon cancer\.br\p53 \T\ KRAS\F\x", "Stage IIIB\ncolon cancer\np53 & KRAS|x"),
            (r"{\rtf1 end\", "end"),
            (r"{\rtf1 \'", ""),
            (r"{\rtf1 \u", ""),
        ] {
            assert_eq!(decode(text).unwrap().text(), expected, "{text}");
        }
        for text in ["C:\\notes\\br", "a {b}", "5\\.5", "", r"{\rtf1 open {\fonttbl never closed"] {
            assert!(decode(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_byte_keeps_its_source() {
        let text = r"{\rtf1 caf\'e9\par}";
        let (made, from) = decode(text).unwrap().into_parts();
        let at = made.find('é').unwrap();
        assert_eq!(text.get(from[at].0..from[at].1), Some(r"\'e9"));
        assert_eq!(from.len(), made.len());
    }
}
