//! `monitor`: the dashboard, until `q` or Ctrl-C.

use std::time::Duration;

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{Follow, Monitor, interrupted};
use crate::{
    config,
    console::{AnsiBackend, Terminal, keys},
    failure::Failure,
    monitor::Drawer,
};

/// How often the ages on the screen change.
const REDRAW: Duration = Duration::from_millis(500);

impl Monitor<'_> {
    /// Draws until `q`, Ctrl-C, or the end of the terminal.
    pub(super) async fn dashboard(mut self, mut follow: Follow<'_>) -> Result<(), Failure> {
        let gone = |error: std::io::Error| {
            Failure::unchanged(
                format!("the dashboard cannot draw on the terminal: {error}"),
                "deployer monitor --once prints the figures.",
            )
        };
        let mut resized = signal(SignalKind::window_change()).map_err(gone)?;
        let terminal = Terminal::take().map_err(gone)?;
        let mut drawer = Drawer::start(AnsiBackend::default(), !config::no_color());
        let mut keys = keys();
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut evaluate = interval(Duration::from_secs(self.args.interval.into()));
        evaluate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            tokio::select! {
                biased;
                () = self.interrupt.wait() => break Err(interrupted()),
                Some(_quit) = keys.recv() => break Ok(()),
                Some(update) = self.updates.1.recv() => { self.record(update); continue; }
                _ = evaluate.tick() => { let now = self.now(); self.watch.evaluate(now); }
                _ = redraw.tick() => {}
                _ = resized.recv() => {}
                never = &mut follow => match never {},
            }
            if let Err(error) = drawer.show(self.snapshot(None)) {
                break Err(gone(error));
            }
        };
        // The drawing ends before the terminal is restored.
        drop(drawer);
        drop(terminal);
        if ended.is_ok() {
            self.console.next("deployer monitor watches again; --headless watches without a screen.");
        }
        ended
    }
}
