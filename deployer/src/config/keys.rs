//! The key file: the names and digests of the API keys, which a deploy carries to the host. It never holds a key
//! itself.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{ConfigFile, File};
use crate::{failure::Failure, secret::Secret};

/// The length of a new key in bytes, the same as that of `gateway hash-key`.
const KEY_BYTES: usize = 32;

/// Returns the path of the key file.
#[must_use]
pub fn keys_file(path: &Path, file: &File) -> PathBuf {
    ConfigFile { file: file.clone(), path: path.to_owned() }.folder().join(&file.gateway.keys_file)
}

/// Returns whether the key file has at least one key. A missing file has none.
pub fn has_keys(path: &Path) -> Result<bool, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Returns a new key of 256 random bits.
pub fn new_key() -> Result<Secret, Failure> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Failure::unchanged(format!("this machine gives no random numbers: {error}"), "Run this on another machine.")
    })?;
    Ok(Secret::new(Zeroizing::new(hex::encode(bytes.as_slice()))))
}

/// One thing that a key may do, by its name in the key file. The gateway has the same names (`access/scopes.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyScope {
    /// Reads notes
    Extract,
    /// Reads the metrics and the verbose health
    Metrics,
    /// Reads what the key itself has used
    Usage,
    /// Reads what all keys have used
    Admin,
}

impl KeyScope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Extract, Self::Metrics, Self::Usage, Self::Admin];

    /// Returns its name in the key file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Metrics => "metrics",
            Self::Usage => "usage",
            Self::Admin => "admin",
        }
    }
}

/// The scopes of a key whose line names none.
const DEFAULT_SCOPES: &str = "extract,metrics";

/// Returns the key file's line for a key: its name, its digest, whether requests may carry the key in their path, and
/// its scopes. Without scopes the line names none, and the key has the gateway's default: `extract` and `metrics`.
#[must_use]
pub fn line_of(name: &str, key: &Secret, in_path: bool, scopes: &[KeyScope]) -> String {
    let digest = hex::encode(Sha256::digest(key.expose().as_bytes()));
    // Logs of other systems contain the path, so a key in the path can leak. It therefore gets a low rate limit.
    let mut line = format!("{name} {digest}{}", if in_path { " path rate=10/s" } else { "" });
    let names: Vec<&str> =
        KeyScope::ALL.into_iter().filter(|scope| scopes.contains(scope)).map(KeyScope::name).collect();
    if !names.is_empty() {
        line.push_str(" scopes=");
        line.push_str(&names.join(","));
    }
    line
}

/// A key of the key file, without its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The name of the client that has the key.
    pub name: String,
    /// The start of a digest of the digest, by which the keys of two files are compared.
    pub fingerprint: String,
    /// The words after the digest, such as `path` or `rate=10/s`.
    pub words: Vec<String>,
}

impl KnownKey {
    /// Returns what the key may do, with commas between.
    #[must_use]
    pub fn scopes(&self) -> &str {
        let named = self.words.iter().find_map(|word| match word.as_str() {
            // The short form of scopes=metrics.
            "metrics" => Some("metrics"),
            word => word.strip_prefix("scopes="),
        });
        named.unwrap_or(DEFAULT_SCOPES)
    }

    /// Returns the words that say nothing about scopes, with spaces between.
    #[must_use]
    pub fn limits(&self) -> String {
        let others =
            self.words.iter().map(String::as_str).filter(|word| *word != "metrics" && !word.starts_with("scopes="));
        others.collect::<Vec<_>>().join(" ")
    }
}

/// Returns the text of the key file; empty if there is no file.
pub fn read(path: &Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| unusable(path, &error)),
    }
}

/// Returns the keys in the text of a key file.
#[must_use]
pub fn known(text: &str) -> Vec<KnownKey> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (name, digest) = (words.next()?.to_owned(), words.next()?);
            let fingerprint = hex::encode(Sha256::digest(digest.as_bytes())).chars().take(12).collect();
            Some(KnownKey { name, fingerprint, words: words.map(str::to_owned).collect() })
        })
        .collect()
}

/// Returns the text with the lines of a key removed, and with `line` at the end if there is one. The host computes the
/// same text, byte for byte.
#[must_use]
pub fn changed(text: &str, name: &str, line: Option<&str>) -> String {
    let is_other = |line: &&str| line.split([' ', '\t']).find(|word| !word.is_empty()) != Some(name);
    let kept = text.strip_suffix('\n').unwrap_or(text).split('\n').filter(is_other);
    let all = kept.filter(|_| !text.is_empty()).chain(line);
    all.fold(String::new(), |text, line| text + line + "\n")
}

/// Returns the SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Returns the path of the temporary file that [`write()`] renames to the key file.
fn new_file(path: &Path) -> PathBuf {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    PathBuf::from(new)
}

/// Returns an error if [`write()`] would fail, so that the host is not changed before the file can be.
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    let new = new_file(path);
    let check = || {
        fs::write(&new, "")?;
        fs::remove_file(&new)
    };
    check().map_err(|error| {
        let what = format!("{} cannot be written: {error}; nothing was changed", path.display());
        Failure::unchanged(
            what,
            "Make it and its folder writable for you, and remove any other file or folder of that name.",
        )
    })
}

/// Replaces the key file atomically and keeps its mode.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let new = new_file(path);
    let write = || {
        fs::write(&new, text)?;
        if let Ok(old) = fs::metadata(path) {
            fs::set_permissions(&new, old.permissions())?;
        }
        fs::rename(&new, path)
    };
    write().map_err(|error| unusable(path, &error))
}

/// Appends a line to the key file, and creates the file with mode 600 if there is none.
pub fn add_line(path: &Path, line: &str) -> Result<(), Failure> {
    let mut file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| unusable(path, &error))?;
    writeln!(file, "{line}").map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::unchanged(format!("{} cannot be used: {error}", path.display()), "Make it readable and writable for you.")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{KeyScope, add_line, changed, has_keys, known, line_of, new_key};
    use crate::secret::Secret;

    #[test]
    fn a_line_has_the_digest_of_the_key_and_not_the_key() {
        let key = Secret::new(Zeroizing::new("abc".to_owned()));
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (in_path, scopes, words) in [
            (false, &[][..], ""),
            (true, &[], " path rate=10/s"),
            (false, &[KeyScope::Usage, KeyScope::Extract, KeyScope::Usage], " scopes=extract,usage"),
            (true, &[KeyScope::Extract], " path rate=10/s scopes=extract"),
        ] {
            assert_eq!(line_of("vercel", &key, in_path, scopes), format!("vercel {digest}{words}"));
        }
    }

    #[test]
    fn a_change_leaves_the_other_lines_as_they_are() {
        let text = "# who\n\nvercel 00 path\n  ada  11\nadam 22\n";
        for (text, name, line, expected) in [
            (text, "ada", None, "# who\n\nvercel 00 path\nadam 22\n"),
            (text, "nobody", None, text),
            (text, "#", None, "\nvercel 00 path\n  ada  11\nadam 22\n"),
            ("a 1", "b", Some("b 2"), "a 1\nb 2\n"),
            ("a 1\nb 1\n", "b", Some("b 2"), "a 1\nb 2\n"),
            ("", "b", Some("b 2"), "b 2\n"),
            ("b 1\n", "b", None, ""),
            ("a 1\r\nb 1\r\n", "b", None, "a 1\r\n"),
        ] {
            assert_eq!(changed(text, name, line), expected, "{text:?} {name}");
        }
        let names: Vec<String> = known(text).into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["vercel", "ada", "adam"]);
    }

    #[test]
    fn a_key_says_its_scopes_and_its_limits() {
        for (words, scopes, limits) in [
            ("", "extract,metrics", ""),
            ("metrics", "metrics", ""),
            ("path rate=10/s scopes=extract,usage", "extract,usage", "path rate=10/s"),
            ("scopes=admin budget=5000/month", "admin", "budget=5000/month"),
        ] {
            let key = known(&format!("ada 00 {words}")).remove(0);
            assert_eq!((key.scopes(), key.limits().as_str()), (scopes, limits), "{words}");
        }
    }

    #[test]
    fn new_keys_are_long_and_differ() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!(one.expose().len(), 64);
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn a_file_without_a_line_has_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        assert!(!has_keys(&path).unwrap());
        std::fs::write(&path, "# none yet\n\n").unwrap();
        assert!(!has_keys(&path).unwrap());
        add_line(&path, "vercel 00").unwrap();
        assert!(has_keys(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# none yet\n\nvercel 00\n");
    }
}
