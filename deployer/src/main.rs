//! The `deployer` command: parses the arguments, runs the command, handles Ctrl-C and returns the exit code.

mod signals;

use std::process::ExitCode;

use clap::Parser;
use deployer::{
    Exit, Failure,
    commands::{self, Cli},
    config,
    console::{Console, Format},
    interrupt,
};

use signals::EndSignals;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let console = Console::new(config::no_color(), cli.format());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&console, &Failure::unchanged(format!("cannot start: {error}"), "Run it again.")),
    };
    let code = runtime.block_on(run_until_interrupted(cli, console));
    // A thread may still wait for an answer from the terminal; the process must not wait for it.
    runtime.shutdown_background();
    code
}

fn fail(console: &Console, failure: &Failure) -> ExitCode {
    console.end(Some(failure));
    failure.exit.into()
}

/// Prints the error of the arguments, or the help text, and returns the exit code.
fn usage(error: &clap::Error) -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let format = Format::of_arguments(arguments.iter().map(String::as_str));
    if error.exit_code() == 0 || format == Format::Text {
        // clap prints with its own colours and its own hint.
        let _ = error.print();
        return u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()).into();
    }
    let text = error.to_string();
    let what = text.strip_prefix("error: ").unwrap_or(&text).split("\n\n").next().unwrap_or_default();
    fail(
        &Console::new(true, format),
        &Failure::usage(what.replace('\n', " "), "deployer COMMAND --help has every flag."),
    )
}

/// Runs the command. The first Ctrl-C asks it to finish cleanly, the second ends the process.
async fn run_until_interrupted(cli: Cli, console: Console) -> ExitCode {
    let (interrupter, interrupt) = interrupt::channel();
    let Ok(signals) = EndSignals::new() else {
        return fail(&console, &Failure::unchanged("cannot listen for Ctrl-C", "Run it again."));
    };
    let second_interrupt = signals.second(&interrupter);
    tokio::select! {
        biased;
        result = commands::run(cli, &console, &interrupt) => match result {
            Ok(()) => {
                console.end(None);
                Exit::Done.into()
            }
            Err(failure) => fail(&console, &failure),
        },
        () = second_interrupt => fail(&console, &Failure::interrupted(
            "ended at once, without a check of the host: the lock may still be held, and work on the host may continue",
            "deployer status shows the state of the host; deployer unlock releases the lock.",
        )),
    }
}
