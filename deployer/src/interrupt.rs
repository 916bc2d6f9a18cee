//! Ctrl-C as an event that commands can wait for, so that they can finish cleanly.

use tokio::sync::watch;

/// Receives an interrupt.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

/// Sends an interrupt.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

/// Returns a connected sender and receiver.
#[must_use]
pub fn channel() -> (Interrupter, Interrupt) {
    let (sender, receiver) = watch::channel(false);
    (Interrupter(sender), Interrupt(receiver))
}

/// Returns whether this process ignores SIGHUP, as after a start with `nohup`: it then survives the end of its
/// terminal. Reads /proc, so it returns false on systems other than Linux.
#[must_use]
pub fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The first bit is signal 1, SIGHUP.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

impl Interrupter {
    /// Sends the interrupt: every [`Interrupt::wait`] returns.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// Returns whether there was an interrupt.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once there was an interrupt.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|interrupted| *interrupted).await.is_err() {
            // The sender is gone, so there can be no interrupt any more.
            std::future::pending::<()>().await;
        }
    }
}
