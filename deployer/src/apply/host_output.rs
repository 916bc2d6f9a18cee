//! Shows the output of a command on the host while it runs. Systems Manager returns a command's output only after its
//! end (`GetCommandInvocation` is empty until then), so a second, small command asks the host for the progress.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    console::Transfer,
    context::{DeployContext, Ports},
    interrupt::Interrupt,
    script::{MARKER, facts::RunProgress},
};

/// Time limit of the query to the host. During the query, the deployer does not ask AWS about the command.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);

/// The output lines of one command, each shown once.
pub(super) struct HostOutput<'a, 'b, P> {
    context: &'a DeployContext<'b, P>,
    /// Whether the lines are not shown.
    quiet: bool,
    shown: usize,
    /// The progress of the current step.
    transfer: Option<Transfer>,
    /// When the next query to the host is due; `None`: never.
    due: Option<Instant>,
}

impl<'a, 'b, P: Ports> HostOutput<'a, 'b, P> {
    pub(super) fn new(context: &'a DeployContext<'b, P>, quiet: bool) -> Self {
        let mut output = Self { context, quiet, shown: 0, transfer: None, due: None };
        output.schedule_question();
        output
    }

    /// Schedules the next query to the host.
    fn schedule_question(&mut self) {
        let pause = Some(self.context.settings.wait.progress_seconds).filter(|seconds| *seconds > 0 && !self.quiet);
        self.due = pause.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    }

    /// Shows the command's output, as far as AWS returns it.
    pub(super) fn show(&mut self, stdout: &str) {
        let lines: Vec<&str> = stdout.lines().filter(|line| !line.starts_with(MARKER)).collect();
        if !self.quiet && !lines.is_empty() {
            self.lines(0, &lines);
            // AWS returns the output, so the host need not be asked soon.
            self.schedule_question();
        }
    }

    /// Shows the lines that were not shown yet. `first` is the number of the first line.
    fn lines(&mut self, first: usize, lines: &[&str]) {
        for line in lines.iter().skip(self.shown.saturating_sub(first)) {
            self.transfer = Transfer::parse(line);
            if self.transfer.is_none() {
                self.context.console.host(line);
            }
        }
        self.shown = (first + lines.len()).max(self.shown);
    }

    /// Asks the host for the progress if that is due. A failed query says nothing about the command.
    pub(super) async fn ask(&mut self, interrupt: &Interrupt, progress: &impl AsyncFn() -> Option<RunProgress>) {
        if self.due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        let answer = tokio::select! {
            answer = tokio::time::timeout(QUESTION_LIMIT, progress()) => answer,
            () = interrupt.wait() => return,
        };
        if let Ok(Some(RunProgress { said, lines, transfer })) = answer {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            self.lines(said.saturating_sub(lines.len()), &lines);
            self.transfer = Transfer::parse(&transfer).or(self.transfer.take());
        }
        self.schedule_question();
    }

    /// Shows the progress: the step's own, as the host reports it, or else this text.
    pub(super) fn progress(&self, what: &str, detail: &str) {
        match &self.transfer {
            Some(transfer) if !self.quiet => self.context.console.transfer(transfer),
            _ => self.context.console.progress(what, detail),
        }
    }
}
