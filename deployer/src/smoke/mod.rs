//! Asking the service from outside, as its clients do: what must work, what must be refused, how fast it is. It sends
//! one made-up note and prints nothing.

mod checks;
mod client;
mod note;

use std::time::Duration;

use serde::Serialize;

use crate::{failure::Failure, secret::Secret};
use client::Client;

/// What is asked, and with which key.
pub struct Target {
    /// `http://203.0.113.7:8080`
    pub url: Url,
    /// An API key.
    pub key: Option<Secret>,
    /// An origin whose pages may call the service.
    pub origin: Option<String>,
    /// A note that takes longer is a failure.
    pub slowest: Duration,
}

/// An address without a path: what stands behind it is added by whoever calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(String);

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// As it must be.
    Passed,
    /// Not as expected, but it serves.
    Odd,
    /// Not as it must be.
    Failed,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name.
    pub check: &'static str,
    /// How it ended.
    pub verdict: CheckOutcome,
    /// What was found.
    pub found: String,
    /// How long the answer took; `None`: nothing was asked for this one.
    pub milliseconds: Option<u64>,
}

impl Url {
    /// Takes `http://HOST:PORT` or `https://HOST`, and nothing behind it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(host) = host else { return Err("it must begin with http:// or https://".to_owned()) };
        if host.ends_with('/') {
            return Err("it must not end in /: the Vercel route puts /api behind it".to_owned());
        }
        // A key could stand in a path, or before an @: it belongs in a file.
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
            return Err(
                "it must read http://HOST:PORT or https://HOST, without a path; an API key comes from --api-key-file"
                    .to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whoever is between may read notes and keys.
    #[must_use]
    pub fn in_the_clear(&self) -> bool {
        let host = self.0.strip_prefix("http://");
        let own = |host: &str| ["127.", "localhost", "[::1]"].iter().any(|own| host.starts_with(own));
        host.is_some_and(|host| !own(host))
    }
}

/// Makes every check, in order; `heard` is told of each as it ends. Where nothing answers, the rest is not asked.
pub async fn run(target: &Target, mut heard: impl FnMut(&Finding)) -> Result<Vec<Finding>, Failure> {
    let client = Client::new(target)?;
    let mut findings = Vec::new();
    let mut tell = |found: Vec<Finding>| {
        found.iter().for_each(&mut heard);
        findings.extend(found);
    };
    let health = checks::health(&client).await;
    let silent = health.milliseconds.is_none();
    tell(vec![health]);
    if silent {
        return Ok(findings);
    }
    tell(vec![checks::readiness(&client).await]);
    tell(vec![checks::without_a_key(&client).await]);
    tell(checks::note(&client, target.slowest).await);
    tell(vec![checks::blank_note(&client).await]);
    tell(vec![checks::unknown_path(&client).await]);
    tell(vec![checks::origins(&client, target.origin.as_deref()).await]);
    Ok(findings)
}

impl Finding {
    fn new(check: &'static str, verdict: CheckOutcome, found: impl Into<String>, milliseconds: Option<u64>) -> Self {
        Self { check, verdict, found: found.into(), milliseconds }
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn addresses() {
        for (text, clear) in [
            ("http://203.0.113.7:8080", true),
            ("https://notes.example.org", false),
            ("http://127.0.0.1:8080", false),
            ("http://[2001:db8::1]:8080", true),
        ] {
            assert_eq!(Url::parse(text).unwrap().in_the_clear(), clear, "{text}");
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
