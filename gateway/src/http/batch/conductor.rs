//! A batch from its first note to its last: takes notes in while there is room for them, and writes what came of
//! them, as they are done or in the order of the notes.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    sync::mpsc::{self, Sender},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    notes::{NextNote, Notes},
    outcome::{NoteOutcome, Summary},
    reader::{CheckedLine, Reader},
    seats::BatchSlot,
};
use crate::{
    http::{App, audit_record::milliseconds, error::ErrorCode},
    in_flight::InFlightGuard,
    memory::MemoryReservation,
};

/// Answers that wait to be written; then no more notes are begun.
const WRITTEN_AHEAD: usize = 16;
/// So long an answer may wait for its reader; then he counts as gone.
const READER_PATIENCE: Duration = Duration::from_mins(2);
/// Answers that may wait for an earlier note's, as a multiple of the notes under way.
const WINDOW: usize = 4;
/// Bytes that must be left of the budget for one more note beside those under way: one of usual length, and its answer.
const ONE_MORE: usize = 64 << 10;

/// In which order the outcomes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Lines, as the notes are done.
    AsDone,
    /// A JSON list, in the order of the notes.
    AsGiven,
}

/// Conducts one batch.
pub(super) struct Conductor {
    reader: Reader,
    notes: Notes,
    order: Order,
    audit_record: BatchAccount,
    /// The place of the next note.
    index: usize,
    /// Outcomes that wait for an earlier one, as they will be written.
    waiting: BTreeMap<usize, Bytes>,
    /// How many are written.
    written: usize,
    /// Its place among the batches that have notes under way; none while it waits for its caller.
    seat: Option<BatchSlot>,
    /// What it takes of the budget of memory, beside its notes and answers.
    reservation: MemoryReservation,
    _running: InFlightGuard,
}

/// What the log is told of a batch once it is over, also where its caller left.
struct BatchAccount {
    app: Arc<App>,
    request_id: Arc<str>,
    began: Instant,
    summary: Summary,
    ended: bool,
}

impl Drop for BatchAccount {
    fn drop(&mut self) {
        let Summary { ok, failed } = self.summary;
        let (request_id, milliseconds) = (&*self.request_id, milliseconds(self.began.elapsed()));
        if !self.ended {
            self.app.metrics.caller_vanished();
        }
        tracing::info!(request_id, ok, failed, milliseconds, caller_vanished = !self.ended, "batch ended");
    }
}

/// Nobody reads the answer any more.
struct CallerGone;

impl Conductor {
    pub(super) fn new(
        reader: Reader,
        notes: Notes,
        order: Order,
        seat: BatchSlot,
        reservation: MemoryReservation,
    ) -> Self {
        let (app, request_id) = (Arc::clone(&reader.app), Arc::clone(&reader.context.id));
        let (running, began) = (app.in_flight.begin(), reader.context.at);
        let audit_record = BatchAccount { app, request_id, began, summary: Summary::default(), ended: false };
        let (waiting, written, seat) = (BTreeMap::new(), 0, Some(seat));
        Self { reader, notes, order, audit_record, index: 0, waiting, written, seat, reservation, _running: running }
    }

    /// Begins, and gives the body of the answer. Dropping that ends the batch and whatever runs of it. A batch that
    /// does not come to its end breaks the answer off, so that it cannot pass for a whole one.
    pub(super) fn begin(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let (out, written) = mpsc::channel(WRITTEN_AHEAD);
        let conducting = Some(AbortOnDropHandle::new(tokio::spawn(self.conduct(out))));
        stream::unfold((written, conducting), |(mut written, conducting)| async move {
            if let Some(bytes) = written.recv().await {
                return Some((Ok(bytes), (written, conducting)));
            }
            let ended = conducting?.await;
            (!matches!(ended, Ok(true))).then(|| (Err(io::Error::other("the batch broke off")), (written, None)))
        })
    }

    /// Whether it came to its end.
    async fn conduct(mut self, out: Sender<Bytes>) -> bool {
        self.audit_record.ended = self.read_all(&out).await.is_ok();
        self.audit_record.ended
    }

    async fn read_all(&mut self, out: &Sender<Bytes>) -> Result<(), CallerGone> {
        let (app, width) = (Arc::clone(&self.reader.app), self.reader.width());
        let mut running = JoinSet::new();
        let mut must_stop = std::pin::pin!(self.reader.must_stop());
        let mut open = true;
        let mut why_ended = None;
        if self.order == Order::AsGiven {
            send(&app, out, Bytes::from_static(b"{\"results\":[")).await?;
        }
        loop {
            let ahead = self.index.saturating_sub(self.written);
            let room = running.len() < width
                && (self.order == Order::AsDone || ahead < width * WINDOW)
                // What is under way ends, and makes room. One note may always be.
                && (running.is_empty() || self.reservation.fits(ONE_MORE));
            if !room {
                self.notes.pause();
            } else if running.is_empty() && open && !self.notes.is_at_hand() {
                self.seat = None;
            }
            tokio::select! {
                biased;
                Some(outcome) = running.join_next(), if !running.is_empty() => {
                    // Its panics are caught within; a task of ours that is gone otherwise breaks the answer off.
                    self.done(out, outcome.map_err(|_| CallerGone)?).await?;
                }
                code = &mut must_stop, if open => {
                    open = false;
                    why_ended = self.refuse_rest(out, code).await?;
                }
                next = self.notes.next(), if open && room => match next {
                    NextNote::Note(json) => self.begin_note(&mut running, out, |reader, index| reader.look(index, &json)).await?,
                    NextNote::TooLarge => self.begin_note(&mut running, out, Reader::too_large).await?,
                    NextNote::End => open = false,
                    NextNote::Broken(code) => {
                        open = false;
                        why_ended = Some(code);
                    }
                },
                else => break,
            }
        }
        // Nothing comes after it: who reads it knows that he has all the others.
        if let Some(code) = why_ended {
            let outcome = NoteOutcome { ends: true, ..self.reader.refused(None, self.index, code) };
            self.done(out, outcome).await?;
        }
        if self.order == Order::AsGiven {
            let summary = serde_json::to_string(&self.audit_record.summary).unwrap_or_default();
            send(&app, out, format!("],\"summary\":{summary}}}").into()).await?;
        }
        Ok(())
    }

    /// A note is there: it is read, beside those that are.
    async fn begin_note(
        &mut self,
        running: &mut JoinSet<NoteOutcome>,
        out: &Sender<Bytes>,
        look: impl FnOnce(&mut Reader, usize) -> CheckedLine,
    ) -> Result<(), CallerGone> {
        let index = self.index;
        let looked = look(&mut self.reader, index);
        self.index += 1;
        if self.seat.is_none() {
            match self.reader.seat().await {
                Ok(seat) => self.seat = Some(seat),
                Err(code) => {
                    let outcome = self.reader.refused(looked.into_id(), index, code);
                    return self.done(out, outcome).await;
                }
            }
        }
        let reservation = self.reservation.another(looked.memory());
        let reading = self.reader.read(looked);
        running.spawn(async move {
            let outcome = reading.await;
            drop(reservation);
            outcome
        });
        Ok(())
    }

    /// No more notes are taken: those that are not begun are refused. Of lines nobody knows how many are to come, if any:
    /// then that is why they end.
    async fn refuse_rest(&mut self, out: &Sender<Bytes>, code: ErrorCode) -> Result<Option<ErrorCode>, CallerGone> {
        let Notes::List(notes) = &mut self.notes else { return Ok(Some(code)) };
        for json in std::mem::take(notes) {
            let id = self.reader.look(self.index, &json).into_id();
            let outcome = self.reader.refused(id, self.index, code);
            self.index += 1;
            self.done(out, outcome).await?;
        }
        Ok(None)
    }

    /// An outcome is there.
    async fn done(&mut self, out: &Sender<Bytes>, outcome: NoteOutcome) -> Result<(), CallerGone> {
        let app = Arc::clone(&self.reader.app);
        self.audit_record.summary.count(&outcome);
        let reservation = self.reservation.another(0);
        if self.order == Order::AsDone {
            self.written += 1;
            return send(&app, out, reservation.attached_to(outcome.written(b"\n"))).await;
        }
        self.waiting.insert(outcome.index, reservation.attached_to(outcome.written(b"")));
        while let Some(outcome) = self.waiting.remove(&self.written) {
            if self.written > 0 {
                send(&app, out, Bytes::from_static(b",")).await?;
            }
            self.written += 1;
            send(&app, out, outcome).await?;
        }
        Ok(())
    }
}

/// Writes once there is room. A reader who makes none is waited for, but not for ever, nor at shutdown.
async fn send(app: &App, out: &Sender<Bytes>, bytes: Bytes) -> Result<(), CallerGone> {
    let writing = tokio::time::timeout(READER_PATIENCE, out.send(bytes));
    tokio::select! {
        biased;
        written = writing => written.map_err(|_| CallerGone)?.map_err(|_| CallerGone),
        () = app.in_flight.is_cut_off() => Err(CallerGone),
    }
}
