//! Reads notes through the batch route of a running gateway. As many notes are sent as the gateway accepts; notes that
//! it refuses temporarily are sent again after the time that it names. Ids are not sent, so that file names stay on
//! this machine: an answer names its note by the index in the batch.

mod batch;
mod client;
mod window;

use std::{collections::VecDeque, path::Path, sync::Arc};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use self::{
    batch::{Batch, BatchResponse, Pending},
    client::Client,
    window::Window,
};
use super::{
    BulkError,
    local::{RunEnd, RunOptions},
    outcome::{EntryOutcome, Event},
    pause::Backoff,
    queue::{NoteQueue, OutcomeSender},
};

/// Default maximum of notes that are sent and not answered.
const DEFAULT_WINDOW: usize = 512;
/// Maximum notes of a batch, and bytes of text after which a batch is full. Servers accept more.
const BATCH_NOTES: usize = 256;
const BATCH_BYTES: usize = 8 << 20;
/// How long a batch that is not full waits for more notes.
const BATCH_WAIT: Duration = Duration::from_millis(20);

/// The client of a running gateway and the options of the run.
#[derive(Debug)]
pub(super) struct RemoteGateway {
    client: Arc<Client>,
    options: RunOptions,
}

/// The state of a run.
struct RemoteRun {
    client: Arc<Client>,
    options: RunOptions,
    entries: NoteQueue,
    events: OutcomeSender,
    stop: CancellationToken,
    window: Arc<Window>,
    answered: Arc<Notify>,
    /// Notes to send again.
    retry: VecDeque<Pending>,
    running: JoinSet<BatchResponse>,
    /// Whether the inputs may have more notes.
    open: bool,
    stopping: bool,
    /// Time before which nothing is sent.
    not_before: Option<Instant>,
    pause: Backoff,
    /// Number of consecutive batches without any answer.
    lost: u32,
    /// Maximum notes of a batch; smaller once the server finds a batch too large.
    max_batch_notes: usize,
    ending: RunEnd,
}

impl RemoteGateway {
    /// Creates the client and checks that a gateway answers.
    /// `model`: the model that reads the notes; `None`: what answers for the server's public name.
    pub(super) async fn ready(
        url: &str,
        key_file: Option<&Path>,
        model: Option<&str>,
        options: RunOptions,
    ) -> Result<Self, BulkError> {
        let client = Client::new(url, key_file, model)?;
        client.look().await?;
        Ok(Self { client: Arc::new(client), options })
    }

    /// Reads all entries. Returns when they end, or after `stop` when the sent notes are answered.
    pub(super) async fn read_all(self, entries: NoteQueue, events: OutcomeSender, stop: CancellationToken) -> RunEnd {
        let max_window = self.options.concurrency.unwrap_or(DEFAULT_WINDOW);
        let answered = Arc::new(Notify::new());
        RemoteRun {
            client: self.client,
            options: self.options,
            entries,
            events,
            stop,
            window: Arc::new(Window::new(max_window)),
            answered,
            retry: VecDeque::new(),
            running: JoinSet::new(),
            open: true,
            stopping: false,
            not_before: None,
            pause: Backoff::default(),
            lost: 0,
            max_batch_notes: BATCH_NOTES,
            ending: RunEnd::default(),
        }
        .run()
        .await
    }
}

impl RemoteRun {
    async fn run(mut self) -> RunEnd {
        while self.open || !self.retry.is_empty() || !self.running.is_empty() {
            let room = self.room();
            let may_send = room > 0 && !self.stopping && self.not_before.is_none();
            let not_before = self.not_before;
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    self.open = false;
                    self.fail_retries().await;
                }
                Some(response) = self.running.join_next(), if !self.running.is_empty() => {
                    if let Ok(response) = response {
                        self.process_response(response).await;
                    } else {
                        // The task panicked. Its notes have no line in the output, so that --resume reads them.
                        self.ending.fatal_reason = Some("a batch was lost because of a bug in this program".to_owned());
                        self.stop.cancel();
                    }
                }
                () = async { tokio::time::sleep_until(not_before.unwrap_or_else(Instant::now)).await }, if not_before.is_some() => {
                    self.not_before = None;
                }
                () = self.answered.notified(), if room == 0 => {}
                first = first(&mut self.retry, &self.entries, &self.stop), if may_send && (self.open || !self.retry.is_empty()) => {
                    match first {
                        Some(first) => self.send(first, room).await,
                        None => self.open = false,
                    }
                }
            }
        }
        self.ending
    }

    /// Returns how many notes may be sent now: zero until the window has room for half of its size or a full batch.
    fn room(&self) -> usize {
        let size = (self.window.size() / 2).clamp(1, self.max_batch_notes);
        if self.window.available() >= size { size } else { 0 }
    }

    async fn send(&mut self, first: Pending, room: usize) {
        let mut bytes = first.entry.text.len();
        let mut notes = vec![first];
        let until = Instant::now() + BATCH_WAIT;
        while notes.len() < room && bytes < BATCH_BYTES {
            let next = tokio::time::timeout_at(until, self::first(&mut self.retry, &self.entries, &self.stop)).await;
            let Ok(Some(next)) = next else { break };
            bytes += next.entry.text.len();
            notes.push(next);
        }
        if self.ending.unreachable_reason.is_some() || self.ending.fatal_reason.is_some() {
            for pending in notes {
                self.give_up(pending).await;
            }
            return;
        }
        self.window.sent(notes.len());
        let batch = Batch {
            client: Arc::clone(&self.client),
            notes,
            events: self.events.clone(),
            window: Arc::clone(&self.window),
            answered: Arc::clone(&self.answered),
            keep_text: self.options.keep_text,
        };
        self.running.spawn(batch.read());
    }

    /// Processes the response to a batch: sets the next pause, and retries or fails the notes without an answer.
    async fn process_response(&mut self, response: BatchResponse) {
        let BatchResponse { answers, left, busy, retry_after, batch_outcome } = response;
        if answers > 0 {
            (self.lost, self.pause) = (0, Backoff::default());
        }
        let (mut wait, mut too_large_alone) = (busy, false);
        match batch_outcome {
            batch::BatchOutcome::Ended => {}
            batch::BatchOutcome::Lost(_) if answers > 0 => wait = true,
            batch::BatchOutcome::Lost(why) => {
                // Batches that were lost at the same time count once.
                self.lost += u32::from(self.not_before.is_none());
                wait = true;
                if self.lost > self.options.retries {
                    self.ending.unreachable_reason = Some(why);
                }
            }
            batch::BatchOutcome::TooLarge => {
                too_large_alone = left.len() == 1;
                self.max_batch_notes = (left.len() / 2).max(1);
            }
            batch::BatchOutcome::Fatal(why) => {
                self.ending.fatal_reason = Some(why);
                self.stop.cancel();
            }
        }
        if wait && self.not_before.is_none() {
            self.window.shrink();
            self.not_before = Some(Instant::now() + self.pause.next(retry_after));
        }
        if self.ending.unreachable_reason.is_some() || self.ending.fatal_reason.is_some() {
            self.not_before = None;
        }
        for mut pending in left {
            // If the batch has answers, the server is only busy and the try does not count. A note that ran into its
            // own deadline (504) does count.
            if answers > 0 && pending.why.as_ref().is_some_and(|why| why.status != 504) {
                pending.tries = pending.tries.saturating_sub(1);
            }
            let give_up = pending.tries > self.options.retries || self.stopping || too_large_alone;
            if give_up || self.ending.unreachable_reason.is_some() || self.ending.fatal_reason.is_some() {
                self.give_up(pending).await;
            } else {
                self.retry.push_back(pending);
            }
        }
    }

    async fn fail_retries(&mut self) {
        for pending in std::mem::take(&mut self.retry) {
            self.give_up(pending).await;
        }
    }

    /// Fails a note that is not tried again. Its error is the last failure.
    async fn give_up(&self, pending: Pending) {
        let Pending { entry, why, .. } = pending;
        let why =
            why.unwrap_or_else(|| client::unreachable("The note could not be sent: the server could not be reached."));
        let outcome = EntryOutcome::failed(entry, self.options.keep_text, why.status, &why.code, &why.problem);
        // An error means that the writer has ended: no outcome is needed any more.
        let _ = self.events.send(vec![Event::Ended(outcome)]).await;
    }
}

/// Returns the next note to send: a note to retry, else a new one.
async fn first(retry: &mut VecDeque<Pending>, entries: &NoteQueue, stop: &CancellationToken) -> Option<Pending> {
    match retry.pop_front() {
        Some(pending) => Some(pending),
        None => entries.next(stop).await.map(Pending::new),
    }
}
