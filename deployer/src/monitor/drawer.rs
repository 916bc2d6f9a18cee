//! Draws on a thread of its own, so that neither the network nor a slow terminal delays the rest.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ratatui::{Terminal, backend::Backend};

use super::{
    screen::{ScreenState, draw},
    snapshot::Snapshot,
};

/// Hands snapshots to the drawing thread.
#[derive(Debug)]
pub struct Drawer {
    snapshots: Option<SyncSender<Box<Snapshot>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Drawer {
    /// Starts to draw.
    pub fn start<B>(backend: B, color: bool) -> Self
    where
        B: Backend<Error = io::Error> + Send + 'static,
    {
        // One snapshot waits while another is drawn; a terminal that is slower than the snapshots misses some.
        let (sender, receiver) = sync_channel(1);
        let thread = thread::spawn(move || run(backend, color, &receiver));
        Self { snapshots: Some(sender), thread: Some(thread) }
    }

    /// Draws a snapshot, unless the terminal is too slow. Returns an error if the drawing has ended.
    pub fn show(&mut self, snapshot: Snapshot) -> io::Result<()> {
        let Some(snapshots) = &self.snapshots else { return Err(ended()) };
        match snapshots.try_send(Box::new(snapshot)) {
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Disconnected(_)) => {
                let result = self.thread.take().map(JoinHandle::join);
                match result {
                    Some(Ok(Err(error))) => Err(error),
                    _ => Err(ended()),
                }
            }
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the drawing has ended")
}

impl Drop for Drawer {
    /// Ends the drawing, and waits for it only shortly: a terminal that takes no output must not delay the end.
    fn drop(&mut self) {
        self.snapshots = None;
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + Duration::from_millis(300);
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn run<B: Backend<Error = io::Error>>(backend: B, color: bool, snapshots: &Receiver<Box<Snapshot>>) -> io::Result<()> {
    let mut terminal = Terminal::new(backend)?;
    let mut state = ScreenState::new(color);
    while let Ok(snapshot) = snapshots.recv() {
        state.remember(&snapshot);
        terminal.draw(|frame| draw(frame, &snapshot, &state))?;
    }
    Ok(())
}
