//! What a command on the host says while it runs, shown as it comes. Systems Manager hands a command's output over only
//! when it has ended (`GetCommandInvocation`: empty until then), so a small command beside it asks how far it is.

use std::time::Duration;

use tokio::time::Instant;

use super::command::{self, LOOK_SECONDS};
use crate::{
    interrupt::{self, Interrupt},
    report::Transfer,
    script::{Action, MARKER, facts::RunProgress},
    site::{DeployContext, Ports},
};

/// A look that takes longer would keep the command itself out of sight.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lines of one command, each shown once.
pub(super) struct HostOutput<'a, 'b, P> {
    site: &'a DeployContext<'b, P>,
    /// They are of no interest.
    quiet: bool,
    shown: usize,
    /// How far the step is that runs now.
    transfer: Option<Transfer>,
    /// When the next look beside it is due; `None`: never.
    due: Option<Instant>,
}

impl<'a, 'b, P: Ports> HostOutput<'a, 'b, P> {
    pub(super) fn new(site: &'a DeployContext<'b, P>, quiet: bool) -> Self {
        let mut said = Self { site, quiet, shown: 0, transfer: None, due: None };
        said.wait();
        said
    }

    /// Until the next look.
    fn wait(&mut self) {
        let pause = Some(self.site.settings.wait.progress_seconds).filter(|seconds| *seconds > 0 && !self.quiet);
        self.due = pause.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    }

    /// The command's output, as far as it is known.
    pub(super) fn show(&mut self, stdout: &str) {
        let lines: Vec<&str> = stdout.lines().filter(|line| !line.starts_with(MARKER)).collect();
        if !self.quiet && !lines.is_empty() {
            self.lines(0, &lines);
            // It comes by itself.
            self.wait();
        }
    }

    /// These lines, of which the first has this number.
    fn lines(&mut self, first: usize, lines: &[&str]) {
        for line in lines.iter().skip(self.shown.saturating_sub(first)) {
            self.transfer = Transfer::parse(line);
            if self.transfer.is_none() {
                self.site.report.host(line);
            }
        }
        self.shown = (first + lines.len()).max(self.shown);
    }

    /// Asks the host, where that is due. That it cannot be asked now says nothing of the command.
    pub(super) async fn ask(&mut self, interrupt: &Interrupt) {
        if self.due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        // Ctrl-C is for the command, and not for this: it is left to end by itself.
        let (_end, deaf) = interrupt::channel();
        let look = command::run_with(self.site, &deaf, "progress", &Action::Progress, LOOK_SECONDS);
        // It is itself a command that is followed; a future cannot hold itself.
        let look: std::pin::Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(look);
        let looked = tokio::select! {
            looked = tokio::time::timeout(PATIENCE, look) => looked,
            () = interrupt.wait() => return,
        };
        if let Ok(Ok(report)) = looked
            && let Some(RunProgress { said, lines, transfer }) = report.progress()
        {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            self.lines(said.saturating_sub(lines.len()), &lines);
            self.transfer = Transfer::parse(&transfer).or(self.transfer.take());
        }
        self.wait();
    }

    /// How far it is: what the host says of its step, or else this.
    pub(super) fn progress(&self, what: &str, detail: &str) {
        match &self.transfer {
            Some(transfer) if !self.quiet => self.site.report.transfer(transfer),
            _ => self.site.report.progress(what, detail),
        }
    }
}
