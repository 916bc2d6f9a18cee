//! Encrypts what a job keeps: each value with ChaCha20-Poly1305, a random nonce and a key of its job.

use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;

use super::JobId;

/// What a value is. A value cannot be read as one of another kind, job or index.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Check = 0,
    Note = 1,
    Outcome = 2,
    Options = 3,
}

/// Makes the key of each job from the secret of the operator.
pub(super) struct Sealer(Hmac<Sha256>);

/// The value was changed, or another secret encrypted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotReadable;

impl Sealer {
    /// Returns a sealer with a secret, or `None` if the secret cannot be used.
    pub(super) fn new(secret: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(secret).ok().map(Self)
    }

    pub(super) fn seal(&self, job: JobId, kind: Kind, index: u64, value: &[u8]) -> Result<Vec<u8>, NotReadable> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| NotReadable)?;
        let mut sealed = Vec::with_capacity(value.len() + CHACHA20_POLY1305.tag_len() + NONCE_LEN);
        sealed.extend_from_slice(value);
        let key = self.key_of(job)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place(job, kind, index), &mut sealed)
            .map_err(|_| NotReadable)?;
        sealed.extend_from_slice(&nonce);
        Ok(sealed)
    }

    pub(super) fn open(&self, job: JobId, kind: Kind, index: u64, sealed: &[u8]) -> Result<Vec<u8>, NotReadable> {
        let (sealed, nonce) = sealed.split_last_chunk::<NONCE_LEN>().ok_or(NotReadable)?;
        let mut value = sealed.to_vec();
        let key = self.key_of(job)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.open_in_place(nonce, place(job, kind, index), &mut value).map_err(|_| NotReadable)?.len();
        value.truncate(length);
        Ok(value)
    }

    /// Returns a digest of a value, hexadecimal. Without the secret the digest cannot be used to check a guess of the
    /// value.
    pub(super) fn digest(&self, value: &[u8]) -> String {
        let mac = self.0.clone().chain_update(b"gateway digest ").chain_update(value);
        hex::encode(mac.finalize().into_bytes())
    }

    fn key_of(&self, job: JobId) -> Result<LessSafeKey, NotReadable> {
        let mut mac = self.0.clone();
        mac.update(b"gateway job ");
        mac.update(&job.0.to_be_bytes());
        let key: [u8; 32] = mac.finalize().into_bytes().into();
        UnboundKey::new(&CHACHA20_POLY1305, &key).map(LessSafeKey::new).map_err(|_| NotReadable)
    }
}

fn place(job: JobId, kind: Kind, index: u64) -> Aad<Vec<u8>> {
    Aad::from([&job.0.to_be_bytes()[..], &[kind as u8], &index.to_be_bytes()].concat())
}
