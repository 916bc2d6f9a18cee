//! Who may call: named API keys, of which only SHA-256 digests are known here.
//!
//! Neither keys nor digests are ever printed or logged; names are, so they name clients, not patients.

mod file;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::file::{line_for, new_key};
use crate::rates::{Limiter, Rate};

/// Bytes of a digest.
const DIGEST: usize = 32;

/// The client that a key was given to, by the name of its key. Two are the same where the names are.
#[derive(Clone)]
pub struct Principal(Arc<Client>);

struct Client {
    name: String,
    rate: Option<Rate>,
    limiter: Option<Limiter>,
    at_once: Option<AtOnce>,
}

/// How many notes of one client may be under way.
struct AtOnce {
    most: u32,
    free: Arc<Semaphore>,
}

impl Principal {
    /// A client without limits of his own.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::limited(name, None, None)
    }

    fn limited(name: &str, rate: Option<Rate>, at_once: Option<u32>) -> Self {
        let at_once = at_once.map(|most| AtOnce { most, free: Arc::new(Semaphore::new(most as usize)) });
        Self(Arc::new(Client { name: name.to_owned(), rate, limiter: rate.map(Limiter::new), at_once }))
    }

    /// Whether the other has the same name and the same limits.
    fn has_limits_of(&self, other: &Self) -> bool {
        let most = |client: &Self| client.0.at_once.as_ref().map(|at_once| at_once.most);
        self == other && self.0.rate == other.0.rate && most(self) == most(other)
    }

    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// His own rate limit.
    #[must_use]
    pub fn limiter(&self) -> Option<&Limiter> {
        self.0.limiter.as_ref()
    }

    /// How many of his notes may be under way, where that is limited.
    #[must_use]
    pub fn at_once(&self) -> Option<usize> {
        self.0.at_once.as_ref().map(|at_once| at_once.most as usize)
    }

    /// One more of his notes is under way until what is given is dropped. Where as many are as may, says how
    /// many that is.
    pub fn enter(&self) -> Result<Option<OwnedSemaphorePermit>, u32> {
        let Some(at_once) = &self.0.at_once else { return Ok(None) };
        Arc::clone(&at_once.free).try_acquire_owned().map(Some).map_err(|_| at_once.most)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
    /// Reads a key file. `default_rate` is the limit of each key whose line has none.
    pub fn read(path: &Path, default_rate: Option<Rate>) -> Result<Self, KeysError> {
        Ok(Self { path: path.to_owned(), default_rate, known: RwLock::new(file::load(path, default_rate)?) })
    }

    /// Reads the file again and says how many keys there are now. What cannot be read changes nothing.
    pub fn reload(&self) -> Result<usize, KeysError> {
        let mut keys = file::load(&self.path, self.default_rate)?;
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        // Whose limits are the same goes on with what he has used of them.
        for key in Arc::get_mut(&mut keys).into_iter().flatten() {
            if let Some(before) = known.iter().find(|known| known.principal.has_limits_of(&key.principal)) {
                key.principal = before.principal.clone();
            }
        }
        let count = keys.len();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// Whose key this is. Takes the same time for any key that is not known.
    #[must_use]
    pub fn principal(&self, presented: &[u8], channel: Channel) -> Option<Principal> {
        let digest: [u8; DIGEST] = Sha256::digest(presented).into();
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
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

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}
