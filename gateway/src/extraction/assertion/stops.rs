//! Decides whether a full stop, exclamation mark or question mark ends a sentence.

/// A full stop after these abbreviations never ends a sentence.
const NEVER_END: &[&[u8]] = &[
    b"dr", b"mr", b"mrs", b"ms", b"prof", b"st", b"vs", b"approx", b"cf", b"fig", b"figs", b"e.g", b"i.e", b"eg",
    b"ie", b"incl", b"z.b", b"bzw",
];
/// A full stop after these abbreviations ends a sentence only before a capital letter.
const END_BEFORE_CAPITAL: &[&[u8]] = &[
    b"jr", b"ca", b"al", b"nos", b"resp", b"est", b"dept", b"ref", b"vol", b"max", b"min", b"hx", b"dx", b"rx", b"tx",
    b"pt", b"pts", b"wk", b"wks", b"yr", b"yrs", b"mo", b"a.m", b"p.m", b"q.d", b"b.i.d", b"temp", b"neg", b"pos",
    b"mets",
];
/// A single letter after one of these words is a grade and not an initial.
const GRADED: &[&[u8]] = &[b"stage", b"grade", b"type", b"class", b"group", b"hepatitis", b"vitamin", b"factor"];

/// Returns whether the `.`, `!` or `?` at byte `stop` ends a sentence of this line.
pub(super) fn ends(line: &[u8], stop: usize) -> bool {
    let byte = |at: usize| line.get(at).copied().unwrap_or(b'\n');
    let (next, last) = (byte(stop + 1), stop + 1 >= line.len());
    if !last && !next.is_ascii_whitespace() && !matches!(next, b')' | b'"' | b'\'' | b'.' | b'!' | b'?') {
        // "metastases.The": the space after the full stop is missing.
        let before = line.get(stop.saturating_sub(3)..stop).unwrap_or_default();
        let is_missing_space = before.len() == 3 && before.iter().all(u8::is_ascii_lowercase);
        return is_missing_space && next.is_ascii_uppercase() && byte(stop + 2).is_ascii_lowercase();
    }
    if byte(stop) != b'.' {
        // "? liver metastases": a question mark before the words is a cue and does not end a sentence.
        let precedes_words = stop == 0 || matches!(byte(stop - 1), b' ' | b'\t' | b'(');
        return !(precedes_words && byte(stop) == b'?');
    }
    let word = last_word(line.get(stop.saturating_sub(12)..stop).unwrap_or_default());
    let start = stop - word.len();
    if start == 0 && !word.is_empty() && word.len() <= 2 && word.iter().all(u8::is_ascii_digit) {
        return false;
    }
    if !last && is_initial(line, start, word) {
        return false;
    }
    let among = |words: &[&[u8]]| words.iter().any(|each| each.eq_ignore_ascii_case(word));
    let follows = line.iter().skip(stop + 1).find(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(b'A');
    let number = word.eq_ignore_ascii_case(b"no") && follows.is_ascii_digit();
    !(number || among(NEVER_END) || (among(END_BEFORE_CAPITAL) && !follows.is_ascii_uppercase()))
}

/// Returns whether this word is an initial, like the "J" of "J. Smith" and unlike the "I" of "stage I".
fn is_initial(line: &[u8], start: usize, word: &[u8]) -> bool {
    let &[letter] = word else { return false };
    let is_separate =
        start.checked_sub(1).and_then(|at| line.get(at)).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'.' | b'('));
    if !letter.is_ascii_uppercase() || !is_separate || matches!(letter, b'I' | b'V' | b'X') {
        return false;
    }
    let before = line.get(start.saturating_sub(14)..start).unwrap_or_default();
    let before = last_word(before.trim_ascii_end());
    !GRADED.iter().any(|word| word.eq_ignore_ascii_case(before))
}

/// Returns the last word of a text.
pub(super) fn last_word(text: &[u8]) -> &[u8] {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.' || *byte >= 0x80;
    let start = text.iter().rposition(|byte| !word(byte)).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops() {
        let check = |line: &str, expected: bool| {
            let stop = line.find('|').unwrap() - 1;
            assert_eq!(ends(line.replace('|', "").as_bytes(), stop), expected, "{line}");
        };
        for end in [
            "No mets.| Next",
            "neg.| Next",
            "No.| Liver",
            "Stage I.| She",
            "grade B.| She",
            "MSI-H.| The",
            "a.|",
            "ok?| So",
            "2 yr.| Then",
            "ases.|The",
        ] {
            check(end, true);
        }
        for no_end in [
            "Dr.| Who",
            "vs.| placebo",
            "No.| 5",
            "4.|5",
            "1.| Lung",
            "2 yr.| of",
            "J.| Smith",
            "?| mets",
            "p.|T2",
            "i.|e. all",
        ] {
            check(no_end, false);
        }
    }
}
