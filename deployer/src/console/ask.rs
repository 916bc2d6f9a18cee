//! Asks the operator at the terminal.

use std::io::{self, BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use super::{Console, HiddenTyping, say_raw};
use crate::secret::Secret;

/// The most bytes that are read of a secret from a pipe.
const LONGEST_SECRET: usize = 4096;

impl Console {
    /// Returns whether the operator can be asked. False if a program reads the events.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.live && io::stdin().is_terminal()
    }

    /// Asks a question. Every answer that does not begin with y is a no. Call it only if [`Self::can_ask`].
    pub async fn ask(&self, question: &str) -> bool {
        let answer = self.ask_line(&format!("{question} [y/N] ")).await;
        answer.trim_start().to_lowercase().starts_with('y')
    }

    /// Asks for a line and shows what is typed. Returns an empty line if nothing can be read. Call it only if
    /// [`Self::can_ask`].
    pub async fn ask_line(&self, question: &str) -> String {
        self.clear();
        say_raw(question);
        // On its own thread, because Ctrl-C must be noticed while this waits.
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            let _ = io::stdin().lock().read_line(&mut line);
            line
        });
        answer.await.unwrap_or_default()
    }

    /// Hides what is typed from now on. Call it before anything that takes time and ends in [`Self::secret`], so that a
    /// secret that is pasted or typed early is not shown either.
    pub fn hide_typing(&self) -> HiddenTyping {
        HiddenTyping::start()
    }

    /// Reads a secret: hidden at a terminal, otherwise from the pipe. Ctrl-C at the prompt is the error `Interrupted`.
    pub async fn secret(&self, question: &str) -> io::Result<Secret> {
        // The prompt is written before rpassword switches the echo off.
        let _hidden = self.hide_typing();
        let ask = io::stdin().is_terminal().then(|| question.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            if let Some(question) = ask {
                return rpassword::prompt_password(question).map(Zeroizing::new);
            }
            // The buffer has room for the whole secret, so that it never grows and leaves no copy in memory.
            let mut text = Zeroizing::new(String::with_capacity(LONGEST_SECRET));
            let most = u64::try_from(LONGEST_SECRET).unwrap_or_default();
            io::stdin().lock().take(most).read_to_string(&mut text)?;
            Ok(text)
        });
        read.await.map_err(io::Error::other)?.map(Secret::new)
    }
}
