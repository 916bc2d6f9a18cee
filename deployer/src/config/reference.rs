//! A value of the configuration: a literal, or the name of the SSM parameter that holds the value.

use serde::{Deserialize, Deserializer, de::Error as _};

/// The prefix of a reference.
const SSM: &str = "ssm:";

/// A value, or a reference to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOrReference {
    /// The value itself.
    Literal(String),
    /// The name of an SSM parameter, such as `/slm-ft-serving/ec2/instance-id`.
    Parameter(String),
}

impl ValueOrReference {
    /// Returns a literal value.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self::Literal(text.to_owned())
    }

    /// Parses `ssm:/name/of/a/parameter` as a reference and any other text as a literal. Returns an error for `ssm:`
    /// without a valid name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_prefix(SSM) else { return Ok(Self::literal(text)) };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
        if name.len() > 1 && name.starts_with('/') && !name.ends_with('/') && name.bytes().all(allowed) {
            Ok(Self::Parameter(name.to_owned()))
        } else {
            Err(format!("`{text}` is not a reference: it must have the form ssm:/name/of/a/parameter"))
        }
    }

    /// Returns the value, or a placeholder in angle brackets, for texts that are made without a request to AWS.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Parameter(name) => format!("<the value of {SSM}{name}>"),
        }
    }
}

impl<'de> Deserialize<'de> for ValueOrReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
