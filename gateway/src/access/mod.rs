//! Who may call: named API keys, of which only SHA-256 digests are known here.
//!
//! Neither keys nor digests are ever printed or logged; names are, so they name clients, not patients.

mod file;
mod principal;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

pub use self::{
    file::{line_for, new_key},
    principal::{ConcurrencyGuard, Principal, revoked},
};
use crate::{files, limiter::Rate};

/// Bytes of a digest.
const DIGEST: usize = 32;

/// Where a key came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// In a header.
    Header,
    /// In the path, where logs of others may keep it.
    Path,
}

/// The keys that open the service. Reloaded as a whole or not at all.
pub struct Keys {
    path: PathBuf,
    default_rate: Option<Rate>,
    known: RwLock<Arc<[Key]>>,
    /// Held while the file is read again: two readings that overlap could miss a key that was taken out.
    reloading: tokio::sync::Mutex<()>,
}

struct Key {
    principal: Principal,
    digest: [u8; DIGEST],
    in_path: bool,
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
    #[error("a key needs at least {} characters, all of them visible ASCII", file::SHORTEST_KEY)]
    Weak,
    /// A name that would not fit a line, a log or a metric.
    #[error("a name has 1 to 64 letters, digits, dots, hyphens or underscores")]
    Name,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(getrandom::Error),
}

impl Keys {
    /// Reads a key file, and blocks the calling thread for at most [`files::READ_WITHIN`]. `default_rate` is the limit of
    /// each key whose line has none.
    pub fn read(path: &Path, default_rate: Option<Rate>) -> Result<Self, KeysError> {
        let theirs = path.to_owned();
        let keys = files::in_time(files::READ_WITHIN, move || file::load(&theirs, default_rate));
        let known = RwLock::new(keys.map_err(|cause| unreadable(path, cause))??.into());
        Ok(Self { path: path.to_owned(), default_rate, known, reloading: tokio::sync::Mutex::default() })
    }

    /// Reads the file again and says how many keys there are now. A file that cannot be used, or not be read within
    /// [`files::READ_WITHIN`], changes nothing. Keys that are no longer in it end what runs for them.
    pub async fn reload(&self) -> Result<usize, KeysError> {
        let _alone = self.reloading.lock().await;
        let before = self.known();
        let (path, default_rate, theirs) = (self.path.clone(), self.default_rate, Arc::clone(&before));
        let read = files::in_time_async(files::READ_WITHIN, move || {
            file::load(&path, default_rate).map(|keys| carried_over(keys, &theirs))
        });
        let keys: Arc<[Key]> = read.await.map_err(|cause| unreadable(&self.path, cause))??.into();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        let still: HashSet<_> = keys.iter().map(Key::identity).collect();
        for gone in before.iter().filter(|key| !still.contains(&key.identity())) {
            gone.principal.revoke();
        }
        Ok(keys.len())
    }

    fn known(&self) -> Arc<[Key]> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whose key this is. Takes the same time for any key that is not known.
    #[must_use]
    pub fn principal(&self, presented: &[u8], channel: Channel) -> Option<Principal> {
        let digest: [u8; DIGEST] = Sha256::digest(presented).into();
        let known = self.known();
        let mut found = None;
        // All keys are compared, also after the right one.
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
    /// What makes it the same key in another reading of the file.
    fn identity(&self) -> (&str, &[u8; DIGEST]) {
        (self.principal.name(), &self.digest)
    }
}

/// The keys as the file has them now, each with what its name has used of its limits until now.
fn carried_over(mut keys: Vec<Key>, before: &[Key]) -> Vec<Key> {
    let before: HashMap<&str, &Key> = before.iter().map(|key| (key.principal.name(), key)).collect();
    for key in &mut keys {
        if let Some(known) = before.get(key.principal.name()) {
            key.principal = key.principal.after(&known.principal, known.digest == key.digest);
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
