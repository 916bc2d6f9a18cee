//! Runs the plug-in for one session, until the plug-in exits or the operator presses Ctrl-C.

use std::{process::Command, time::Duration};

use tokio::time::sleep;

use super::PLUGIN;
use crate::{
    child::{self, LAST_LINES_WAIT, PAUSE},
    cloud::Session,
    console::Console,
    interrupt::Interrupt,
};

/// The variable that passes AWS' answer to the plug-in. The plug-in gets the name of this variable as the
/// argument, in place of the answer itself.
const VARIABLE: &str = "AWS_SSM_START_SESSION_RESPONSE";
/// How long the plug-in may take to close its channel after Ctrl-C.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// The number of output lines that are kept for the report of a failure.
const LAST_LINES: usize = 12;

/// How the plug-in ended.
pub(crate) enum PluginEnd {
    /// Ctrl-C ended it.
    Interrupted,
    /// It exited by itself. Its exit status does not show why.
    ByItself {
        /// Whether it had opened the local port.
        opened: bool,
        /// Its last output lines.
        lines: Vec<String>,
    },
    /// It could not be started; the text says why.
    NotRun(String),
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
    // The empty argument is the profile, which the plug-in takes from the environment if there is one.
    command.args(["", &session.request, &session.endpoint]);
    let (mut program, mut lines) = match child::start(&mut command) {
        Ok(started) => started,
        Err(error) => return PluginEnd::NotRun(format!("{PLUGIN} cannot be run: {error}")),
    };
    let mut output = PluginOutput { console, last: Vec::new(), port: None, opened };
    loop {
        lines.arrived(|line| output.show(line));
        if !program.is_running() {
            lines.remaining(LAST_LINES_WAIT, |line| output.show(line)).await;
            return PluginEnd::ByItself { opened: output.port.is_some(), lines: output.last };
        }
        tokio::select! {
            () = interrupt.wait() => break,
            () = sleep(PAUSE) => {}
        }
    }
    // After SIGINT the plug-in closes its channel, which informs the host's agent that the session is over.
    program.signal("INT");
    let _ = program.wait_for_end(CLOSE_LIMIT, || {}).await;
    PluginEnd::Interrupted
}

/// The output of the plug-in.
struct PluginOutput<'a, F> {
    console: &'a Console,
    last: Vec<String>,
    port: Option<u16>,
    opened: F,
}

impl<F: Fn(u16)> PluginOutput<'_, F> {
    fn show(&mut self, line: String) {
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
