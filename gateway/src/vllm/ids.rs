//! What tells one call to a model server from another, and one caller's calls from another's.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::access::Principal;

/// Bytes of a salt; twice as many digits. vLLM takes up to 128 characters.
const SALT: usize = 16;

/// Gives each call an id of its own, and each caller a salt of his own.
pub(super) struct Ids {
    calls: AtomicU64,
    secret: Hmac<Sha256>,
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl Ids {
    /// With a secret of this run.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let (mut secret, mut first) = ([0; 32], [0; 4]);
        getrandom::fill(&mut secret)?;
        // Two gateways before one server begin somewhere else.
        getrandom::fill(&mut first)?;
        let secret = Hmac::new_from_slice(&secret).map_err(|_| getrandom::Error::UNEXPECTED)?;
        Ok(Self { calls: AtomicU64::new(u32::from_be_bytes(first).into()), secret })
    }

    /// The id of the next call: the request's, and a number. Parts of a note, second attempts and callers who send one
    /// id again and again would otherwise be one request to the server, which older vLLM does not survive.
    pub(super) fn next(&self, request_id: &str) -> String {
        let call = self.calls.fetch_add(1, Relaxed) & u64::from(u32::MAX);
        format!("{request_id}-{call:08x}")
    }

    /// What a caller's prompts are salted with in the server's prefix cache: his own calls share it, and nobody can tell
    /// from the time of an answer how another's note begins. Callers without keys are one caller.
    pub(super) fn salt(&self, caller: Option<&Principal>) -> String {
        let mut mac = self.secret.clone();
        // A name is never empty.
        mac.update(caller.map_or("", Principal::name).as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut salt = String::with_capacity(2 * SALT);
        for byte in digest.iter().take(SALT) {
            let _ = write!(salt, "{byte:02x}");
        }
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_for_each_caller_and_each_run() {
        let (ids, others) = (Ids::new().unwrap(), Ids::new().unwrap());
        let (one, other) = (Principal::named("one"), Principal::named("other"));
        let salts = [ids.salt(None), ids.salt(Some(&one)), ids.salt(Some(&other)), others.salt(Some(&one))];
        for (at, salt) in salts.iter().enumerate() {
            assert!(salt.len() == 32 && salt.bytes().all(|byte| byte.is_ascii_hexdigit()), "{salt}");
            assert!(!salts[..at].contains(salt), "{salts:?}");
        }
        assert_eq!(ids.salt(Some(&one)), salts[1]);
        assert_ne!(ids.next("a"), ids.next("a"));
        assert!(ids.next("my-id").starts_with("my-id-"));
    }
}
