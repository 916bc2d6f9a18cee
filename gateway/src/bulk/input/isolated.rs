//! Runs a reader of foreign files in a process of its own: this program once more, with limits on memory and time.
//!
//! A PDF or a Parquet file is a graph of references with packed parts, which a library follows. A file made for it can
//! make a library loop, recurse or allocate without end, and no check beforehand sees all of that. The limits of the
//! system hold whatever the library does: such a file ends only its own process.
//!
//! The process sets its limits and then starts itself again, so that its allocator never has more memory than they
//! allow.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, ChildStdout, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use rlimit::Resource;

use super::Fault;
use crate::own_program::own_program;

/// Maximum bytes of memory that the process may write to.
pub(super) const MEMORY: u64 = 48 << 20;
/// Maximum seconds of the processor's time, and maximum seconds in all.
const PROCESSOR_SECONDS: u64 = 20;
const SECONDS: u64 = 120;
/// Name of the command, and of the option of a process that has its limits.
const COMMAND: &str = "read-isolated";
const LIMITED: &str = "--limited";
/// The exit code of a process that took too long.
const TOO_SLOW: u8 = 4;

/// A process that reads one file.
pub(super) struct Isolated {
    child: Child,
}

impl Isolated {
    /// Starts the reader of a name. It reads its file from `input` and writes what it found to [`Self::output`].
    pub(super) fn start(reader: &str, arguments: &[String], input: Stdio) -> io::Result<Self> {
        let mut command = Command::new(own_program()?);
        // Ctrl-C is handled by this process, which finishes the current note. Messages of the library may contain text.
        command.arg(COMMAND).arg(reader).args(arguments).env_clear().process_group(0).stderr(Stdio::null());
        Ok(Self { child: command.stdin(input).stdout(Stdio::piped()).spawn()? })
    }

    /// Gives the process its file, and returns whether the file has at most `longest` bytes.
    pub(super) fn give(&mut self, input: impl Read, longest: u64) -> io::Result<bool> {
        let Some(mut pipe) = self.child.stdin.take() else { return Ok(true) };
        match io::copy(&mut input.take(longest + 1), &mut pipe) {
            Ok(count) => Ok(count <= longest),
            // The process ended before it had read everything: its answer or its exit status says why.
            Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            Err(cause) => Err(cause),
        }
    }

    /// Returns what the process writes; `None` after the first call.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until the process has ended, and returns the fault of one that broke a limit.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(broke_a_limit()),
        }
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // Both calls fail if the process has already ended, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broke_a_limit() -> Fault {
    let message = format!(
        "The file could not be read with {} MiB of memory in {PROCESSOR_SECONDS} s: it is broken, made to be read without end, or too \
         large. Save it again, or give its text.",
        MEMORY >> 20
    );
    Fault::text("file_limits", message)
}

/// Returns the fault of a process that could not be started or reached.
pub(super) fn not_started(cause: &io::Error) -> Fault {
    Fault::text("readable", format!("It was not read: the process that reads such files did not start ({cause})."))
}

/// Runs a reader inside its limits: first the process sets them and starts itself again. `limited` says whether it has
/// done so.
pub(super) fn inside(limited: bool, read: impl FnOnce() -> io::Result<()>) -> ExitCode {
    if !limited {
        return match set_limits() {
            Ok(()) => {
                // It returns only if it fails.
                let program = own_program().unwrap_or_default();
                let _ = Command::new(program).args(std::env::args_os().skip(1)).arg(LIMITED).exec();
                ExitCode::FAILURE
            }
            Err(_) => ExitCode::FAILURE,
        };
    }
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(SECONDS));
        std::process::exit(TOO_SLOW.into());
    });
    if read().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn set_limits() -> io::Result<()> {
    Resource::DATA.set(MEMORY, MEMORY)?;
    Resource::CPU.set(PROCESSOR_SECONDS, PROCESSOR_SECONDS)?;
    Resource::CORE.set(0, 0)?;
    // It writes to a pipe and to no file.
    Resource::FSIZE.set(0, 0)
}
