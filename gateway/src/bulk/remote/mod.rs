//! Has a running gateway read the notes, over its batch route. As many are sent ahead as it takes; what it refuses
//! for now is sent again when it says. Ids are not sent: the answers are told apart by place, and file names stay here.

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
    local::{Ending, RunOptions},
    outcome::{Event, Outcome},
    pause::Backoff,
    queue::{Entries, Events},
};

/// Notes that are sent and not answered, at most, unless the command line says otherwise.
const USUAL_AHEAD: usize = 512;
/// Notes of one batch, at most, and bytes of their text. Servers take more.
const BATCH_NOTES: usize = 256;
const BATCH_BYTES: usize = 8 << 20;
/// So long a batch that is not full waits for more notes.
const GATHERING: Duration = Duration::from_millis(20);

/// A running gateway and how it is used.
#[derive(Debug)]
pub(super) struct RemoteGateway {
    client: Arc<Client>,
    wanted: RunOptions,
}

/// The run as it stands.
struct Run {
    client: Arc<Client>,
    wanted: RunOptions,
    entries: Entries,
    events: Events,
    stop: CancellationToken,
    window: Arc<Window>,
    answered: Arc<Notify>,
    /// Notes to be sent again.
    again: VecDeque<Pending>,
    running: JoinSet<BatchResponse>,
    /// Whether there may be more notes.
    open: bool,
    stopping: bool,
    /// Nothing is sent before.
    not_before: Option<Instant>,
    pause: Backoff,
    /// Batches one after the other to which there was no answer at all.
    lost: u32,
    most_notes: usize,
    ending: Ending,
}

impl RemoteGateway {
    /// Looks whether a gateway answers there.
    pub(super) async fn ready(url: &str, key_file: Option<&Path>, wanted: RunOptions) -> Result<Self, BulkError> {
        let client = Client::new(url, key_file)?;
        client.look().await?;
        Ok(Self { client: Arc::new(client), wanted })
    }

    /// Reads all entries. Ends when they do, or at `stop` once what is sent has been answered.
    pub(super) async fn read_all(self, entries: Entries, events: Events, stop: CancellationToken) -> Ending {
        let most = self.wanted.concurrency.unwrap_or(USUAL_AHEAD);
        let answered = Arc::new(Notify::new());
        Run {
            client: self.client,
            wanted: self.wanted,
            entries,
            events,
            stop,
            window: Arc::new(Window::new(most)),
            answered,
            again: VecDeque::new(),
            running: JoinSet::new(),
            open: true,
            stopping: false,
            not_before: None,
            pause: Backoff::default(),
            lost: 0,
            most_notes: BATCH_NOTES,
            ending: Ending::default(),
        }
        .all()
        .await
    }
}

impl Run {
    async fn all(mut self) -> Ending {
        while self.open || !self.again.is_empty() || !self.running.is_empty() {
            let room = self.room();
            let may_send = room > 0 && !self.stopping && self.not_before.is_none();
            let gate = self.not_before;
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    self.open = false;
                    self.fail_all_again().await;
                }
                Some(response) = self.running.join_next(), if !self.running.is_empty() => {
                    if let Ok(response) = response {
                        self.response(response).await;
                    } else {
                        // Its notes have no line, so that --resume reads them.
                        self.ending.fatal = Some("a batch was lost by a fault of this program".to_owned());
                        self.stop.cancel();
                    }
                }
                () = async { tokio::time::sleep_until(gate.unwrap_or_else(Instant::now)).await }, if gate.is_some() => {
                    self.not_before = None;
                }
                () = self.answered.notified(), if room == 0 => {}
                first = first(&mut self.again, &self.entries, &self.stop), if may_send && (self.open || !self.again.is_empty()) => {
                    match first {
                        Some(first) => self.send(first, room).await,
                        None => self.open = false,
                    }
                }
            }
        }
        self.ending
    }

    /// Notes that may be sent now: none until there is room for a good part of a batch.
    fn room(&self) -> usize {
        let size = (self.window.size() / 2).clamp(1, self.most_notes);
        if self.window.room() >= size { size } else { 0 }
    }

    async fn send(&mut self, first: Pending, room: usize) {
        let mut bytes = first.entry.text.len();
        let mut notes = vec![first];
        let until = Instant::now() + GATHERING;
        while notes.len() < room && bytes < BATCH_BYTES {
            let next = tokio::time::timeout_at(until, self::first(&mut self.again, &self.entries, &self.stop)).await;
            let Ok(Some(next)) = next else { break };
            bytes += next.entry.text.len();
            notes.push(next);
        }
        if self.ending.gone.is_some() || self.ending.fatal.is_some() {
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
            keep_text: self.wanted.keep_text,
        };
        self.running.spawn(batch.read());
    }

    /// What a batch left behind.
    async fn response(&mut self, response: BatchResponse) {
        let BatchResponse { answers, left, busy, retry_after, batch_outcome } = response;
        if answers > 0 {
            (self.lost, self.pause) = (0, Backoff::default());
        }
        let (mut wait, mut too_large_alone) = (busy, false);
        match batch_outcome {
            batch::BatchOutcome::Ended => {}
            batch::BatchOutcome::Lost(_) if answers > 0 => wait = true,
            batch::BatchOutcome::Lost(why) => {
                // Batches that were lost together were lost once.
                self.lost += u32::from(self.not_before.is_none());
                wait = true;
                if self.lost > self.wanted.retries {
                    self.ending.gone = Some(why);
                }
            }
            batch::BatchOutcome::TooLarge => {
                too_large_alone = left.len() == 1;
                self.most_notes = (left.len() / 2).max(1);
            }
            batch::BatchOutcome::Fatal(why) => {
                self.ending.fatal = Some(why);
                self.stop.cancel();
            }
        }
        if wait && self.not_before.is_none() {
            self.window.shrink();
            self.not_before = Some(Instant::now() + self.pause.next(retry_after));
        }
        if self.ending.gone.is_some() || self.ending.fatal.is_some() {
            self.not_before = None;
        }
        for mut pending in left {
            // Where others are answered it is a matter of time; a note that took all of its own time counts.
            if answers > 0 && pending.why.as_ref().is_some_and(|why| why.status != 504) {
                pending.tries = pending.tries.saturating_sub(1);
            }
            let give_up = pending.tries > self.wanted.retries || self.stopping || too_large_alone;
            if give_up || self.ending.gone.is_some() || self.ending.fatal.is_some() {
                self.give_up(pending).await;
            } else {
                self.again.push_back(pending);
            }
        }
    }

    async fn fail_all_again(&mut self) {
        for pending in std::mem::take(&mut self.again) {
            self.give_up(pending).await;
        }
    }

    /// A note that is not tried again: what was last said of it is its error.
    async fn give_up(&self, pending: Pending) {
        let Pending { entry, why, .. } = pending;
        let why = why.unwrap_or_else(|| client::unreachable("It could not be sent: the server could not be reached."));
        let outcome = Outcome::failed(entry, self.wanted.keep_text, why.status, &why.code, &why.problem);
        // Where nobody writes any more, nobody asks for it either.
        let _ = self.events.send(vec![Event::Ended(outcome)]).await;
    }
}

/// The next note to send: one that was refused before, or a new one.
async fn first(again: &mut VecDeque<Pending>, entries: &Entries, stop: &CancellationToken) -> Option<Pending> {
    match again.pop_front() {
        Some(pending) => Some(pending),
        None => entries.next(stop).await.map(Pending::new),
    }
}
