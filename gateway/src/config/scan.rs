//! The settings of the OCR server.

use std::{ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;
use url::Url;

use super::{networks, transcribe::is_base};

const SIZES: RangeInclusive<ByteSize> = ByteSize::kib(64)..=ByteSize::mib(256);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(2);
const PLACES: RangeInclusive<usize> = 1..=1_024;

/// The section `scan`: the server that turns pictures of pages into text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScanSettings {
    /// Base URL of a server that `gateway ocr` runs. If it is not set or empty, no scans are read.
    pub url: Option<String>,
    /// Maximum size of a scan.
    pub max_bytes: ByteSize,
    /// Maximum time from the arrival of a scan to its text.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Maximum scans at the server at once.
    pub in_flight: usize,
    /// Words with a lower confidence are marked for review, 0.0 to 1.0.
    pub review_below: f64,
    /// Headings with a lower confidence are marked for review, 0.0 to 1.0.
    pub heading_below: f64,
}

impl ScanSettings {
    /// Returns an error for the first setting that cannot work. The error states what to write instead.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if self.url.as_deref().is_some_and(|url| !url.is_empty() && !is_base(url)) {
            return Some(
                "scan.url must be an http or https URL without user name, query and `/v1`, such as \
                 http://127.0.0.1:8090: the gateway adds /v1/ocr itself",
            );
        }
        if !SIZES.contains(&self.max_bytes) {
            return Some("scan.max_bytes must be 64 KiB to 256 MiB");
        }
        if !TIMEOUTS.contains(&self.timeout) {
            return Some("scan.timeout must be above zero and at most 2h");
        }
        if !PLACES.contains(&self.in_flight) {
            return Some("scan.in_flight must be 1 to 1024: how many scans the server takes at once");
        }
        if !(0.0..=1.0).contains(&self.review_below) {
            return Some("scan.review_below must be 0.0 to 1.0: a confidence");
        }
        if !(0.0..=1.0).contains(&self.heading_below) {
            return Some("scan.heading_below must be 0.0 to 1.0: a confidence");
        }
        None
    }

    /// Returns whether others can read scans on their way to the server.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        let url = self.url.as_deref().and_then(|url| Url::parse(url).ok());
        url.is_some_and(|url| networks::is_readable_on_the_way(&url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_settings_are_refused() {
        let good = ScanSettings { url: Some("http://ocr:8090".to_owned()), ..ScanSettings::default() };
        assert_eq!(good.fault(), None);
        for (bad, name) in [
            (ScanSettings { url: Some("ocr".to_owned()), ..good.clone() }, "url"),
            (ScanSettings { url: Some("http://ocr/v1".to_owned()), ..good.clone() }, "url"),
            (ScanSettings { max_bytes: ByteSize::kib(1), ..good.clone() }, "max_bytes"),
            (ScanSettings { timeout: Duration::ZERO, ..good.clone() }, "timeout"),
            (ScanSettings { in_flight: 0, ..good.clone() }, "in_flight"),
            (ScanSettings { review_below: f64::NAN, ..good.clone() }, "review_below"),
            (ScanSettings { heading_below: 1.1, ..good.clone() }, "heading_below"),
        ] {
            assert!(bad.fault().is_some_and(|fault| fault.starts_with(&format!("scan.{name} "))), "{name}");
        }
        assert!(!good.is_readable_on_the_way());
        let public = ScanSettings { url: Some("http://ocr.example.com".to_owned()), ..good };
        assert!(public.is_readable_on_the_way());
    }
}
