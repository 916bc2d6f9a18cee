//! The `deployer` command: arguments in, exit code out, and Ctrl-C heard in between.

use std::process::ExitCode;

use clap::Parser;
use deployer::{
    Exit, Failure,
    commands::{self, Cli},
    config, interrupt,
    report::Report,
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let report = Report::new(config::no_color());
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
    report.failure(failure);
    failure.exit.into()
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
            Ok(()) => Exit::Done.into(),
            Err(failure) => fail(&report, &failure),
        },
        () = twice => fail(&report, &Failure::interrupted(
            "left at once, without looking back: the lock may still be held, and work on the host may go on",
            "deployer status shows what is there; deployer unlock takes the lock.",
        )),
    }
}
