//! Ctrl-C, as something that can be waited for, so that whoever works can end in good order.

use tokio::sync::watch;

/// Hears of an interrupt.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

/// Tells of it.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

/// Both ends.
#[must_use]
pub fn channel() -> (Interrupter, Interrupt) {
    let (sender, receiver) = watch::channel(false);
    (Interrupter(sender), Interrupt(receiver))
}

/// Was this started by `nohup` or its like? Then it is to outlive its terminal. Told by Linux alone.
#[must_use]
pub fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The first bit is signal 1, SIGHUP.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

impl Interrupter {
    /// Ends every wait.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// Was there one?
    #[must_use]
    pub fn came(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once there was one.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|came| *came).await.is_err() {
            // Nobody is left to interrupt.
            std::future::pending::<()>().await;
        }
    }
}
