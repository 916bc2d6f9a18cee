//! The path of this executable, for modules that start it again with limits of the system.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Returns the path of this executable, also if its file was replaced after the start.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}
