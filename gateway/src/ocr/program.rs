//! Runs a program over bytes in a process with limits on memory and time: this program once more, which sets the
//! limits of the system and then becomes the other program.

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use rlimit::Resource;

use super::OcrSetupError;
use crate::own_program::own_program;

/// Name of the command that sets the limits.
const COMMAND: &str = "run-limited";
/// The exit code of [`COMMAND`] if it cannot become the program, as in POSIX shells.
const NOT_RUN: u8 = 127;
/// Most bytes of a file that a program writes. Leptonica puts a JPEG into a temporary file without a name.
const LARGEST_FILE: u64 = 64 << 20;
const MOST_FILES: u64 = 64;
/// How often the deadline and the connection of the client are checked.
const LOOK: Duration = Duration::from_millis(50);

/// The limits of the programs that read one scan.
#[derive(Clone, Debug)]
pub(super) struct RunLimits {
    /// Maximum bytes of memory that a program may write to.
    pub(super) memory: u64,
    /// When all of them must have ended.
    pub(super) deadline: Instant,
    /// Set once no client waits for the answer.
    pub(super) cancelled: Arc<AtomicBool>,
}

/// Why a program has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgramFault {
    NotStarted,
    /// The deadline passed, or the client disconnected.
    TooSlow,
    /// It ended with an error, or broke a limit of memory.
    Failed,
    /// It wrote more than it may.
    TooLong,
}

/// Returns what a program writes about bytes that it reads from a pipe.
pub(super) fn run(
    program: &str,
    arguments: &[&str],
    input: &[u8],
    longest: usize,
    limits: &RunLimits,
) -> Result<Vec<u8>, ProgramFault> {
    let left = limits.deadline.saturating_duration_since(Instant::now());
    let mut command = Command::new(own_program().map_err(|_| ProgramFault::NotStarted)?);
    command.arg(COMMAND).arg(limits.memory.to_string()).arg((left.as_secs() + 1).to_string());
    command.arg("--").arg(program).args(arguments).env_clear().envs(variables()).process_group(0);
    // Messages of the programs may hold text.
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut running = Running(child.map_err(|_| ProgramFault::NotStarted)?);
    let (Some(mut stdin), Some(stdout)) = (running.0.stdin.take(), running.0.stdout.take()) else {
        return Err(ProgramFault::NotStarted);
    };
    let (sender, output) = mpsc::channel();
    thread::scope(|scope| {
        // The write fails if the program ends before it has read everything; its exit status says why.
        scope.spawn(move || drop(stdin.write_all(input)));
        scope.spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(longest as u64 + 1).read_to_end(&mut bytes);
            // After the deadline the receiver is gone.
            let _ = sender.send(read.map(|_| bytes));
        });
        let outcome = running.outcome(&output, longest, limits);
        // The threads end once the process has.
        drop(running);
        outcome
    })
}

/// A process, which is killed with the value.
struct Running(Child);

impl Running {
    fn outcome(
        &mut self,
        output: &mpsc::Receiver<io::Result<Vec<u8>>>,
        longest: usize,
        limits: &RunLimits,
    ) -> Result<Vec<u8>, ProgramFault> {
        let is_late = || limits.cancelled.load(Relaxed) || Instant::now() >= limits.deadline;
        let bytes = loop {
            match output.recv_timeout(LOOK) {
                Ok(read) => break read.map_err(|_| ProgramFault::Failed)?,
                Err(RecvTimeoutError::Disconnected) => return Err(ProgramFault::Failed),
                Err(RecvTimeoutError::Timeout) if is_late() => return Err(ProgramFault::TooSlow),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        if bytes.len() > longest {
            return Err(ProgramFault::TooLong);
        }
        // A program may end its output before it ends.
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(bytes),
                Ok(Some(status)) if status.code() == Some(NOT_RUN.into()) => return Err(ProgramFault::NotStarted),
                Ok(None) if !is_late() => thread::sleep(LOOK / 10),
                Ok(None) => return Err(ProgramFault::TooSlow),
                Ok(Some(_)) | Err(_) => return Err(ProgramFault::Failed),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both calls fail if the process has already ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The variables of the programs. Each uses one thread: two threads compete for the cores of a small machine.
fn variables() -> [(&'static str, OsString); 3] {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    [("PATH", path), ("LC_ALL", "C.UTF-8".into()), ("OMP_THREAD_LIMIT", "1".into())]
}

/// Returns what a program says about itself. Fails if it is not installed.
pub(super) fn version(program: &'static str, option: &str) -> Result<String, OcrSetupError> {
    let missing = |cause| OcrSetupError::Missing(program, cause);
    let output = Command::new(program).arg(option).env_clear().envs(variables()).stdin(Stdio::null()).output();
    let output = output.map_err(missing)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Sets the limits of this process, which then becomes the program. Returns only if that fails, with the exit code 127.
/// `memory` is in bytes.
#[must_use]
pub fn run_limited(memory: u64, seconds: u64, program: &[OsString]) -> ExitCode {
    let Some((name, arguments)) = program.split_first() else { return ExitCode::from(NOT_RUN) };
    let limits = [
        (Resource::DATA, memory),
        (Resource::CPU, seconds),
        (Resource::CORE, 0),
        (Resource::FSIZE, LARGEST_FILE),
        (Resource::NOFILE, MOST_FILES),
    ];
    if limits.into_iter().all(|(resource, most)| resource.set(most, most).is_ok()) {
        let _ = Command::new(name).args(arguments).exec();
    }
    ExitCode::from(NOT_RUN)
}
