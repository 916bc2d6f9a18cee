//! The signals that end a run: Ctrl-C, SIGTERM, and SIGHUP from a closed terminal or a lost connection.

use std::io;

use deployer::interrupt::{self, Interrupter};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listeners for the signals that end a run. Each signal has one listener: two listeners would both report one Ctrl-C,
/// which would then count as two.
pub(crate) struct EndSignals {
    ctrl_c: Signal,
    term: Signal,
    /// `None` if this process ignores SIGHUP, as after a start with `nohup`. Listening would end the ignoring.
    hangup: Option<Signal>,
}

impl EndSignals {
    /// Starts to listen. From now on these signals no longer end the process by themselves.
    pub(crate) fn new() -> io::Result<Self> {
        let hangup = if interrupt::hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { ctrl_c: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())?, hangup })
    }

    /// Sends the interrupt at the first signal and returns at the second. A second SIGHUP does not count: the terminal
    /// sends it, not the operator.
    pub(crate) async fn second(mut self, interrupter: &Interrupter) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = self.ctrl_c.recv() => (), _ = self.term.recv() => (), _ = hangup => () };
        interrupter.interrupt();
        tokio::select! { _ = self.ctrl_c.recv() => (), _ = self.term.recv() => () };
    }
}
