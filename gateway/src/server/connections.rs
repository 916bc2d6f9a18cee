//! Accepts connections, serves HTTP/1.1 on each, and closes them at shutdown.
//!
//! It uses hyper directly and not `axum::serve`, for two reasons. A client that sends its headers a byte a minute must
//! lose its connection. During shutdown a caller must get an answer that says so, not a refused connection.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::caller::CallerStream;

/// The longest time that a connection may be idle, and that the headers of a request may take. It is longer than the
/// 75 s for which the HTTP client of a frontend keeps idle connections: if the server closed them first, requests
/// would sometimes fail.
const HEADER_TIMEOUT: Duration = Duration::from_secs(90);
/// Most header lines of a request.
const MAX_HEADERS: usize = 100;
/// Most bytes of a request line with its headers. hyper answers a larger head with a 431 without a body.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Pause after the system has run out of file descriptors: a connection must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and the open connections that it accepted.
pub(super) struct Connections {
    listener: TcpListener,
    router: Router,
    http: http1::Builder,
    open: GracefulShutdown,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, router: Router) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES).half_close(false);
        Self { listener, router, http, open: GracefulShutdown::new() }
    }

    /// Accepts connections until the future is dropped. It can be called again after that.
    pub(super) async fn accept(&self) -> Infallible {
        let mut has_logged = false;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    has_logged = false;
                    self.serve(stream, peer);
                }
                // The client disconnected before its connection was accepted.
                Err(error) if is_disconnect(&error) => {}
                Err(error) => {
                    if !has_logged {
                        tracing::error!(%error, "no connection can be accepted: out of file descriptors?");
                    }
                    has_logged = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        tokio::spawn(serve_connection(self.http.clone(), stream, peer, self.router.clone(), self.open.watcher()));
    }

    /// Stops accepting connections, and closes each open connection after its current answer.
    pub(super) async fn close(self) {
        drop(self.listener);
        self.open.shutdown().await;
    }
}

async fn serve_connection(http: http1::Builder, stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(CallerStream::new(stream)), service)).await {
        tracing::debug!(%error, "a connection broke");
    }
}

fn is_disconnect(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
