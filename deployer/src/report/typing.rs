//! Hides what is typed at the terminal, from before a secret is asked for until it was read.

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The terminal echoes nothing while this lives. Restores the terminal when it is dropped, and discards what was typed
/// and not read, so that the rest of a pasted secret does not reach the shell.
#[must_use = "typing is shown again as soon as this is dropped"]
pub struct HiddenTyping(Option<Termios>);

impl HiddenTyping {
    /// Switches the echo of standard input off; does nothing where that is no terminal.
    pub(super) fn start() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        // `Now` keeps what was typed ahead: it may be the secret, and is read at the prompt.
        match tcsetattr(io::stdin(), OptionalActions::Now, &hidden) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for HiddenTyping {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone has nothing to restore.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
