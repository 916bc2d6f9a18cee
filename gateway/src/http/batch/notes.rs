//! The notes of a batch one after the other, not yet parsed: of a list, or of lines that are still coming.

use std::{collections::VecDeque, time::Duration};

use axum::body::{Body, Bytes, HttpBody};
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;

use crate::http::error::ErrorCode;

/// Where the notes come from.
#[derive(Debug)]
pub(super) enum Notes {
    List(VecDeque<Bytes>),
    Lines(Lines),
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A note's JSON.
    Note(Bytes),
    /// A note that is too large to be looked at.
    TooLarge,
    /// There are no more.
    End,
    /// There may be more, but they are not read.
    Broken(ErrorCode),
}

/// Lines that come in a body.
#[derive(Debug)]
pub(super) struct Lines {
    body: Body,
    came: BytesMut,
    /// Bytes of `came` in which there is no line's end.
    searched: usize,
    /// Whether the line is too long already, and the rest of it is thrown away.
    overlong: bool,
    ended: bool,
    seen: usize,
    longest_line: usize,
    most: usize,
    patience: Duration,
}

impl Notes {
    pub(super) fn in_list(notes: VecDeque<Bytes>) -> Self {
        Self::List(notes)
    }

    /// Lines of at most so many bytes, at most so many bytes together, of which the next comes within
    /// `patience`. Nothing where the body says itself that it is larger.
    pub(super) fn in_lines(body: Body, longest_line: usize, most: usize, patience: Duration) -> Option<Self> {
        if body.size_hint().lower() > most as u64 {
            return None;
        }
        let (came, searched, overlong, ended, seen) = (BytesMut::new(), 0, false, false, 0);
        Some(Self::Lines(Lines { body, came, searched, overlong, ended, seen, longest_line, most, patience }))
    }

    /// What comes next. Nothing is lost where the wait is given up.
    pub(super) async fn next(&mut self) -> Next {
        match self {
            Self::List(notes) => notes.pop_front().map_or(Next::End, Next::Note),
            Self::Lines(lines) => lines.next().await,
        }
    }
}

impl Lines {
    async fn next(&mut self) -> Next {
        loop {
            if let Some(line) = self.line() {
                return line;
            }
            if self.ended {
                return Next::End;
            }
            let frame = match tokio::time::timeout(self.patience, self.body.frame()).await {
                Err(_) => return Next::Broken(ErrorCode::DeadlineExceeded),
                // The caller went, or framed the body wrong; if he is there, he is told.
                Ok(Some(Err(_))) => return Next::Broken(ErrorCode::InvalidJson),
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => {
                    // The last line needs no end.
                    self.ended = true;
                    self.came.extend_from_slice(b"\n");
                    continue;
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            self.seen += data.len();
            if self.seen > self.most {
                return Next::Broken(ErrorCode::BodyTooLarge);
            }
            self.came.extend_from_slice(&data);
        }
    }

    /// The next line that is whole and not blank.
    fn line(&mut self) -> Option<Next> {
        loop {
            let rest = self.came.get(self.searched..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.searched = self.came.len();
                if self.searched > self.longest_line {
                    self.overlong = true;
                    self.came.clear();
                    self.searched = 0;
                }
                return None;
            };
            let line = self.came.split_to(self.searched + end);
            self.came.advance(1);
            self.searched = 0;
            if std::mem::take(&mut self.overlong) || line.len() > self.longest_line {
                return Some(Next::TooLarge);
            }
            if !line.trim_ascii().is_empty() {
                return Some(Next::Note(line.freeze()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    async fn all(pieces: Vec<Vec<u8>>, longest_line: usize, most: usize) -> Vec<Next> {
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let mut notes = Notes::in_lines(body, longest_line, most, Duration::from_secs(9)).unwrap();
        let mut all = Vec::new();
        loop {
            let next = notes.next().await;
            let last = matches!(next, Next::End | Next::Broken(_));
            all.push(next);
            if last {
                return all;
            }
        }
    }

    #[tokio::test]
    async fn lines_however_they_come() {
        let note = |text: &'static str| Next::Note(Bytes::from(text));
        for (text, expected) in [
            ("a\nb\n", vec![note("a"), note("b"), Next::End]),
            ("a\nb", vec![note("a"), note("b"), Next::End]),
            ("a\r\n\n  \nb", vec![note("a\r"), note("b"), Next::End]),
            ("", vec![Next::End]),
            ("\n\n", vec![Next::End]),
            ("123456789\na", vec![Next::TooLarge, note("a"), Next::End]),
            ("12345678\na", vec![note("12345678"), note("a"), Next::End]),
            ("123456789", vec![Next::TooLarge, Next::End]),
            ("a\n123456789012345678901", vec![note("a"), Next::Broken(ErrorCode::BodyTooLarge)]),
        ] {
            for every in [1, 2, 5] {
                let pieces = text.as_bytes().chunks(every).map(<[u8]>::to_vec).collect();
                assert_eq!(all(pieces, 8, 20).await, expected, "{text:?} in pieces of {every}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(text in "[ab\\r\\n ]{0,40}", every in 1usize..7) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let cut = |every: usize| text.as_bytes().chunks(every).map(<[u8]>::to_vec).collect();
            let (pieces, whole) = (cut(every), cut(100));
            let (pieces, whole) = runtime.block_on(async { (all(pieces, 5, 99).await, all(whole, 5, 99).await) });
            prop_assert_eq!(pieces, whole);
        }
    }
}
