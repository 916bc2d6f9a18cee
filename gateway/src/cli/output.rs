//! What the commands write: results to standard output, errors to standard error, and the exit code.

use std::{io::Write, process::ExitCode};

use gateway::{eval::EvalError, server::ServerError, vllm::VllmError};

/// How a command ended.
pub(super) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The exit code of a wrong command line, of settings or of a file that cannot be used.
pub(super) const USAGE: u8 = 2;

/// Writes a line to standard output. A reader that closes early, as `head` does, is no error.
pub(super) fn print(text: &str) -> Outcome {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("standard output cannot be written: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Writes a value to standard output as indented JSON.
pub(super) fn print_json<T: serde::Serialize>(value: &T) -> Outcome {
    print(&serde_json::to_string_pretty(value)?)
}

/// Writes an error to standard error, if there is one.
pub(super) fn print_error(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

/// Writes why a command failed, and returns its exit code.
pub(super) fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            // A file that cannot be used is a mistake of the command line, not a failure of the program.
            let usage = matches!(error.downcast_ref(), Some(EvalError::File(_)))
                || matches!(
                    error.downcast_ref(),
                    Some(ServerError::Keys(_) | ServerError::Audit(_) | ServerError::Vllm(VllmError::Key(_)))
                );
            if usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}
