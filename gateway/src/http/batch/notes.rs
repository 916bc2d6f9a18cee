//! The notes of a batch one after the other, not yet parsed: of a list, or of lines that are still coming.

use std::{collections::VecDeque, time::Duration};

use axum::body::{Body, Bytes, HttpBody};
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::{
    http::{error::ErrorCode, pace::MinimumRate},
    memory::MemoryReservation,
};

/// Where the notes come from.
#[derive(Debug)]
pub(super) enum Notes {
    List(VecDeque<Bytes>),
    Lines(Box<Lines>),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NextNote {
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
    /// How long a line may take, and until when that is for the one that is awaited.
    patience: Duration,
    until: Option<Instant>,
    /// How fast the line comes of which a part is there.
    pace: Option<MinimumRate>,
    /// What `came` takes of the budget: twice its length, because its buffer may be as much longer.
    reservation: MemoryReservation,
    /// What was waited for already.
    first: Option<NextNote>,
}

impl Notes {
    pub(super) fn in_list(notes: VecDeque<Bytes>) -> Self {
        Self::List(notes)
    }

    /// Lines of at most so many bytes, at most so many bytes together, of which the next comes within
    /// `patience`, and one that has begun as fast as [`MinimumRate`] asks. Nothing where the body says itself that it is larger.
    pub(super) fn in_lines(
        body: Body,
        longest_line: usize,
        most: usize,
        patience: Duration,
        reservation: MemoryReservation,
    ) -> Option<Self> {
        if body.size_hint().lower() > most as u64 {
            return None;
        }
        let (came, searched, overlong, ended, seen) = (BytesMut::new(), 0, false, false, 0);
        let (until, pace, first) = (None, None, None);
        Some(Self::Lines(Box::new(Lines {
            body,
            came,
            searched,
            overlong,
            ended,
            seen,
            longest_line,
            most,
            patience,
            until,
            pace,
            reservation,
            first,
        })))
    }

    /// What comes next. Nothing is lost where the wait is given up.
    pub(super) async fn next(&mut self) -> NextNote {
        match self {
            Self::List(notes) => notes.pop_front().map_or(NextNote::End, NextNote::Note),
            Self::Lines(lines) => lines.next().await,
        }
    }

    /// Nobody looks at what comes for a while: that is not the caller's fault.
    pub(super) fn pause(&mut self) {
        if let Self::Lines(lines) = self {
            (lines.until, lines.pace) = (None, None);
        }
    }

    /// Whether the next is there already, or needs no more of the body.
    pub(super) fn is_at_hand(&self) -> bool {
        match self {
            Self::List(_) => true,
            Self::Lines(lines) => {
                let unsearched = lines.came.get(lines.searched..).unwrap_or_default();
                lines.ended || lines.first.is_some() || memchr::memchr(b'\n', unsearched).is_some()
            }
        }
    }

    /// Waits until the next is there, if it must be waited for.
    pub(super) async fn arrived(&mut self) {
        if let Self::Lines(lines) = self {
            let next = lines.next().await;
            lines.first = Some(next);
        }
    }
}

impl Lines {
    async fn next(&mut self) -> NextNote {
        if let Some(first) = self.first.take() {
            return first;
        }
        loop {
            if let Some(line) = self.line() {
                self.until = None;
                return line;
            }
            if self.ended {
                return NextNote::End;
            }
            let until = *self.until.get_or_insert_with(|| Instant::now() + self.patience);
            let until = self.pace.map_or(until, |pace| until.min(pace.until()));
            // What is there already is taken, also where nobody looked for a while.
            let frame = match tokio::time::timeout_at(until, self.body.frame()).await {
                Err(_) => return NextNote::Broken(ErrorCode::DeadlineExceeded),
                // The caller went, or framed the body wrong; if he is there, he is told.
                Ok(Some(Err(_))) => return NextNote::Broken(ErrorCode::InvalidJson),
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
                return NextNote::Broken(ErrorCode::BodyTooLarge);
            }
            if self.reservation.grow(2 * data.len()).is_err() {
                return NextNote::Broken(ErrorCode::Overloaded);
            }
            if let Some(pace) = &mut self.pace {
                pace.came(data.len());
            }
            self.came.extend_from_slice(&data);
        }
    }

    /// The next line that is whole and not blank.
    fn line(&mut self) -> Option<NextNote> {
        loop {
            let rest = self.came.get(self.searched..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.searched = self.came.len();
                if self.searched > self.longest_line {
                    self.overlong = true;
                    self.came.clear();
                    self.searched = 0;
                }
                self.reservation.shrink_to(2 * self.came.len());
                if self.came.is_empty() && !self.overlong {
                    self.pace = None;
                } else {
                    self.pace.get_or_insert_with(MinimumRate::begin);
                }
                return None;
            };
            let line = self.came.split_to(self.searched + end);
            self.came.advance(1);
            self.searched = 0;
            self.pace = None;
            if std::mem::take(&mut self.overlong) || line.len() > self.longest_line {
                return Some(NextNote::TooLarge);
            }
            if !line.trim_ascii().is_empty() {
                return Some(NextNote::Note(line.freeze()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use proptest::prelude::*;

    use super::*;
    use crate::memory::{Memory, Purpose};

    fn in_lines(body: Body, longest_line: usize, most: usize) -> Notes {
        let reservation = Memory::new(1 << 20).hold(None, Purpose::Batch, 0).unwrap();
        Notes::in_lines(body, longest_line, most, Duration::from_secs(55), reservation).unwrap()
    }

    async fn all(pieces: Vec<Vec<u8>>, longest_line: usize, most: usize) -> Vec<NextNote> {
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let mut notes = in_lines(body, longest_line, most);
        let mut all = Vec::new();
        loop {
            let next = notes.next().await;
            let last = matches!(next, NextNote::End | NextNote::Broken(_));
            all.push(next);
            if last {
                return all;
            }
        }
    }

    #[tokio::test]
    async fn lines_however_they_come() {
        let note = |text: &'static str| NextNote::Note(Bytes::from(text));
        for (text, expected) in [
            ("a\nb\n", vec![note("a"), note("b"), NextNote::End]),
            ("a\nb", vec![note("a"), note("b"), NextNote::End]),
            ("a\r\n\n  \nb", vec![note("a\r"), note("b"), NextNote::End]),
            ("", vec![NextNote::End]),
            ("\n\n", vec![NextNote::End]),
            ("123456789\na", vec![NextNote::TooLarge, note("a"), NextNote::End]),
            ("12345678\na", vec![note("12345678"), note("a"), NextNote::End]),
            ("123456789", vec![NextNote::TooLarge, NextNote::End]),
            ("a\n123456789012345678901", vec![note("a"), NextNote::Broken(ErrorCode::BodyTooLarge)]),
        ] {
            for every in [1, 2, 5] {
                let pieces = text.as_bytes().chunks(every).map(<[u8]>::to_vec).collect();
                assert_eq!(all(pieces, 8, 20).await, expected, "{text:?} in pieces of {every}");
            }
        }
    }

    /// Of pieces that each come so many seconds after the one before: when the wait ends, and how.
    async fn slowly(pieces: Vec<(u64, &'static str)>) -> (u64, NextNote) {
        let began = Instant::now();
        let pieces = stream::iter(pieces).then(async |(pause, piece)| {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Ok::<_, Infallible>(piece)
        });
        let never = stream::pending();
        let mut notes = in_lines(Body::from_stream(pieces.chain(never)), 1 << 20, 2 << 20);
        loop {
            let next = notes.next().await;
            if !matches!(next, NextNote::Note(_)) {
                return (began.elapsed().as_secs(), next);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_has_begun_keeps_coming() {
        let broken = NextNote::Broken(ErrorCode::DeadlineExceeded);
        let kibibytes: &str = "x".repeat(20 << 10).leak();
        for (pieces, seconds) in [
            // Between lines the patience of the batch counts.
            (vec![], 55),
            (vec![(50, "a\n"), (50, "b\n")], 155),
            (vec![(0, "{")], 10),
            (vec![(0, "a\n{")], 10),
            (vec![(40, "{"), (8, "x"), (8, "y")], 50),
            (vec![(0, kibibytes)], 10),
            (vec![(0, "{"), (5, kibibytes)], 30),
            (vec![(0, "{"), (5, kibibytes), (20, "a\n")], 80),
            (vec![(0, "\n"), (9, "\n")], 55),
        ] {
            assert_eq!(slowly(pieces.clone()).await, (seconds, broken.clone()), "{pieces:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_looked_at_is_not_slow() {
        let pieces = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
        let mut notes = in_lines(Body::from_stream(pieces), 99, 99);
        assert!(tokio::time::timeout(Duration::from_secs(9), notes.next()).await.is_err());
        notes.pause();
        tokio::time::sleep(Duration::from_secs(99)).await;
        let again = Instant::now();
        assert_eq!(notes.next().await, NextNote::Broken(ErrorCode::DeadlineExceeded));
        assert_eq!(again.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn lines_take_of_the_budget_while_they_are_not_read() {
        let memory = Memory::new(4 << 10);
        let pieces = [vec![b'x'; 600], vec![b'\n'], vec![b'x'; 600], vec![b'x'; 1_200]];
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let reservation = memory.hold(None, Purpose::Batch, 0).unwrap();
        let mut notes = Notes::in_lines(body, 9_000, 9_000, Duration::from_secs(9), reservation).unwrap();
        assert!(matches!(notes.next().await, NextNote::Note(line) if line.len() == 600));
        // Three quarters of the budget are 3 KiB: twice 1,800 bytes are more.
        assert_eq!(notes.next().await, NextNote::Broken(ErrorCode::Overloaded));
        assert_eq!(memory.held(), 1_200);
        drop(notes);
        assert_eq!(memory.held(), 0);
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
