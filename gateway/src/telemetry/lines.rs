//! Collects log lines in memory and writes them in a separate thread.
//!
//! A request never waits for the log. If the reader of the log stalls or is gone, lines are dropped and counted, and
//! requests are still answered.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes of lines that may wait to be written.
const MOST_WAITING: usize = 4 << 20;
/// Time for which lines are collected and then written together.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Time limit for writing the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines dropped since the start of the process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The lines of one log. Dropping it writes the waiting lines.
#[derive(Debug)]
pub struct LogLines {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Notified when lines arrive, when the log closes and when the last line is written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Whether no more lines follow.
    closed: bool,
    /// Whether the last line is written.
    finished: bool,
}

/// Accepts whole lines.
#[derive(Clone, Debug)]
pub(super) struct LogWriter(Arc<Shared>);

impl LogLines {
    pub(super) fn to_stderr() -> Self {
        Self::to(io::stderr())
    }

    fn to(out: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let thread_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&thread_shared, out));
        Self { shared, thread: thread.ok() }
    }

    pub(super) fn writer(&self) -> LogWriter {
        LogWriter(Arc::clone(&self.shared))
    }

    /// Returns the number of lines dropped since the start because nothing read the log.
    #[must_use]
    pub fn dropped() -> u64 {
        DROPPED.load(Relaxed)
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LogLines {
    fn drop(&mut self) {
        let mut waiting = self.shared.waiting();
        waiting.closed = true;
        self.shared.changed.notify_all();
        if self.thread.take().is_some() {
            // The wait is bounded, so that a stalled reader does not keep the process from ending.
            let _ = self.shared.changed.wait_timeout_while(waiting, LAST_LINES, |waiting| !waiting.finished);
        }
    }
}

fn write(shared: &Shared, mut out: impl Write) {
    let mut bytes = Vec::new();
    loop {
        let closed = {
            let mut waiting = shared.waiting();
            while waiting.bytes.is_empty() && !waiting.closed {
                waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            mem::swap(&mut waiting.bytes, &mut bytes);
            waiting.closed
        };
        if out.write_all(&bytes).is_err() {
            let lines = memchr::memchr_iter(b'\n', &bytes).count();
            DROPPED.fetch_add(lines as u64, Relaxed);
        }
        bytes.clear();
        let mut waiting = shared.waiting();
        if closed && waiting.bytes.is_empty() {
            waiting.finished = true;
            shared.changed.notify_all();
            return;
        }
        drop(waiting);
        if !closed {
            std::thread::sleep(BATCH_INTERVAL);
        }
    }
}

impl Write for LogWriter {
    /// Accepts one whole line from the subscriber, or drops it as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.waiting();
        if waiting.bytes.len() + line.len() > MOST_WAITING {
            DROPPED.fetch_add(1, Relaxed);
            return Ok(line.len());
        }
        let first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        if first {
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Sends the written bytes to the test. Each write waits until the test lets it continue, and fails if the test
    /// requests that.
    struct Reader {
        seen: mpsc::Sender<Vec<u8>>,
        go_on: mpsc::Receiver<bool>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let succeeds = self.go_on.recv().unwrap_or(true);
            let _ = self.seen.send(bytes.to_vec());
            if succeeds { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_or_fails_blocks_no_writer_and_dropped_lines_are_counted() {
        let ((seen, written), (go_on, waits)) = (mpsc::channel(), mpsc::channel());
        let lines = LogLines::to(Reader { seen, go_on: waits });
        let mut writer = lines.writer();
        writer.write_all(b"first\n").unwrap();
        while !lines.shared.waiting().bytes.is_empty() {
            std::thread::yield_now();
        }
        // The thread stalls while it writes `first`. Lines up to the limit are kept, and the others are dropped.
        let before = LogLines::dropped();
        for _ in 0..5 {
            writer.write_all(&vec![b'x'; MOST_WAITING / 4]).unwrap();
        }
        assert_eq!(LogLines::dropped() - before, 1);
        go_on.send(false).unwrap();
        assert_eq!(written.recv().unwrap(), b"first\n");
        go_on.send(true).unwrap();
        assert_eq!(written.recv().unwrap().len(), MOST_WAITING);
        assert_eq!(LogLines::dropped() - before, 2);
        drop(go_on);
        writer.write_all(b"last\n").unwrap();
        drop(lines);
        assert_eq!(written.recv().unwrap(), b"last\n");
    }

    #[test]
    fn a_reader_that_never_reads_does_not_block_the_drop() {
        let ((seen, _written), (go_on, waits)) = (mpsc::channel(), mpsc::channel());
        let lines = LogLines::to(Reader { seen, go_on: waits });
        lines.writer().write_all(b"a line\n").unwrap();
        drop(lines);
        drop(go_on);
    }
}
