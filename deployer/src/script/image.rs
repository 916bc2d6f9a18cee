//! Names of container images. The host runs only digests, because a tag can move between two requests.

use std::{fmt, str::FromStr};

/// Why a text is not the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The text has no repository, or one with characters that are not allowed.
    #[error("`{0}` is not a repository: lower-case letters, digits and . _ - / only, with an optional host and port")]
    Repository(String),
    /// The digest is not `sha256:` and 64 hexadecimal digits.
    #[error("`{0}` is not a digest: it must have the form repository@sha256: and 64 hexadecimal digits")]
    Digest(String),
    /// The text is not a tag.
    #[error("`{0}` is not a tag: letters, digits and . _ - only, at most 128 of them")]
    Tag(String),
}

/// An image by its content: `repository@sha256:...`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageDigest {
    repository: String,
    digest: String,
}

impl ImageDigest {
    /// Reads `repository@sha256:...`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let (repository, digest) = text.split_once('@').ok_or_else(|| ImageError::Digest(text.to_owned()))?;
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ImageError::Digest(text.to_owned()));
        }
        Ok(Self { repository: repository_name(repository)?, digest: digest.to_owned() })
    }

    /// The repository, with the registry's host.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.repository, self.digest)
    }
}

impl FromStr for ImageDigest {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        Self::parse(text)
    }
}

/// The image that an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageWanted {
    /// Exactly this image.
    Digest(ImageDigest),
    /// The image of a tag: the host resolves the tag once, to a digest (ECR only).
    Tag(ImageTag),
}

/// A checked `repository:tag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTag {
    repository: String,
    tag: String,
}

impl ImageTag {
    /// Checks both parts.
    pub fn new(repository: &str, tag: &str) -> Result<Self, ImageError> {
        let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let following = |byte: u8| first(byte) || matches!(byte, b'.' | b'-');
        if !tag.bytes().next().is_some_and(first) || !tag.bytes().all(following) || tag.len() > 128 {
            return Err(ImageError::Tag(tag.to_owned()));
        }
        Ok(Self { repository: repository_name(repository)?, tag: tag.to_owned() })
    }

    /// The repository, with the registry's host.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Only the tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl ImageWanted {
    /// The repository, with the registry's host.
    #[must_use]
    pub fn repository(&self) -> &str {
        match self {
            Self::Digest(image) => image.repository(),
            Self::Tag(image) => image.repository(),
        }
    }
}

impl fmt::Display for ImageWanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(image) => image.fmt(out),
            Self::Tag(image) => write!(out, "{}:{}", image.repository, image.tag),
        }
    }
}

fn repository_name(text: &str) -> Result<String, ImageError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let segment =
        |part: &str| part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && part.bytes().all(allowed);
    let (host, path) = text.split_once('/').unwrap_or(("", text));
    // Only the host may have a port.
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let host_fits = host.is_empty() && !text.starts_with('/')
        || segment(name) && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if host_fits && path.split('/').all(segment) && text.len() <= 255 {
        Ok(text.to_owned())
    } else {
        Err(ImageError::Repository(text.to_owned()))
    }
}
