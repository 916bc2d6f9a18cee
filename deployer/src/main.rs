//! The `deployer` command: not built yet, and says so.
#![expect(clippy::print_stderr, reason = "the command line's own output")]

use std::process::ExitCode;

use clap::Parser;

/// Will start the GPU box and deploy the extraction stack on it. Not built yet: it has no commands, changes
/// nothing and reaches nothing.
#[derive(Parser)]
#[command(version, about)]
struct Cli {}

fn main() -> ExitCode {
    Cli::parse();
    eprintln!("error: the deployer is not built yet; nothing was changed");
    ExitCode::FAILURE
}
