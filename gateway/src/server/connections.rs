//! Accepts connections, serves HTTP/1.1 or HTTP/2 on each, and closes them at shutdown. HTTP/2 is for clients that
//! begin with it (prior knowledge), such as load balancers.
//!
//! It uses hyper directly and not `axum::serve`, for two reasons. The connection of a client that sends its headers
//! very slowly must be closed. During shutdown a caller must get an answer that states the shutdown, not a refused
//! connection.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::{caller::CallerStream, open_requests::OpenRequests};

/// The longest time that a connection may be idle, and that the headers of a request may take. It is longer than the
/// 75 s for which the HTTP client of a frontend keeps idle connections: if the server closed them first, requests
/// would sometimes fail.
const HEADER_TIMEOUT: Duration = Duration::from_secs(90);
/// Most header lines of a request.
const MAX_HEADERS: usize = 100;
/// Most bytes of a request line with its headers. hyper answers a larger head with a 431 without a body.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// The same for HTTP/2, which resets or answers a larger head with a 431 without a body.
const MAX_HEAD_BYTES_HTTP2: u32 = 64 << 10;
/// Requests of one HTTP/2 connection that may be open at once.
const MAX_STREAMS: u32 = 64;
/// Bytes of a body that a client may send over HTTP/2 before a handler reads them, for each request and for all requests
/// of its connection. hyper's own 1 MiB would be memory that no budget counts.
const WINDOW_BYTES: u32 = 128 << 10;
/// Bytes of an answer that wait in HTTP/2 for the client to read, for each request.
const SEND_BYTES: usize = 64 << 10;
/// Interval of the pings that check whether an HTTP/2 client is still connected, and how long it may take to answer. A
/// client that sends a header piece by piece cannot answer between the pieces.
const PING_INTERVAL: Duration = Duration::from_mins(1);
const PING_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system has run out of file descriptors: a connection must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and the open connections that it accepted.
pub(super) struct Connections {
    listener: TcpListener,
    router: Router,
    http: auto::Builder<TokioExecutor>,
    open: GracefulShutdown,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, router: Router) -> Self {
        Self { listener, router, http: http(), open: GracefulShutdown::new() }
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
                        tracing::error!(%error, "no connection can be accepted, so new clients wait; if the error is \
                                                 too many open files, raise the limit of open files (ulimit -n)");
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

fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    let mut http1 = http.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    http1.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES).half_close(false);
    let mut http2 = http.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL).keep_alive_timeout(PING_TIMEOUT);
    http2.max_concurrent_streams(MAX_STREAMS).max_send_buf_size(SEND_BYTES);
    http2.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
    http2.max_header_list_size(MAX_HEAD_BYTES_HTTP2);
    http
}

async fn serve_connection(
    http: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) {
    let open_requests = OpenRequests::default();
    let counted = open_requests.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let open_request = counted.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        let answer = router.clone().call(request);
        async move { answer.await.map(|response| response.map(|body| open_request.until_the_end_of(body))) }
    });
    let connection = http.serve_connection(TokioIo::new(CallerStream::new(stream)), service).into_owned();
    tokio::select! {
        biased;
        ended = watcher.watch(connection) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        },
        // hyper's own limit begins only when the client has sent enough to distinguish HTTP/1 from HTTP/2, and HTTP/2
        // has no such limit.
        () = open_requests.idle(HEADER_TIMEOUT) => tracing::debug!("an idle connection was closed"),
    }
}

fn is_disconnect(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
