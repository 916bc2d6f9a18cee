//! The stream of a caller: it breaks once he has left, also where bytes of his still wait to be read.
//!
//! hyper reads on while a request runs, and so hears that the caller closes; but not while bytes of a next request lie
//! in its buffer. One byte behind a body, and a slot stayed taken for a caller who was long gone. hyper asks for a
//! flush at each turn of a connection, whatever runs on it: a handler, or a body that is written piece by piece. So
//! that is where we look in its stead.

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

/// How often we look while hyper does not read. Long enough that quick requests, sent one behind the other, never pay.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A caller's stream.
pub(super) struct Caller {
    stream: TcpStream,
    /// hyper waits for bytes, and hears by itself that the caller closed.
    listens: bool,
    /// Until the next look, where hyper does not listen.
    look: Option<Pin<Box<Sleep>>>,
}

impl Caller {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, listens: false, look: None }
    }

    /// Whether the caller closed his side, or the connection broke.
    fn has_left(&self) -> bool {
        let ready = self.stream.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.map_or(true, Ready::is_read_closed))
    }

    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.listens {
            return Poll::Pending;
        }
        loop {
            let look = self.look.get_or_insert_with(|| Box::pin(sleep(LOOK_EVERY)));
            std::task::ready!(look.as_mut().poll(cx));
            if self.has_left() {
                return Poll::Ready(());
            }
            self.look = None;
        }
    }
}

impl AsyncRead for Caller {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.listens = read.is_pending();
        self.look = None;
        read
    }
}

impl AsyncWrite for Caller {
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
        if self.poll_left(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the caller left")));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
