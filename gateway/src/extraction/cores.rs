//! Threads beside the async workers for work that keeps a core busy: the reading of a long note, the review of an
//! answer to one. As many at once as there are cores, in fair turns, with a bounded queue and the note's deadline.
//!
//! A worker that reads a note for tens of milliseconds answers nobody else meanwhile, no health check either. A short
//! note takes less time than the way to another thread, and is read where it is.

use std::{panic::resume_unwind, sync::Arc};

use super::{Deadline, EngineError};
use crate::admission::{Admission, AdmissionError, Lease, QueuePriority};

/// Texts up to this many bytes are read on the async worker: some hundred microseconds.
const SHORT: usize = 4 << 10;

/// The cores that long texts are read on.
#[derive(Clone, Debug)]
pub struct Cores {
    admission: Arc<Admission>,
}

impl Cores {
    /// So many texts at once, and so many waiting for their turn.
    #[must_use]
    pub fn new(cores: usize, queue: usize) -> Self {
        Self { admission: Admission::new(cores, queue) }
    }

    /// Whether a text of so many bytes is read on a core of its own.
    #[must_use]
    pub fn takes(text: usize) -> bool {
        text > SHORT
    }

    /// Does the work on a thread of its own once it has its turn. `DeadlineExceeded` comes at the deadline, also where
    /// the work has begun: its result is then thrown away. `Overloaded`: too many wait.
    pub async fn run<T: Send + 'static>(
        &self,
        priority: &QueuePriority,
        deadline: Deadline,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let lease = self.admission.acquire(priority, deadline).await.map_err(|refusal| match refusal {
            AdmissionError::QueueFull => EngineError::Overloaded,
            AdmissionError::DeadlineExceeded => EngineError::DeadlineExceeded,
        })?;
        let task = tokio::task::spawn_blocking(move || {
            let done = (!deadline.left().is_zero()).then(work);
            // Held until here also where nobody waits any more: the core is busy until here.
            Lease::end(lease);
            done
        });
        match deadline.bound(task).await {
            Ok(Ok(Some(done))) => Ok(done),
            Ok(Ok(None)) | Err(_) => Err(EngineError::DeadlineExceeded),
            Ok(Err(failed)) => match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(EngineError::DeadlineExceeded),
            },
        }
    }
}

/// Does the work on a core where there are cores and the text is long, else at once.
pub(super) async fn run<T: Send + 'static>(
    cores: Option<&Cores>,
    text: usize,
    priority: &QueuePriority,
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EngineError> {
    match cores.filter(|_| Cores::takes(text)) {
        Some(cores) => cores.run(priority, deadline, work).await,
        None => Ok(work()),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn work_is_done_elsewhere_and_its_panic_is_the_callers() {
        let cores = Cores::new(1, 1);
        let (priority, deadline) = (QueuePriority::default(), Deadline::after(LONG));
        let here = std::thread::current().id();
        let there = cores.run(&priority, deadline, || std::thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        let panicked = tokio::spawn(async move {
            let work: fn() = || panic!("a fault of the work");
            cores.run(&QueuePriority::default(), deadline, work).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
    }

    /// Work on the only core, which goes on until it is told to end.
    async fn held(cores: &Cores) -> (tokio::task::JoinHandle<Result<bool, EngineError>>, mpsc::Sender<()>) {
        let (go_on, held) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let cores = cores.clone();
        let work = move || {
            let _ = begun.send(());
            held.recv().is_ok()
        };
        let task = tokio::spawn(async move { cores.run(&QueuePriority::default(), Deadline::after(LONG), work).await });
        has_begun.await.unwrap();
        (task, go_on)
    }

    #[tokio::test]
    async fn a_core_stays_taken_until_its_work_is_done_also_where_nobody_waits() {
        let cores = Cores::new(1, 1);
        let (task, go_on) = held(&cores).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(cores.admission.counts().in_flight, 1);
        let soon = Deadline::after(Duration::from_millis(20));
        let late = cores.run(&QueuePriority::default(), soon, || ()).await;
        assert!(matches!(late, Err(EngineError::DeadlineExceeded)));
        go_on.send(()).unwrap();
        assert_eq!(cores.run(&QueuePriority::default(), Deadline::after(LONG), || 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn too_many_are_refused() {
        let cores = Cores::new(1, 0);
        let (task, go_on) = held(&cores).await;
        let refused = cores.run(&QueuePriority::default(), Deadline::after(LONG), || ()).await;
        assert!(matches!(refused, Err(EngineError::Overloaded)));
        go_on.send(()).unwrap();
        assert!(task.await.unwrap().unwrap());
    }
}
