//! Finds boxes to tick: "[ ]", "[x]", "☐", "☒".

use std::ops::Range;

const EMPTY: [&str; 7] = ["[ ]", "[]", "[  ]", "[_]", "( )", "☐", "□"];
const TICKED: [&str; 12] = ["[x]", "[X]", "[✓]", "[✔]", "[*]", "(x)", "(X)", "☒", "☑", "■", "✓", "✔"];

/// Returns the boxes of a line as byte ranges, and whether each is ticked.
pub(super) fn find(line: &str) -> impl Iterator<Item = (Range<usize>, bool)> {
    let boxes = |(at, c): (usize, char)| {
        let rest = line.get(at..).filter(|_| is_box(c))?;
        let starts = |each: &&&str| rest.starts_with(**each);
        let empty = EMPTY.iter().find(starts);
        let ticked = TICKED.iter().find(starts);
        Some((at..at + empty.or(ticked)?.len(), ticked.is_some()))
    };
    let mut after = 0;
    line.char_indices().filter_map(boxes).filter(move |(range, _)| {
        let new = range.start >= after;
        after = if new { range.end } else { after };
        new
    })
}

/// Returns whether a character may begin a box.
fn is_box(character: char) -> bool {
    matches!(character, '[' | '(' | '☐' | '□' | '☒' | '☑' | '■' | '✓' | '✔')
}
