//! The two bounded queues of a run: notes from the inputs to the readers, and outcomes from the readers to the writer.
//! Both are short: the faster side waits, so that memory holds only a few notes.

use std::sync::Arc;

use tokio::sync::{
    Mutex,
    mpsc::{self, Receiver, Sender},
};
use tokio_util::sync::CancellationToken;

use super::outcome::{Event, QueuedNote};

/// Maximum notes that wait for a reader, and maximum bundles of outcomes that wait for the writer.
const NOTES: usize = 128;
const BUNDLES: usize = 16;

/// The queue that readers take notes from. Each note goes to one reader.
#[derive(Clone, Debug)]
pub(super) struct NoteQueue(Arc<Mutex<Receiver<QueuedNote>>>);

/// The sending side of the outcome queue. Outcomes are sent in bundles, because each send wakes the writer once.
pub(super) type OutcomeSender = Sender<Vec<Event>>;

pub(super) fn entries() -> (Sender<QueuedNote>, NoteQueue) {
    let (sender, receiver) = mpsc::channel(NOTES);
    (sender, NoteQueue(Arc::new(Mutex::new(receiver))))
}

pub(super) fn events() -> (OutcomeSender, Receiver<Vec<Event>>) {
    mpsc::channel(BUNDLES)
}

impl NoteQueue {
    /// Returns the next note; `None` after the last note or after `stop`.
    pub(super) async fn next(&self, stop: &CancellationToken) -> Option<QueuedNote> {
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            entry = async { self.0.lock().await.recv().await } => entry,
        }
    }

    /// Returns the next note and some of the notes after it: at most half of a fair share among `readers`, and at most
    /// `most`, so that no reader waits while another has several notes. Empty after the last note or after `stop`.
    pub(super) async fn next_few(&self, stop: &CancellationToken, readers: usize, most: usize) -> Vec<QueuedNote> {
        let take = async {
            let mut entries = self.0.lock().await;
            let mut notes = Vec::from_iter(entries.recv().await);
            let share = (entries.len() / readers.saturating_mul(2).max(1)).min(most);
            while notes.len() < share {
                let Ok(entry) = entries.try_recv() else { break };
                notes.push(entry);
            }
            notes
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Vec::new(),
            notes = take => notes,
        }
    }
}
