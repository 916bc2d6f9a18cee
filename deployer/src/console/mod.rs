//! Prints all output of the deployer. As text: data to stdout, everything else to stderr. As JSON: one document on
//! stdout at the end, and events on stderr, one line of JSON each. No other module prints.

mod ask;
mod document;
mod format;
mod terminal;
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
pub use terminal::{AnsiBackend, Key, Terminal, keys};
pub use transfer::{Transfer, size};
pub use typing::HiddenTyping;
pub use words::{duration, money, since, timestamp, until};

use crate::failure::Failure;

/// The shortest pause between two JSON events about unchanged progress.
const PROGRESS_PAUSE: Duration = Duration::from_secs(10);

/// The output of one command.
pub struct Console {
    format: Format,
    color: bool,
    /// Whether progress lines can be overwritten, because stderr is a terminal.
    live: bool,
    /// Whether printing is off because a dashboard draws on the screen.
    silent: bool,
    /// Whether an unfinished progress line must be cleared before the next text.
    open: Cell<bool>,
    /// The subject of the last progress event, and when it was written.
    last_progress: RefCell<(String, Option<Instant>)>,
    /// The fields of the JSON document so far.
    document: RefCell<Map<String, Value>>,
    /// The last text of [`Self::next`].
    next_step: RefCell<String>,
    /// The box that the events are about, of several.
    instance_id: RefCell<Option<String>>,
}

/// Writes to standard error. Errors are ignored: the lock must be given back even if the terminal is gone.
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

impl Console {
    /// Returns the output for a format, with progress and colors if stderr is a terminal.
    #[must_use]
    pub fn new(no_color: bool, format: Format) -> Self {
        let live = format == Format::Text && io::stderr().is_terminal();
        Self {
            format,
            color: live && !no_color,
            live,
            silent: false,
            open: Cell::new(false),
            last_progress: RefCell::default(),
            document: RefCell::default(),
            next_step: RefCell::default(),
            instance_id: RefCell::default(),
        }
    }

    /// Returns an output that prints nothing and asks no question, for work while a dashboard draws.
    #[must_use]
    pub fn silent() -> Self {
        Self { live: false, color: false, silent: true, ..Self::new(true, Format::Text) }
    }

    /// Returns whether a program reads the output.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Clears an unfinished progress line.
    fn clear(&self) {
        if self.open.take() {
            say_raw("\r\x1b[2K");
        }
    }

    fn line(&self, text: &str) {
        if self.silent {
            return;
        }
        self.clear();
        say_raw(&format!("{text}\n"));
    }

    /// Sets the box that the following events are about, where there are several: they carry its id as `box`.
    pub fn about_box(&self, instance_id: Option<&str>) {
        self.instance_id.replace(instance_id.map(str::to_owned));
    }

    /// Writes an event for a program.
    fn event(&self, event: &str, mut fields: Value) {
        if let (Some(id), Some(fields)) = (&*self.instance_id.borrow(), fields.as_object_mut()) {
            fields.insert("box".to_owned(), id.clone().into());
        }
        document::event(event, fields);
    }

    /// Writes an event for a program, or a line for the operator.
    fn event_or_line(&self, event: &str, text: &str, line: impl FnOnce() -> String) {
        if self.is_json() {
            self.event(event, json!({"text": text}));
        } else {
            self.line(&line());
        }
    }

    /// Writes data as text. The JSON document has the same data through [`Self::result`].
    pub fn data(&self, text: &str) {
        if self.is_json() || self.silent {
            return;
        }
        self.clear();
        // A reader that has closed the pipe, such as `head`, is not a failure.
        let _ = writeln!(io::stdout(), "{}", text.trim_end_matches('\n'));
    }

    /// Writes a line for the operator.
    pub fn say(&self, text: &str) {
        self.event_or_line("message", text, || text.to_owned());
    }

    /// Writes a plan, before it is approved.
    pub fn plan(&self, lines: &[String]) {
        if self.is_json() {
            self.event("plan", json!({"lines": lines}));
        } else {
            for line in lines {
                self.line(line);
            }
        }
    }

    /// Writes that a step begins.
    pub fn step(&self, text: &str) {
        self.event_or_line("step", text, || format!("{} {text}", self.paint("1", "=>")));
    }

    /// Writes a line of the host's output.
    pub fn host(&self, text: &str) {
        self.event_or_line("host", text, || self.paint("2", &format!("   host | {text}")));
    }

    /// Writes a line of a hook's output.
    pub fn hook(&self, text: &str) {
        self.event_or_line("hook", text, || self.paint("2", &format!("   hook | {text}")));
    }

    /// Writes a line of a service's log: as data in text format, as an event in JSON.
    pub fn log(&self, text: &str) {
        if self.is_json() {
            self.event("log", json!({"text": text}));
        } else {
            self.data(text);
        }
    }

    /// Writes a snapshot of the monitor as an event; nothing as text, which has only the notices.
    pub fn snapshot(&self, snapshot: &impl serde::Serialize) {
        if self.is_json() {
            self.event("snapshot", json!({"snapshot": snapshot}));
        }
    }

    /// Writes that a local port is open now, at this address: as data in text format, as an event in JSON.
    pub fn opened(&self, url: &str) {
        if self.is_json() {
            self.event("opened", json!({"text": url}));
        } else {
            self.data(url);
        }
    }

    /// Writes a warning: something that did not stop the work but that the operator should know.
    pub fn warn(&self, text: &str) {
        self.event_or_line("warning", text, || format!("{} {text}", self.paint("33", "warning:")));
    }

    /// Writes progress: one overwritten line on a terminal, elsewhere a line each time `what` changes.
    pub fn progress(&self, what: &str, detail: &str) {
        if self.is_json() {
            if self.progress_is_due(what) {
                self.event("progress", json!({"text": what, "detail": detail}));
            }
        } else {
            self.progress_line(what, &format!("{what} {detail}"), what);
        }
    }

    /// Writes the progress of a long step of the host. Without a terminal, it writes a line for each tenth.
    pub fn transfer(&self, transfer: &Transfer) {
        let what = format!("{} {}", transfer.step, transfer.tenth());
        if self.is_json() {
            if self.progress_is_due(&what) {
                let Transfer { step, done, total, left } = transfer;
                let text = transfer.shown();
                let fields = json!({"text": text, "step": step, "done_bytes": done, "total_bytes": total,
                    "seconds_left": left});
                self.event("progress", fields);
            }
        } else {
            let text = transfer.shown();
            self.progress_line(&what, &text, &text);
        }
    }

    /// Writes `shown` over the last line on a terminal. Elsewhere writes the line `plain` if `what` has changed.
    fn progress_line(&self, what: &str, shown: &str, plain: &str) {
        if self.live {
            let text: String = format!("   {shown}").chars().take(110).collect();
            say_raw(&format!("\r\x1b[2K{text}"));
            self.open.set(true);
        } else if !self.silent && self.last_progress.borrow().0 != what {
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

    /// Writes what to do next: the last line of a command.
    pub fn next(&self, text: &str) {
        self.next_step.replace(text.to_owned());
        self.event_or_line("next", text, || format!("{} {text}", self.paint("32", "next:")));
    }

    /// Writes why the command failed and what to do next.
    fn failure(&self, failure: &Failure) {
        for line in &failure.lines {
            self.host(line);
        }
        if self.is_json() {
            self.event("failure", json!({"text": failure.what, "exit": failure.exit.code(), "code": failure.exit}));
        } else {
            self.line(&format!("{} {}", self.paint("31;1", "error:"), failure.what));
        }
        self.next(&failure.next);
    }
}
