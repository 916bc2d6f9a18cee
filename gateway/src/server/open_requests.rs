//! Counts the open requests of a connection, so that a connection without any can be closed.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The open requests of one connection. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenRequests(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    begun: AtomicU64,
}

/// One open request: from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct OpenRequest(Arc<Counts>);

impl OpenRequests {
    pub(super) fn begin(&self) -> OpenRequest {
        self.0.open.fetch_add(1, SeqCst);
        self.0.begun.fetch_add(1, SeqCst);
        OpenRequest(Arc::clone(&self.0))
    }

    /// Waits until the connection had no request for `time`, or for at most twice that time.
    pub(super) async fn idle(&self, time: Duration) {
        loop {
            let begun = self.0.begun.load(SeqCst);
            // One timer for a connection, and not one for each request.
            tokio::time::sleep(time).await;
            if self.0.open.load(SeqCst) == 0 && self.0.begun.load(SeqCst) == begun {
                return;
            }
        }
    }
}

impl OpenRequest {
    /// Returns a body that ends the request when it ends or is dropped.
    pub(super) fn until_the_end_of(self, body: Body) -> CountedBody {
        CountedBody { body, _open: self }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

/// The body of an answer, with its open request.
#[derive(Debug)]
pub(super) struct CountedBody {
    body: Body,
    _open: OpenRequest,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    const TIME: Duration = Duration::from_secs(90);

    /// Returns after how many seconds a connection counts as idle; none if it does not within an hour.
    async fn idle_after(requests: &OpenRequests) -> Option<u64> {
        let began = Instant::now();
        timeout(Duration::from_hours(1), requests.idle(TIME)).await.ok().map(|()| began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_without_open_requests() {
        let requests = OpenRequests::default();
        assert_eq!(idle_after(&requests).await, Some(90));
        let open = requests.begin();
        assert_eq!(idle_after(&requests).await, None);
        let body = open.until_the_end_of(Body::from("answer"));
        assert_eq!(idle_after(&requests).await, None);
        drop(body);
        assert_eq!(idle_after(&requests).await, Some(90));
        // A short request every minute keeps the connection, until they end.
        let busy = requests.clone();
        let sender = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_mins(1)).await;
                drop(busy.begin());
            }
        });
        let idle = idle_after(&requests).await.unwrap();
        assert!((600 + 60..=600 + 180).contains(&idle), "{idle}");
        sender.await.unwrap();
    }
}
