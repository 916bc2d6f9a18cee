//! Files that the settings name, read on a thread of their own and within a time limit.
//!
//! A FIFO that nobody writes to and a network file system that hangs block whoever reads them, for ever. On an async worker
//! that is the whole service, and a blocked thread of the runtime's own pool keeps the process from ending. A thread that
//! hangs here holds up nothing; it ends with the process.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{
            AtomicU8, AtomicUsize,
            Ordering::{AcqRel, Relaxed},
        },
        mpsc::RecvTimeoutError,
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// The time that reading one file may take.
pub const READ_WITHIN: Duration = Duration::from_secs(10);
/// The largest file of settings, keys or secrets, in bytes: far above any real one, and far below what fills the memory.
pub const LARGEST: u64 = 64 << 20;
/// Threads that may hang at once: each signal to read the keys again could leave one more behind.
const MOST_HANGING: usize = 16;

static HANGING: AtomicUsize = AtomicUsize::new(0);

/// One read, of which its thread and its caller know: whichever of them is second sees what the first did.
#[derive(Debug, Default)]
struct TimedRead(AtomicU8);

const ENDED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl TimedRead {
    /// The caller waits no longer: from here on the thread counts as hanging, unless it ended just now.
    fn give_up(&self) {
        HANGING.fetch_add(1, Relaxed);
        if self.0.swap(GIVEN_UP, AcqRel) == ENDED {
            HANGING.fetch_sub(1, Relaxed);
        }
    }
}

/// Held by the thread, also where what it does panics.
struct FinishOnDrop(Arc<TimedRead>);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        if self.0.0.swap(ENDED, AcqRel) == GIVEN_UP {
            HANGING.fetch_sub(1, Relaxed);
        }
    }
}

/// What `work` returns; an error where it has not returned within the time. For the start of the program: it blocks the
/// calling thread so long.
pub fn in_time<T: Send + 'static>(within: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = std::sync::mpsc::sync_channel(1);
    let read = begin(move || _ = done.try_send(work()))?;
    result.recv_timeout(within).map_err(|error| match error {
        RecvTimeoutError::Timeout => too_slow(&read, within),
        RecvTimeoutError::Disconnected => broken_off(),
    })
}

/// The same for a service that runs: nothing else waits.
pub async fn in_time_async<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let read = begin(move || _ = done.send(work()))?;
    let result = tokio::time::timeout(within, result).await.map_err(|_| too_slow(&read, within))?;
    result.map_err(|_| broken_off())
}

fn begin(work: impl FnOnce() + Send + 'static) -> io::Result<Arc<TimedRead>> {
    if HANGING.load(Relaxed) >= MOST_HANGING {
        return Err(io::Error::other("it is not read: too many earlier reads of files still hang"));
    }
    let read = Arc::new(TimedRead::default());
    let ends = FinishOnDrop(Arc::clone(&read));
    let work = move || {
        let _ends = ends;
        work();
    };
    thread::Builder::new().name("files".to_owned()).spawn(work)?;
    Ok(read)
}

fn broken_off() -> io::Error {
    io::Error::other("the thread that reads it broke off")
}

fn too_slow(read: &TimedRead, within: Duration) -> io::Error {
    read.give_up();
    let said = format!("it cannot be read within {within:?}: is it a pipe, or on a file system that hangs?");
    io::Error::new(io::ErrorKind::TimedOut, said)
}

/// Opens a file that can be read again and again: no folder, pipe or device. Asked before it is opened, because opening a
/// FIFO waits for somebody who writes to it.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is no regular file")) }
}

/// The bytes of a file of at most [`LARGEST`] bytes.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_from(File::open(path)?)
}

/// The rest of a file that is open, at most [`LARGEST`] bytes.
pub fn read_from(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if read as u64 > LARGEST { Err(io::Error::other("it is larger than 64 MiB")) } else { Ok(bytes) }
}

/// The same as text.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A named pipe that nobody writes to: opening it for reading blocks.
    pub(crate) fn fifo(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[tokio::test]
    async fn what_blocks_for_ever_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        fifo(&path);
        let limit = Duration::from_millis(50);
        let (one, other) = (path.clone(), path.clone());
        let here = in_time(limit, move || read(&one)).unwrap_err();
        let there = in_time_async(limit, move || read(&other)).await.unwrap_err();
        for error in [here, there] {
            assert!(error.kind() == io::ErrorKind::TimedOut && error.to_string().contains("pipe"), "{error}");
        }
        assert_eq!(in_time_async(READ_WITHIN, || 7).await.unwrap(), 7);
        // Both threads end once somebody writes.
        std::fs::write(&path, "").unwrap();
    }
}
