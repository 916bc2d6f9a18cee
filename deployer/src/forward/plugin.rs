//! The plug-in at work on one session, until it ends or somebody ends it.

use std::{
    process::{Child, Command},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout},
};

use super::{PAUSE, PLUGIN, REST};
use crate::{child, cloud::Session, interrupt::Interrupt, report::Report};

/// The variable that hands AWS' answer on; its name stands where the answer would.
const VARIABLE: &str = "AWS_SSM_START_SESSION_RESPONSE";
/// How long it may take to close its channel.
const TO_END: Duration = Duration::from_secs(5);
/// Kept for a failure.
const LAST_LINES: usize = 12;

/// How it ended.
pub(crate) enum End {
    /// By Ctrl-C.
    Interrupted,
    /// By itself; its exit status says nothing of why.
    ByItself {
        /// The port had been open.
        opened: bool,
        /// What it said last.
        lines: Vec<String>,
    },
    /// It could not be run.
    NotRun(String),
}

/// A plug-in that is killed where this program leaves it behind.
struct PluginProcess(Child);

impl Drop for PluginProcess {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            child::kill(&mut self.0);
        }
    }
}

/// Runs it. `opened` is called once, with the local port, when that is open.
pub(crate) async fn run(report: &Report, interrupt: &Interrupt, session: &Session, opened: impl Fn(u16)) -> End {
    let mut command = Command::new(PLUGIN);
    // In the environment nobody else can read it; in an argument everybody could.
    command.env(VARIABLE, session.answer.expose()).args([VARIABLE, &session.region, "StartSession"]);
    // The profile is in the environment, if there is one.
    command.args(["", &session.request, &session.endpoint]);
    let (child, lines) = match child::start(&mut command) {
        Ok(started) => started,
        Err(error) => return End::NotRun(format!("{PLUGIN} cannot be run: {error}")),
    };
    let mut running = PluginProcess(child);
    let mut output = Output { report, lines, last: Vec::new(), port: None, opened };
    loop {
        output.show();
        if !matches!(running.0.try_wait(), Ok(None)) {
            output.rest().await;
            return End::ByItself { opened: output.port.is_some(), lines: output.last };
        }
        tokio::select! {
            () = interrupt.wait() => break,
            () = sleep(PAUSE) => {}
        }
    }
    // It closes the channel, so that the host's agent hears of it.
    child::signal(&running.0, "INT");
    let deadline = Instant::now() + TO_END;
    while matches!(running.0.try_wait(), Ok(None)) && Instant::now() < deadline {
        sleep(PAUSE).await;
    }
    End::Interrupted
}

/// What it prints.
struct Output<'a, F> {
    report: &'a Report,
    lines: UnboundedReceiver<String>,
    last: Vec<String>,
    port: Option<u16>,
    opened: F,
}

impl<F: Fn(u16)> Output<'_, F> {
    /// What came so far.
    fn show(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.line(line);
        }
    }

    /// What comes yet.
    async fn rest(&mut self) {
        while let Ok(Some(line)) = timeout(REST, self.lines.recv()).await {
            self.line(line);
        }
    }

    fn line(&mut self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        if let (None, Some(port)) = (self.port, port(&line)) {
            self.port = Some(port);
            (self.opened)(port);
        } else {
            self.report.say(&format!("{PLUGIN}: {line}"));
        }
        if self.last.len() >= LAST_LINES {
            self.last.remove(0);
        }
        self.last.push(line);
    }
}

/// From `Port 8080 opened for sessionId ...`.
fn port(line: &str) -> Option<u16> {
    line.trim().strip_prefix("Port ")?.split_once(" opened")?.0.parse().ok()
}
