//! Notes on their way from the inputs to their readers, and what became of them on its way to the output. Both
//! ways are short: whoever is faster waits, and memory holds a few notes only.

use std::sync::Arc;

use tokio::sync::{
    Mutex,
    mpsc::{self, Receiver, Sender},
};
use tokio_util::sync::CancellationToken;

use super::outcome::{Entry, Event};

/// Notes that wait for a reader, and bundles of outcomes that wait to be written.
const NOTES: usize = 128;
const BUNDLES: usize = 16;

/// Where readers take notes from; each note goes to one of them.
#[derive(Clone, Debug)]
pub(super) struct Entries(Arc<Mutex<Receiver<Entry>>>);

/// Where outcomes go, in bundles: each wakes the writer once.
pub(super) type Events = Sender<Vec<Event>>;

pub(super) fn entries() -> (Sender<Entry>, Entries) {
    let (sender, receiver) = mpsc::channel(NOTES);
    (sender, Entries(Arc::new(Mutex::new(receiver))))
}

pub(super) fn events() -> (Events, Receiver<Vec<Event>>) {
    mpsc::channel(BUNDLES)
}

impl Entries {
    /// The next note; nothing where there are no more, or the run is to stop.
    pub(super) async fn next(&self, stop: &CancellationToken) -> Option<Entry> {
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            entry = async { self.0.lock().await.recv().await } => entry,
        }
    }

    /// The next note and some of those behind it: less than a fair share among so many readers, and no more
    /// than `most`, so that none waits while another has several. Empty where there are no more.
    pub(super) async fn next_few(&self, stop: &CancellationToken, readers: usize, most: usize) -> Vec<Entry> {
        let take = async {
            let mut entries = self.0.lock().await;
            let mut few = Vec::from_iter(entries.recv().await);
            let share = (entries.len() / readers.saturating_mul(2).max(1)).min(most);
            while few.len() < share {
                let Ok(entry) = entries.try_recv() else { break };
                few.push(entry);
            }
            few
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Vec::new(),
            few = take => few,
        }
    }
}
