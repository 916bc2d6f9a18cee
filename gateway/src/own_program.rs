//! This program, for those who start it once more to run something within limits of the system.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Returns this program, also if its file was replaced since it began.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}
