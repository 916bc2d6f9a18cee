//! Progress on standard error: a bar on a terminal, else a line every few seconds.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::counts::RunCounts;

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
/// Times a second that the bar is drawn.
const DRAWN: u8 = 5;

/// How progress is shown.
#[derive(Debug)]
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines {
        last: Instant,
    },
    /// The table is on the same terminal: it is the progress.
    None,
}

impl Progress {
    pub(super) fn new(bytes: Option<u64>, results_on_terminal: bool) -> Self {
        if results_on_terminal {
            return Self::None;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: Instant::now() };
        }
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(DRAWN));
        let form = if bytes.is_some() { "{bar:30} {percent:>3} %  {msg}" } else { "{spinner} {msg}" };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Shows how it stands, where it is time to.
    pub(super) fn show(&mut self, counts: &RunCounts) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(counts.weights().0);
                bar.set_message(counts.standing());
            }
            Self::Lines { last } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                say(&counts.standing());
            }
            Self::Lines { .. } | Self::None => {}
        }
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A line for the person at the terminal. Nobody there is no error.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
