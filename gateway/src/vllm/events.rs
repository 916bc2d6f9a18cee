//! Parses server-sent events, as far as vLLM sends them: returns the data of each event, wherever the bytes are split.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use bytes::{Buf, BytesMut};

/// Turns received bytes into the data of events.
#[derive(Debug, Default)]
pub(super) struct EventDecoder {
    buffer: BytesMut,
    /// Number of bytes at the start of the buffer that are known to have no line feed, so that a long line is searched
    /// only once, in however many pieces it arrives.
    searched: usize,
    data: Option<Vec<u8>>,
}

impl EventDecoder {
    /// Adds received bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the data of the next complete event, its lines joined by line feeds; `None` if there is none yet.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(found) = memchr::memchr(b'\n', self.buffer.get(self.searched..).unwrap_or_default()) {
            let end = self.searched + found;
            self.searched = 0;
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if line.is_empty() {
                if let Some(data) = self.data.take() {
                    return Some(data);
                }
            } else if let Some(value) = line.strip_prefix(b"data:") {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                match &mut self.data {
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                    None => self.data = Some(value.to_vec()),
                }
            }
        }
        self.searched = self.buffer.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(text: &str, size: usize) -> Vec<String> {
        let (mut events, mut all) = (EventDecoder::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            events.feed(piece);
            while let Some(data) = events.next() {
                all.push(String::from_utf8(data).unwrap());
            }
        }
        all
    }

    #[test]
    fn complete_events_give_their_data() {
        for (text, expected) in [
            ("data: a\n\ndata: b\n\n", &["a", "b"][..]),
            ("data:a\r\n\r\n", &["a"]),
            ("data: a\ndata: b\n\n", &["a\nb"]),
            (": comment\n\nevent: x\nid: 7\ndata: a\n\n", &["a"]),
            ("data:\n\n", &[""]),
            ("data:  two\n\n", &[" two"]),
            ("data: a\n", &[]),
            ("data: a", &[]),
            ("\n\n\n", &[]),
            ("dat: a\n\n", &[]),
        ] {
            for size in [1, 2, 3, 100] {
                assert_eq!(events(text, size), expected, "{text:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn no_byte_of_a_long_line_is_searched_twice() {
        let mut events = EventDecoder::default();
        for piece in 0..1_000 {
            events.feed(&[b'x'; 64]);
            assert_eq!(events.searched, piece * 64);
            assert!(events.next().is_none());
        }
        events.feed(b"\ndata: a\n\ndata: b");
        assert_eq!(events.next().as_deref(), Some(&b"a"[..]));
        assert!(events.next().is_none());
        events.feed(b"c\n\n");
        assert_eq!(events.next().as_deref(), Some(&b"bc"[..]));
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_does_not_matter(text in "(data: ?[a-z\u{e9}]{0,4}|: [a-z]{0,3}|\r?\n|x){0,20}", size in 1usize..7) {
            prop_assert_eq!(events(&text, size), events(&text, text.len().max(1)));
        }
    }
}
