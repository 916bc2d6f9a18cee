//! Splits a note into sentences and gives each the section that it stands in.
//!
//! Clinical notes are prose, lists and forms in one text: a full stop ends a sentence unless it
//! belongs to an abbreviation, an initial or a number; so do a blank line, a bullet, a heading, and
//! the end of a short line. The wrap of a long line does not. One pass; what a sentence says is not
//! read here.

use std::ops::Range;

use super::{
    Section,
    headings::{Label, bullet, label},
    stops::{ends, last_word},
};

/// A line at least this long is taken for wrapped prose.
const PROSE_LINE: usize = 45;
/// A line that ends in one of these goes on in the next.
const HANGING: &[&[u8]] = &[
    b"of", b"the", b"and", b"or", b"to", b"in", b"with", b"for", b"no", b"a", b"an", b"on", b"by", b"at", b"from",
    b"not", b"was", b"is", b"were", b"are", b"without", b"nor",
];

/// One sentence. Sentences are in order and do not overlap; white space and bullets lie between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::extraction) struct Sentence {
    pub(in crate::extraction) start: usize,
    pub(in crate::extraction) end: usize,
    pub(in crate::extraction) section: Section,
    /// Whether it is a heading and nothing else.
    pub(in crate::extraction) heading: bool,
}

/// Splits a note.
pub(in crate::extraction) fn split(text: &str) -> Vec<Sentence> {
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

/// Whether a sentence behind "PMH: ..." is of the present again. A list of past illnesses goes on in fragments.
fn tells_of_now(sentence: &[u8]) -> bool {
    const LONGEST_FRAGMENT: usize = 9;
    let words = || sentence.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words().count() > LONGEST_FRAGMENT || words().any(is_of_now)
}

/// Whether a word begins what is the case now.
fn is_of_now(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 16] = [
        b"now",
        b"currently",
        b"current",
        b"presently",
        b"today",
        b"presents",
        b"presented",
        b"presenting",
        b"newly",
        b"here",
        b"is",
        b"has",
        b"was",
        b"were",
        b"referred",
        b"admitted",
    ];
    WORDS.iter().any(|own| own.eq_ignore_ascii_case(word))
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
            if self.section == Section::PastHistory && self.inline && self.said && tells_of_now(self.slice(start..end))
            {
                (self.section, self.inline) = (Section::Body, false);
            }
            self.sentences.push(Sentence { start, end, section: self.section, heading: false });
            self.said = true;
        }
    }

    /// Reads one line that is not blank.
    fn line(&mut self, line: Range<usize>, previous: Option<Range<usize>>, blank: bool) {
        let content = line.start + bullet(self.slice(line.clone()));
        let bulleted = content > line.start;
        let label = label(self.slice(content..line.end));
        let wraps = previous.is_some_and(|previous| !bulleted && label.is_none() && self.wraps(previous, &line));
        if !wraps {
            self.close();
        }
        if let Some(label) = label {
            let ends = self.inline || (!bulleted && blank && self.said);
            if self.enter(&label, content..line.end, ends) {
                self.prose(self.trimmed(content + label.length..line.end));
                return;
            }
        }
        self.prose(content..line.end);
    }

    /// Takes a label at the start of a sentence for what it is; true where it is a heading.
    fn enter(&mut self, label: &Label, line: Range<usize>, ends_section: bool) -> bool {
        let end = line.start + label.length;
        let content = !self.trimmed(end..line.end).is_empty();
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
            self.sentences.push(Sentence { start: line.start, end, section: self.section, heading: true });
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
            if !ends(self.slice(from..range.end), stop - from) {
                continue;
            }
            while at < range.end && matches!(self.byte(at), b'.' | b'!' | b'?' | b')' | b'"' | b'\'') {
                at += 1;
            }
            self.extend(from..at);
            self.close();
            from = self.trimmed(at..range.end).start;
            at = from;
            if let Some(label) = label(self.slice(from..range.end)).filter(|label| label.section.is_some()) {
                self.enter(&label, from..range.end, false);
                from = self.trimmed(from + label.length..range.end).start;
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

    /// Whether `line` goes on where `previous` stopped.
    fn wraps(&self, previous: Range<usize>, line: &Range<usize>) -> bool {
        let before = self.slice(previous);
        let hangs =
            before.last() == Some(&b',') || HANGING.iter().any(|word| word.eq_ignore_ascii_case(last_word(before)));
        self.open.is_some() && (hangs || before.len() >= PROSE_LINE || self.byte(line.start).is_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::Section::{Body, FamilyHistory, PastHistory, Plan},
        *,
    };

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> =
            split(text).iter().map(|sentence| text.get(sentence.start..sentence.end).unwrap()).collect();
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
        check("Ill.\n\nPLAN\n\n1. start\n\n2. scan\n\nFindings\nnone", &[Body, Plan, Plan, Plan, Body, Body]);
        check("Family history: mother.\nCT chest: clear", &[FamilyHistory, FamilyHistory, Body]);
        check("Family history: mother.\n\nWell.", &[FamilyHistory, FamilyHistory, Body]);
        check("PMH: asthma\n- gout\nPlan:\n- start", &[PastHistory, PastHistory, PastHistory, Plan, Plan]);
        check("## Plan\n**Family History:** none\n", &[Plan, FamilyHistory, FamilyHistory]);
        check("Plan:\n1. Lung: start\n2. Liver: scan", &[Plan, Plan, Plan]);
        check("Plan\nstart\n\nLabs today: fine", &[Plan, Plan, Body]);
    }
}
