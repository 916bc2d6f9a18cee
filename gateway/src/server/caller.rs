//! The TCP stream of a caller. It fails once the caller has disconnected, even if received bytes are still unread.
//!
//! hyper continues to read while a request runs, and so notices that the caller closes the connection. But it does not
//! read while its buffer holds bytes of the next request. So a single byte after a body would keep a slot occupied
//! after the caller has disconnected. hyper calls `poll_flush` each time it polls a connection, whether a handler runs
//! or a body is written piece by piece. So `poll_flush` checks the connection instead.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// The interval of the checks while hyper does not read. It is long enough that short pipelined requests are never
/// checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// A caller's stream.
pub(super) struct CallerStream {
    stream: TcpStream,
    /// Whether hyper waits for bytes, and so itself notices that the caller closes the connection.
    is_reading: bool,
    /// The time until the next check, while hyper does not read.
    next_check: Option<Pin<Box<Sleep>>>,
}

impl CallerStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, is_reading: false, next_check: None }
    }

    /// Returns whether the caller closed its side, or the connection broke.
    fn has_disconnected(&self) -> bool {
        let ready = self.stream.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.map_or(true, Ready::is_read_closed))
    }

    fn poll_disconnected(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_reading {
            return Poll::Pending;
        }
        loop {
            let next_check = self.next_check.get_or_insert_with(|| Box::pin(sleep(CHECK_INTERVAL)));
            std::task::ready!(next_check.as_mut().poll(cx));
            if self.has_disconnected() {
                return Poll::Ready(());
            }
            self.next_check = None;
        }
    }
}

impl AsyncRead for CallerStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.is_reading = read.is_pending();
        self.next_check = None;
        read
    }
}

impl AsyncWrite for CallerStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_disconnected(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the caller disconnected")));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
