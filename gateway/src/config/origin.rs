//! Origins whose pages may call the service from a browser, as the setting `cors.origins` lists them.

use std::str::FromStr;

use serde::Deserialize;

/// An origin, or a pattern of origins that differ in one label, such as `https://*.vercel.app`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OriginPattern {
    /// The whole origin, or of a pattern the part before the label.
    before: String,
    /// Of a pattern, the part after the label.
    after: Option<String>,
}

impl FromStr for OriginPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            Err(format!(
                "`{text}` is not an origin: write https://host or https://*.host, with no path and no other `*`"
            ))
        };
        let Some((scheme, host)) = text.split_once("://") else { return refuse() };
        if !matches!(scheme, "http" | "https") || host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return refuse();
        }
        match host.strip_prefix("*.") {
            Some(rest) if rest.contains('.') && !rest.contains('*') => {
                Ok(Self { before: format!("{scheme}://"), after: Some(format!(".{rest}")) })
            }
            None if !host.contains('*') => Ok(Self { before: text.to_owned(), after: None }),
            _ => refuse(),
        }
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl OriginPattern {
    /// Returns whether an `Origin` header matches: scheme, host and port are compared.
    #[must_use]
    pub fn matches(&self, origin: &str) -> bool {
        let Some(after) = &self.after else { return origin.eq_ignore_ascii_case(&self.before) };
        let origin = origin.to_ascii_lowercase();
        origin
            .strip_prefix(&self.before)
            .and_then(|rest| rest.strip_suffix(after.to_ascii_lowercase().as_str()))
            .is_some_and(|label| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_origins() {
        for (pattern, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example.evil.com", false),
            ("https://*.vercel.app", "https://my-app-git-main.vercel.app", true),
            ("https://*.vercel.app", "http://my-app.vercel.app", false),
            ("https://*.vercel.app", "https://a.b.vercel.app", false),
            ("https://*.vercel.app", "https://vercel.app", false),
            ("https://*.vercel.app", "https://.vercel.app", false),
            ("https://*.vercel.app", "https://evil.com/.vercel.app", false),
            ("https://*.vercel.app", "https://evil.com#.vercel.app", false),
            ("http://localhost:3000", "http://localhost:3001", false),
        ] {
            assert_eq!(pattern.parse::<OriginPattern>().unwrap().matches(origin), expected, "{pattern} {origin}");
        }
        for refused in ["*", "https://*", "a.example", "https://a/*", "https://*.*.app", "https://*.app", "ftp://a"] {
            assert!(refused.parse::<OriginPattern>().is_err(), "{refused}");
        }
    }
}
