//! Memory that is free goes back to the system, also while nothing happens.

use std::{convert::Infallible, hint::black_box, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

/// A second after memory came free mimalloc may give it back; it does so when it next gives away or takes back a page.
/// In a process that idles there is no next time: it keeps what its last burst had, and with it the notes.
const EVERY: Duration = Duration::from_secs(2);
/// So large that the allocator takes a page of its own for it, of which nothing is written.
const PAGE: usize = 1 << 20;

/// Takes a page and lets it go, again and again: at each the allocator gives back what has been free for a while.
pub(crate) async fn give_back() -> Infallible {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        drop(black_box(Vec::<u8>::with_capacity(PAGE)));
    }
}
