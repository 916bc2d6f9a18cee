//! Parses the answer of a transcription server, `verbose_json` of OpenAI's API. Nothing in it is trusted: invalid times
//! and probabilities are left out, and a segment without a probability is for review.

use serde::Deserialize;
use serde_json::Value;

/// Longest transcript, in bytes. The speech of the longest recording is shorter.
const LONGEST: usize = 200_000;
/// Most segments.
const MOST_SEGMENTS: usize = 10_000;
/// The server heard less than the recording by this share and these seconds: it has not read all of it.
const LEAST_SHARE: f64 = 0.9;
const TOLERANCE: f64 = 2.0;

/// The answer, before it is checked.
#[derive(Deserialize)]
struct VerboseJson {
    text: String,
    #[serde(default)]
    duration: Value,
    #[serde(default)]
    segments: Option<Vec<RawSegment>>,
    #[serde(default)]
    words: Option<Vec<RawWord>>,
}

#[derive(Deserialize)]
struct RawSegment {
    text: String,
    #[serde(default)]
    start: Value,
    #[serde(default)]
    end: Value,
    #[serde(default)]
    avg_logprob: Value,
    #[serde(default)]
    no_speech_prob: Value,
    #[serde(default)]
    words: Option<Vec<RawWord>>,
}

#[derive(Deserialize)]
struct RawWord {
    word: String,
    #[serde(default)]
    probability: Value,
}

/// What a server heard.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RecognisedSpeech {
    pub(super) segments: Vec<HeardSegment>,
    /// Words with the probability that the server gives them, in the order of the transcript.
    pub(super) words: Vec<(String, f64)>,
}

/// One stretch of speech.
#[derive(Debug, Default, PartialEq)]
pub(super) struct HeardSegment {
    pub(super) text: String,
    /// Seconds from the beginning of the recording.
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
    /// 0 to 1.
    pub(super) probability: Option<f64>,
    /// The probability that the segment has no speech, 0 to 1.
    pub(super) silence: Option<f64>,
}

/// Why an answer cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerFault {
    /// It is not `verbose_json`.
    NoAnswer,
    /// It is longer than speech.
    TooLong,
    /// The server read only a part of the recording.
    Incomplete,
}

/// Parses the answer to a recording of some seconds.
pub(super) fn parse(json: &[u8], seconds: f64) -> Result<RecognisedSpeech, AnswerFault> {
    let answer: VerboseJson = serde_json::from_slice(json).map_err(|_| AnswerFault::NoAnswer)?;
    let raw = answer.segments.unwrap_or_default();
    let length = answer.text.len().max(raw.iter().map(|segment| segment.text.len()).sum());
    if length > LONGEST || raw.len() > MOST_SEGMENTS {
        return Err(AnswerFault::TooLong);
    }
    if number(&answer.duration).is_some_and(|heard| heard < seconds * LEAST_SHARE - TOLERANCE) {
        return Err(AnswerFault::Incomplete);
    }
    let words = raw.iter().flat_map(|segment| segment.words.iter().flatten());
    let words = words.chain(answer.words.iter().flatten());
    let words = words.filter_map(|word| Some((plain(&word.word), share(&word.probability)?))).collect();
    let mut segments: Vec<HeardSegment> =
        raw.iter().map(HeardSegment::of).filter(|segment| !segment.text.is_empty()).collect();
    let text = plain(&answer.text);
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    // Where the segments lack some of the text, the whole text is one segment of which nothing is known.
    if letters(&text) > segments.iter().map(|segment| letters(&segment.text)).sum() {
        segments = vec![HeardSegment { text, ..HeardSegment::default() }];
    }
    Ok(RecognisedSpeech { segments, words })
}

impl HeardSegment {
    fn of(raw: &RawSegment) -> Self {
        let times = number(&raw.start).zip(number(&raw.end)).filter(|(start, end)| *start >= 0.0 && start <= end);
        Self {
            text: plain(&raw.text),
            start: times.map(|(start, _)| start),
            end: times.map(|(_, end)| end),
            probability: number(&raw.avg_logprob).filter(|log| *log <= 0.0).map(f64::exp),
            silence: share(&raw.no_speech_prob),
        }
    }
}

/// Returns a finite number, which some servers write as text.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

fn share(value: &Value) -> Option<f64> {
    number(value).filter(|share| (0.0..=1.0).contains(share))
}

/// Returns a text with single spaces and without control characters.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(answer: &Value) -> Result<RecognisedSpeech, AnswerFault> {
        parse(answer.to_string().as_bytes(), 60.0)
    }

    #[test]
    fn answers_are_read_and_nonsense_in_them_is_left_out() {
        let answer = json!({"text": " Stage\u{0} four\nlung cancer. ", "duration": "60.0", "segments": [
            {"text": " Stage four", "start": 0, "end": 1.5, "avg_logprob": 0.0, "no_speech_prob": 0.25,
             "words": [{"word": " Stage", "probability": 0.5}, {"word": "four", "probability": 7}]},
            {"text": "lung cancer.", "start": 3, "end": 1, "avg_logprob": 3, "no_speech_prob": "NaN"},
            {"text": " "}]});
        let heard = heard(&answer).unwrap();
        let first = HeardSegment {
            text: "Stage four".to_owned(),
            start: Some(0.0),
            end: Some(1.5),
            probability: Some(1.0),
            silence: Some(0.25),
        };
        let second = HeardSegment { text: "lung cancer.".to_owned(), ..HeardSegment::default() };
        assert_eq!(heard, RecognisedSpeech { segments: vec![first, second], words: vec![("Stage".to_owned(), 0.5)] });
    }

    #[test]
    fn text_that_the_segments_lack_is_not_lost() {
        let segments = json!([{"text": "Stage four", "avg_logprob": -0.1}]);
        for (text, expected) in
            [("Stage four", "Stage four"), ("Stage four, treated", "Stage four, treated"), ("", "Stage four")]
        {
            let heard = heard(&json!({"text": text, "segments": segments})).unwrap();
            assert_eq!(heard.segments[0].text, expected);
            assert_eq!(heard.segments[0].probability.is_none(), text.len() > 10);
        }
        assert_eq!(heard(&json!({"text": " "})).unwrap(), RecognisedSpeech::default());
    }

    #[test]
    fn useless_answers_are_faults() {
        for (answer, expected) in [
            (json!({}), AnswerFault::NoAnswer),
            (json!([]), AnswerFault::NoAnswer),
            (json!({"text": 5}), AnswerFault::NoAnswer),
            (json!({"text": "a", "segments": [5]}), AnswerFault::NoAnswer),
            (json!({"text": "a", "duration": 30.0}), AnswerFault::Incomplete),
            (json!({"text": "a ".repeat(200_000)}), AnswerFault::TooLong),
        ] {
            assert_eq!(heard(&answer), Err(expected));
        }
        for text in ["", "<html>", "{\"text\": \"a\", \"duration\": NaN}", "{\"text\": \"a\""] {
            assert_eq!(parse(text.as_bytes(), 1.0), Err(AnswerFault::NoAnswer), "{text}");
        }
    }
}
