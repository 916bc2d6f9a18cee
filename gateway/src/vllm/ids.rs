//! Request ids for calls to model servers, and salts that separate callers in the servers' prefix caches.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::access::Principal;

/// Bytes of a salt, which is written with twice as many hexadecimal digits. vLLM accepts up to 128 characters.
const SALT_BYTES: usize = 16;

/// Gives each call a unique id, and each caller a unique salt.
pub(super) struct CallIds {
    calls: AtomicU64,
    secret: Hmac<Sha256>,
}

impl std::fmt::Debug for CallIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl CallIds {
    /// Returns ids with a random secret, which lasts for this run of the process.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let (mut secret, mut first) = ([0; 32], [0; 4]);
        getrandom::fill(&mut secret)?;
        // The counter starts at a random number, so that two gateways with the same server use different ids.
        getrandom::fill(&mut first)?;
        let secret = Hmac::new_from_slice(&secret).map_err(|_| getrandom::Error::UNEXPECTED)?;
        Ok(Self { calls: AtomicU64::new(u32::from_be_bytes(first).into()), secret })
    }

    /// Returns the id of the next call: the request's id and a number.
    ///
    /// Without the number, the chunks of a note, retries and callers that repeat an id would send the same id twice,
    /// which crashes older versions of vLLM.
    pub(super) fn next(&self, request_id: &str) -> String {
        let call = self.calls.fetch_add(1, Relaxed) & u64::from(u32::MAX);
        format!("{request_id}-{call:08x}")
    }

    /// Returns the salt of a caller's prompts in the server's prefix cache, in hexadecimal.
    ///
    /// Only calls with the same salt share cached prefixes, so no caller can infer from the time of an answer how
    /// another caller's note begins. All callers without keys share one salt.
    pub(super) fn salt(&self, caller: Option<&Principal>) -> String {
        let mut mac = self.secret.clone();
        // A principal's name is never empty, so it differs from that of callers without keys.
        mac.update(caller.map_or("", Principal::name).as_bytes());
        let mut salt = hex::encode(mac.finalize().into_bytes());
        salt.truncate(2 * SALT_BYTES);
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_and_each_run_has_its_own_salt() {
        let (ids, others) = (CallIds::new().unwrap(), CallIds::new().unwrap());
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
