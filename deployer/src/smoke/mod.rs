//! Checks the service from outside, as its clients see it: requests that must work, requests that must be refused, and
//! the latency. It sends one made-up note and prints nothing.

mod checks;
mod client;
mod note;

use std::time::Duration;

use serde::Serialize;

use crate::{failure::Failure, secret::Secret};
use client::Client;

/// The service to check, and what to expect of it.
pub struct SmokeTarget {
    /// The service's address, such as `http://203.0.113.7:8080`.
    pub url: Url,
    /// The API key to send; `None` for a service without keys.
    pub key: Option<Secret>,
    /// An origin whose pages must be allowed to call the service.
    pub origin: Option<String>,
    /// The check `latency` fails if the note takes longer.
    pub slowest: Duration,
}

/// An address without a path. Callers append the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(String);

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The check passed.
    Passed,
    /// The service answers, but not as expected.
    Odd,
    /// The check failed.
    Failed,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The name of the check.
    pub check: &'static str,
    /// The outcome of the check.
    pub verdict: CheckOutcome,
    /// A description of what the service answered.
    pub found: String,
    /// The latency of the answer in milliseconds; `None` if no answer came or if the check sent no request of its own.
    pub milliseconds: Option<u64>,
}

impl Url {
    /// Parses `http://HOST:PORT` or `https://HOST`. Refuses anything after the port or the host.
    pub fn parse(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(host) = host else { return Err("it must begin with http:// or https://".to_owned()) };
        if host.ends_with('/') {
            return Err("it must not end in /: the Vercel route appends /api to it".to_owned());
        }
        // A path, or the part before an @, could contain an API key, which must come from a file.
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
            return Err(
                "it must have the form http://HOST:PORT or https://HOST, without a path; an API key comes from --api-key-file"
                    .to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the address as the operator wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Returns whether requests cross a network unencrypted, so that notes and keys can be read on the way.
    #[must_use]
    pub fn in_the_clear(&self) -> bool {
        let Some(authority) = self.0.strip_prefix("http://") else { return false };
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        // A name that only begins like an address of this machine is another machine's.
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        !(host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback()))
    }
}

/// Runs every check in order and calls `on_finding` with each result as soon as the check has ended. If the service
/// does not answer the first request, the other checks are skipped.
pub async fn run(target: &SmokeTarget, mut on_finding: impl FnMut(&CheckResult)) -> Result<Vec<CheckResult>, Failure> {
    let client = Client::new(target)?;
    let mut findings = Vec::new();
    let mut record = |found: Vec<CheckResult>| {
        found.iter().for_each(&mut on_finding);
        findings.extend(found);
    };
    let health = checks::health(&client).await;
    let unreachable = health.milliseconds.is_none();
    record(vec![health]);
    if unreachable {
        return Ok(findings);
    }
    record(vec![checks::readiness(&client).await]);
    record(vec![checks::without_a_key(&client).await]);
    record(checks::note(&client, target.slowest).await);
    record(vec![checks::blank_note(&client).await]);
    record(vec![checks::unknown_path(&client).await]);
    record(vec![checks::origins(&client, target.origin.as_deref()).await]);
    Ok(findings)
}

impl CheckResult {
    fn new(check: &'static str, verdict: CheckOutcome, found: impl Into<String>, milliseconds: Option<u64>) -> Self {
        Self { check, verdict, found: found.into(), milliseconds }
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn addresses_are_parsed_or_refused() {
        for (text, unencrypted) in [
            ("http://203.0.113.7:8080", true),
            ("https://notes.example.org", false),
            ("http://127.0.0.1:8080", false),
            ("http://127.0.0.1", false),
            ("http://localhost:8080", false),
            ("http://[::1]:8080", false),
            ("http://[::1]", false),
            ("http://localhost.example.org", true),
            ("http://127.0.0.1.example.org:8080", true),
            ("http://127.example.org", true),
            ("http://[2001:db8::1]:8080", true),
        ] {
            assert_eq!(Url::parse(text).unwrap().in_the_clear(), unencrypted, "{text}");
        }
        for (text, word) in [
            ("http://203.0.113.7:8080/", "not end in /"),
            ("203.0.113.7:8080", "http://"),
            ("http://203.0.113.7:8080/t/KEY", "without a path"),
            ("http://key@203.0.113.7", "without a path"),
            ("http://", "without a path"),
            ("", "http://"),
        ] {
            assert!(Url::parse(text).unwrap_err().contains(word), "{text}");
        }
    }
}
