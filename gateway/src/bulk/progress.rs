//! Shows progress on standard error: a bar on a terminal, else a line every few seconds.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{counts::RunCounts, status::print_status};

/// Time between two lines of progress when standard error is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the bar is drawn in a second.
const DRAWS_PER_SECOND: u8 = 5;

/// How progress is shown.
#[derive(Debug)]
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines {
        last: Instant,
    },
    /// The table is on the same terminal, so that the table itself shows the progress.
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
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let template = if bytes.is_some() { "{bar:30} {percent:>3} %  {msg}" } else { "{spinner} {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Updates the bar, or writes a line if the last one is old enough.
    pub(super) fn show(&mut self, counts: &RunCounts) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(counts.weights().0);
                bar.set_message(counts.standing());
            }
            Self::Lines { last } if last.elapsed() >= LINE_INTERVAL => {
                *last = Instant::now();
                print_status(&counts.standing());
            }
            Self::Lines { .. } | Self::None => {}
        }
    }

    /// Removes the bar.
    pub(super) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
