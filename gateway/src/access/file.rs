//! Parses the key file. It has a line `name sha256-hex [WORD...]` for each key; `gateway hash-key` prints such a line.
//!
//! Words: `rate=10/s`, `at_once=4` and `budget=5000/month` limit this key. `scopes=extract,usage` says what it may do;
//! `metrics` is short for `scopes=metrics`. `path` allows the key in the path, as in `/t/KEY/api/v1/extract`, for clients
//! that cannot send a header.

use std::{collections::HashSet, io, os::unix::fs::PermissionsExt, path::Path};

use sha2::{Digest, Sha256};

use super::{
    DIGEST, Key, KeyFileRules, KeysError, Principal,
    principal::KeyTerms,
    scopes::{Scope, Scopes},
    unreadable,
};
use crate::files;

/// Fewest characters of a key: a shorter key could be guessed.
pub(super) const SHORTEST_KEY: usize = 20;
/// The bit of a file's mode that lets every user write. The bit for the group is allowed: many systems give each user a
/// private group with write permission.
const WRITABLE_BY_ALL: u32 = 0o002;

const NO_SCOPES: &str = "scopes= needs names of scopes, separated by commas: extract, metrics, usage, admin";
const NO_AUDIT: &str = "budget= needs an audit file that can be read again (audit.path, GATEWAY_AUDIT__PATH): the notes \
                        of a month are counted from it, and without it a restart would forget them";

/// Reads and parses a key file. It may block for ever, like any read of a file.
pub(super) fn load(path: &Path, rules: KeyFileRules) -> Result<Vec<Key>, KeysError> {
    let text = contents(path).map_err(|cause| unreadable(path, cause))?;
    parse(&text, rules)
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

pub(super) fn parse(text: &str, rules: KeyFileRules) -> Result<Vec<Key>, KeysError> {
    let mut keys = Vec::new();
    // Sets, because a file may have 100,000 lines: comparing each line with all earlier ones would take minutes.
    let (mut names, mut digests) = (HashSet::new(), HashSet::new());
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = key(line, rules).map_err(|reason| KeysError::Line(number, reason))?;
        if !names.insert(key.principal.clone()) {
            return Err(KeysError::Line(
                number,
                "an earlier line has the same name: give each client a name of its own",
            ));
        }
        // If two names had the same key, the log and the audit could name the wrong client.
        if !digests.insert(key.digest) {
            return Err(KeysError::Line(number, "an earlier line has the same key: give each client a key of its own"));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(KeysError::Empty) } else { Ok(keys) }
}

fn key(line: &str, rules: KeyFileRules) -> Result<Key, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(digest)) = (words.next(), words.next()) else { return Err("not `name sha256-hex`") };
    if !is_name(name) {
        return Err("the name may have only letters, digits, dots, hyphens and underscores, at most 64");
    }
    let digest = from_hex(digest).ok_or("the digest is not 64 hexadecimal digits")?;
    let mut terms = KeyTerms { rate: rules.default_rate, ..KeyTerms::default() };
    let (mut scopes, mut in_path) = (None, false);
    for word in words {
        let named = match word.split_once('=') {
            None if word == "path" => {
                in_path = true;
                continue;
            }
            None if word == "metrics" => Scopes::only(Scope::Metrics),
            Some(("scopes", names)) => Scopes::parse(names).ok_or(NO_SCOPES)?,
            Some(("rate", limit)) => {
                terms.rate = Some(limit.parse().map_err(|_| "rate= is not a rate; write it as rate=10/s")?);
                continue;
            }
            Some(("at_once", most)) => {
                let most = most.parse().ok().filter(|&most| most > 0);
                terms.at_once = Some(most.ok_or("at_once= is not a number above zero")?);
                continue;
            }
            Some(("budget", notes)) => {
                terms.budget = Some(budget(notes).ok_or("budget= is not a budget; write it as budget=5000/month")?);
                continue;
            }
            Some(("token_budget", tokens)) => {
                let tokens = budget(tokens);
                terms.token_budget =
                    Some(tokens.ok_or("token_budget= is not a budget; write it as token_budget=2000000/month")?);
                continue;
            }
            _ => {
                return Err(
                    "after the digest only scopes=, rate=, at_once=, budget=, token_budget=, path and metrics are allowed",
                );
            }
        };
        if scopes.replace(named).is_some() {
            return Err("the scopes are given twice; `metrics` is short for scopes=metrics");
        }
    }
    if (terms.budget.is_some() || terms.token_budget.is_some()) && !rules.allows_budgets {
        return Err(NO_AUDIT);
    }
    terms.scopes = scopes.unwrap_or(Scopes::DEFAULT);
    Ok(Key { principal: Principal::with_terms(name, terms), digest, in_path })
}

/// Parses the notes that a key may have read in a month, or the tokens that they may use.
fn budget(text: &str) -> Option<u64> {
    text.strip_suffix("/month")?.parse().ok().filter(|&notes| notes > 0)
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn from_hex(text: &str) -> Option<[u8; DIGEST]> {
    let mut digest = [0; DIGEST];
    hex::decode_to_slice(text, &mut digest).ok().map(|()| digest)
}

/// Returns the line of the key file for a key. Fails if the name is invalid or the key could be guessed.
pub fn line_for(name: &str, key: &str) -> Result<String, KeysError> {
    if !is_name(name) {
        return Err(KeysError::Name);
    }
    if key.len() < SHORTEST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(KeysError::Weak);
    }
    Ok(format!("{name} {}", hex::encode(Sha256::digest(key.as_bytes()))))
}

/// Returns a new key of 256 random bits, as 64 hexadecimal digits.
pub fn new_key() -> Result<String, KeysError> {
    let mut bytes = [0; DIGEST];
    getrandom::fill(&mut bytes).map_err(KeysError::NoEntropy)?;
    Ok(hex::encode(bytes))
}
