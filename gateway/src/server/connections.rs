//! Connections: accepts them, serves HTTP/1.1 on each, closes them in the end.
//!
//! Written on hyper itself and not on `axum::serve`: a stranger who sends his headers a byte a minute must
//! lose his connection, and at shutdown callers must be told so and not find a closed door.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::caller::Caller;

/// So long a connection may idle, and so long a request's headers may take. Longer than the 75 s that a
/// frontend's client keeps idle connections: a server that closes them first makes it fail now and then.
const HEADERS_WITHIN: Duration = Duration::from_secs(90);
/// Most header lines of a request.
const MOST_HEADERS: usize = 100;
/// Most bytes of a request line with its headers. hyper answers more with a bare 431.
const LARGEST_HEAD: usize = 64 << 10;
/// Pause after the system had no file descriptor left: some connection must end first.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Accepts connections until it is dropped, and knows those that it accepted.
pub(super) struct Connections {
    listener: TcpListener,
    router: Router,
    http: http1::Builder,
    open: GracefulShutdown,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, router: Router) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        http.max_headers(MOST_HEADERS).max_buf_size(LARGEST_HEAD).half_close(false);
        Self { listener, router, http, open: GracefulShutdown::new() }
    }

    /// Accepts for ever. May be dropped and called again.
    pub(super) async fn accept(&self) -> Infallible {
        let mut complained = false;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    complained = false;
                    self.serve(stream, peer);
                }
                // The caller went before we looked.
                Err(error) if is_callers(&error) => {}
                Err(error) => {
                    if !complained {
                        tracing::error!(%error, "no connection can be accepted: out of file descriptors?");
                    }
                    complained = true;
                    tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        tokio::spawn(served(self.http.clone(), stream, peer, self.router.clone(), self.open.watcher()));
    }

    /// Takes no more connections; each that is open ends after the answer it is at.
    pub(super) async fn close(self) {
        drop(self.listener);
        self.open.shutdown().await;
    }
}

async fn served(http: http1::Builder, stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(Caller::new(stream)), service)).await {
        tracing::debug!(%error, "a connection broke");
    }
}

fn is_callers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
