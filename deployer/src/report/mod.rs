//! All that the deployer prints: data to stdout, everything else to stderr. No other room prints.

mod typing;
mod words;

use std::{
    cell::{Cell, RefCell},
    io::{self, BufRead, IsTerminal, Read, Write},
};

pub use typing::HiddenTyping;
pub use words::{duration, money, since};

use zeroize::Zeroizing;

use crate::{failure::Failure, secret::Secret};

/// Of a token from a pipe.
const LONGEST_SECRET: usize = 4096;

/// The two streams of one command.
pub struct Report {
    color: bool,
    /// Progress may be written over.
    live: bool,
    /// There is a line of progress that the next text must take away.
    open: Cell<bool>,
    last_progress: RefCell<String>,
}

/// To standard error. A terminal that is gone is no reason to end before the lock is given back.
fn say_raw(text: &str) {
    #[cfg(test)]
    #[expect(clippy::print_stderr, reason = "the test harness shows it where a test fails")]
    {
        eprint!("{text}");
    }
    #[cfg(not(test))]
    {
        let mut stderr = io::stderr();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

impl Report {
    /// Looks whether a person watches.
    #[must_use]
    pub fn new(no_color: bool) -> Self {
        let live = io::stderr().is_terminal();
        Self { color: live && !no_color, live, open: Cell::new(false), last_progress: RefCell::default() }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Takes an unfinished line of progress away.
    fn clear(&self) {
        if self.open.take() {
            say_raw("\r\x1b[2K");
        }
    }

    fn line(&self, text: &str) {
        self.clear();
        say_raw(&format!("{text}\n"));
    }

    /// Data, for the next program or for a person who asked for it.
    pub fn data(&self, text: &str) {
        self.clear();
        // A reader that went away, such as `head`, is no failure.
        let _ = writeln!(io::stdout(), "{}", text.trim_end_matches('\n'));
    }

    /// A line for the person.
    pub fn say(&self, text: &str) {
        self.line(text);
    }

    /// A step begins.
    pub fn step(&self, text: &str) {
        self.line(&format!("{} {text}", self.paint("1", "=>")));
    }

    /// A line of the host's own output.
    pub fn host(&self, text: &str) {
        self.line(&self.paint("2", &format!("   host | {text}")));
    }

    /// Something that did not stop the work but should be known.
    pub fn warn(&self, text: &str) {
        self.line(&format!("{} {text}", self.paint("33", "warning:")));
    }

    /// How far it is: written over on a terminal; elsewhere a line each time `what` changes.
    pub fn progress(&self, what: &str, detail: &str) {
        if self.live {
            let text: String = format!("   {what} {detail}").chars().take(110).collect();
            say_raw(&format!("\r\x1b[2K{text}"));
            self.open.set(true);
        } else if *self.last_progress.borrow() != what {
            say_raw(&format!("   {what}\n"));
        }
        what.clone_into(&mut self.last_progress.borrow_mut());
    }

    /// What to do next: the last line of a command.
    pub fn next(&self, text: &str) {
        self.line(&format!("{} {text}", self.paint("32", "next:")));
    }

    /// Why the command failed, and what to do.
    pub fn failure(&self, failure: &Failure) {
        for line in &failure.lines {
            self.host(line);
        }
        self.line(&format!("{} {}", self.paint("31;1", "error:"), failure.what));
        self.next(&failure.next);
    }

    /// May a person be asked?
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.live && io::stdin().is_terminal()
    }

    /// Asks a question whose answer is no unless it begins with y. Only where [`Self::can_ask`].
    pub async fn ask(&self, question: &str) -> bool {
        self.clear();
        say_raw(&format!("{question} [y/N] "));
        // On a thread of its own: Ctrl-C must be heard while this waits.
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            let _ = io::stdin().lock().read_line(&mut line);
            line
        });
        answer.await.is_ok_and(|line| line.trim_start().to_lowercase().starts_with('y'))
    }

    /// Asks for a line that may be seen. Only where [`Self::can_ask`].
    pub async fn ask_line(&self, question: &str) -> String {
        self.clear();
        say_raw(question);
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
