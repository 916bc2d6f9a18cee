//! The whole terminal for a dashboard: raw input, the alternate screen, and both undone again, also after a panic. It
//! writes the ANSI sequences itself: a library for terminals would bring features of `mio` that make every AWS crate be
//! built again.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Read, Write},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
    style::{Color, Modifier},
};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The alternate screen, cleared, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l";
/// No attributes, the cursor, the screen that was there before.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// What is undone at the end; the mode of standard input, if it is a terminal.
static UNDO: Mutex<Option<Undo>> = Mutex::new(None);
static HOOK: OnceLock<()> = OnceLock::new();

struct Undo(Option<Termios>);

/// The terminal while a dashboard has it. The drop restores it.
#[derive(Debug)]
#[must_use = "the terminal is restored as soon as this is dropped"]
pub struct Terminal(());

/// A key that the dashboard handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `q`, `Q`, or Ctrl-C where it is not a signal.
    Quit,
}

/// Returns the size of the terminal at standard output; `None` if that is not a terminal.
fn size() -> Option<Size> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    tcgetwinsize(&stdout).ok().map(|size| Size::new(size.ws_col, size.ws_row))
}

impl Terminal {
    /// Returns the columns and lines of the terminal; `None` if standard output is not a terminal.
    #[must_use]
    pub fn size() -> Option<(u16, u16)> {
        size().map(|size| (size.width, size.height))
    }

    /// Takes the terminal.
    pub fn take() -> io::Result<Self> {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            // Ctrl-C stays a signal, so that it works whatever this process does. Ctrl-Z would not leave the alternate
            // screen, and Ctrl-S would stop the drawing.
            raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHONL;
            raw.input_modes -= InputModes::IXON;
            raw.special_codes[SpecialCodeIndex::VSUSP] = 0;
            raw.special_codes[SpecialCodeIndex::VMIN] = 1;
            raw.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        }
        *UNDO.lock().unwrap_or_else(PoisonError::into_inner) = Some(Undo(before));
        HOOK.get_or_init(|| {
            let print = std::panic::take_hook();
            // Restored first, so that the message is on the screen that stays.
            std::panic::set_hook(Box::new(move |info| {
                restore();
                print(info);
            }));
        });
        let taken = Self(());
        write(ENTER.as_bytes())?;
        Ok(taken)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, once.
fn restore() {
    let undo = UNDO.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Undo(before)) = undo else { return };
    // A terminal that is gone need not be restored.
    let _ = write(LEAVE.as_bytes());
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Draws cells with ANSI sequences on standard output.
#[derive(Debug, Default)]
pub struct AnsiBackend {
    pending: String,
    position: Position,
}

impl AnsiBackend {
    fn move_to(&mut self, x: u16, y: u16) {
        self.position = Position { x, y };
        // Writing to a string does not fail.
        let _ = write!(self.pending, "\x1b[{};{}H", y.saturating_add(1), x.saturating_add(1));
    }
}

/// Returns the number of a colour among SGR codes for the foreground; `None`: the terminal's own.
const fn sgr(color: Color) -> Option<u8> {
    Some(match color {
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        _ => return None,
    })
}

/// Returns the sequence that switches to the attributes of a cell.
fn attributes(cell: &Cell) -> String {
    let mut codes = vec!["0".to_owned()];
    for (modifier, code) in [(Modifier::BOLD, "1"), (Modifier::DIM, "2"), (Modifier::REVERSED, "7")] {
        if cell.modifier.contains(modifier) {
            codes.push(code.to_owned());
        }
    }
    codes.extend(sgr(cell.fg).map(|code| code.to_string()));
    codes.extend(sgr(cell.bg).map(|code| (code + 10).to_string()));
    format!("\x1b[{}m", codes.join(";"))
}

impl Backend for AnsiBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut last = String::new();
        for (x, y, cell) in content {
            if (Position { x, y }) != self.position {
                self.move_to(x, y);
            }
            let now = attributes(cell);
            if now != last {
                self.pending.push_str(&now);
                last = now;
            }
            self.pending.push_str(cell.symbol());
            // Only characters of one column are drawn.
            self.position.x = x.saturating_add(1);
        }
        self.pending.push_str("\x1b[0m");
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.pending.push_str("\x1b[?25l");
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.pending.push_str("\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.position)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.move_to(x, y);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.pending.push_str(match region {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        size().ok_or_else(|| io::Error::other("the terminal is gone"))
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        // The cursor may be past the last column, where terminals differ: the next draw moves it.
        self.position = Position { x: u16::MAX, y: u16::MAX };
        let pending = std::mem::take(&mut self.pending);
        write(pending.as_bytes())
    }
}

/// Where in a sequence of bytes the input is: a function key sends several, which may contain a `q`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Input {
    #[default]
    Keys,
    Escape,
    /// After `ESC [`, to the final byte.
    Control,
    /// After `ESC O`: one byte follows.
    Single,
}

impl Input {
    fn next(&mut self, byte: u8) -> Option<Key> {
        const CTRL_C: u8 = 3;
        let (next, key) = match (*self, byte) {
            (_, CTRL_C) => (Self::Keys, Some(Key::Quit)),
            (_, 0x1b) => (Self::Escape, None),
            (Self::Escape, b'O') => (Self::Single, None),
            (Self::Escape, b'[') | (Self::Control, 0x20..=0x3f) => (Self::Control, None),
            (Self::Control | Self::Single, _) => (Self::Keys, None),
            (_, b'q' | b'Q') => (Self::Keys, Some(Key::Quit)),
            _ => (Self::Keys, None),
        };
        *self = next;
        key
    }
}

/// Reads keys on a thread of its own, which is never joined. Yields nothing more when the input ends.
#[must_use]
pub fn keys() -> UnboundedReceiver<Key> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        let mut input = Input::default();
        for byte in io::stdin().lock().bytes() {
            let Ok(byte) = byte else { return };
            if let Some(key) = input.next(byte)
                && sender.send(key).is_err()
            {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use ratatui::{
        backend::Backend,
        buffer::Cell,
        style::{Color, Modifier},
    };

    use super::{AnsiBackend, Input, Terminal};

    #[test]
    #[ignore = "takes the terminal: .ci/steps/88-monitor runs it in one, and checks it afterwards"]
    fn a_panic_restores_the_terminal() {
        let _taken = Terminal::take().unwrap();
        panic!("on purpose");
    }

    #[test]
    fn only_q_and_ctrl_c_end() {
        for (bytes, ends) in [
            (&b"q"[..], true),
            (b"Q", true),
            (b"\x03", true),
            (b"xyz \r\n1", false),
            // F2, the arrows, keys with a modifier: sequences that have a letter.
            (b"\x1bOQ", false),
            (b"\x1bOq", false),
            (b"\x1b[A\x1b[1;5Q", false),
            // A lone Escape, then q; q after a sequence; Ctrl-C within one.
            (b"\x1bq", true),
            (b"\x1b[Aq", true),
            (b"\x1b[\x03", true),
        ] {
            let mut input = Input::default();
            assert_eq!(bytes.iter().any(|byte| input.next(*byte).is_some()), ends, "{bytes:?}");
        }
    }

    #[test]
    fn cells_become_sequences() {
        let mut backend = AnsiBackend::default();
        let mut alarm = Cell::new("!");
        alarm.set_fg(Color::Red);
        alarm.modifier = Modifier::BOLD | Modifier::REVERSED;
        let plain = Cell::new("a");
        backend.draw([(2, 1, &alarm), (3, 1, &alarm), (4, 1, &plain), (0, 2, &plain)].into_iter()).unwrap();
        assert_eq!(backend.pending, "\x1b[2;3H\x1b[0;1;7;31m!!\x1b[0ma\x1b[3;1Ha\x1b[0m");
    }
}
