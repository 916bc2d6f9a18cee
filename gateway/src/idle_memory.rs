//! Returns free memory to the system, also while the process is idle.
//!
//! mimalloc returns memory that has been free for a second, but only when a thread next takes or returns a page, and
//! each thread handles only its own pages. An idle process would therefore keep the memory of its last burst, and with
//! it the text of notes. So every worker thread regularly makes mimalloc return its pages. It does so by asking for
//! more memory than any machine has: an allocator that cannot meet a request first goes through all its pages. This
//! costs microseconds and avoids a call to mimalloc's own interface, which would be unsafe code.

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
    time::{Instant, MissedTickBehavior, interval_at},
};

/// Time between two rounds, in each of which every worker returns its free pages once.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a worker sleeps in each task, so that other workers take the remaining tasks of the round.
const TASK_SLEEP: Duration = Duration::from_micros(200);
/// Tasks per worker and round. A worker that gets none of them gets one in a later round.
const TASKS_PER_WORKER: usize = 4;

/// Number of the current round.
static ROUND: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Number of the last round in which this worker returned its free pages.
    static LAST_ROUND: Cell<u64> = const { Cell::new(0) };
}

/// Makes every worker of this runtime return its free memory to the system, every [`INTERVAL`]. It never ends.
pub(crate) async fn give_back() -> Infallible {
    let tasks = TASKS_PER_WORKER * Handle::current().metrics().num_workers();
    // The first round comes later, because at the start it would only delay the program.
    let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let round = ROUND.fetch_add(1, Relaxed) + 1;
        let mut workers: JoinSet<()> = (0..tasks).map(|_| async move { return_pages(round) }).collect();
        while workers.join_next().await.is_some() {}
    }
}

fn return_pages(round: u64) {
    if LAST_ROUND.replace(round) != round {
        let _ = black_box(Vec::<u8>::new().try_reserve_exact(isize::MAX.unsigned_abs() / 2));
    }
    // The other workers take the remaining tasks meanwhile.
    std::thread::sleep(TASK_SLEEP);
}
