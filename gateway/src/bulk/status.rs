//! Lines for the operator on standard error.

use std::io::Write;

/// Writes a line to standard error. A closed standard error is ignored.
pub(super) fn print_status(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
