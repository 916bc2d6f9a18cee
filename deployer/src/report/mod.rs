//! All that the deployer prints. As text: data to stdout, everything else to stderr. As JSON: one document on stdout
//! at the end, and what happens before as events, a line of JSON each, on stderr. No other room prints.

mod ask;
mod document;
mod format;
mod transfer;
mod typing;
mod words;

use std::{
    cell::{Cell, RefCell},
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

pub use format::Format;
pub use transfer::{Transfer, size};
pub use typing::HiddenTyping;
pub use words::{duration, money, since, timestamp, until};

use crate::failure::Failure;

/// A program that follows hears of unchanged progress no more often.
const PROGRESS_PAUSE: Duration = Duration::from_secs(10);

/// The two streams of one command.
pub struct Report {
    format: Format,
    color: bool,
    /// Progress may be written over.
    live: bool,
    /// There is a line of progress that the next text must take away.
    open: Cell<bool>,
    /// What the last line of progress was about, and when it was written.
    last_progress: RefCell<(String, Option<Instant>)>,
    /// The document, as far as it is known.
    document: RefCell<Map<String, Value>>,
    /// What to do next, as it was said.
    said_next: RefCell<String>,
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
    pub fn new(no_color: bool, format: Format) -> Self {
        let live = format == Format::Text && io::stderr().is_terminal();
        Self {
            format,
            color: live && !no_color,
            live,
            open: Cell::new(false),
            last_progress: RefCell::default(),
            document: RefCell::default(),
            said_next: RefCell::default(),
        }
    }

    fn is_json(&self) -> bool {
        self.format == Format::Json
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

    /// An event for a program, or else a line for a person.
    fn tell(&self, event: &str, text: &str, line: impl FnOnce() -> String) {
        if self.is_json() {
            document::event(event, json!({"text": text}));
        } else {
            self.line(&line());
        }
    }

    /// Data as text, for the next program or for a person who asked for it. As JSON it is in [`Self::result`].
    pub fn data(&self, text: &str) {
        if self.is_json() {
            return;
        }
        self.clear();
        // A reader that went away, such as `head`, is no failure.
        let _ = writeln!(io::stdout(), "{}", text.trim_end_matches('\n'));
    }

    /// A line for the person.
    pub fn say(&self, text: &str) {
        self.tell("message", text, || text.to_owned());
    }

    /// A plan, before it is approved.
    pub fn plan(&self, lines: &[String]) {
        if self.is_json() {
            document::event("plan", json!({"lines": lines}));
        } else {
            for line in lines {
                self.line(line);
            }
        }
    }

    /// A step begins.
    pub fn step(&self, text: &str) {
        self.tell("step", text, || format!("{} {text}", self.paint("1", "=>")));
    }

    /// A line of the host's own output.
    pub fn host(&self, text: &str) {
        self.tell("host", text, || self.paint("2", &format!("   host | {text}")));
    }

    /// A line of a hook's output.
    pub fn hook(&self, text: &str) {
        self.tell("hook", text, || self.paint("2", &format!("   hook | {text}")));
    }

    /// A line of a service's log: data as text, an event as JSON.
    pub fn log(&self, text: &str) {
        if self.is_json() {
            document::event("log", json!({"text": text}));
        } else {
            self.data(text);
        }
    }

    /// A local port is open from now on, at this address: data as text, an event as JSON.
    pub fn opened(&self, url: &str) {
        if self.is_json() {
            document::event("opened", json!({"text": url}));
        } else {
            self.data(url);
        }
    }

    /// Something that did not stop the work but should be known.
    pub fn warn(&self, text: &str) {
        self.tell("warning", text, || format!("{} {text}", self.paint("33", "warning:")));
    }

    /// How far it is: written over on a terminal; elsewhere a line each time `what` changes.
    pub fn progress(&self, what: &str, detail: &str) {
        if self.is_json() {
            if self.progress_is_due(what) {
                document::event("progress", json!({"text": what, "detail": detail}));
            }
        } else {
            self.progress_line(what, &format!("{what} {detail}"), what);
        }
    }

    /// How far a long step of the host is; as a plain line, each tenth once.
    pub fn transfer(&self, transfer: &Transfer) {
        let what = format!("{} {}", transfer.step, transfer.tenth());
        if self.is_json() {
            if self.progress_is_due(&what) {
                let Transfer { step, done, total, left } = transfer;
                let text = transfer.shown();
                let fields = json!({"text": text, "step": step, "done_bytes": done, "total_bytes": total,
                    "seconds_left": left});
                document::event("progress", fields);
            }
        } else {
            let text = transfer.shown();
            self.progress_line(&what, &text, &text);
        }
    }

    /// `shown` is written over on a terminal; `plain` is a line, whenever `what` is not what it was.
    fn progress_line(&self, what: &str, shown: &str, plain: &str) {
        if self.live {
            let text: String = format!("   {shown}").chars().take(110).collect();
            say_raw(&format!("\r\x1b[2K{text}"));
            self.open.set(true);
        } else if self.last_progress.borrow().0 != what {
            say_raw(&format!("   {plain}\n"));
        }
        self.last_progress.borrow_mut().0.replace_range(.., what);
    }

    fn progress_is_due(&self, what: &str) -> bool {
        let mut last = self.last_progress.borrow_mut();
        let due = last.0 != what || last.1.is_none_or(|at| at.elapsed() >= PROGRESS_PAUSE);
        if due {
            *last = (what.to_owned(), Some(Instant::now()));
        }
        due
    }

    /// What to do next: the last line of a command.
    pub fn next(&self, text: &str) {
        self.said_next.replace(text.to_owned());
        self.tell("next", text, || format!("{} {text}", self.paint("32", "next:")));
    }

    /// Why the command failed, and what to do.
    fn failure(&self, failure: &Failure) {
        for line in &failure.lines {
            self.host(line);
        }
        if self.is_json() {
            document::event(
                "failure",
                json!({"text": failure.what, "exit": failure.exit.code(), "code": failure.exit}),
            );
        } else {
            self.line(&format!("{} {}", self.paint("31;1", "error:"), failure.what));
        }
        self.next(&failure.next);
    }
}
