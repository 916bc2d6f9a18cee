//! Memory that is free goes back to the system, also while nothing happens.
//!
//! mimalloc gives back what has been free for a second when it next takes or returns a page, and each thread looks only
//! after its own pages. In a process that idles there is no next time: it keeps what its last burst had, and with it the
//! notes. So each worker is made to look, now and then. An allocator that cannot give what it is asked for first looks
//! through all that it has: a request that no machine could meet costs microseconds, and needs no call into its own
//! interface, which would be unsafe code.

use std::{
    cell::Cell,
    convert::Infallible,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// How often each worker looks.
const EVERY: Duration = Duration::from_secs(2);
/// So long a worker that has looked is kept from taking another's turn.
const TURN: Duration = Duration::from_micros(200);
/// Turns for each worker. One that misses them all gets the next round's.
const TURNS: usize = 4;

/// The round that runs.
static ROUND: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The round in which this worker looked last.
    static LOOKED: Cell<u64> = const { Cell::new(0) };
}

/// Lets every worker of this runtime give back what it has and does not use, again and again.
pub(crate) async fn give_back() -> Infallible {
    let turns = TURNS * Handle::current().metrics().num_workers();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let round = ROUND.fetch_add(1, Relaxed) + 1;
        let mut workers: JoinSet<()> = (0..turns).map(|_| async move { look(round) }).collect();
        while workers.join_next().await.is_some() {}
    }
}

fn look(round: u64) {
    if LOOKED.replace(round) != round {
        let _ = black_box(Vec::<u8>::new().try_reserve_exact(isize::MAX.unsigned_abs() / 2));
    }
    // Asleep for a moment, so that the turns that are left go to the others.
    std::thread::sleep(TURN);
}
