//! Makes the transcript that a person reviews: spoken numbers as figures, and every word marked that a transcription
//! server is known to get wrong.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::{answer::RecognisedSpeech, numbers, vocabulary::PROMPT};
use crate::{
    extraction::{Note, OffsetUnit},
    rules::{self, VocabularyKind},
};

/// A stretch of more words than this that is in the prompt in the same order is for review: servers repeat their prompt
/// in silence.
const LONGEST_ECHO: usize = 3;
/// A segment with at least this probability of silence is for review.
const SILENCE: f64 = 0.5;

/// How far after the word before it a word may be in the transcript, in bytes.
const NEAR: usize = 400;

/// The text of a dictation, for a person to check. It is never a record.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Transcript {
    /// The text, with spoken numbers as figures where their meaning is certain.
    #[schema(example = "EGFR exon 19 deletion, osimertinib.")]
    pub transcript: String,
    /// The stretches of the recording, as the server heard them.
    pub segments: Vec<Segment>,
    /// The stretches of `transcript` that a person must compare with what was said, in order. They may overlap.
    pub words_to_review: Vec<WordToReview>,
    /// Always true: a transcript goes into an extraction only after a person has read it.
    #[schema(example = true)]
    pub needs_review: bool,
    /// How long the recording plays, in seconds.
    #[schema(example = 4.2)]
    pub duration: f64,
    /// The model that transcribed.
    #[schema(example = "whisper-1")]
    pub model: String,
    /// The id of this request.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
}

/// A stretch of the recording.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = TranscriptSegment)]
pub struct Segment {
    /// Seconds from the beginning; null if the server gave none.
    #[schema(example = 0.0)]
    pub start: Option<f64>,
    /// Seconds from the beginning; null if the server gave none.
    #[schema(example = 4.2)]
    pub end: Option<f64>,
    /// What the server heard, with numbers as they were spoken.
    #[schema(example = "EGFR exon nineteen deletion, osimertinib.")]
    pub text: String,
    /// The mean probability of its words, 0 to 1, as the server estimates it; null if it gave none.
    #[schema(example = 0.83)]
    pub probability: Option<f64>,
    /// Whether all of it is for review: its probability is low or unknown, or it may have no speech.
    #[schema(example = false)]
    pub review: bool,
}

/// A stretch of the transcript to check.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WordToReview {
    /// Its first code point in `transcript`.
    #[schema(example = 10)]
    pub start: usize,
    /// One past its last code point in `transcript`.
    #[schema(example = 12)]
    pub end: usize,
    /// The words there.
    #[schema(example = "19")]
    pub text: String,
    /// Why it must be checked.
    pub reason: ReviewReason,
    /// The words that were spoken, where `reason` is `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "nineteen")]
    pub spoken: Option<String>,
}

/// Why a stretch of a transcript must be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "number")]
pub enum ReviewReason {
    /// The server gives it a low probability, or none.
    LowProbability,
    /// Perhaps there is no speech here.
    Silence,
    /// These words are in this order in the list that the server was given: perhaps there is no speech here.
    Vocabulary,
    /// A spoken number that was written as figures.
    Number,
    /// A drug or another treatment.
    Drug,
    /// A gene.
    Gene,
    /// A biomarker.
    Marker,
}

/// The parts of a transcript that come from its text.
pub(super) struct ReviewedSpeech {
    pub(super) transcript: String,
    pub(super) segments: Vec<Segment>,
    pub(super) words_to_review: Vec<WordToReview>,
}

/// Returns the transcript of what a server heard; none if it heard no words. Probabilities below `limit` are for
/// review.
pub(super) fn review(heard: RecognisedSpeech, limit: f64) -> Option<ReviewedSpeech> {
    let mut source = String::new();
    let mut marks: Vec<(Range<usize>, ReviewReason)> = Vec::new();
    let mut segments = Vec::new();
    for segment in heard.segments {
        source.push_str(if source.is_empty() { "" } else { " " });
        let range = source.len()..source.len() + segment.text.len();
        source.push_str(&segment.text);
        let is_doubtful = segment.probability.is_none_or(|probability| probability < limit);
        let is_silence = segment.silence.is_some_and(|silence| silence >= SILENCE);
        let reasons = [(is_doubtful, ReviewReason::LowProbability), (is_silence, ReviewReason::Silence)];
        marks.extend(reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| (range.clone(), reason)));
        let (start, end, text, probability) = (segment.start, segment.end, segment.text, segment.probability);
        segments.push(Segment { start, end, text, probability, review: is_doubtful || is_silence });
    }
    if !source.chars().any(char::is_alphanumeric) {
        return None;
    }
    marks.extend(doubtful_words(&source, &heard.words, limit).map(|range| (range, ReviewReason::LowProbability)));
    marks.extend(echoes(&source).into_iter().map(|range| (range, ReviewReason::Vocabulary)));
    let rewritten = numbers::in_figures(&source, &rules::terms_in(&source));
    for (range, _) in &mut marks {
        *range = rewritten.target(range);
    }
    marks.extend(rewritten.changes.iter().map(|change| (change.target.clone(), ReviewReason::Number)));
    marks.extend(rules::terms_in(&rewritten.text).into_iter().filter_map(|(range, kind)| Some((range, reason(kind)?))));
    marks.sort_by_key(|(range, reason)| (range.start, range.end, *reason));
    marks.dedup();
    let spoken = |target: &Range<usize>| {
        let at = rewritten.changes.partition_point(|change| change.target.start < target.start);
        let change = rewritten.changes.get(at).filter(|change| change.target == *target)?;
        source.get(change.source.clone()).map(str::to_owned)
    };
    let words_to_review = placed(&rewritten.text, marks, spoken);
    Some(ReviewedSpeech { transcript: rewritten.text, segments, words_to_review })
}

fn reason(kind: VocabularyKind) -> Option<ReviewReason> {
    match kind {
        VocabularyKind::Treatment => Some(ReviewReason::Drug),
        VocabularyKind::Gene => Some(ReviewReason::Gene),
        VocabularyKind::Marker => Some(ReviewReason::Marker),
        VocabularyKind::Cancer | VocabularyKind::Site => None,
    }
}

/// Returns the positions of words to which the server gives a low probability.
fn doubtful_words<'a>(
    source: &'a str,
    words: &'a [(String, f64)],
    limit: f64,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut from = 0;
    words.iter().filter_map(move |(word, probability)| {
        // A word that the transcript lacks is not searched for far away.
        let rest = source.get(from..)?;
        let near = rest.get(..rest.floor_char_boundary(NEAR))?;
        let start = from + near.find(word.as_str()).filter(|_| !word.is_empty())?;
        from = start + word.len();
        (*probability < limit).then_some(start..from)
    })
}

/// Returns the stretches that repeat the prompt.
fn echoes(source: &str) -> Vec<Range<usize>> {
    let prompt: Vec<String> = PROMPT.split(", ").map(letters).collect();
    let mut found = Vec::new();
    let (mut begin, mut end, mut next, mut count) = (0, 0, usize::MAX, 0);
    let mut at = 0;
    for word in source.split_inclusive(' ') {
        let (start, spoken) = (at, letters(word));
        at += word.len();
        if prompt.get(next).is_some_and(|expected| *expected == spoken) {
            (end, next, count) = (start + word.trim_end().len(), next + 1, count + 1);
            continue;
        }
        if count > LONGEST_ECHO {
            found.push(begin..end);
        }
        let place = prompt.iter().position(|name| *name == spoken).filter(|_| !spoken.is_empty());
        (begin, end, count) = (start, start + word.trim_end().len(), usize::from(place.is_some()));
        next = place.map_or(usize::MAX, |place| place + 1);
    }
    if count > LONGEST_ECHO {
        found.push(begin..end);
    }
    found
}

fn letters(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns the marks with offsets in code points.
fn placed(
    text: &str,
    marks: Vec<(Range<usize>, ReviewReason)>,
    spoken: impl Fn(&Range<usize>) -> Option<String>,
) -> Vec<WordToReview> {
    let Ok(note) = Note::new(text.to_owned(), usize::MAX) else { return Vec::new() };
    let (mut starts, mut ends) = (note.offsets(OffsetUnit::Codepoint), note.offsets(OffsetUnit::Codepoint));
    let word = |(range, reason): (Range<usize>, ReviewReason)| {
        let spoken = if reason == ReviewReason::Number { spoken(&range) } else { None };
        let text = text.get(range.clone()).unwrap_or_default().to_owned();
        WordToReview { start: starts.convert(range.start), end: ends.convert(range.end), text, reason, spoken }
    };
    marks.into_iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictation::answer::HeardSegment;

    fn segment(text: &str, probability: Option<f64>, silence: f64) -> HeardSegment {
        HeardSegment { text: text.to_owned(), probability, silence: Some(silence), ..HeardSegment::default() }
    }

    #[test]
    fn what_must_be_checked_is_marked_where_it_stands() {
        let segments = vec![
            segment("Übrigens: EGFR exon nineteen deletion.", Some(0.9), 0.0),
            segment("A similar to the baby.", Some(0.4), 0.0),
            segment("Thank you.", Some(0.9), 0.9),
        ];
        let words = vec![("EGFR".to_owned(), 0.99), ("deletion.".to_owned(), 0.2), ("absent".to_owned(), 0.1)];
        let reviewed = review(RecognisedSpeech { segments, words }, 0.7).unwrap();
        assert_eq!(reviewed.transcript, "Übrigens: EGFR exon 19 deletion. A similar to the baby. Thank you.");
        assert_eq!(reviewed.segments.iter().map(|segment| segment.review).collect::<Vec<_>>(), [false, true, true]);
        let marks: Vec<_> = reviewed.words_to_review.iter().map(|mark| (&*mark.text, mark.reason)).collect();
        assert_eq!(
            marks,
            [
                ("EGFR", ReviewReason::Gene),
                ("19", ReviewReason::Number),
                ("deletion.", ReviewReason::LowProbability),
                ("A similar to the baby.", ReviewReason::LowProbability),
                ("Thank you.", ReviewReason::Silence),
            ]
        );
        assert_eq!(reviewed.words_to_review[1].spoken.as_deref(), Some("nineteen"));
        for mark in &reviewed.words_to_review {
            let there: String = reviewed.transcript.chars().skip(mark.start).take(mark.end - mark.start).collect();
            assert_eq!(there, mark.text);
        }
    }

    #[test]
    fn a_segment_without_a_probability_is_for_review_and_silence_is_no_transcript() {
        let unknown =
            review(RecognisedSpeech { segments: vec![segment("Well.", None, 0.0)], words: Vec::new() }, 0.7).unwrap();
        assert!(unknown.segments[0].review && unknown.words_to_review[0].reason == ReviewReason::LowProbability);
        for text in ["", "...", " - "] {
            let segments = vec![segment(text, Some(0.9), 0.0)];
            assert!(review(RecognisedSpeech { segments, words: Vec::new() }, 0.7).is_none(), "{text}");
        }
        assert!(review(RecognisedSpeech::default(), 0.7).is_none());
    }

    #[test]
    fn words_that_repeat_the_prompt_are_marked() {
        for (text, expected) in [
            ("Then EGFR, ALK, KRAS, BRAF, and so on", Some("EGFR, ALK, KRAS, BRAF,")),
            ("EGFR, ALK and KRAS are negative", None),
            ("pemetrexed, carboplatin, and pembrolizumab", None),
            (
                "nivolumab, ipilimumab, durvalumab, trastuzumab.",
                Some("nivolumab, ipilimumab, durvalumab, trastuzumab."),
            ),
        ] {
            let ranges = echoes(text);
            assert_eq!(ranges.first().map(|range| text.get(range.clone()).unwrap()), expected, "{text}");
        }
    }
}
