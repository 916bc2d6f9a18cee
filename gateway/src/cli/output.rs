//! The output of the commands: results to standard output, errors to standard error, and the exit code.

use std::{io::Write, process::ExitCode};

use gateway::{audit::usage::UsageError, eval::EvalError, server::ServerError};

/// The result of a command.
pub(super) type CommandResult = Result<(), Box<dyn std::error::Error>>;

/// The exit code if the command line, the settings or a file cannot be used.
pub(super) const USAGE: u8 = 2;

/// Writes a line to standard output. A reader that closes the pipe early, as `head` does, is not an error.
pub(super) fn print(text: &str) -> CommandResult {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("standard output cannot be written: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Writes a value to standard output as indented JSON.
pub(super) fn print_json<T: serde::Serialize>(value: &T) -> CommandResult {
    print(&serde_json::to_string_pretty(value)?)
}

/// Writes a text to standard error. A closed standard error is ignored.
pub(super) fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes an error to standard error. A closed standard error is ignored.
pub(super) fn print_error(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

/// Writes the error of a failed command and returns the exit code.
pub(super) fn exit_code(outcome: CommandResult) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            // A file that cannot be used is a mistake of the command line, not a failure of the program.
            let is_usage = match error.downcast_ref() {
                Some(EvalError::File(_)) => true,
                Some(EvalError::Server(error)) => error.is_usage(),
                None => error.is::<UsageError>() || error.downcast_ref().is_some_and(ServerError::is_usage),
            };
            if is_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}
