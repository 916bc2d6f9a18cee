//! Splits a note into sentences and gives each the section that it stands in.
//!
//! Clinical notes are prose, lists and forms in one text: a full stop ends a sentence unless it
//! belongs to an abbreviation, an initial or a number; so do a blank line, a bullet, a heading, and
//! the end of a short line. The wrap of a long line does not. One pass; what a sentence says is not
//! read here.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use super::Section;

/// A line at least this long is taken for wrapped prose.
const PROSE_LINE: usize = 45;
/// No heading is longer.
const LONGEST_HEADING: usize = 48;
/// A full stop after these does not end a sentence.
const ABBREVIATIONS: &[&[u8]] = &[
    b"dr", b"mr", b"mrs", b"ms", b"prof", b"st", b"jr", b"vs", b"approx", b"ca", b"cf", b"al", b"fig", b"figs", b"no",
    b"nos", b"e.g", b"i.e", b"eg", b"ie", b"incl", b"resp", b"est", b"dept", b"ref", b"vol", b"max", b"min", b"hx",
    b"dx", b"rx", b"tx", b"pt", b"pts", b"wk", b"wks", b"yr", b"yrs", b"mo", b"a.m", b"p.m", b"q.d", b"b.i.d", b"z.b",
    b"bzw", b"max", b"temp", b"neg", b"pos", b"mets",
];
/// A line that ends in one of these goes on in the next.
const HANGING: &[&[u8]] = &[
    b"of", b"the", b"and", b"or", b"to", b"in", b"with", b"for", b"no", b"a", b"an", b"on", b"by", b"at", b"from",
    b"not", b"was", b"is", b"were", b"are", b"without", b"nor",
];
/// A letter with a full stop after one of these is a grade, not an initial.
const GRADED: &[&[u8]] = &[b"stage", b"grade", b"type", b"class", b"group", b"hepatitis", b"vitamin", b"factor"];

/// One sentence. Sentences are in order and do not overlap; white space and bullets lie between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) section: Section,
}

static HEADINGS: LazyLock<HashMap<&'static [u8], Section>> = LazyLock::new(|| {
    let mut section = Section::Body;
    let mut names = HashMap::new();
    for line in include_str!("cues/headings.txt").lines().map(str::trim) {
        match line {
            "" => {}
            "[body]" => section = Section::Body,
            "[family history]" => section = Section::FamilyHistory,
            "[past history]" => section = Section::PastHistory,
            "[plan]" => section = Section::Plan,
            "[allergies]" => section = Section::Allergies,
            "[pending]" => section = Section::Pending,
            "[question]" => section = Section::Question,
            comment if comment.starts_with('#') => {}
            name => drop(names.insert(name.as_bytes(), section)),
        }
    }
    names
});

/// Splits a note.
pub(super) fn split(text: &str) -> Vec<Sentence> {
    let mut splitter = Splitter {
        bytes: text.as_bytes(),
        sentences: Vec::with_capacity(text.len() / 60 + 1),
        open: None,
        section: Section::Body,
        inline: false,
        said: false,
    };
    let mut previous: Option<Range<usize>> = None;
    let mut blank = true;
    let mut at = 0;
    while at <= text.len() {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = splitter.trimmed(at..at + length);
        if line.is_empty() {
            // CR LF leaves an empty line between its two halves.
            let half = length == 0 && at > 0 && text.as_bytes().get(at - 1..=at) == Some(b"\r\n".as_slice());
            if !half {
                blank = true;
                splitter.close();
                if splitter.inline {
                    splitter.section = Section::Body;
                }
            }
        } else {
            splitter.line(line.clone(), previous.take(), blank);
            previous = Some(line);
            blank = false;
        }
        at += length + 1;
    }
    splitter.close();
    splitter.sentences
}

struct Splitter<'note> {
    bytes: &'note [u8],
    sentences: Vec<Sentence>,
    /// Start and end so far of the sentence that is not closed yet.
    open: Option<(usize, usize)>,
    section: Section,
    /// Whether text followed the section's heading on its line: then a blank line ends the section.
    inline: bool,
    /// Whether the section has any text yet.
    said: bool,
}

impl Splitter<'_> {
    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let slice = self.slice(range.clone());
        let start = range.start + (slice.len() - slice.trim_ascii_start().len());
        start..start + slice.trim_ascii().len()
    }

    fn close(&mut self) {
        if let Some((start, end)) = self.open.take() {
            self.sentences.push(Sentence { start, end, section: self.section });
            self.said = true;
        }
    }

    /// Reads one line that is not blank.
    fn line(&mut self, line: Range<usize>, previous: Option<Range<usize>>, blank: bool) {
        let content = line.start + bullet(self.slice(line.clone()));
        let bulleted = content > line.start;
        let label = self.label(content..line.end);
        let wraps = previous.is_some_and(|previous| !bulleted && label.is_none() && self.wraps(previous, &line));
        if !wraps {
            self.close();
        }
        if let Some(label) = label {
            let ends = bulleted || self.inline || (blank && self.said);
            if self.enter(&label, line.end, ends && !(bulleted && !self.inline)) {
                self.prose(self.trimmed(label.end..line.end));
                return;
            }
        }
        self.prose(content..line.end);
    }

    /// Takes a label at the start of a sentence for what it is; true where it is a heading.
    fn enter(&mut self, label: &Label, line_end: usize, ends_section: bool) -> bool {
        let content = !self.trimmed(label.end..line_end).is_empty();
        let heading = label.section.is_some() || !content;
        if heading {
            self.close();
        }
        if let Some(section) = label.section {
            (self.section, self.inline, self.said) = (section, content, false);
        } else if ends_section {
            (self.section, self.inline) = (Section::Body, false);
        }
        if heading {
            self.open = Some((label.start, label.end));
            self.close();
            self.said = false;
        }
        heading
    }

    /// Reads the rest of a line for ends of sentences.
    fn prose(&mut self, range: Range<usize>) {
        let mut from = range.start;
        let mut at = range.start;
        while let Some(found) = memchr::memchr3(b'.', b'!', b'?', self.slice(at..range.end)) {
            let stop = at + found;
            at = stop + 1;
            if !self.ends(from, stop, range.end) {
                continue;
            }
            while at < range.end && matches!(self.byte(at), b'.' | b'!' | b'?' | b')' | b'"' | b'\'') {
                at += 1;
            }
            self.extend(from..at);
            self.close();
            from = self.trimmed(at..range.end).start;
            at = from;
            if let Some(label) = self.label(from..range.end).filter(|label| label.section.is_some()) {
                self.enter(&label, range.end, false);
                from = self.trimmed(label.end..range.end).start;
                at = from;
            }
        }
        self.extend(from..range.end);
    }

    fn extend(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            let start = self.open.map_or(range.start, |(start, _)| start);
            self.open = Some((start, range.end));
        }
    }

    /// Whether the stop at `stop` ends the sentence whose part in this line starts at `from`.
    fn ends(&self, from: usize, stop: usize, line_end: usize) -> bool {
        let next = self.byte(stop + 1);
        let at_end = stop + 1 >= line_end;
        let closing = matches!(next, b')' | b'"' | b'\'' | b'.' | b'!' | b'?');
        if !at_end && !next.is_ascii_whitespace() && !closing {
            // "metastases.The": a full stop without its space.
            let before = self.slice(stop.saturating_sub(3).max(from)..stop);
            let joined = before.len() == 3 && before.iter().all(u8::is_ascii_lowercase);
            return joined && next.is_ascii_uppercase() && self.byte(stop + 2).is_ascii_lowercase();
        }
        if self.byte(stop) != b'.' {
            // "? liver metastases": a question mark before the words is a cue, not an end.
            let leads = stop == from || self.byte(stop - 1).is_ascii_whitespace() || self.byte(stop - 1) == b'(';
            return !(leads && self.byte(stop) == b'?');
        }
        let word = last_word(self.slice(stop.saturating_sub(12).max(from)..stop));
        let start = stop - word.len();
        let number = !word.is_empty() && word.len() <= 2 && word.iter().all(u8::is_ascii_digit);
        if number && start == from {
            return false;
        }
        if let [letter] = word
            && letter.is_ascii_uppercase()
            && (start == from || matches!(self.byte(start - 1), b' ' | b'\t' | b'.' | b'('))
            && !at_end
        {
            let before = last_word(self.slice(start.saturating_sub(14).max(from)..start).trim_ascii_end());
            return matches!(letter, b'I' | b'V' | b'X') || GRADED.iter().any(|word| word.eq_ignore_ascii_case(before));
        }
        // At the end of a line even "pos." may end a sentence; that is left to the rules for lines.
        !ABBREVIATIONS.iter().any(|abbreviation| abbreviation.eq_ignore_ascii_case(word)) || self.sentence_follows(stop)
    }

    /// Whether the abbreviation before `stop` ("mets.", "neg.") closes a sentence after all: only the
    /// clinical ones do, before a capital.
    fn sentence_follows(&self, stop: usize) -> bool {
        let word = last_word(self.slice(stop.saturating_sub(12)..stop));
        let clinical: [&[u8]; 8] = [b"mets", b"neg", b"pos", b"pt", b"tx", b"rx", b"dx", b"hx"];
        clinical.iter().any(|short| short.eq_ignore_ascii_case(word)) && self.byte(stop + 2).is_ascii_uppercase()
    }

    /// Whether `line` goes on where `previous` stopped.
    fn wraps(&self, previous: Range<usize>, line: &Range<usize>) -> bool {
        let before = self.slice(previous);
        let hangs =
            before.last() == Some(&b',') || HANGING.iter().any(|word| word.eq_ignore_ascii_case(last_word(before)));
        self.open.is_some() && (hangs || before.len() >= PROSE_LINE || self.byte(line.start).is_ascii_lowercase())
    }

    /// The label ("Plan:", "EGFR:") or known heading that this stretch of a line starts with.
    fn label(&self, range: Range<usize>) -> Option<Label> {
        let line = self.slice(range.clone());
        let head = line.get(..LONGEST_HEADING.min(line.len())).unwrap_or_default();
        let stop = head.iter().position(|&byte| matches!(byte, b':' | b'.' | b',' | b';'));
        let colon = stop.filter(|&stop| head.get(stop) == Some(&b':'));
        // Without a colon only a line of its own that starts like a heading is one.
        let whole = line.len() <= LONGEST_HEADING && stop.is_none() && !self.byte(range.start).is_ascii_lowercase();
        let end = colon.or(whole.then_some(line.len()))?;
        let name = head.get(..end).unwrap_or_default();
        let section = heading(name);
        // Markdown sets a heading between asterisks: "**Plan:** ..."
        let skip = colon.map_or(0, |_| 1 + line.iter().skip(end + 1).take_while(|&&byte| byte == b'*').count());
        let label = Label { start: range.start, end: range.start + end + skip, section };
        (section.is_some() || (colon.is_some() && !name.is_empty())).then_some(label)
    }
}

struct Label {
    start: usize,
    end: usize,
    section: Option<Section>,
}

/// The section of a heading, decorations aside.
fn heading(name: &[u8]) -> Option<Section> {
    let decoration = |byte: &u8| !byte.is_ascii_alphanumeric();
    let start = name.iter().position(|byte| !decoration(byte))?;
    let end = name.iter().rposition(|byte| !decoration(byte))? + 1;
    let name = name.get(start..end)?;
    let mut lower = [0_u8; LONGEST_HEADING];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    HEADINGS.get(&*lower).copied()
}

fn last_word(text: &[u8]) -> &[u8] {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.' || *byte >= 0x80;
    let start = text.iter().rposition(|byte| !word(byte)).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

/// Length of the bullet or number, with the space after it, that a line starts with.
fn bullet(line: &[u8]) -> usize {
    let marks: [&[u8]; 12] = [
        b"-",
        b"*",
        b">",
        b"+",
        b"#",
        "•".as_bytes(),
        "–".as_bytes(),
        "·".as_bytes(),
        "▪".as_bytes(),
        "◦".as_bytes(),
        "●".as_bytes(),
        "‣".as_bytes(),
    ];
    let mark = marks.iter().find(|mark| line.starts_with(mark)).map_or_else(
        || {
            let digits = line.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
            let letter = usize::from(digits == 0 && line.first().is_some_and(u8::is_ascii_lowercase));
            let length = digits + letter;
            let closed =
                matches!(line.get(length), Some(b')')) || (digits > 0 && matches!(line.get(length), Some(b'.')));
            if length > 0 && closed { length + 1 } else { 0 }
        },
        |mark| mark.len(),
    );
    let rest = line.get(mark..).unwrap_or_default();
    let repeated = rest.iter().take_while(|&&byte| byte == b'#' || byte == b'*').count();
    let rest = rest.get(repeated..).unwrap_or_default();
    let spaces = rest.len() - rest.trim_ascii_start().len();
    let tight = line.first().is_some_and(|&first| first >= 0x80 || first == b'#' || first == b'*');
    if mark > 0 && (spaces > 0 || tight) { mark + repeated + spaces } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = split(text).iter().map(|sentence| &text[sentence.start..sentence.end]).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn full_stops() {
        check("Shows MSI-H. No other. By A. Smith.", &["Shows MSI-H.", "No other.", "By A. Smith."]);
        check("", &[]);
        check(" \r\n ", &[]);
        check("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"]);
        check(
            "Seen by Dr. J. Smith vs. placebo, i.e. none. Done.",
            &["Seen by Dr. J. Smith vs. placebo, i.e. none.", "Done."],
        );
        check("Mass of 4.5 cm, pT2N0. No mets. Liver clear.", &["Mass of 4.5 cm, pT2N0.", "No mets.", "Liver clear."]);
        check(
            "Stage I. She is well. Stage V. Grade B. End",
            &["Stage I.", "She is well.", "Stage V.", "Grade B.", "End"],
        );
        check(
            "No metastases.The liver is clear (see fig. 2.) New",
            &["No metastases.", "The liver is clear (see fig. 2.)", "New"],
        );
        check(
            "approx. 3 cm. ER neg. HER2 pos. after 2 yr. of",
            &["approx. 3 cm.", "ER neg.", "HER2 pos. after 2 yr. of"],
        );
    }

    #[test]
    fn lines() {
        let wrapped = "A line of prose that is long enough to have been wrapped\r\nHere it goes on.\r\nNew";
        check(wrapped, &["A line of prose that is long enough to have been wrapped\r\nHere it goes on.", "New"]);
        check("ER negative\nHER2 positive", &["ER negative", "HER2 positive"]);
        check("NO EVIDENCE OF\nMETASTASES", &["NO EVIDENCE OF\nMETASTASES"]);
        check("one\ntwo\n\nthree", &["one\ntwo", "three"]);
        check("- one\n- two\n* three\n1. four\n2) five\n• six", &["one", "two", "three", "four", "five", "six"]);
        check("-5 degrees\n1.5 cm", &["-5 degrees", "1.5 cm"]);
        check("PLAN\nstart", &["PLAN", "start"]);
        check("Plan: start. Family history: none", &["Plan:", "start.", "Family history:", "none"]);
        check("EGFR: negative", &["EGFR: negative"]);
    }

    #[test]
    fn sections() {
        let check = |text: &str, expected: &[Section]| {
            let found: Vec<_> = split(text).iter().map(|sentence| sentence.section).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        use Section::{Body, FamilyHistory, PastHistory, Plan};
        check("Ill.\n\nPLAN\n\n1. start\n\n2. scan\n\nFindings\nnone", &[Body, Plan, Plan, Plan, Body, Body]);
        check("Family history: mother.\nCT chest: clear", &[FamilyHistory, FamilyHistory, Body]);
        check("Family history: mother.\n\nWell.", &[FamilyHistory, FamilyHistory, Body]);
        check("PMH: asthma\n- gout\nPlan:\n- start", &[PastHistory, PastHistory, PastHistory, Plan, Plan]);
        check("## Plan\n**Family History:** none\n", &[Plan, FamilyHistory, FamilyHistory]);
        check("Plan:\n1. Lung: start\n2. Liver: scan", &[Plan, Plan, Plan]);
        check("Plan\nstart\n\nLabs today: fine", &[Plan, Plan, Body]);
    }
}
