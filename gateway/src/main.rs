//! The `gateway` command.

mod cli;
mod idle_memory;

use std::process::ExitCode;

use clap::Parser;

/// The system's allocator costs each request a fifth more time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
