//! Makes the text that a person reviews: the words with their confidences, and every place marked that OCR is known to
//! get wrong.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::{ReviewLimits, tsv::ReadPages};
use crate::extraction::line_heading;

/// The text between two pages: the number of a page is the number of form feeds before a place, plus 1.
const PAGE_END: &str = "\n\u{c}";

/// The text of a scan, for a person to check. It is never a record.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScannedText {
    /// The text, line by line. Pages are separated by a form feed.
    #[schema(example = "Plan;\nosimertinib 80 mg")]
    pub transcript: String,
    /// The lines of `transcript` in its order.
    pub lines: Vec<ScannedLine>,
    /// The words of `transcript` in its order.
    pub words: Vec<ScannedWord>,
    /// The stretches of `transcript` that a person must compare with the scan, in order. They may overlap.
    pub words_to_review: Vec<ScannedPart>,
    /// Always true: a text goes into an extraction only after a person has read it.
    #[schema(example = true)]
    pub needs_review: bool,
    /// The number of pages.
    #[schema(example = 1)]
    pub pages: usize,
    /// The numbers of the pages, from 1, on which no word was recognised: empty, or not readable.
    pub pages_without_text: Vec<usize>,
    /// The program that read, as the server names it; null if it does not.
    #[schema(example = "tesseract 5.3.0")]
    pub ocr: Option<String>,
    /// The id of this request.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
}

/// A line of a scan.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScannedLine {
    /// The number of its page, from 1.
    #[schema(example = 1)]
    pub page: usize,
    /// Its first code point in `transcript`.
    #[schema(example = 0)]
    pub start: usize,
    /// One past its last code point in `transcript`.
    #[schema(example = 5)]
    pub end: usize,
    /// The lowest confidence of its words, 0 to 1; null if that of a word is not known.
    #[schema(example = 0.71)]
    pub confidence: Option<f64>,
}

/// A word of a scan.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScannedWord {
    /// Its first code point in `transcript`.
    #[schema(example = 0)]
    pub start: usize,
    /// One past its last code point in `transcript`.
    #[schema(example = 5)]
    pub end: usize,
    /// How sure the OCR program is, 0 to 1, by its own estimate; null if it does not say.
    #[schema(example = 0.71)]
    pub confidence: Option<f64>,
}

/// A stretch of the text to check.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScannedPart {
    /// Its first code point in `transcript`.
    #[schema(example = 0)]
    pub start: usize,
    /// One past its last code point in `transcript`.
    #[schema(example = 5)]
    pub end: usize,
    /// The words there.
    #[schema(example = "Plan;")]
    pub text: String,
    /// Why it must be checked.
    pub reason: ScanReviewReason,
}

/// Why a stretch of a scan must be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "heading")]
pub enum ScanReviewReason {
    /// A heading that is damaged, or whose confidence is low: it decides what the lines below it mean.
    Heading,
    /// The OCR program is not sure of the word, or does not say.
    LowConfidence,
}

/// Returns the text of the pages that a server read; none if there is no letter and no digit in it.
pub(super) fn review(read: &ReadPages, limits: ReviewLimits, ocr: Option<String>, id: &str) -> Option<ScannedText> {
    let mut text = TextWriter::default();
    let (mut lines, mut words, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut page, mut last_with_text, mut pages_without_text) = (1, 0, Vec::new());
    for line in &read.lines {
        pages_without_text.extend(last_with_text + 1..line.page);
        last_with_text = line.page;
        text.push(match (page == line.page, text.points) {
            (true, 0) | (false, _) => "",
            (true, _) if line.is_apart => "\n\n",
            (true, _) => "\n",
        });
        while page < line.page {
            text.push(PAGE_END);
            page += 1;
        }
        let (line_start, line_byte, first) = (text.points, text.text.len(), words.len());
        for word in &line.words {
            text.push(if text.points == line_start { "" } else { " " });
            let start = text.points;
            text.push(&word.text);
            words.push(ScannedWord { start, end: text.points, confidence: word.confidence });
        }
        let of_line = words.get(first..).unwrap_or_default();
        marks.extend(doubtful_heading(text.text.get(line_byte..).unwrap_or_default(), line_start, of_line, limits));
        let doubtful = of_line.iter().filter(|word| word.confidence.is_none_or(|confidence| confidence < limits.word));
        marks.extend(doubtful.map(|word| (word.start..word.end, ScanReviewReason::LowConfidence)));
        lines.push(ScannedLine { page, start: line_start, end: text.points, confidence: lowest(of_line) });
    }
    if !text.text.chars().any(char::is_alphanumeric) {
        return None;
    }
    while page < read.pages {
        text.push(PAGE_END);
        page += 1;
    }
    pages_without_text.extend(last_with_text + 1..=read.pages);
    marks.sort_by_key(|(range, reason)| (range.start, range.end, *reason));
    Some(ScannedText {
        words_to_review: text.parts(marks),
        transcript: text.text,
        lines,
        words,
        needs_review: true,
        pages: read.pages,
        pages_without_text,
        ocr,
        request_id: id.to_owned(),
    })
}

/// Returns the place of the heading of a line, in code points of the text, if a person must check it.
fn doubtful_heading(
    line: &str,
    line_start: usize,
    words: &[ScannedWord],
    limits: ReviewLimits,
) -> Option<(Range<usize>, ScanReviewReason)> {
    let heading = line_heading(line)?;
    let points = |byte: usize| line.get(..byte).map_or(0, |text| text.chars().count());
    let place = line_start + points(heading.start)..line_start + points(heading.end);
    let is_sure = |word: &&ScannedWord| word.confidence.is_some_and(|confidence| confidence >= limits.heading);
    let mut of_heading = words.iter().filter(|word| word.start < place.end && word.end > place.start);
    let is_trusted = heading.is_clear && of_heading.all(|word| is_sure(&word));
    (!is_trusted).then_some((place, ScanReviewReason::Heading))
}

fn lowest(words: &[ScannedWord]) -> Option<f64> {
    let known: Option<Vec<f64>> = words.iter().map(|word| word.confidence).collect();
    known?.into_iter().reduce(f64::min)
}

/// A text with the number of its code points.
#[derive(Default)]
struct TextWriter {
    text: String,
    points: usize,
}

impl TextWriter {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.points += text.chars().count();
    }

    /// Returns the marked stretches, which are in order of their beginnings.
    fn parts(&self, marks: Vec<(Range<usize>, ScanReviewReason)>) -> Vec<ScannedPart> {
        let (mut at, mut rest) = (0, self.text.chars());
        let part = |(range, reason): (Range<usize>, ScanReviewReason)| {
            while at < range.start && rest.next().is_some() {
                at += 1;
            }
            let text = rest.clone().take(range.end - range.start).collect();
            ScannedPart { start: range.start, end: range.end, text, reason }
        };
        marks.into_iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tsv::{ReadLine, ReadWord},
        *,
    };

    const LIMITS: ReviewLimits = ReviewLimits { word: 0.8, heading: 0.9 };

    /// A line whose words have these confidences; that of the last one holds for the rest.
    fn line(page: usize, is_apart: bool, text: &str, confidences: &[f64]) -> ReadLine {
        let confidence = |at: usize| confidences.get(at).or(confidences.last()).copied();
        let word = |(at, text): (usize, &str)| ReadWord { text: text.to_owned(), confidence: confidence(at) };
        ReadLine { page, is_apart, words: text.split(' ').enumerate().map(word).collect() }
    }

    fn marks(text: &ScannedText) -> Vec<(&str, ScanReviewReason)> {
        text.words_to_review.iter().map(|mark| (&*mark.text, mark.reason)).collect()
    }

    #[test]
    fn what_must_be_checked_is_marked_where_it_stands() {
        use ScanReviewReason::{Heading, LowConfidence};
        let lines = vec![
            line(1, false, "Ärztin: Dr. Made-Up", &[0.95]),
            line(1, true, "Assessment: BRAF V6O0E", &[0.95, 0.95, 0.5]),
            line(1, false, "Plan;", &[0.95]),
            line(1, false, "- osimertinib", &[0.95]),
            line(3, false, "Plan: continue", &[0.85, 0.95]),
        ];
        let read = ReadPages { pages: 4, lines };
        let text = review(&read, LIMITS, Some("tesseract 5.3.0".to_owned()), "id").unwrap();
        let expected =
            "Ärztin: Dr. Made-Up\n\nAssessment: BRAF V6O0E\nPlan;\n- osimertinib\n\u{c}\n\u{c}Plan: continue\n\u{c}";
        assert_eq!(text.transcript, expected);
        assert_eq!(marks(&text), [("V6O0E", LowConfidence), ("Plan;", Heading), ("Plan:", Heading)]);
        assert_eq!((text.pages, &*text.pages_without_text), (4, &[2, 4][..]));
        let of = |start: usize, end: usize| text.transcript.chars().skip(start).take(end - start).collect::<String>();
        for mark in &text.words_to_review {
            assert_eq!(of(mark.start, mark.end), mark.text);
        }
        assert_eq!(of(text.words[0].start, text.words[0].end), "Ärztin:");
        assert_eq!(of(text.lines[4].start, text.lines[4].end), "Plan: continue");
        assert_eq!(text.lines[1].confidence, Some(0.5));
        assert!(text.needs_review);
    }

    #[test]
    fn a_heading_is_trusted_only_if_it_is_whole_and_sure() {
        for (text, confidence, expected) in [
            ("Plan:", 0.95, None),
            ("PLAN", 0.95, None),
            ("Assessment: lung cancer", 0.95, None),
            ("1. Plan: scan", 0.95, None),
            ("Plan:", 0.89, Some("Plan:")),
            ("Assessment: lung cancer", 0.89, Some("Assessment:")),
            ("Plan; scan", 0.95, Some("Plan;")),
            ("Plan. Scan", 0.95, Some("Plan.")),
            ("PIan:", 0.95, Some("PIan:")),
            ("Pitan:", 0.95, Some("Pitan:")),
            ("Plan Osimertinib", 0.95, Some("Plan")),
            ("Treatment plan Osimertinib", 0.95, Some("Treatment plan")),
            ("Plan » Osimertinib", 0.95, Some("Plan")),
            ("Plan to treat", 0.85, None),
            ("EGFR: negative", 0.85, None),
            ("History of smoking", 0.85, None),
        ] {
            let read = ReadPages { pages: 1, lines: vec![line(1, false, text, &[confidence])] };
            let text = review(&read, LIMITS, None, "id").unwrap();
            assert_eq!(text.words_to_review.first().map(|mark| &*mark.text), expected, "{}", text.transcript);
        }
    }

    #[test]
    fn a_word_without_a_confidence_is_for_review_and_no_letters_are_no_text() {
        let read = ReadPages { pages: 1, lines: vec![line(1, false, "Well.", &[])] };
        let text = review(&read, LIMITS, None, "id").unwrap();
        assert_eq!(marks(&text), [("Well.", ScanReviewReason::LowConfidence)]);
        assert_eq!(text.lines[0].confidence, None);
        for text in ["|", "— ~"] {
            let read = ReadPages { pages: 1, lines: vec![line(1, false, text, &[0.95])] };
            assert_eq!(review(&read, LIMITS, None, "id"), None, "{text}");
        }
        assert_eq!(review(&ReadPages { pages: 2, lines: Vec::new() }, LIMITS, None, "id"), None);
    }
}
