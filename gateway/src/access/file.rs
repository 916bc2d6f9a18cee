//! Parses the key file. It has a line `name sha256-hex [WORD...]` for each key; `gateway hash-key` prints such a line.
//!
//! Words: `rate=10/s` and `at_once=4` limit this key. `path` allows the key in the path, as in `/t/KEY/api/v1/extract`,
//! for clients that cannot send a header. `metrics` makes it a key for a scraper, which opens `/metrics` and
//! `/health?verbose=1` and reads no notes.

use std::{collections::HashSet, io, os::unix::fs::PermissionsExt, path::Path};

use sha2::{Digest, Sha256};

use super::{DIGEST, Key, KeysError, Principal, unreadable};
use crate::{files, rate_limiter::Rate};

/// Fewest characters of a key: a shorter key could be guessed.
pub(super) const SHORTEST_KEY: usize = 20;
/// The bit of a file's mode that lets every user write. The bit for the group is allowed: many systems give each user a
/// private group with write permission.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Reads and parses a key file. It may block for ever, like any read of a file.
pub(super) fn load(path: &Path, default_rate: Option<Rate>) -> Result<Vec<Key>, KeysError> {
    let text = contents(path).map_err(|cause| unreadable(path, cause))?;
    parse(&text, default_rate)
}

fn contents(path: &Path) -> io::Result<String> {
    let file = files::open_regular(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & WRITABLE_BY_ALL != 0 {
        let message = format!(
            "every user of this machine may write to it (mode {:o}) and so add a key: chmod o-w, and check that all \
             keys in it are yours",
            mode & 0o7777
        );
        return Err(io::Error::other(message));
    }
    files::read_from(file).and_then(files::to_text)
}

pub(super) fn parse(text: &str, default_rate: Option<Rate>) -> Result<Vec<Key>, KeysError> {
    let mut keys = Vec::new();
    // Sets, because a file may have 100,000 lines: comparing each line with all earlier ones would take minutes.
    let (mut names, mut digests) = (HashSet::new(), HashSet::new());
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = key(line, default_rate).map_err(|reason| KeysError::Line(number, reason))?;
        if !names.insert(key.principal.clone()) {
            return Err(KeysError::Line(number, "the name stands twice"));
        }
        // If two names had the same key, the log and the audit could name the wrong client.
        if !digests.insert(key.digest) {
            return Err(KeysError::Line(number, "an earlier line has the same key: give each client a key of its own"));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(KeysError::Empty) } else { Ok(keys) }
}

fn key(line: &str, default_rate: Option<Rate>) -> Result<Key, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(digest)) = (words.next(), words.next()) else { return Err("not `name sha256-hex`") };
    if !is_name(name) {
        return Err("the name may have only letters, digits, dots, hyphens and underscores, at most 64");
    }
    let digest = from_hex(digest).ok_or("the digest is not 64 hexadecimal digits")?;
    let (mut rate, mut at_once, mut in_path, mut for_metrics) = (default_rate, None, false, false);
    for word in words {
        match word.split_once('=') {
            None if word == "path" => in_path = true,
            None if word == "metrics" => for_metrics = true,
            Some(("rate", limit)) => {
                rate = Some(limit.parse().map_err(|_| "rate= is not a rate; write it as rate=10/s")?);
            }
            Some(("at_once", most)) => {
                let most = most.parse().ok().filter(|&most| most > 0);
                at_once = Some(most.ok_or("at_once= is not a number above zero")?);
            }
            _ => return Err("after the digest only rate=, at_once=, path and metrics are allowed"),
        }
    }
    Ok(Key { principal: Principal::limited(name, rate, at_once, for_metrics), digest, in_path })
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn from_hex(text: &str) -> Option<[u8; DIGEST]> {
    let mut digest = [0; DIGEST];
    if text.len() != 2 * DIGEST || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the line of the key file for a key. Fails if the name is invalid or the key could be guessed.
pub fn line_for(name: &str, key: &str) -> Result<String, KeysError> {
    if !is_name(name) {
        return Err(KeysError::Name);
    }
    if key.len() < SHORTEST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(KeysError::Weak);
    }
    Ok(format!("{name} {}", hex(&Sha256::digest(key.as_bytes()))))
}

/// Returns a new key of 256 random bits, as 64 hexadecimal digits.
pub fn new_key() -> Result<String, KeysError> {
    let mut bytes = [0; DIGEST];
    getrandom::fill(&mut bytes).map_err(KeysError::NoEntropy)?;
    Ok(hex(&bytes))
}
