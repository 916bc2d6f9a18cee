//! Runs the plug-in for one session, until the plug-in exits or the operator presses Ctrl-C.

use std::{
    process::{Child, Command},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout},
};

use super::{PAUSE, PLUGIN, REST};
use crate::{child, cloud::Session, console::Console, interrupt::Interrupt};

/// The variable that passes AWS' answer to the plug-in. The plug-in gets its name as the argument that would otherwise
/// be the answer.
const VARIABLE: &str = "AWS_SSM_START_SESSION_RESPONSE";
/// How long the plug-in may take to close its channel after Ctrl-C.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// The number of output lines that are kept for the report of a failure.
const LAST_LINES: usize = 12;

/// How the plug-in ended.
pub(crate) enum PluginEnd {
    /// Ctrl-C ended it.
    Interrupted,
    /// It exited by itself. Its exit status does not say why.
    ByItself {
        /// Whether it had opened the local port.
        opened: bool,
        /// Its last output lines.
        lines: Vec<String>,
    },
    /// It could not be started; the text says why.
    NotRun(String),
}

/// The running plug-in, which is killed on drop.
struct PluginProcess(Child);

impl Drop for PluginProcess {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            child::kill(&mut self.0);
        }
    }
}

/// Runs the plug-in. `opened` is called once, with the local port, when the port is open.
pub(crate) async fn run(
    console: &Console,
    interrupt: &Interrupt,
    session: &Session,
    opened: impl Fn(u16),
) -> PluginEnd {
    let mut command = Command::new(PLUGIN);
    // Other users of this machine can read a process's arguments, but not its environment.
    command.env(VARIABLE, session.answer.expose()).args([VARIABLE, &session.region, "StartSession"]);
    // The empty argument stands for the profile, which the plug-in takes from the environment if there is one.
    command.args(["", &session.request, &session.endpoint]);
    let (child, lines) = match child::start(&mut command) {
        Ok(started) => started,
        Err(error) => return PluginEnd::NotRun(format!("{PLUGIN} cannot be run: {error}")),
    };
    let mut process = PluginProcess(child);
    let mut output = Output { console, lines, last: Vec::new(), port: None, opened };
    loop {
        output.show();
        if !matches!(process.0.try_wait(), Ok(None)) {
            output.show_remaining().await;
            return PluginEnd::ByItself { opened: output.port.is_some(), lines: output.last };
        }
        tokio::select! {
            () = interrupt.wait() => break,
            () = sleep(PAUSE) => {}
        }
    }
    // After SIGINT the plug-in closes its channel, which tells the host's agent that the session is over.
    child::signal(&process.0, "INT");
    let deadline = Instant::now() + CLOSE_LIMIT;
    while matches!(process.0.try_wait(), Ok(None)) && Instant::now() < deadline {
        sleep(PAUSE).await;
    }
    PluginEnd::Interrupted
}

/// The output of the plug-in.
struct Output<'a, F> {
    console: &'a Console,
    lines: UnboundedReceiver<String>,
    last: Vec<String>,
    port: Option<u16>,
    opened: F,
}

impl<F: Fn(u16)> Output<'_, F> {
    /// Shows the lines that have arrived so far.
    fn show(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.line(line);
        }
    }

    /// Shows the remaining lines of a plug-in that has ended.
    async fn show_remaining(&mut self) {
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
            self.console.say(&format!("{PLUGIN}: {line}"));
        }
        if self.last.len() >= LAST_LINES {
            self.last.remove(0);
        }
        self.last.push(line);
    }
}

/// Returns the port of a line such as `Port 8080 opened for sessionId ...`.
fn port(line: &str) -> Option<u16> {
    line.trim().strip_prefix("Port ")?.split_once(" opened")?.0.parse().ok()
}
