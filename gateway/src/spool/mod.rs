//! A queue of bytes that may be larger than memory: bytes above a limit wait in a temporary file.
//!
//! The file has no name from the start, so it ends with the process. Its pieces are encrypted with a random key that is
//! only in memory, a new one for each queue, because the bytes are notes of patients.

mod file;
mod space;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, io, sync::Arc};

use tokio::task::JoinHandle;

use self::file::SpoolFile;
pub use self::space::SpoolSpace;

/// Bytes of a piece. Only whole pieces are in the file.
pub const PIECE_BYTES: usize = 64 << 10;
/// Pieces that a queue keeps in memory before it uses its file.
const MEMORY_PIECES: usize = 16;

/// A queue of bytes: first the pieces in the file, then those in memory.
#[derive(Debug)]
pub struct Spool {
    space: Arc<SpoolSpace>,
    /// The pieces in memory. All but the last are full.
    pieces: VecDeque<Vec<u8>>,
    file: FileState,
    /// The step on the file that runs. It is kept here, so that no bytes are lost if a caller stops waiting for it.
    step: Option<JoinHandle<StepResult>>,
    /// A piece that was read from the file, and that no caller has taken yet.
    read: Option<io::Result<Vec<u8>>>,
}

/// The file of a queue.
#[derive(Debug)]
enum FileState {
    /// Not needed yet.
    Unused,
    /// Has pieces. `writable` until a piece could not be written: then the rest stays in memory.
    Open { file: Arc<SpoolFile>, unread: VecDeque<u64>, writable: bool },
    /// Cannot be created.
    Unusable,
}

#[derive(Debug)]
enum StepResult {
    /// A piece was written under this number, into this file.
    Written(Arc<SpoolFile>, u64),
    /// A piece could not be written, and is returned.
    NotWritten(Vec<u8>),
    /// The piece that was read.
    Read(io::Result<Vec<u8>>),
}

impl Spool {
    /// Returns an empty queue. Its file counts against `space`.
    #[must_use]
    pub fn new(space: Arc<SpoolSpace>) -> Self {
        Self { space, pieces: VecDeque::new(), file: FileState::Unused, step: None, read: None }
    }

    /// Returns the bytes of memory that the queue occupies after `more` bytes are added.
    #[must_use]
    pub fn memory_with(&self, more: usize) -> usize {
        let free = self.pieces.back().map_or(0, |piece| PIECE_BYTES - piece.len());
        (self.pieces.len() + more.saturating_sub(free).div_ceil(PIECE_BYTES)) * PIECE_BYTES
    }

    /// Returns whether there is a file for the bytes that memory does not hold, or whether one can be created.
    #[must_use]
    pub fn has_file(&self) -> bool {
        let writable = match self.file {
            FileState::Unused => true,
            FileState::Open { writable, .. } => writable,
            FileState::Unusable => false,
        };
        writable && self.space.is_usable()
    }

    /// Returns whether the queue has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.step.is_none() && self.read.is_none() && self.unread_in_file() == 0
    }

    /// Adds bytes at the end, in memory.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let last = match self.pieces.back_mut() {
                Some(last) if last.len() < PIECE_BYTES => last,
                _ => {
                    self.pieces.push_back(Vec::with_capacity(PIECE_BYTES));
                    continue;
                }
            };
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - last.len()));
            last.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Moves pieces into the file until memory holds no more than it should: 1 MiB, or almost nothing if `memory_is_scarce`.
    /// Does nothing without a file. If the future is dropped, no bytes are lost.
    pub async fn settle(&mut self, memory_is_scarce: bool) {
        let keep = if memory_is_scarce { 1 } else { MEMORY_PIECES };
        loop {
            self.finish_step().await;
            if self.pieces.len() <= keep || !self.has_file() {
                return;
            }
            let Some(piece) = self.pieces.pop_front() else { return };
            let space = Arc::clone(&self.space);
            let file = match &self.file {
                FileState::Open { file, .. } => Some(Arc::clone(file)),
                _ => None,
            };
            self.step = Some(tokio::task::spawn_blocking(move || {
                let written = file.map_or_else(|| SpoolFile::create(Arc::clone(&space)).map(Arc::new), Ok);
                match written.and_then(|file| file.write(&piece).map(|number| (file, number))) {
                    Ok((file, number)) => StepResult::Written(file, number),
                    Err(error) => {
                        space.warn(&error);
                        StepResult::NotWritten(piece)
                    }
                }
            }));
        }
    }

    /// Removes the oldest bytes and returns them; `None` if the queue is empty. If the future is dropped, no bytes are
    /// lost. Fails if the file cannot be read.
    pub async fn pop(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.finish_step().await;
        if self.read.is_none() {
            let FileState::Open { file, unread, .. } = &mut self.file else { return self.pieces.pop_front().map(Ok) };
            let Some(number) = unread.pop_front() else { return self.pieces.pop_front().map(Ok) };
            let file = Arc::clone(file);
            self.step = Some(tokio::task::spawn_blocking(move || StepResult::Read(file.read(number))));
            self.finish_step().await;
        }
        self.read.take()
    }

    /// Removes all bytes, and drops the file.
    pub fn clear(&mut self) {
        self.pieces.clear();
        (self.step, self.read, self.file) = (None, None, FileState::Unusable);
    }

    /// Waits for the step that runs, and takes its result.
    async fn finish_step(&mut self) {
        let Some(step) = &mut self.step else { return };
        let result = step.await;
        self.step = None;
        match result {
            Ok(StepResult::Written(written, number)) => match &mut self.file {
                FileState::Open { unread, .. } => unread.push_back(number),
                file => *file = FileState::Open { file: written, unread: VecDeque::from([number]), writable: true },
            },
            Ok(StepResult::NotWritten(piece)) => {
                self.pieces.push_front(piece);
                match &mut self.file {
                    FileState::Open { writable, .. } => *writable = false,
                    file => *file = FileState::Unusable,
                }
            }
            Ok(StepResult::Read(piece)) => self.read = Some(piece),
            Err(error) => self.read = Some(Err(io::Error::other(error))),
        }
    }

    fn unread_in_file(&self) -> usize {
        if let FileState::Open { unread, .. } = &self.file { unread.len() } else { 0 }
    }
}
