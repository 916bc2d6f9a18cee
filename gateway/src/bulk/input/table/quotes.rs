//! Passes a table's bytes on as long as its quotes are in order, as in RFC 4180: a quoted cell ends before a delimiter
//! or a line end. At a quote that breaks this rule, or is never closed, the bytes end, because a reader that continued
//! would give one patient the note of the next.

use std::{
    cell::RefCell,
    io::{self, Read},
    rc::Rc,
};

/// What ends a table early, as a sentence with the number of a line; `None` as long as there is no fault.
pub(super) type TableFault = Rc<RefCell<Option<String>>>;

/// The position of the last byte in its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    CellStart,
    Unquoted,
    Quoted,
    /// After a quote inside a quoted cell: the cell ends, or the quote is doubled.
    QuoteInQuoted,
}

/// A reader that ends with an error at a quote that is out of order, or at a row over the limit.
pub(super) struct QuoteGuard<R> {
    input: R,
    delimiter: u8,
    quoted: bool,
    longest_row: u64,
    state: State,
    /// The number of the line of the file, from 1.
    line: u64,
    /// The line of the open quote.
    opened: u64,
    row_bytes: u64,
    fault: TableFault,
}

impl<R: Read> QuoteGuard<R> {
    /// `first_line` is the number of the first line that `input` gives.
    pub(super) fn new(input: R, delimiter: u8, quoted: bool, longest_row: u64, first_line: u64) -> (Self, TableFault) {
        let fault = TableFault::default();
        let shared = Rc::clone(&fault);
        let (state, line) = (State::CellStart, first_line);
        (Self { input, delimiter, quoted, longest_row, state, line, opened: line, row_bytes: 0, fault }, shared)
    }

    /// Takes one byte. Returns what is wrong with it.
    fn take(&mut self, byte: u8) -> Option<String> {
        self.row_bytes += 1;
        if self.row_bytes > self.longest_row {
            let megabytes = self.longest_row >> 20;
            return Some(match self.state {
                State::Quoted => {
                    format!("the quote that is opened in line {} is not closed within {megabytes} MiB", self.opened)
                }
                _ => format!("the row at line {} is longer than {megabytes} MiB", self.line),
            });
        }
        let ends_cell = byte == self.delimiter || matches!(byte, b'\r' | b'\n');
        match self.state {
            State::CellStart if byte == b'"' && self.quoted => (self.state, self.opened) = (State::Quoted, self.line),
            State::CellStart | State::Unquoted => {
                self.state = if ends_cell { State::CellStart } else { State::Unquoted };
            }
            State::Quoted if byte == b'"' => self.state = State::QuoteInQuoted,
            State::Quoted => {}
            State::QuoteInQuoted if byte == b'"' => self.state = State::Quoted,
            State::QuoteInQuoted if ends_cell => self.state = State::CellStart,
            State::QuoteInQuoted => {
                let (line, opened) = (self.line, self.opened);
                return Some(if line == opened {
                    format!("in line {line} text follows a closing quote")
                } else {
                    format!(
                        "the quote that is opened in line {opened} is not closed where its cell ends: in line {line} text follows a quote"
                    )
                });
            }
        }
        if byte == b'\n' {
            self.line += 1;
        }
        if self.state == State::CellStart && matches!(byte, b'\r' | b'\n') {
            self.row_bytes = 0;
        }
        None
    }

    fn end(&self, fault: String) -> io::Error {
        let error = io::Error::other(fault.clone());
        *self.fault.borrow_mut() = Some(fault);
        error
    }
}

impl<R: Read> Read for QuoteGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(fault) = &*self.fault.borrow() {
            return Err(io::Error::other(fault.clone()));
        }
        let count = self.input.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.state == State::Quoted {
            return Err(self.end(format!("the quote that is opened in line {} is never closed", self.opened)));
        }
        for at in 0..count {
            let Some(&byte) = buffer.get(at) else { break };
            if let Some(fault) = self.take(byte) {
                let error = self.end(fault);
                return if at == 0 { Err(error) } else { Ok(at) };
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes that pass and the fault.
    fn passed(table: &str, quoted: bool) -> (String, Option<String>) {
        let (mut guard, fault) = QuoteGuard::new(table.as_bytes(), b',', quoted, 64, 1);
        let mut out = Vec::new();
        let _ = guard.read_to_end(&mut out);
        let fault = fault.borrow().clone();
        (String::from_utf8(out).unwrap(), fault)
    }

    #[test]
    fn quotes_in_order_pass() {
        for table in [
            "a,b\n1,\"x, \"\"y\"\"\r\nz\"\n",
            "a\r1,\"\"\r",
            "5\" mass,b\n",
            "",
            "\"a\"",
            "a,\"b\"",
            "\"a\r\n\r\nb\",c\n",
        ] {
            assert_eq!(passed(table, true), (table.to_owned(), None), "{table:?}");
        }
        let unclosed = "a,\"b\nc,d\n";
        assert_eq!(passed(unclosed, false), (unclosed.to_owned(), None));
    }

    #[test]
    fn the_bytes_end_at_a_quote_out_of_order() {
        for (table, end, words) in [
            ("a,b\n1,\"x\" y\n2,z\n", "a,b\n1,\"x\"", "in line 2 text follows a closing quote"),
            (
                "a,b\n1,\"x\n2,\"y\"\n",
                "a,b\n1,\"x\n2,\"",
                "opened in line 2 is not closed where its cell ends: in line 3",
            ),
            ("a,b\n1,\"x\n2,y\n", "a,b\n1,\"x\n2,y\n", "opened in line 2 is never closed"),
            ("a,b\n1,\"x\\\"y\"\n", "a,b\n1,\"x\\\"", "in line 2 text follows a closing quote"),
        ] {
            let (out, fault) = passed(table, true);
            assert_eq!(out, end, "{table:?}");
            assert!(fault.as_deref().is_some_and(|fault| fault.contains(words)), "{table:?}: {fault:?}");
        }
        let long = format!("a,b\n1,\"{}", "x".repeat(90));
        assert!(passed(&long, true).1.unwrap().contains("opened in line 2"), "a quote over the limit");
        assert!(passed(&"x".repeat(90), true).1.unwrap().contains("longer than"));
        assert_eq!(passed(&"x,y\n".repeat(90), true).1, None);
    }
}
