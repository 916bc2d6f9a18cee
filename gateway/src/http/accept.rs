//! Reads the `Accept` header: the media types that a client accepts, each with its quality (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// One media range of an `Accept` header.
pub(super) struct MediaRange<'a> {
    text: &'a str,
}

/// Returns the media ranges that a client accepts.
pub(super) fn ranges(headers: &HeaderMap) -> impl Iterator<Item = MediaRange<'_>> {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|text| MediaRange { text })
}

impl MediaRange<'_> {
    /// Returns whether this is the range `kind`, such as `text/html` or `*/*`.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
    }

    /// Returns the value of a parameter, without quotation marks.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.text.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let mut values = parameters.filter(|(given, _)| given.trim().eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// Returns the quality of the range, by which the client weighs it: 0 (not accepted) to 1.
    pub(super) fn quality(&self) -> f32 {
        self.parameter("q").and_then(|quality| quality.parse().ok()).unwrap_or(1.0)
    }
}
