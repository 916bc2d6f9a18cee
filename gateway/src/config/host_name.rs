//! Host names, as the setting `allowed_hosts` lists them.

use std::str::FromStr;

/// A host name that requests may address, in lower case and without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if text.is_empty() || !text.bytes().all(is_allowed) {
            return Err(format!(
                "`{text}` is not a host name: write gateway.example.org, without scheme, port, path or `*`"
            ));
        }
        Ok(Self(Self::folded(text)))
    }
}

impl HostName {
    /// Returns whether a request's host is this name, in any case and with or without a dot at its end.
    #[must_use]
    pub fn is(&self, host: &str) -> bool {
        self.0 == Self::folded(host)
    }

    /// Returns the form of a name that comparisons use: in lower case, without a dot at its end.
    pub(crate) fn folded(name: &str) -> String {
        name.trim_end_matches('.').to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_not_host_names_are_refused() {
        for bad in ["", "https://a.example", "a.example:80", "a.example/x", "*.example.org", "a b"] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }
}
