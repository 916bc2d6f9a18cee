//! What a person at the terminal is asked.

use std::io::{self, BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use super::{HiddenTyping, Report, say_raw};
use crate::secret::Secret;

/// Of a token from a pipe.
const LONGEST_SECRET: usize = 4096;

impl Report {
    /// May a person be asked? Not where a program reads the events.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.live && io::stdin().is_terminal()
    }

    /// Asks a question whose answer is no unless it begins with y. Only where [`Self::can_ask`].
    pub async fn ask(&self, question: &str) -> bool {
        let answer = self.ask_line(&format!("{question} [y/N] ")).await;
        answer.trim_start().to_lowercase().starts_with('y')
    }

    /// Asks for a line that may be seen; empty where nothing can be read. Only where [`Self::can_ask`].
    pub async fn ask_line(&self, question: &str) -> String {
        self.clear();
        say_raw(question);
        // On a thread of its own: Ctrl-C must be heard while this waits.
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            let _ = io::stdin().lock().read_line(&mut line);
            line
        });
        answer.await.unwrap_or_default()
    }

    /// Hides what is typed from now on. Call it before anything that takes time and ends in [`Self::secret`]: a secret
    /// that is pasted early or typed ahead is not shown either.
    pub fn hide_typing(&self) -> HiddenTyping {
        HiddenTyping::start()
    }

    /// Reads a secret: hidden where a person can be asked, otherwise from the pipe. Ctrl-C at the prompt is
    /// `Interrupted`.
    pub async fn secret(&self, question: &str) -> io::Result<Secret> {
        // The prompt is written before rpassword switches the echo off.
        let _hidden = self.hide_typing();
        let ask = io::stdin().is_terminal().then(|| question.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            if let Some(question) = ask {
                return rpassword::prompt_password(question).map(Zeroizing::new);
            }
            // Room for all of it, so that no part is left in a buffer that grew.
            let mut text = Zeroizing::new(String::with_capacity(LONGEST_SECRET));
            let most = u64::try_from(LONGEST_SECRET).unwrap_or_default();
            io::stdin().lock().take(most).read_to_string(&mut text)?;
            Ok(text)
        });
        read.await.map_err(io::Error::other)?.map(Secret::new)
    }
}
