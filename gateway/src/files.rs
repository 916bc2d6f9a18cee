//! Reads files that the settings name, each on a separate thread and within a time limit.
//!
//! A FIFO without a writer, or a network file system that hangs, blocks the reading thread for ever. A blocked async
//! worker would stop the whole service, and a blocked thread of the runtime's pool would keep the process from ending.
//! A thread of this module that hangs delays nothing and ends with the process.

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

/// Time limit for reading one file.
pub const READ_WITHIN: Duration = Duration::from_secs(10);
/// Size limit of a file of settings, keys or secrets, in bytes: far above any real file, and far below the memory's
/// size.
pub const LARGEST: u64 = 64 << 20;
/// Most threads that may hang at once. Each signal to read the keys again could leave one more hanging thread.
const MAX_HANGING: usize = 16;

static HANGING: AtomicUsize = AtomicUsize::new(0);

/// State of one read, shared by its thread and its caller. The thread sets `ENDED` and the caller sets `GIVEN_UP`; the
/// second of the two sees the value of the first.
#[derive(Debug, Default)]
struct TimedRead(AtomicU8);

const ENDED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl TimedRead {
    /// Records that the caller has stopped waiting: the thread counts as hanging from now on, unless it has just ended.
    fn give_up(&self) {
        HANGING.fetch_add(1, Relaxed);
        if self.0.swap(GIVEN_UP, AcqRel) == ENDED {
            HANGING.fetch_sub(1, Relaxed);
        }
    }
}

/// Records the end of the read when the thread drops it, also after a panic.
struct FinishOnDrop(Arc<TimedRead>);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        if self.0.0.swap(ENDED, AcqRel) == GIVEN_UP {
            HANGING.fetch_sub(1, Relaxed);
        }
    }
}

/// Returns the result of `work`, or an error of kind `TimedOut` if `work` takes longer than `within`.
///
/// It blocks the calling thread until then, so it serves only the start of the program.
pub fn with_timeout<T: Send + 'static>(within: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = std::sync::mpsc::sync_channel(1);
    let read = spawn_read(move || _ = done.try_send(work()))?;
    result.recv_timeout(within).map_err(|error| match error {
        RecvTimeoutError::Timeout => timed_out(&read, within),
        RecvTimeoutError::Disconnected => thread_failed(),
    })
}

/// Does the same as [`with_timeout`] without blocking the thread, for a service that is already running.
pub async fn with_timeout_async<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let read = spawn_read(move || _ = done.send(work()))?;
    let result = tokio::time::timeout(within, result).await.map_err(|_| timed_out(&read, within))?;
    result.map_err(|_| thread_failed())
}

fn spawn_read(work: impl FnOnce() + Send + 'static) -> io::Result<Arc<TimedRead>> {
    if HANGING.load(Relaxed) >= MAX_HANGING {
        return Err(io::Error::other("it is not read: too many earlier reads of files still hang"));
    }
    let read = Arc::new(TimedRead::default());
    let guard = FinishOnDrop(Arc::clone(&read));
    let work = move || {
        let _guard = guard;
        work();
    };
    thread::Builder::new().name("files".to_owned()).spawn(work)?;
    Ok(read)
}

fn thread_failed() -> io::Error {
    io::Error::other("the thread that reads it ended without a result")
}

fn timed_out(read: &TimedRead, within: Duration) -> io::Error {
    read.give_up();
    let message = format!("it cannot be read within {within:?}: is it a pipe, or on a file system that hangs?");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// Opens a regular file, which can be read repeatedly; a folder, pipe or device is an error.
///
/// The kind is checked before the file is opened, because opening a FIFO waits for a writer.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// Returns the bytes of a file. A file of more than [`LARGEST`] bytes is an error.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_from(File::open(path)?)
}

/// Returns the remaining bytes of an open file. More than [`LARGEST`] of them are an error.
pub fn read_from(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if read as u64 > LARGEST { Err(io::Error::other("it is larger than 64 MiB")) } else { Ok(bytes) }
}

/// Returns the bytes as text; an error if they are not UTF-8.
pub fn to_text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Makes a named pipe that has no writer, so that opening it for reading blocks.
    pub(crate) fn fifo(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[tokio::test]
    async fn a_read_that_blocks_for_ever_times_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        fifo(&path);
        let limit = Duration::from_millis(50);
        let (sync_path, async_path) = (path.clone(), path.clone());
        let sync_error = with_timeout(limit, move || read(&sync_path)).unwrap_err();
        let async_error = with_timeout_async(limit, move || read(&async_path)).await.unwrap_err();
        for error in [sync_error, async_error] {
            assert!(error.kind() == io::ErrorKind::TimedOut && error.to_string().contains("pipe"), "{error}");
        }
        assert_eq!(with_timeout_async(READ_WITHIN, || 7).await.unwrap(), 7);
        // Both threads end once the pipe has a writer.
        std::fs::write(&path, "").unwrap();
    }
}
