//! Makes lines from the letters of a page: a PDF has them without spaces and line ends.
//!
//! The letters are taken in the order in which the file draws them. That is the order of reading in files of word processors
//! and report systems, also in columns, which an order by position would mix.

use pdf_extract::{MediaBox, OutputDev, OutputError, Transform};

/// Parts of the size of the letters: from which gap on there is a space, and from which one on a new cell of a table.
const SPACE: f64 = 0.15;
const CELL: f64 = 1.5;
/// How far the line may go up or down before it is another one, and before it is another paragraph.
const LINE: f64 = 0.5;
const PARAGRAPH: f64 = 1.7;

/// A letter as the file draws it; several for a ligature.
struct Letter<'a> {
    left: f64,
    right: f64,
    /// Distance from the lower end of the page.
    base: f64,
    size: f64,
    text: &'a str,
}

/// The text of a page.
#[derive(Debug, Default)]
pub(super) struct PageText {
    pub(super) text: String,
    /// Letters that the page draws.
    pub(super) letters: usize,
    /// Maximum bytes of the text.
    longest: usize,
    /// Right end, line and size of the last letter.
    last: Option<(f64, f64, f64)>,
}

impl PageText {
    pub(super) fn new(longest: usize) -> Self {
        Self { longest, ..Self::default() }
    }

    /// Whether the page has more text than a note may have: the rest was left out.
    pub(super) fn is_too_long(&self) -> bool {
        self.text.len() > self.longest
    }

    fn add(&mut self, letter: &Letter<'_>) {
        self.letters += 1;
        if self.is_too_long() {
            return;
        }
        if let Some((right, base, size)) = self.last {
            let size = size.max(letter.size).max(1.0);
            let (fall, gap) = ((letter.base - base).abs() / size, (letter.left - right) / size);
            // A raised number, as of a footnote, stays in its line.
            if fall > PARAGRAPH {
                self.end_line();
                self.text.push('\n');
            } else if fall > LINE || gap < -2.0 * CELL {
                self.end_line();
            } else if gap > CELL {
                self.space("  ");
            } else if gap > SPACE {
                self.space(" ");
            }
        }
        if letter.text.is_empty() {
            self.text.push('\u{fffd}');
        }
        // A soft hyphen is drawn at the end of a line only.
        for character in letter.text.chars() {
            match character {
                '\u{ad}' | '\u{2010}' | '\u{2011}' => self.text.push('-'),
                ' ' | '\u{a0}' | '\t' | '\r' | '\n' => self.space(" "),
                '\0' => self.text.push('\u{fffd}'),
                _ => match ligature(character) {
                    Some(letters) => self.text.push_str(letters),
                    None => self.text.push(character),
                },
            }
        }
        self.last = Some((letter.right, letter.base, letter.size));
    }

    fn end_line(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn space(&mut self, blank: &str) {
        if !self.text.ends_with(char::is_whitespace) {
            self.text.push_str(blank);
        }
    }
}

/// Returns the letters of a ligature.
fn ligature(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => return None,
    })
}

impl OutputDev for PageText {
    fn begin_page(&mut self, _: u32, _: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        let (wide, high) = (
            (place.m11 * font_size).hypot(place.m12 * font_size),
            (place.m21 * font_size).hypot(place.m22 * font_size),
        );
        // A page on its side: the letters run up or down.
        let is_turned = place.m12.abs() > place.m11.abs();
        let (left, base) = if is_turned { (place.m32 * place.m12.signum(), place.m31) } else { (place.m31, place.m32) };
        self.add(&Letter { left, right: left + width * wide, base, size: high, text });
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws each letter 6 wide, beginning at a place of the page.
    fn draw(page: &mut PageText, text: &str, left: f64, base: f64) {
        let mut left = left;
        for letter in text.chars() {
            let place = Transform::row_major(1.0, 0.0, 0.0, 1.0, left, base);
            page.output_character(&place, 0.6, 0.0, 10.0, &letter.to_string()).unwrap();
            left += 6.0;
        }
    }

    #[test]
    fn gaps_become_spaces_and_falls_become_lines() {
        let mut page = PageText::new(1_000);
        draw(&mut page, "stage", 50.0, 700.0);
        draw(&mut page, "IV", 83.0, 700.0);
        draw(&mut page, "2", 95.0, 704.0);
        draw(&mut page, "ER", 200.0, 700.0);
        draw(&mut page, "o\u{fb03}ce dif\u{ad}", 50.0, 688.0);
        draw(&mut page, "fuse", 50.0, 676.0);
        draw(&mut page, "next", 50.0, 640.0);
        // The second column, beside the first.
        draw(&mut page, "side", 300.0, 700.0);
        assert_eq!(page.text, "stage IV2  ER\noffice dif-\nfuse\n\nnext\n\nside");
        assert_eq!(page.letters, 31);
    }

    #[test]
    fn no_more_is_kept_than_a_note_may_have() {
        let mut page = PageText::new(3);
        draw(&mut page, "abcdefgh", 0.0, 0.0);
        assert!(page.is_too_long() && page.text.len() == 4, "{}", page.text);
    }
}
