//! Splits a note into sentences and finds the section of each.
//!
//! Clinical notes mix prose, lists and forms. A full stop ends a sentence unless it belongs to an
//! abbreviation, an initial or a number. A blank line, a bullet, a heading and the end of a short line
//! end a sentence too; the end of a long, wrapped line does not. One pass over the note.

use std::ops::Range;

use super::{
    Section,
    headings::{Label, bullet, label},
    item_answers::ends_in_answer,
    nothing,
    stops::{ends, last_word},
};

/// A line of at least this many bytes counts as wrapped prose.
const PROSE_LINE: usize = 45;
/// A line that ends in one of these words continues on the next line.
const LINE_CONTINUING: &[&[u8]] = &[
    b"of", b"the", b"and", b"or", b"to", b"in", b"with", b"for", b"no", b"a", b"an", b"on", b"by", b"at", b"from",
    b"not", b"was", b"is", b"were", b"are", b"without", b"nor",
];

/// One sentence, in byte offsets of the note. Sentences are in order and do not overlap; white space and bullets lie
/// between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::extraction) struct Sentence {
    pub(in crate::extraction) start: usize,
    pub(in crate::extraction) end: usize,
    pub(in crate::extraction) section: Section,
    /// Whether it is only a heading.
    pub(in crate::extraction) heading: bool,
}

/// Returns the sentences of a note.
pub(in crate::extraction) fn split(text: &str) -> Vec<Sentence> {
    let mut splitter = Splitter {
        bytes: text.as_bytes(),
        sentences: Vec::with_capacity(text.len() / 60 + 1),
        open: None,
        section: Section::Body,
        inline: false,
        has_text: false,
        answered: false,
    };
    let mut previous: Option<Range<usize>> = None;
    let mut blank = true;
    let mut at = 0;
    while at <= text.len() {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = splitter.trimmed(at..at + length);
        if line.is_empty() {
            // The empty stretch between the CR and the LF of one line end is not a blank line.
            let is_crlf = length == 0 && at > 0 && text.as_bytes().get(at - 1..=at) == Some(b"\r\n".as_slice());
            if !is_crlf {
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

/// Returns whether a sentence after "PMH: ..." describes the present again. Lists of past illnesses consist of short
/// fragments, so a long sentence or a word such as "now" ends the list.
fn describes_present(sentence: &[u8]) -> bool {
    const LONGEST_FRAGMENT: usize = 9;
    let words = || sentence.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words().count() > LONGEST_FRAGMENT || words().any(marks_present)
}

/// Returns whether a line is longer than an item of a list of allergies: "Allergies: NKDA" ends with its line. A blank
/// line makes the end of the list likelier.
fn is_statement(line: &[u8], after_blank: bool) -> bool {
    let longest_item = if after_blank { 3 } else { 4 };
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count() > longest_item
}

/// Returns whether a word shows that the sentence describes the present.
fn marks_present(word: &[u8]) -> bool {
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
    WORDS.iter().any(|each| each.eq_ignore_ascii_case(word))
}

/// Returns whether a sentence or a line begins with the patient: "Pt", "She has", "55-year-old".
fn names_patient(sentence: &[u8]) -> bool {
    const SUBJECTS: [&[u8]; 10] = [
        b"patient",
        b"the patient",
        b"this patient",
        b"our patient",
        b"pt",
        b"she has",
        b"he has",
        b"she is a",
        b"he is a",
        b"she presents",
    ];
    const AGES: [&[u8]; 6] = [b"-year", b" year", b" yo", b"yo", b" y/o", b"y/o"];
    let starts =
        |text: &[u8], word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let follows = |length: usize| sentence.get(length).is_none_or(|byte| matches!(byte, b' ' | b':' | b','));
    let digits = sentence.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let aged =
        matches!(digits, 1..=3) && AGES.iter().any(|age| starts(sentence.get(digits..).unwrap_or_default(), age));
    aged || SUBJECTS.iter().any(|subject| starts(sentence, subject) && follows(subject.len()))
}

struct Splitter<'note> {
    bytes: &'note [u8],
    sentences: Vec<Sentence>,
    /// Start and current end of the sentence that is still open.
    open: Option<(usize, usize)>,
    section: Section,
    /// Whether text follows the heading of the section on the same line. If so, a blank line ends the section.
    inline: bool,
    /// Whether the section already has text.
    has_text: bool,
    /// Whether that text began with an answer such as "none".
    answered: bool,
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
            if self.section == Section::FamilyHistory && self.has_text && names_patient(self.slice(start..end)) {
                (self.section, self.inline) = (Section::Body, false);
            }
            if self.has_text && self.leaves_answered(start..end) {
                (self.section, self.inline) = (Section::Body, false);
            }
            if self.section == Section::PastHistory
                && self.inline
                && self.has_text
                && describes_present(self.slice(start..end))
            {
                (self.section, self.inline) = (Section::Body, false);
            }
            self.sentences.push(Sentence { start, end, section: self.section, heading: false });
            if !self.has_text {
                self.answered = nothing::answers(self.slice(start..end));
            }
            self.has_text = true;
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
            let ends_allergies =
                self.section == Section::Allergies && !bulleted && (self.inline || (blank && self.has_text));
            let answered = self.section == Section::Question && self.inline && !bulleted && self.asked(&line);
            if answered || (ends_allergies && is_statement(self.slice(line.clone()), blank)) {
                (self.section, self.inline) = (Section::Body, false);
            }
        }
        if let Some(label) = label {
            let ends = self.inline || (!bulleted && blank && self.has_text);
            if self.read_label(&label, content..line.end, ends) {
                self.split_prose(self.trimmed(content + label.length..line.end));
                return;
            }
        }
        self.split_prose(content..line.end);
    }

    /// Returns whether a sentence no longer belongs to its section, whose heading was answered before it.
    fn leaves_answered(&self, sentence: Range<usize>) -> bool {
        let sentence = self.slice(sentence);
        match self.section {
            Section::Body | Section::Plan => false,
            Section::Allergies if nothing::is_intolerance(sentence) => false,
            Section::Allergies => {
                nothing::begins_with_disease(sentence) || (self.answered && is_statement(sentence, true))
            }
            Section::FamilyHistory => self.answered && !nothing::names_relative(sentence),
            _ => self.answered,
        }
    }

    /// Returns whether the section ended in a question that this line may answer, because the line is not a question.
    fn asked(&self, line: &Range<usize>) -> bool {
        let last = self.sentences.last().filter(|last| !last.heading);
        last.is_some_and(|last| self.byte(last.end.saturating_sub(1)) == b'?')
            && memchr::memchr(b'?', self.slice(line.clone())).is_none()
            && is_statement(self.slice(line.clone()), false)
            && memchr::memmem::find(self.slice(line.clone()), b" vs").is_none()
    }

    /// Reads a label at the start of a sentence and updates the section. Returns whether the label is a heading.
    fn read_label(&mut self, label: &Label, line: Range<usize>, ends_section: bool) -> bool {
        let end = line.start + label.length;
        let content = !self.trimmed(end..line.end).is_empty();
        let heading = label.section.is_some() || !content;
        if heading {
            self.close();
        }
        if let Some(section) = label.section {
            (self.section, self.inline, self.has_text) = (section, content, false);
        } else if ends_section {
            (self.section, self.inline) = (Section::Body, false);
        }
        if heading {
            self.sentences.push(Sentence { start: line.start, end, section: self.section, heading: true });
            self.has_text = false;
        }
        heading
    }

    /// Splits the rest of a line at the ends of sentences.
    fn split_prose(&mut self, range: Range<usize>) {
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
                self.read_label(&label, from..range.end, false);
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

    /// Returns whether `line` continues the sentence at the end of `previous`.
    fn wraps(&self, previous: Range<usize>, line: &Range<usize>) -> bool {
        let before = self.slice(previous);
        let is_unfinished = before.last() == Some(&b',')
            || (LINE_CONTINUING.iter().any(|word| word.eq_ignore_ascii_case(last_word(before)))
                && !ends_in_answer(before));
        self.open.is_some()
            && (is_unfinished || before.len() >= PROSE_LINE || self.byte(line.start).is_ascii_lowercase())
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
