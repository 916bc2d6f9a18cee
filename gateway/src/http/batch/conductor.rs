//! A batch from its first note to its last: takes notes in while there is room for them, and writes what came of
//! them, as they are done or in the order of the notes.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Instant};

use axum::body::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, Sender},
    },
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    notes::{Next, Notes},
    outcome::{NoteOutcome, Summary},
    reader::Reader,
};
use crate::{
    http::{App, account::milliseconds, error::ErrorCode},
    server::Running,
};

/// Answers that wait to be written; then no more notes are begun.
const WRITTEN_AHEAD: usize = 16;
/// Answers that may wait for an earlier note's, as a multiple of the notes under way.
const WINDOW: usize = 4;

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
    account: BatchAccount,
    /// The place of the next note.
    index: usize,
    /// Outcomes that wait for an earlier one.
    waiting: BTreeMap<usize, NoteOutcome>,
    /// How many are written.
    written: usize,
    _seat: OwnedSemaphorePermit,
    _running: Running,
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
struct Gone;

impl Conductor {
    pub(super) fn new(reader: Reader, notes: Notes, order: Order, seat: OwnedSemaphorePermit) -> Self {
        let (app, request_id) = (Arc::clone(&reader.app), Arc::clone(&reader.arrival.id));
        let (running, began) = (app.work.begin(), reader.arrival.at);
        let account = BatchAccount { app, request_id, began, summary: Summary::default(), ended: false };
        let (waiting, written) = (BTreeMap::new(), 0);
        Self { reader, notes, order, account, index: 0, waiting, written, _seat: seat, _running: running }
    }

    /// Begins, and gives the body of the answer. Dropping that ends the batch and whatever runs of it.
    pub(super) fn begin(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let (out, written) = mpsc::channel(WRITTEN_AHEAD);
        let conducting = AbortOnDropHandle::new(tokio::spawn(self.conduct(out)));
        stream::unfold((written, conducting), |(mut written, conducting)| async move {
            let bytes = written.recv().await?;
            Some((Ok(bytes), (written, conducting)))
        })
    }

    async fn conduct(mut self, out: Sender<Bytes>) {
        self.account.ended = self.read_all(&out).await.is_ok();
    }

    async fn read_all(&mut self, out: &Sender<Bytes>) -> Result<(), Gone> {
        let (app, width) = (Arc::clone(&self.reader.app), self.reader.width());
        let mut running = JoinSet::new();
        let mut open = true;
        if self.order == Order::AsGiven {
            send(out, Bytes::from_static(b"{\"results\":[")).await?;
        }
        loop {
            let ahead = self.index.saturating_sub(self.written);
            let room = running.len() < width && (self.order == Order::AsDone || ahead < width * WINDOW);
            tokio::select! {
                biased;
                Some(outcome) = running.join_next(), if !running.is_empty() => {
                    // Its panics are caught within; a task of ours that is gone otherwise ends the answer early.
                    self.done(out, outcome.map_err(|_| Gone)?).await?;
                }
                () = app.work.is_closing(), if open => {
                    open = false;
                    self.refuse_rest(out).await?;
                }
                next = self.notes.next(), if open && room => match next {
                    Next::Note(json) => {
                        let looked = self.reader.look(self.index, &json);
                        self.index += 1;
                        running.spawn(self.reader.read(looked));
                    }
                    Next::TooLarge => self.refuse(out, ErrorCode::BodyTooLarge).await?,
                    Next::End => open = false,
                    Next::Broken(code) => {
                        open = false;
                        self.refuse(out, code).await?;
                    }
                },
                else => break,
            }
        }
        if self.order == Order::AsGiven {
            let summary = serde_json::to_string(&self.account.summary).unwrap_or_default();
            send(out, format!("],\"summary\":{summary}}}").into()).await?;
        }
        Ok(())
    }

    /// A note that is not read, or where nobody knows how many: all from here on.
    async fn refuse(&mut self, out: &Sender<Bytes>, code: ErrorCode) -> Result<(), Gone> {
        let problem = code.problem(&self.reader.arrival.of_note(self.index).id);
        let problem = match code {
            ErrorCode::DeadlineExceeded => problem.saying("Nothing more of the batch came."),
            _ => problem,
        };
        let outcome = NoteOutcome::of(None, self.index, Err(problem.into()));
        self.index += 1;
        self.done(out, outcome).await
    }

    /// The service shuts down: notes that are not begun are refused.
    async fn refuse_rest(&mut self, out: &Sender<Bytes>) -> Result<(), Gone> {
        if let Notes::List(notes) = &mut self.notes {
            for json in std::mem::take(notes) {
                let looked = self.reader.look(self.index, &json);
                let problem = ErrorCode::Draining.problem(&self.reader.arrival.of_note(self.index).id);
                self.index += 1;
                self.done(out, looked.refused(problem)).await?;
            }
            return Ok(());
        }
        self.refuse(out, ErrorCode::Draining).await
    }

    /// An outcome is there.
    async fn done(&mut self, out: &Sender<Bytes>, outcome: NoteOutcome) -> Result<(), Gone> {
        self.account.summary.count(&outcome);
        if self.order == Order::AsDone {
            self.written += 1;
            return send(out, outcome.written(b"\n")).await;
        }
        self.waiting.insert(outcome.index, outcome);
        while let Some(outcome) = self.waiting.remove(&self.written) {
            if self.written > 0 {
                send(out, Bytes::from_static(b",")).await?;
            }
            self.written += 1;
            send(out, outcome.written(b"")).await?;
        }
        Ok(())
    }
}

async fn send(out: &Sender<Bytes>, bytes: Bytes) -> Result<(), Gone> {
    out.send(bytes).await.map_err(|_| Gone)
}
