//! Hides what is typed at the terminal, from before the question for a secret until the secret is read.

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Switches the terminal's echo off until it is dropped. The drop restores the terminal and discards typed text that
/// was not read, so that the rest of a pasted secret does not reach the shell.
#[must_use = "typing is shown again as soon as this is dropped"]
pub struct HiddenTyping(Option<Termios>);

impl HiddenTyping {
    /// Switches the echo of standard input off. Does nothing if standard input is not a terminal.
    pub(super) fn start() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        // `Now` keeps text that was typed early: it may be the secret, and the prompt reads it.
        match tcsetattr(io::stdin(), OptionalActions::Now, &hidden) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for HiddenTyping {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone need not be restored.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
