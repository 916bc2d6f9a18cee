//! The `gateway` command.

mod cli;
mod idle_memory;

use std::process::ExitCode;

use clap::Parser;

/// With the system's allocator each request takes a fifth more time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
