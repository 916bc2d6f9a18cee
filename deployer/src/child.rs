//! Runs programs on the operator's machine, each in its own process group, and passes on their output line by line.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep, timeout},
};

/// The pause between two checks whether a program has ended.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait, after a program has ended, for each further line: the processes that it started may still write.
pub(crate) const LAST_LINES_WAIT: Duration = Duration::from_millis(200);

/// Characters of one line; the rest of the line is dropped.
const LONGEST_LINE: usize = 300;

/// A running program. Dropping it kills the program and the processes that it started.
pub(crate) struct RunningProgram(Child);

/// The lines of a program's standard output and standard error.
pub(crate) struct OutputLines(UnboundedReceiver<String>);

/// Starts a program without input.
pub(crate) fn start(command: &mut Command) -> std::io::Result<(RunningProgram, OutputLines)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (sender, receiver) = unbounded_channel();
    if let Some(output) = child.stdout.take() {
        read(output, sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        read(output, sender);
    }
    Ok((RunningProgram(child), OutputLines(receiver)))
}

/// Reads lines on a new thread, which ends when the output ends.
fn read(output: impl Read + Send + 'static, sender: UnboundedSender<String>) {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end().chars().take(LONGEST_LINE);
            // Control characters could move the cursor or change the terminal's state.
            let text = text.map(|character| if character.is_control() { ' ' } else { character }).collect();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

impl RunningProgram {
    /// Returns how the program ended, or `None` while it runs.
    pub(crate) fn status(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Returns whether the program runs. A program whose state cannot be read counts as ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.status(), Ok(None))
    }

    /// Waits until the program ends. Returns its exit status, or `None` if it does not end within the limit. Calls
    /// `while_waiting` before each check.
    pub(crate) async fn wait_for_end(
        &mut self,
        limit: Duration,
        mut while_waiting: impl FnMut(),
    ) -> std::io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            while_waiting();
            match self.status()? {
                None if Instant::now() >= deadline => return Ok(None),
                None => sleep(PAUSE).await,
                status => return Ok(status),
            }
        }
    }

    /// Sends a signal, such as `INT`, to the process group: the program and every process that it started.
    pub(crate) fn signal(&self, name: &str) {
        let (name, group) = (format!("-{name}"), format!("-{}", self.0.id()));
        let _ = Command::new("kill").args([&name, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal("KILL");
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

impl OutputLines {
    /// Passes on the lines that have arrived so far.
    pub(crate) fn arrived(&mut self, mut handle: impl FnMut(String)) {
        while let Ok(line) = self.0.try_recv() {
            handle(line);
        }
    }

    /// Passes on the remaining lines of a program that has ended, until none has arrived for `wait` or all are read.
    pub(crate) async fn remaining(&mut self, wait: Duration, mut handle: impl FnMut(String)) {
        while let Ok(Some(line)) = timeout(wait, self.0.recv()).await {
            handle(line);
        }
    }
}
