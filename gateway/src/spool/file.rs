//! The temporary file of one queue: encrypted pieces of one size, each with its number.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire},
        },
    },
};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{PIECE_BYTES, SpoolSpace};

/// Bytes of an encrypted piece.
const SEALED_BYTES: usize = PIECE_BYTES + 16;

/// A file without a name.
pub(super) struct SpoolFile {
    file: File,
    key: LessSafeKey,
    /// The number of the next piece. A number is used once only, because it is the nonce.
    next: AtomicU64,
    space: Arc<SpoolSpace>,
}

impl std::fmt::Debug for SpoolFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpoolFile").field("pieces", &self.next).finish_non_exhaustive()
    }
}

impl SpoolFile {
    /// Creates a file without a name, and a key for it.
    pub(super) fn create(space: Arc<SpoolSpace>) -> io::Result<Self> {
        let file = tempfile::tempfile_in(space.folder())?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| io::Error::other("no key can be made"))?;
        Ok(Self { file, key: LessSafeKey::new(key), next: AtomicU64::new(0), space })
    }

    /// Encrypts a whole piece, writes it and returns its number.
    pub(super) fn write(&self, piece: &[u8]) -> io::Result<u64> {
        if !self.space.take(SEALED_BYTES as u64) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "spool.bytes are in use"));
        }
        let number = self.next.fetch_add(1, AcqRel);
        let mut sealed = Vec::with_capacity(SEALED_BYTES);
        sealed.extend_from_slice(piece);
        let encrypted = self.key.seal_in_place_append_tag(nonce(number), Aad::empty(), &mut sealed);
        encrypted.map_err(|_| io::Error::other("a piece cannot be encrypted"))?;
        self.file.write_all_at(&sealed, offset(number))?;
        Ok(number)
    }

    /// Returns the piece with this number.
    pub(super) fn read(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut sealed = vec![0; SEALED_BYTES];
        self.file.read_exact_at(&mut sealed, offset(number))?;
        let decrypted = self.key.open_in_place(nonce(number), Aad::empty(), &mut sealed);
        decrypted.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a piece was changed"))?;
        sealed.truncate(PIECE_BYTES);
        Ok(sealed)
    }

    #[cfg(test)]
    pub(super) fn raw(&self) -> &File {
        &self.file
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.space.give_back(self.next.load(Acquire) * SEALED_BYTES as u64);
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (_, low) = bytes.split_at_mut(NONCE_LEN - size_of::<u64>());
    low.copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn offset(number: u64) -> u64 {
    number * SEALED_BYTES as u64
}
