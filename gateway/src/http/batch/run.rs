//! Runs a batch from its first note to its last: starts notes while there is room for them, and writes their outcomes,
//! as they finish or in the order of the notes.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    sync::mpsc::{self, Sender, error::TrySendError},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    notes::{NextNote, Notes},
    outcome::{NoteOutcome, Summary},
    patient::PatientNotes,
    reader::{BatchReader, CheckedLine},
    slots::BatchSlot,
};
use crate::{
    http::{audit_record::milliseconds, error::ErrorCode, minimum_rate::MinimumRate},
    in_flight::InFlightGuard,
    memory::MemoryReservation,
};

/// Outcomes that may wait until the caller reads them. If there are more, no more notes are started.
const OUTPUT_BUFFER: usize = 16;
/// Time after which a caller that neither reads outcomes nor sends lines counts as disconnected.
const WRITE_TIMEOUT: Duration = Duration::from_mins(2);
/// For an answer that is a list: the most notes that have started and whose outcomes are not written yet, as a multiple
/// of the batch's width.
const REORDER_WINDOW: usize = 4;
/// Bytes of the memory budget that must be free before one more note starts while others run: for a note of usual
/// length and its answer.
const NEXT_NOTE_BYTES: usize = 64 << 10;

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerForm {
    /// A line for each note, as the notes finish.
    Lines,
    /// A JSON list, in the order of the notes.
    List,
    /// A JSON list of short outcomes in the order of the notes, and the timeline of the patient.
    Timeline,
}

/// Runs one batch.
pub(super) struct BatchRun {
    reader: BatchReader,
    notes: Notes,
    form: AnswerForm,
    /// The contents of the notes, for a timeline.
    patient: Option<PatientNotes>,
    log_guard: BatchLogGuard,
    /// The index of the next note.
    index: usize,
    /// Serialized outcomes that wait for the outcome of an earlier note, by their notes' indexes.
    waiting: BTreeMap<usize, Bytes>,
    /// How many outcomes are written.
    written: usize,
    /// The slot of this batch; none while the batch waits for its caller and no note is in flight.
    slot: Option<BatchSlot>,
    /// The memory reservation of the batch itself, without its notes and answers.
    reservation: MemoryReservation,
    _in_flight: InFlightGuard,
}

/// Logs a batch when it ends, also when its caller disconnects.
struct BatchLogGuard {
    request_id: Arc<str>,
    began: Instant,
    summary: Summary,
    ended: bool,
}

impl Drop for BatchLogGuard {
    fn drop(&mut self) {
        let Summary { ok, failed } = self.summary;
        let (request_id, milliseconds) = (&*self.request_id, milliseconds(self.began.elapsed()));
        tracing::info!(request_id, ok, failed, milliseconds, caller_vanished = !self.ended, "batch ended");
    }
}

/// The caller disconnected, stopped reading, or was disconnected at shutdown.
struct CallerDisconnected;

impl BatchRun {
    pub(super) fn new(
        reader: BatchReader,
        notes: Notes,
        form: AnswerForm,
        slot: BatchSlot,
        reservation: MemoryReservation,
    ) -> Self {
        let request_id = Arc::clone(&reader.context.id);
        let (in_flight, began) = (reader.app.state.in_flight.begin(), reader.context.arrived);
        let log_guard = BatchLogGuard { request_id, began, summary: Summary::default(), ended: false };
        let (index, waiting, written, slot) = (0, BTreeMap::new(), 0, Some(slot));
        let patient = (form == AnswerForm::Timeline).then(|| PatientNotes::new(reservation.reserve_also(0)));
        Self {
            reader,
            notes,
            form,
            patient,
            log_guard,
            index,
            waiting,
            written,
            slot,
            reservation,
            _in_flight: in_flight,
        }
    }

    /// Starts the batch and returns the body of the answer. Dropping the body stops the batch and its running notes. If
    /// the batch does not finish, the body ends with an error, so that the answer cannot pass for a complete one.
    pub(super) fn begin(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let (out, written) = mpsc::channel(OUTPUT_BUFFER);
        let task = Some(AbortOnDropHandle::new(tokio::spawn(self.run(out))));
        stream::unfold((written, task), |(mut written, task)| async move {
            if let Some(bytes) = written.recv().await {
                return Some((Ok(bytes), (written, task)));
            }
            let finished = task?.await;
            (!matches!(finished, Ok(true))).then(|| (Err(io::Error::other("the batch broke off")), (written, None)))
        })
    }

    /// Runs the batch. Returns whether it finished.
    async fn run(mut self, out: Sender<Bytes>) -> bool {
        self.log_guard.ended = self.read_all(&out).await.is_ok();
        self.log_guard.ended
    }

    async fn read_all(&mut self, out: &Sender<Bytes>) -> Result<(), CallerDisconnected> {
        let width = self.reader.width();
        let mut running = JoinSet::new();
        let mut until_closed = std::pin::pin!(self.reader.until_closed());
        let mut open = true;
        let mut end_reason = None;
        match self.form {
            AnswerForm::Lines => {}
            AnswerForm::List => self.send(out, Bytes::from_static(b"{\"results\":[")).await?,
            AnswerForm::Timeline => self.send(out, Bytes::from_static(b"{\"notes\":[")).await?,
        }
        loop {
            let ahead = self.index.saturating_sub(self.written);
            let room = running.len() < width
                && (self.form == AnswerForm::Lines || ahead < width * REORDER_WINDOW)
                // The running notes will end and make room, so the batch cannot stall. One note may always run.
                && (running.is_empty() || self.reservation.fits(NEXT_NOTE_BYTES));
            if !room {
                self.notes.pause();
            } else if running.is_empty() && open && !self.notes.is_ready() {
                self.slot = None;
            }
            tokio::select! {
                biased;
                Some(outcome) = running.join_next(), if !running.is_empty() => {
                    // The task catches panics of the note. If the task fails in any other way, the answer breaks off.
                    self.write_outcome(out, outcome.map_err(|_| CallerDisconnected)?).await?;
                }
                code = &mut until_closed, if open => {
                    open = false;
                    end_reason = self.refuse_remaining(out, code).await?;
                }
                next = self.next_note(room), if open && (room || self.notes.can_spool()) => match next {
                    Some(NextNote::Note(json)) => self.start_note(&mut running, out, |reader, index| reader.check_unique(index, &json)).await?,
                    Some(NextNote::TooLarge) => self.start_note(&mut running, out, BatchReader::too_large).await?,
                    Some(NextNote::End) => open = false,
                    Some(NextNote::Broken(code)) => {
                        open = false;
                        end_reason = Some(code);
                    }
                    None => {}
                },
                else => break,
            }
        }
        // This is the last outcome: a caller that reads it has all others.
        if let Some(code) = end_reason {
            let outcome = NoteOutcome { ends: true, ..self.reader.refuse(None, self.index, code) };
            self.write_outcome(out, outcome).await?;
        }
        let summary = self.log_guard.summary;
        if let Some(patient) = &mut self.patient {
            let end = patient.end(summary, summary.failed == 0).await.ok_or(CallerDisconnected)?;
            let reservation = self.reservation.reserve_also(0);
            self.send(out, reservation.attached_to(end)).await?;
        } else if self.form == AnswerForm::List {
            let summary = serde_json::to_string(&summary).unwrap_or_default();
            self.send(out, format!("],\"summary\":{summary}}}").into()).await?;
        }
        Ok(())
    }

    /// Starts to read a note, concurrently with those that run.
    async fn start_note(
        &mut self,
        running: &mut JoinSet<NoteOutcome>,
        out: &Sender<Bytes>,
        check: impl FnOnce(&mut BatchReader, usize) -> CheckedLine,
    ) -> Result<(), CallerDisconnected> {
        let index = self.index;
        let line = check(&mut self.reader, index);
        self.index += 1;
        if self.slot.is_none() {
            match self.reader.wait_for_slot().await {
                Ok(slot) => self.slot = Some(slot),
                Err(code) => {
                    let outcome = self.reader.refuse(line.into_id(), index, code);
                    return self.write_outcome(out, outcome).await;
                }
            }
        }
        let reservation = self.reservation.reserve_also(line.memory());
        let reading = self.reader.read(line);
        running.spawn(async move {
            let outcome = reading.await;
            drop(reservation);
            outcome
        });
        Ok(())
    }

    /// Refuses the notes of a list that have not started, because no more notes are accepted. For lines, whose number
    /// is unknown, returns the code instead: it becomes the reason in the last line.
    async fn refuse_remaining(
        &mut self,
        out: &Sender<Bytes>,
        code: ErrorCode,
    ) -> Result<Option<ErrorCode>, CallerDisconnected> {
        let Notes::List(notes) = &mut self.notes else {
            self.notes.refuse_rest(code);
            return Ok(Some(code));
        };
        for json in std::mem::take(notes) {
            let id = self.reader.check_unique(self.index, &json).into_id();
            let outcome = self.reader.refuse(id, self.index, code);
            self.index += 1;
            self.write_outcome(out, outcome).await?;
        }
        Ok(None)
    }

    /// Counts an outcome, and writes it or keeps it until its turn.
    async fn write_outcome(&mut self, out: &Sender<Bytes>, outcome: NoteOutcome) -> Result<(), CallerDisconnected> {
        let outcome = match &mut self.patient {
            Some(patient) => patient.keep(outcome, &self.reader.context.id),
            None => outcome,
        };
        self.log_guard.summary.count(&outcome);
        let reservation = self.reservation.reserve_also(0);
        let index = outcome.index;
        let json = match self.form {
            AnswerForm::Lines => {
                self.written += 1;
                return self.send(out, reservation.attached_to(outcome.to_json(b"\n"))).await;
            }
            AnswerForm::List => outcome.to_json(b""),
            AnswerForm::Timeline => PatientNotes::to_json(outcome),
        };
        self.waiting.insert(index, reservation.attached_to(json));
        while let Some(outcome) = self.waiting.remove(&self.written) {
            if self.written > 0 {
                self.send(out, Bytes::from_static(b",")).await?;
            }
            self.written += 1;
            self.send(out, outcome).await?;
        }
        Ok(())
    }

    /// Returns the next note if there is `room` for one. Otherwise lets more of the body arrive, and returns `None`.
    async fn next_note(&mut self, room: bool) -> Option<NextNote> {
        if room {
            return Some(self.notes.next().await);
        }
        self.notes.spool().await;
        None
    }

    /// Writes bytes once there is room in the output; meanwhile lets more of the body arrive. Fails if the caller
    /// neither reads nor sends for [`WRITE_TIMEOUT`], disconnects, or is disconnected at shutdown.
    async fn send(&mut self, out: &Sender<Bytes>, bytes: Bytes) -> Result<(), CallerDisconnected> {
        let bytes = match out.try_send(bytes) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(CallerDisconnected),
            Err(TrySendError::Full(bytes)) => bytes,
        };
        let app = self.reader.app.clone();
        let mut sending = std::pin::pin!(out.send(bytes));
        let mut cut_off = std::pin::pin!(app.state.in_flight.until_cut_off());
        let accepts_until = self.reader.accepts_until();
        // A caller that sends a byte now and then must not occupy a slot.
        let mut minimum_rate = MinimumRate::begin();
        let mut until = tokio::time::Instant::now() + WRITE_TIMEOUT;
        self.notes.pause();
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|_| CallerDisconnected),
                () = &mut cut_off => return Err(CallerDisconnected),
                () = tokio::time::sleep_until(until) => return Err(CallerDisconnected),
                bytes = self.notes.spool(), if self.notes.can_spool() => {
                    minimum_rate.add_bytes(bytes);
                    let now = tokio::time::Instant::now();
                    if now < minimum_rate.next_deadline().min(accepts_until) {
                        until = now + WRITE_TIMEOUT;
                    }
                }
            }
        }
    }
}
