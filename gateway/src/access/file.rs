//! The key file: a line `name sha256-hex [WORD...]` for each key; `gateway hash-key` makes one.
//!
//! Words: `rate=10/s` and `at_once=4` limit this key; `path` lets it stand in the path, as in
//! `/t/KEY/api/v1/extract`, for clients that can send no header; `metrics` makes it a key of a scraper, which opens
//! `/metrics` and `/health?verbose=1` and reads no notes.

use std::{collections::HashSet, io, os::unix::fs::PermissionsExt, path::Path};

use sha2::{Digest, Sha256};

use super::{DIGEST, Key, KeysError, Principal, unreadable};
use crate::{files, limiter::Rate};

/// A shorter key could be guessed.
pub(super) const SHORTEST_KEY: usize = 20;
/// The bit of a file's mode that lets everybody write. The group's bit is no fault: many systems give each user a group of
/// his own, and let it write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Reads and parses a key file. May block for ever, as any read of a file may.
pub(super) fn load(path: &Path, default_rate: Option<Rate>) -> Result<Vec<Key>, KeysError> {
    let text = contents(path).map_err(|cause| unreadable(path, cause))?;
    parse(&text, default_rate)
}

fn contents(path: &Path) -> io::Result<String> {
    let file = files::open_regular(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & WRITABLE_BY_ALL != 0 {
        let said = format!(
            "everybody on this machine may write to it (mode {:o}) and so let himself in: chmod o-w, and look whether \
             all keys in it are yours",
            mode & 0o7777
        );
        return Err(io::Error::other(said));
    }
    files::read_from(file).and_then(files::text)
}

pub(super) fn parse(text: &str, default_rate: Option<Rate>) -> Result<Vec<Key>, KeysError> {
    let mut keys = Vec::new();
    // Looked up, not searched for: a file may have 100,000 lines.
    let (mut names, mut digests) = (HashSet::new(), HashSet::new());
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = key(line, default_rate).map_err(|why| KeysError::Line(at, why))?;
        if !names.insert(key.principal.clone()) {
            return Err(KeysError::Line(at, "the name stands twice"));
        }
        // With two names for one key, the log and the audit would name the wrong client.
        if !digests.insert(key.digest) {
            return Err(KeysError::Line(at, "an earlier line has the same key: give each client a key of its own"));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(KeysError::Empty) } else { Ok(keys) }
}

fn key(line: &str, default_rate: Option<Rate>) -> Result<Key, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(digest)) = (words.next(), words.next()) else { return Err("not `name sha256-hex`") };
    if !is_name(name) {
        return Err("the name has other characters than letters, digits, dots, hyphens and underscores");
    }
    let digest = from_hex(digest).ok_or("the digest is not 64 hexadecimal digits")?;
    let (mut rate, mut at_once, mut in_path, mut for_metrics) = (default_rate, None, false, false);
    for word in words {
        match word.split_once('=') {
            None if word == "path" => in_path = true,
            None if word == "metrics" => for_metrics = true,
            Some(("rate", limit)) => {
                rate = Some(limit.parse().map_err(|_| "rate= is no rate, such as rate=10/s")?);
            }
            Some(("at_once", most)) => {
                let most = most.parse().ok().filter(|&most| most > 0);
                at_once = Some(most.ok_or("at_once= is no number above zero")?);
            }
            _ => return Err("after the digest there may stand rate=, at_once=, path and metrics"),
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
