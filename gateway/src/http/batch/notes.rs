//! Returns the notes of a batch one by one, not yet parsed: from a list, or from lines of a body that still arrives.

use std::{collections::VecDeque, time::Duration};

use axum::body::Bytes;
use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use super::arrival::ArrivingBody;
use crate::{
    http::{error::ErrorCode, minimum_rate::MinimumRate},
    memory::MemoryReservation,
};

/// The source of the notes.
#[derive(Debug)]
pub(in crate::http) enum Notes {
    List(VecDeque<Bytes>),
    Lines(Box<BodyLines>),
}

/// The next note of a batch, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum NextNote {
    /// A note's JSON.
    Note(Bytes),
    /// A line that is too long for a note.
    TooLarge,
    /// There are no more.
    End,
    /// Reading stopped with this error; more notes may follow, but they are not read.
    Broken(ErrorCode),
}

/// Splits a body into lines while it arrives.
#[derive(Debug)]
pub(in crate::http) struct BodyLines {
    body: ArrivingBody,
    buffer: BytesMut,
    /// Bytes at the start of `buffer` that contain no end of a line.
    searched: usize,
    /// Whether the current line is already too long, so that its bytes are discarded.
    overlong: bool,
    ended: bool,
    longest_line: usize,
    /// How long a line may take to arrive.
    line_timeout: Duration,
    /// When the awaited line must have arrived; `None` while no line is awaited.
    deadline: Option<Instant>,
    /// The rate of the line that has arrived in part.
    minimum_rate: Option<MinimumRate>,
    /// The memory reservation of `buffer`: twice its length, because its capacity may be that large.
    reservation: MemoryReservation,
    /// The first note, if [`Notes::arrived`] has waited for it.
    first: Option<NextNote>,
}

impl Notes {
    pub(in crate::http) fn in_list(notes: VecDeque<Bytes>) -> Self {
        Self::List(notes)
    }

    /// Returns notes from the lines of a body, each of at most `longest_line` bytes. Each line must arrive within
    /// `line_timeout`, and a line that has begun must keep [`MinimumRate`].
    pub(in crate::http) fn in_lines(
        body: ArrivingBody,
        longest_line: usize,
        line_timeout: Duration,
        reservation: MemoryReservation,
    ) -> Self {
        let (buffer, searched, overlong, ended) = (BytesMut::new(), 0, false, false);
        let (deadline, minimum_rate, first) = (None, None, None);
        Self::Lines(Box::new(BodyLines {
            body,
            buffer,
            searched,
            overlong,
            ended,
            longest_line,
            line_timeout,
            deadline,
            minimum_rate,
            reservation,
            first,
        }))
    }

    /// Returns the next note. If the future is dropped, no note is lost.
    pub(in crate::http) async fn next(&mut self) -> NextNote {
        match self {
            Self::List(notes) => notes.pop_front().map_or(NextNote::End, NextNote::Note),
            Self::Lines(lines) => lines.next().await,
        }
    }

    /// Stops the time limits until the next call of [`Self::next`], because the gateway, not the caller, causes the
    /// pause.
    pub(in crate::http) fn pause(&mut self) {
        if let Self::Lines(lines) = self {
            (lines.deadline, lines.minimum_rate) = (None, None);
        }
    }

    /// Returns whether [`Self::next`] can return without more of the body.
    pub(in crate::http) fn is_ready(&self) -> bool {
        match self {
            Self::List(_) => true,
            Self::Lines(lines) => {
                let unsearched = lines.buffer.get(lines.searched..).unwrap_or_default();
                lines.ended
                    || lines.first.is_some()
                    || lines.body.is_ready()
                    || memchr::memchr(b'\n', unsearched).is_some()
            }
        }
    }

    /// Returns whether [`Self::spool`] may find more bytes.
    pub(in crate::http) fn can_spool(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.body.can_spool())
    }

    /// Takes bytes that arrive while no note is wanted, and returns how many. See [`ArrivingBody::spool`].
    pub(in crate::http) async fn spool(&mut self) -> usize {
        match self {
            Self::List(_) => 0,
            Self::Lines(lines) => lines.body.spool().await,
        }
    }

    /// Discards what has not been returned and what still arrives, because no more notes are accepted.
    pub(in crate::http) fn refuse_rest(&mut self, code: ErrorCode) {
        match self {
            Self::List(notes) => notes.clear(),
            Self::Lines(lines) => {
                lines.body.refuse_rest(code);
                lines.buffer = BytesMut::new();
                (lines.searched, lines.overlong) = (0, false);
                lines.reservation.shrink_to(0);
            }
        }
    }

    /// Waits until the first note of lines has arrived.
    pub(in crate::http) async fn arrived(&mut self) {
        if let Self::Lines(lines) = self {
            let next = lines.next().await;
            lines.first = Some(next);
        }
    }
}

impl BodyLines {
    async fn next(&mut self) -> NextNote {
        if let Some(first) = self.first.take() {
            return first;
        }
        loop {
            if let Some(line) = self.line() {
                self.deadline = None;
                return line;
            }
            if self.ended {
                return NextNote::End;
            }
            // As in `body::read`.
            tokio::task::coop::consume_budget().await;
            let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.line_timeout);
            let deadline =
                self.minimum_rate.map_or(deadline, |minimum_rate| deadline.min(minimum_rate.next_deadline()));
            // Bytes that have arrived are taken even if the time limit passed meanwhile.
            let data = match tokio::time::timeout_at(deadline, self.body.next()).await {
                Err(_) => return NextNote::Broken(ErrorCode::DeadlineExceeded),
                Ok(Err(code)) => return NextNote::Broken(code),
                Ok(Ok(Some(data))) => data,
                Ok(Ok(None)) => {
                    // The last line may lack its end.
                    self.ended = true;
                    self.buffer.extend_from_slice(b"\n");
                    continue;
                }
            };
            if self.reservation.grow(2 * data.len()).is_err() {
                return NextNote::Broken(ErrorCode::Overloaded);
            }
            if let Some(minimum_rate) = &mut self.minimum_rate {
                minimum_rate.add_bytes(data.len());
            }
            self.buffer.extend_from_slice(&data);
        }
    }

    /// Returns the next line in the buffer that is complete and not blank.
    fn line(&mut self) -> Option<NextNote> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', unsearched) else {
                self.searched = self.buffer.len();
                if self.searched > self.longest_line {
                    self.overlong = true;
                    self.buffer.clear();
                    self.searched = 0;
                }
                self.reservation.shrink_to(2 * self.buffer.len());
                if self.buffer.is_empty() && !self.overlong {
                    self.minimum_rate = None;
                } else {
                    self.minimum_rate.get_or_insert_with(MinimumRate::begin);
                }
                return None;
            };
            let line = self.buffer.split_to(self.searched + end);
            self.buffer.advance(1);
            self.searched = 0;
            self.minimum_rate = None;
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
    use std::{convert::Infallible, sync::Arc};

    use axum::body::Body;
    use futures_util::{StreamExt, stream};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        memory::{Memory, Purpose},
        spool::SpoolSpace,
    };

    fn in_lines(body: Body, longest_line: usize, most: usize) -> Notes {
        in_lines_with(&Memory::new(1 << 20), body, longest_line, most)
    }

    fn in_lines_with(memory: &Memory, body: Body, longest_line: usize, most: usize) -> Notes {
        let reserve = || memory.reserve(None, Purpose::Batch, 0).unwrap();
        let space = Arc::new(SpoolSpace::new(std::env::temp_dir(), 0));
        let body = ArrivingBody::new((body, None), most, &space, reserve()).unwrap();
        Notes::in_lines(body, longest_line, Duration::from_secs(55), reserve())
    }

    async fn read_all(pieces: Vec<Vec<u8>>, longest_line: usize, most: usize) -> Vec<NextNote> {
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let mut notes = in_lines(body, longest_line, most);
        let mut notes_read = Vec::new();
        loop {
            let next = notes.next().await;
            let last = matches!(next, NextNote::End | NextNote::Broken(_));
            notes_read.push(next);
            if last {
                return notes_read;
            }
        }
    }

    #[tokio::test]
    async fn lines_are_split_however_the_body_is_cut() {
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
                assert_eq!(read_all(pieces, 8, 20).await, expected, "{text:?} in pieces of {every}");
            }
        }
    }

    /// Reads a body of pieces, given with the seconds after the previous piece, which then stays open. Returns after
    /// how many seconds the wait ends, and how.
    async fn read_slow_body(pieces: Vec<(u64, &'static str)>) -> (u64, NextNote) {
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
    async fn a_line_that_has_begun_must_keep_the_minimum_rate() {
        let broken = NextNote::Broken(ErrorCode::DeadlineExceeded);
        let kibibytes: &str = "x".repeat(20 << 10).leak();
        for (pieces, seconds) in [
            // Between lines only `line_timeout` applies.
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
            assert_eq!(read_slow_body(pieces.clone()).await, (seconds, broken.clone()), "{pieces:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_gateway_does_not_count_against_the_caller() {
        let pieces = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
        let mut notes = in_lines(Body::from_stream(pieces), 99, 99);
        assert!(tokio::time::timeout(Duration::from_secs(9), notes.next()).await.is_err());
        notes.pause();
        tokio::time::sleep(Duration::from_secs(99)).await;
        let resumed = Instant::now();
        assert_eq!(notes.next().await, NextNote::Broken(ErrorCode::DeadlineExceeded));
        assert_eq!(resumed.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn unread_lines_occupy_the_memory_budget() {
        let memory = Memory::new(4 << 10);
        let pieces = [vec![b'x'; 600], vec![b'\n'], vec![b'x'; 600], vec![b'x'; 1_200]];
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let mut notes = in_lines_with(&memory, body, 9_000, 9_000);
        assert!(matches!(notes.next().await, NextNote::Note(line) if line.len() == 600));
        // Batches may occupy three quarters of the budget, 3 KiB. Twice 1,800 bytes are more.
        assert_eq!(notes.next().await, NextNote::Broken(ErrorCode::Overloaded));
        assert_eq!(memory.reserved(), 1_200);
        drop(notes);
        assert_eq!(memory.reserved(), 0);
    }

    proptest! {
        #[test]
        fn the_cut_of_the_body_does_not_change_the_notes(text in "[ab\\r\\n ]{0,40}", every in 1usize..7) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let cut = |every: usize| text.as_bytes().chunks(every).map(<[u8]>::to_vec).collect();
            let (pieces, whole) = (cut(every), cut(100));
            let (pieces, whole) =
                runtime.block_on(async { (read_all(pieces, 5, 99).await, read_all(whole, 5, 99).await) });
            prop_assert_eq!(pieces, whole);
        }
    }
}
