//! Runs CPU-bound work on threads outside the async workers: reading a long note, and judging the answer to one.
//! As many tasks run at once as there are cores, in fair turns, with a bounded queue and the note's deadline.
//!
//! An async worker that reads a note for tens of milliseconds answers no other request meanwhile, health checks
//! included. Reading a short note takes less time than moving it to another thread, so it stays on the async worker.

use std::{panic::resume_unwind, sync::Arc};

use super::{Deadline, EngineError};
use crate::admission::{Admission, AdmissionError, Lease, QueuePriority};

/// Texts up to this many bytes are read on the async worker, which takes some hundred microseconds.
const SHORT: usize = 4 << 10;

/// The threads that read long texts.
#[derive(Clone, Debug)]
pub struct CpuPool {
    admission: Arc<Admission>,
}

impl CpuPool {
    /// Runs `cores` texts at once and lets `queue` texts wait for their turn.
    #[must_use]
    pub fn new(cores: usize, queue: usize) -> Self {
        Self { admission: Admission::new(cores, queue) }
    }

    /// Returns whether a text of this many bytes is read on a separate thread.
    #[must_use]
    pub fn takes(text: usize) -> bool {
        text > SHORT
    }

    /// Runs the work on a separate thread when its turn comes. Returns `DeadlineExceeded` at the deadline, even if the
    /// work has begun; its result is then discarded. Returns `Overloaded` if the queue is full.
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
            // The lease ends only now, even if the caller no longer waits, because the core was busy until now.
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

/// Runs the work on a separate thread if `cpu_pool` is given and the text is long; otherwise at once on this thread.
pub(crate) async fn run<T: Send + 'static>(
    cpu_pool: Option<&CpuPool>,
    text: usize,
    priority: &QueuePriority,
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EngineError> {
    match cpu_pool.filter(|_| CpuPool::takes(text)) {
        Some(cpu_pool) => cpu_pool.run(priority, deadline, work).await,
        None => Ok(work()),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn work_runs_on_another_thread_and_its_panic_reaches_the_caller() {
        let cpu_pool = CpuPool::new(1, 1);
        let (priority, deadline) = (QueuePriority::default(), Deadline::after(LONG));
        let caller_thread = std::thread::current().id();
        let work_thread = cpu_pool.run(&priority, deadline, || std::thread::current().id()).await.unwrap();
        assert_ne!(caller_thread, work_thread);
        let panicked = tokio::spawn(async move {
            let work: fn() = || panic!("a fault of the work");
            cpu_pool.run(&QueuePriority::default(), deadline, work).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
    }

    /// Starts work on the only core. It runs until the returned sender sends or is dropped.
    async fn occupy(cpu_pool: &CpuPool) -> (tokio::task::JoinHandle<Result<bool, EngineError>>, mpsc::Sender<()>) {
        let (finish, finished) = mpsc::channel::<()>();
        let (start, started) = tokio::sync::oneshot::channel();
        let cpu_pool = cpu_pool.clone();
        let work = move || {
            let _ = start.send(());
            finished.recv().is_ok()
        };
        let task =
            tokio::spawn(async move { cpu_pool.run(&QueuePriority::default(), Deadline::after(LONG), work).await });
        started.await.unwrap();
        (task, finish)
    }

    #[tokio::test]
    async fn a_core_stays_busy_until_its_work_ends_even_if_the_caller_no_longer_waits() {
        let cpu_pool = CpuPool::new(1, 1);
        let (task, finish) = occupy(&cpu_pool).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(cpu_pool.admission.counts().in_flight, 1);
        let soon = Deadline::after(Duration::from_millis(20));
        let late = cpu_pool.run(&QueuePriority::default(), soon, || ()).await;
        assert!(matches!(late, Err(EngineError::DeadlineExceeded)));
        finish.send(()).unwrap();
        assert_eq!(cpu_pool.run(&QueuePriority::default(), Deadline::after(LONG), || 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn work_beyond_the_queue_is_rejected() {
        let cpu_pool = CpuPool::new(1, 0);
        let (task, finish) = occupy(&cpu_pool).await;
        let refused = cpu_pool.run(&QueuePriority::default(), Deadline::after(LONG), || ()).await;
        assert!(matches!(refused, Err(EngineError::Overloaded)));
        finish.send(()).unwrap();
        assert!(task.await.unwrap().unwrap());
    }
}
