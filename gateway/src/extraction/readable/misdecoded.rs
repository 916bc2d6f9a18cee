//! Repairs text whose UTF-8 was read as Windows-1252: "â‰¥50%" is "≥50%", "HER2â€“negative" is "HER2–negative".
//!
//! A sequence is repaired only if its characters are the bytes of one character in UTF-8. Such sequences do not occur
//! in correct text, because they begin with a capital letter with a diacritic and continue with signs.

use super::rewrite::Rewrite;

/// The characters of Windows-1252 at 0x80 to 0x9F; the five bytes without one are read as control characters.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Returns the text with its characters repaired; `None` where none is misread.
pub(super) fn repair(text: &str) -> Option<Rewrite> {
    // The first character of such a sequence has two bytes in UTF-8, the first of them 0xC3 or, for "Â", also 0xC3.
    memchr::memchr(0xc3, text.as_bytes())?;
    let (mut made, mut copied) = (Rewrite::default(), 0);
    for (at, first) in text.char_indices().filter(|(_, first)| ('Â'..='ô').contains(first)) {
        if at < copied {
            continue;
        }
        if let Some((character, length)) = misread(text.get(at..).unwrap_or_default(), first) {
            made.copy(text, copied..at);
            made.put(character, at..at + length);
            copied = at + length;
        }
    }
    if copied == 0 {
        return None;
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Returns the character whose UTF-8 bytes are at the start of the text as characters, and the length of these in
/// bytes.
fn misread(text: &str, first: char) -> Option<(char, usize)> {
    let count = match byte_of(first)? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut bytes = [0; 4];
    let mut length = 0;
    let bytes = bytes.get_mut(..count)?;
    let mut characters = text.chars();
    for byte in bytes.iter_mut() {
        let character = characters.next()?;
        *byte = byte_of(character)?;
        length += character.len_utf8();
    }
    let character = std::str::from_utf8(bytes).ok()?.chars().next()?;
    Some((character, length))
}

/// Returns the byte of a character above ASCII in Windows-1252.
fn byte_of(character: char) -> Option<u8> {
    let high = || HIGH.iter().position(|&high| high == character).and_then(|at| u8::try_from(0x80 + at).ok());
    match u32::from(character) {
        code @ 0xa0..=0xff => u8::try_from(code).ok(),
        _ => high(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misread_characters_are_repaired() {
        for (text, expected) in [
            ("PD-L1 â‰¥50%, HER2â€“negative, patientâ€™s", "PD-L1 ≥50%, HER2–negative, patient’s"),
            ("37Â°C, 5 Âµg, SÃ©zary", "37°C, 5 µg, Sézary"),
            ("TGFÎ²", "TGFβ"),
        ] {
            assert_eq!(repair(text).as_ref().map(Rewrite::text), Some(expected), "{text}");
        }
    }

    #[test]
    fn correct_text_stays() {
        for text in ["Sézary, 37°C, ≥50 %, naïve – “quoted”", "Âge: 50", "ÃO", "â", ""] {
            assert!(repair(text).is_none(), "{text}");
        }
    }
}
