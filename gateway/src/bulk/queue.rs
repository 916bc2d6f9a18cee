//! Notes on their way from the inputs to their readers, and what became of them on its way to the output. Both
//! ways are short: whoever is faster waits, and memory holds a few notes only.

use std::sync::Arc;

use tokio::sync::{
    Mutex,
    mpsc::{self, Receiver, Sender},
};
use tokio_util::sync::CancellationToken;

use super::outcome::{Entry, Event};

/// Notes that wait for a reader, and outcomes that wait to be written.
const WAITING: usize = 64;

/// Where readers take notes from; each note goes to one of them.
#[derive(Clone, Debug)]
pub(super) struct Entries(Arc<Mutex<Receiver<Entry>>>);

/// Where outcomes go.
pub(super) type Events = Sender<Event>;

pub(super) fn entries() -> (Sender<Entry>, Entries) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (sender, Entries(Arc::new(Mutex::new(receiver))))
}

pub(super) fn events() -> (Events, Receiver<Event>) {
    mpsc::channel(WAITING)
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
}
