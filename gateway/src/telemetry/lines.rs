//! Log lines on their way out: collected in memory and written by a thread of their own.
//!
//! A request never waits for the log. Where the reader of the log stalls or is gone, lines are dropped and
//! counted, and requests go on.

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

/// Most bytes of lines that wait to be written.
const MOST_WAITING: usize = 4 << 20;
/// Lines of so much time are written together.
const TOGETHER: Duration = Duration::from_millis(20);

/// So long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines that were dropped since the start, in this process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The lines of one log. Dropping it writes what is left.
#[derive(Debug)]
pub struct Lines {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    some: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    over: bool,
    written: bool,
}

/// Takes whole lines.
#[derive(Clone, Debug)]
pub(super) struct Writer(Arc<Shared>);

impl Lines {
    pub(super) fn to_stderr() -> Self {
        Self::to(io::stderr())
    }

    fn to(out: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&theirs, out));
        Self { shared, thread: thread.ok() }
    }

    pub(super) fn writer(&self) -> Writer {
        Writer(Arc::clone(&self.shared))
    }

    /// Lines that were dropped since the start because nobody read the log.
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

impl Drop for Lines {
    fn drop(&mut self) {
        let mut waiting = self.shared.waiting();
        waiting.over = true;
        self.shared.some.notify_all();
        if self.thread.take().is_some() {
            // A reader who stalls must not keep the process from its end.
            let _ = self.shared.some.wait_timeout_while(waiting, LAST_LINES, |waiting| !waiting.written);
        }
    }
}

fn write(shared: &Shared, mut out: impl Write) {
    let mut bytes = Vec::new();
    loop {
        let over = {
            let mut waiting = shared.waiting();
            while waiting.bytes.is_empty() && !waiting.over {
                waiting = shared.some.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            mem::swap(&mut waiting.bytes, &mut bytes);
            waiting.over
        };
        if out.write_all(&bytes).is_err() {
            let lines = memchr::memchr_iter(b'\n', &bytes).count();
            DROPPED.fetch_add(lines as u64, Relaxed);
        }
        bytes.clear();
        let mut waiting = shared.waiting();
        if over && waiting.bytes.is_empty() {
            waiting.written = true;
            shared.some.notify_all();
            return;
        }
        drop(waiting);
        if !over {
            std::thread::sleep(TOGETHER);
        }
    }
}

impl Write for Writer {
    /// A whole line, as the subscriber hands it over; all of it or nothing.
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
            self.0.some.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands over what is written, and may stall or fail.
    struct Reader {
        seen: mpsc::Sender<Vec<u8>>,
        go_on: mpsc::Receiver<bool>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let good = self.go_on.recv().unwrap_or(true);
            let _ = self.seen.send(bytes.to_vec());
            if good { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_stalls_or_goes_stops_nobody_and_lines_are_counted() {
        let ((seen, written), (go_on, waits)) = (mpsc::channel(), mpsc::channel());
        let lines = Lines::to(Reader { seen, go_on: waits });
        let mut writer = lines.writer();
        writer.write_all(b"first\n").unwrap();
        while !lines.shared.waiting().bytes.is_empty() {
            std::thread::yield_now();
        }
        // The thread is at `first` and stalls: as much as may is kept, the rest dropped.
        let before = Lines::dropped();
        for _ in 0..5 {
            writer.write_all(&vec![b'x'; MOST_WAITING / 4]).unwrap();
        }
        assert_eq!(Lines::dropped() - before, 1);
        go_on.send(false).unwrap();
        assert_eq!(written.recv().unwrap(), b"first\n");
        go_on.send(true).unwrap();
        assert_eq!(written.recv().unwrap().len(), MOST_WAITING);
        assert_eq!(Lines::dropped() - before, 2);
        drop(go_on);
        writer.write_all(b"last\n").unwrap();
        drop(lines);
        assert_eq!(written.recv().unwrap(), b"last\n");
    }

    #[test]
    fn a_reader_who_never_comes_back_does_not_hold_up_the_end() {
        let ((seen, _written), (go_on, waits)) = (mpsc::channel(), mpsc::channel());
        let lines = Lines::to(Reader { seen, go_on: waits });
        lines.writer().write_all(b"a line\n").unwrap();
        drop(lines);
        drop(go_on);
    }
}
