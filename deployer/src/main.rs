//! The `deployer` command: arguments in, exit code out, and Ctrl-C heard in between.

use std::process::ExitCode;

use clap::Parser;
use deployer::{
    Exit, Failure,
    commands::{self, Cli},
    config, interrupt,
    report::{Format, Report},
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let report = Report::new(config::no_color(), cli.format());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&report, &Failure::unchanged(format!("cannot start: {error}"), "Run it again.")),
    };
    let code = runtime.block_on(listening(cli, report));
    // A question that nobody answered must not hold up the end.
    runtime.shutdown_background();
    code
}

fn fail(report: &Report, failure: &Failure) -> ExitCode {
    report.end(Some(failure));
    failure.exit.into()
}

/// Arguments that are not understood, or a question for help.
fn usage(error: &clap::Error) -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let format = Format::of_arguments(arguments.iter().map(String::as_str));
    if error.exit_code() == 0 || format == Format::Text {
        // What it prints has its own colours and its own hint.
        let _ = error.print();
        return u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()).into();
    }
    let text = error.to_string();
    let what = text.strip_prefix("error: ").unwrap_or(&text).split("\n\n").next().unwrap_or_default();
    fail(
        &Report::new(true, format),
        &Failure::usage(what.replace('\n', " "), "deployer COMMAND --help has every flag."),
    )
}

/// Runs the command; the first Ctrl-C asks it to end in good order, the second ends it.
async fn listening(cli: Cli, report: Report) -> ExitCode {
    let (interrupter, interrupt) = interrupt::channel();
    // A terminal that is closed, or a line that is cut, is the same as Ctrl-C at it, if it is heard at all.
    let hangup = if interrupt::hangup_is_ignored() { SignalKind::interrupt() } else { SignalKind::hangup() };
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), hangup];
    let [Ok(mut ctrl_c), Ok(mut term), Ok(mut hangup)] = kinds.map(signal) else {
        return fail(&report, &Failure::unchanged("cannot listen for Ctrl-C", "Run it again."));
    };
    let twice = async {
        tokio::select! { _ = ctrl_c.recv() => (), _ = term.recv() => (), _ = hangup.recv() => () };
        interrupter.interrupt();
        // Who hangs up twice has not asked twice.
        tokio::select! { _ = ctrl_c.recv() => (), _ = term.recv() => () };
    };
    tokio::select! {
        biased;
        result = commands::run(cli, &report, &interrupt) => match result {
            Ok(()) => {
                report.end(None);
                Exit::Done.into()
            }
            Err(failure) => fail(&report, &failure),
        },
        () = twice => fail(&report, &Failure::interrupted(
            "left at once, without looking back: the lock may still be held, and work on the host may go on",
            "deployer status shows what is there; deployer unlock takes the lock.",
        )),
    }
}
