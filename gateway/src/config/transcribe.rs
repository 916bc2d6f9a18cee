//! The settings of the transcription server.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;
use url::Url;

use super::networks;

const SIZES: RangeInclusive<ByteSize> = ByteSize::kib(64)..=ByteSize::mib(256);
const LENGTHS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(2);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(2);
const PLACES: RangeInclusive<usize> = 1..=1_024;

/// The section `transcribe`: the server that turns speech into text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transcribe {
    /// Base URL of a server with `/v1/audio/transcriptions`. If it is not set or empty, there is no dictation.
    pub url: Option<String>,
    /// File with the key of the server, which is sent as `Authorization: Bearer`.
    pub api_key_file: Option<PathBuf>,
    /// The model that transcribes, as the server names it.
    pub model: String,
    /// The language that is spoken, as ISO 639-1 writes it. The vocabulary is English.
    pub language: String,
    /// Maximum size of a recording.
    pub max_bytes: ByteSize,
    /// Maximum length of a recording.
    #[serde(with = "humantime_serde")]
    pub max_length: Duration,
    /// Maximum time from the arrival of a recording to its transcript.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Maximum recordings at the server at once.
    pub in_flight: usize,
    /// Words and segments with a lower probability are marked for review, 0.0 to 1.0.
    pub review_below: f64,
}

impl Transcribe {
    /// Returns an error for the first setting that cannot work. The error states what to write instead.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if self.url.as_deref().is_some_and(|url| !url.is_empty() && !is_base(url)) {
            return Some(
                "transcribe.url must be an http or https URL without user name, query and `/v1`, such as \
                 http://127.0.0.1:8001: the gateway adds /v1/audio/transcriptions itself",
            );
        }
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic());
        if !is_word(&self.model) {
            return Some("transcribe.model must be a name without spaces, as the server lists it");
        }
        if !(self.language.len() == 2 && self.language.bytes().all(|byte| byte.is_ascii_lowercase())) {
            return Some("transcribe.language must be two small letters, such as en");
        }
        if !SIZES.contains(&self.max_bytes) {
            return Some("transcribe.max_bytes must be 64 KiB to 256 MiB");
        }
        if !LENGTHS.contains(&self.max_length) {
            return Some("transcribe.max_length must be 1s to 2h");
        }
        if !TIMEOUTS.contains(&self.timeout) {
            return Some("transcribe.timeout must be above zero and at most 2h");
        }
        if !PLACES.contains(&self.in_flight) {
            return Some("transcribe.in_flight must be 1 to 1024: how many recordings the server takes at once");
        }
        if !(0.0..=1.0).contains(&self.review_below) {
            return Some("transcribe.review_below must be 0.0 to 1.0: a probability");
        }
        None
    }

    /// Returns whether others can read recordings on their way to the server.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        let url = self.url.as_deref().and_then(|url| Url::parse(url).ok());
        url.is_some_and(|url| networks::is_readable_on_the_way(&url))
    }
}

/// Returns whether a text is the URL of a server, without the path of its API.
pub(super) fn is_base(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && !url.path().trim_end_matches('/').ends_with("/v1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_settings_are_refused() {
        let good = Transcribe { url: Some("http://whisper:8000/api".to_owned()), ..Transcribe::default() };
        assert_eq!(good.fault(), None);
        for url in ["whisper", "ftp://host", "http://host/v1/", "http://me:it@host", "http://host?a=b"] {
            let bad = Transcribe { url: Some(url.to_owned()), ..Transcribe::default() };
            assert!(bad.fault().is_some_and(|fault| fault.contains("transcribe.url")), "{url}");
        }
        for (bad, name) in [
            (Transcribe { model: String::new(), ..good.clone() }, "model"),
            (Transcribe { language: "english".to_owned(), ..good.clone() }, "language"),
            (Transcribe { max_bytes: ByteSize::kib(1), ..good.clone() }, "max_bytes"),
            (Transcribe { max_length: Duration::ZERO, ..good.clone() }, "max_length"),
            (Transcribe { timeout: Duration::ZERO, ..good.clone() }, "timeout"),
            (Transcribe { in_flight: 0, ..good.clone() }, "in_flight"),
            (Transcribe { review_below: f64::NAN, ..good.clone() }, "review_below"),
        ] {
            assert!(bad.fault().is_some_and(|fault| fault.starts_with(&format!("transcribe.{name} "))), "{name}");
        }
    }

    #[test]
    fn recordings_are_readable_only_in_plain_http_to_public_hosts() {
        for (url, expected) in
            [("http://whisper:8000", false), ("http://asr.example.com", true), ("https://asr.example.com", false)]
        {
            let settings = Transcribe { url: Some(url.to_owned()), ..Transcribe::default() };
            assert_eq!(settings.is_readable_on_the_way(), expected, "{url}");
        }
    }
}
