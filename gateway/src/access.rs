//! Who may call: named API keys, of which only SHA-256 digests are known here.
//!
//! A key file has a line `name sha256-hex` for each key; `gateway hash-key` makes one. Neither keys nor
//! digests are ever printed or logged; names are, so they name clients, not patients.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Bytes of a digest.
const DIGEST: usize = 32;
/// A shorter key could be guessed.
const SHORTEST_KEY: usize = 20;

/// The client that a key was given to, by the name of its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The keys that open the service. Reloaded as a whole or not at all.
pub struct Keys {
    path: PathBuf,
    known: RwLock<Arc<[Key]>>,
}

struct Key {
    principal: Principal,
    digest: [u8; DIGEST],
}

/// Why a key file or a key cannot be used. Names the line, never what stands there.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("the key file {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A line is no key.
    #[error("the key file, line {0}: {1}")]
    Line(usize, &'static str),
    /// Nobody could call.
    #[error("the key file names no key: nobody could call")]
    Empty,
    /// A key that could be guessed.
    #[error("a key needs at least {SHORTEST_KEY} characters, all of them visible ASCII")]
    Weak,
    /// A name that would not fit a line, a log or a metric.
    #[error("a name has 1 to 64 letters, digits, dots, hyphens or underscores")]
    Name,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(getrandom::Error),
}

impl Keys {
    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        Ok(Self { path: path.to_owned(), known: RwLock::new(load(path)?) })
    }

    /// Reads the file again and says how many keys there are now. What cannot be read changes nothing.
    pub fn reload(&self) -> Result<usize, KeysError> {
        let keys = load(&self.path)?;
        let count = keys.len();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// Whose key this is. Takes the same time for any key that is not known.
    #[must_use]
    pub fn principal(&self, presented: &[u8]) -> Option<Principal> {
        let digest: [u8; DIGEST] = Sha256::digest(presented).into();
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        let mut found = None;
        // All keys are compared, also after the right one.
        for key in known.iter() {
            let same: Choice = key.digest.ct_eq(&digest);
            if bool::from(same) {
                found = Some(key.principal.clone());
            }
        }
        found
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

fn load(path: &Path) -> Result<Arc<[Key]>, KeysError> {
    let text = std::fs::read_to_string(path).map_err(|cause| KeysError::Unreadable { path: path.to_owned(), cause })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Arc<[Key]>, KeysError> {
    let mut keys: Vec<Key> = Vec::new();
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |why| KeysError::Line(at, why);
        let (name, digest) = line.split_once(char::is_whitespace).ok_or(bad("not `name sha256-hex`"))?;
        if !is_name(name) {
            return Err(bad("the name has other characters than letters, digits, dots, hyphens and underscores"));
        }
        if keys.iter().any(|key| key.principal.name() == name) {
            return Err(bad("the name stands twice"));
        }
        let digest = from_hex(digest.trim()).ok_or(bad("the digest is not 64 hexadecimal digits"))?;
        keys.push(Key { principal: Principal(Arc::from(name)), digest });
    }
    if keys.is_empty() { Err(KeysError::Empty) } else { Ok(keys.into()) }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn from_hex(text: &str) -> Option<[u8; DIGEST]> {
    let mut digest = [0; DIGEST];
    if text.len() != 2 * DIGEST || !text.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The line of the key file for a key.
pub fn line_for(name: &str, key: &str) -> Result<String, KeysError> {
    if !is_name(name) {
        return Err(KeysError::Name);
    }
    if key.len() < SHORTEST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(KeysError::Weak);
    }
    Ok(format!("{name} {}", hex(&Sha256::digest(key.as_bytes()))))
}

/// A new key of 256 random bits.
pub fn new_key() -> Result<String, KeysError> {
    let mut bytes = [0; DIGEST];
    getrandom::fill(&mut bytes).map_err(KeysError::NoEntropy)?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_and_another_does_not() {
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(key, other);
        let line = line_for("frontend", &key).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("# clients\n{line}\n\n")).unwrap();
        let keys = Keys::read(file.path()).unwrap();
        assert_eq!(keys.principal(key.as_bytes()).unwrap().name(), "frontend");
        for wrong in [other.as_bytes(), b"", key.as_bytes().get(1..).unwrap(), line.as_bytes()] {
            assert_eq!(keys.principal(wrong), None);
        }
        // A new file counts after a reload; one that cannot be read changes nothing.
        std::fs::write(file.path(), line_for("other", &other).unwrap()).unwrap();
        assert!(keys.principal(key.as_bytes()).is_some());
        assert_eq!(keys.reload().unwrap(), 1);
        assert!(keys.principal(key.as_bytes()).is_none() && keys.principal(other.as_bytes()).is_some());
        std::fs::write(file.path(), "").unwrap();
        assert!(keys.reload().is_err() && keys.principal(other.as_bytes()).is_some());
        assert!(!format!("{keys:?}").contains("other"));
    }

    #[test]
    fn bad_files_are_named_by_line_and_never_quoted() {
        let good = hex(&[7; DIGEST]);
        for (text, said) in [
            ("SECRET", "line 1: not"),
            ("a SECRET", "line 1: the digest"),
            (&format!("# x\n\nSE/CRET {good}"), "line 3: the name"),
            (&format!("a {good}\na {good}"), "line 2: the name stands twice"),
            (&format!("a {}", "é".repeat(32)), "line 1: the digest"),
            ("# nothing\n", "no key"),
        ] {
            let error = parse(text).err().unwrap().to_string();
            assert!(error.contains(said) && !error.contains("SECRET"), "{error}");
        }
        for (name, key) in [("a b", "x".repeat(40)), ("a", "short".to_owned()), ("a", "x y".repeat(20))] {
            assert!(line_for(name, &key).is_err());
        }
    }
}
