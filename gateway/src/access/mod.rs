//! API keys, each with the name of a client. The gateway stores only SHA-256 digests of the keys.
//!
//! Keys and digests are never printed or logged. Names are, so a name must not identify a patient.

mod file;
mod principal;
mod scopes;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

pub use self::{
    file::{line_for, new_key},
    principal::{ConcurrencyGuard, Principal, revoked},
    scopes::{Scope, Scopes},
};
use crate::{files, rate_limiter::Rate};

/// Bytes of a digest.
const DIGEST: usize = 32;

/// The part of a request that carries the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A header.
    Header,
    /// The path, which other programs may write to their logs.
    Path,
}

/// The rules of the settings for the lines of a key file.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFileRules {
    /// The rate of each key whose line has no `rate=`.
    pub default_rate: Option<Rate>,
    /// Whether lines may have `budget=`: only with an audit file, from which the notes of a month are counted.
    pub allows_budgets: bool,
}

/// The keys that open the service. A reload replaces all of them or none.
pub struct Keys {
    path: PathBuf,
    rules: KeyFileRules,
    known: RwLock<Arc<[Key]>>,
    /// Held during a reload: two concurrent reloads could miss a key that was removed.
    reloading: tokio::sync::Mutex<()>,
}

struct Key {
    principal: Principal,
    digest: [u8; DIGEST],
    in_path: bool,
}

/// Why a key file or a key cannot be used. The error names the line, never its content.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("the key file {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why the file cannot be read.
        cause: std::io::Error,
    },
    /// A line is not a valid key.
    #[error("the key file, line {0}: {1}")]
    Line(usize, &'static str),
    /// The file has no key.
    #[error("the key file names no key, so no client could call: add one with gateway hash-key")]
    Empty,
    /// The key could be guessed.
    #[error("a key needs at least {} characters, all of them visible ASCII", file::SHORTEST_KEY)]
    Weak,
    /// The name is not valid in the key file, the log and the metrics.
    #[error("a name has 1 to 64 letters, digits, dots, hyphens or underscores")]
    Name,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(getrandom::Error),
}

impl Keys {
    /// Reads a key file. Blocks the calling thread for at most [`files::READ_WITHIN`].
    pub fn read(path: &Path, rules: KeyFileRules) -> Result<Self, KeysError> {
        let owned_path = path.to_owned();
        let keys = files::with_timeout(files::READ_WITHIN, move || file::load(&owned_path, rules));
        let known = RwLock::new(keys.map_err(|cause| unreadable(path, cause))??.into());
        Ok(Self { path: path.to_owned(), rules, known, reloading: tokio::sync::Mutex::default() })
    }

    /// Reads the file again and returns the number of keys. A file that is invalid or cannot be read within
    /// [`files::READ_WITHIN`] changes nothing. If a key is no longer in the file, or has lost a scope, the requests that
    /// run for it end.
    pub async fn reload(&self) -> Result<usize, KeysError> {
        let _guard = self.reloading.lock().await;
        let before = self.known();
        let (path, rules, previous) = (self.path.clone(), self.rules, Arc::clone(&before));
        let read = files::with_timeout_async(files::READ_WITHIN, move || {
            file::load(&path, rules).map(|keys| keep_state(keys, &previous))
        });
        let keys: Arc<[Key]> = read.await.map_err(|cause| unreadable(&self.path, cause))??.into();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        let remaining: HashMap<_, _> = keys.iter().map(|key| (key.identity(), key)).collect();
        let goes_on = |key: &&Key| remaining.get(&key.identity()).is_some_and(|now| key.keeps_its_scopes(now));
        for removed in before.iter().filter(|key| !goes_on(key)) {
            removed.principal.revoke();
        }
        Ok(keys.len())
    }

    fn known(&self) -> Arc<[Key]> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the principals of all keys.
    #[must_use]
    pub fn principals(&self) -> Vec<Principal> {
        self.known().iter().map(|key| key.principal.clone()).collect()
    }

    /// Returns the principal with a name; `None` if the key file has no key for it.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Principal> {
        self.known().iter().map(|key| &key.principal).find(|principal| principal.name() == name).cloned()
    }

    /// Returns the principal of a key. Takes the same time for every unknown key.
    #[must_use]
    pub fn principal(&self, presented: &[u8], channel: Channel) -> Option<Principal> {
        let digest: [u8; DIGEST] = Sha256::digest(presented).into();
        let known = self.known();
        let mut found = None;
        // Compares all keys, even after a match, so that the time does not depend on the match.
        for key in known.iter() {
            let same: Choice = key.digest.ct_eq(&digest);
            if bool::from(same) && (channel == Channel::Header || key.in_path) {
                found = Some(key.principal.clone());
            }
        }
        found
    }
}

impl Key {
    /// Returns the name and the digest, which identify a key across reloads of the file.
    fn identity(&self) -> (&str, &[u8; DIGEST]) {
        (self.principal.name(), &self.digest)
    }

    /// Returns whether the key of the reloaded file has all scopes of this one.
    fn keeps_its_scopes(&self, now: &Self) -> bool {
        self.principal.scopes().are_within(now.principal.scopes())
    }
}

/// Returns the keys of the file, where each name keeps what it has used of its limits before.
fn keep_state(mut keys: Vec<Key>, before: &[Key]) -> Vec<Key> {
    let before: HashMap<&str, &Key> = before.iter().map(|key| (key.principal.name(), key)).collect();
    for key in &mut keys {
        if let Some(previous) = before.get(key.principal.name()) {
            let same_key = previous.digest == key.digest && previous.keeps_its_scopes(key);
            key.principal = key.principal.with_usage_of(&previous.principal, same_key);
        }
    }
    keys
}

fn unreadable(path: &Path, cause: std::io::Error) -> KeysError {
    KeysError::Unreadable { path: path.to_owned(), cause }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}
