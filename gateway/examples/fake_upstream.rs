//! A fake vLLM that uses little CPU, for load tests: `cargo run --release -p gateway --example fake_upstream`.
//!
//! Every completion is the same prebuilt answer, after `--delay-ms` and with at most `--slots` at once. The HTTP code
//! is written by hand and understands only the requests of the gateway, nginx and wrk: whole bodies with a
//! Content-Length, on connections that stay open. CPU that it used for more would be missing for the measured server.
#![expect(clippy::print_stdout, reason = "a tool for developers; the address on stdout is its interface")]

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use clap::Parser;
use memchr::memmem;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// The answer of the model, in its training format. The note of the load tests contains every value.
const RECORD: &str = "{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": \"IV\", \"gene_mutation\": \"EGFR L858R\", \
                      \"biomarker\": \"PD-L1 60%\", \"treatment\": \"osimertinib\", \"response\": \"partial response\", \
                      \"metastasis_site\": \"liver; bone\"}";
/// Bytes. The heads of expected requests have a few hundred; a larger one ends the connection.
const LARGEST_HEAD: usize = 64 << 10;

/// A fake vLLM for load tests.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Milliseconds that each completion takes
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Completions at once; others wait in order of arrival (0: no limit)
    #[arg(long, default_value_t = 0)]
    slots: usize,
    /// Worker threads
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// File with the record that each completion answers, in the training format (default: eight values)
    #[arg(long)]
    record: Option<PathBuf>,
}

struct Server {
    delay: Duration,
    slots: Option<Semaphore>,
    /// All requested completions.
    calls: AtomicU64,
    /// Requested completions that are neither answered nor cancelled, including those that wait for a slot.
    in_flight: AtomicU64,
    most_in_flight: AtomicU64,
    /// The body of the first completion request, which the load tests send through nginx too.
    first: OnceLock<Bytes>,
    completion: Bytes,
    models: Bytes,
}

/// A completion in flight. Dropping it lowers the count, also if the client has disconnected.
struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

enum Route {
    Completion,
    Tokenize,
    Models,
    Health,
    Stats,
    First,
    Unknown,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    // With one thread, the current-thread runtime avoids the cost of sharing work between threads.
    let mut builder = match options.workers {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(options.workers.max(1)).enable_all().build()?.block_on(serve(options))
}

async fn serve(options: Options) -> io::Result<()> {
    let record = match &options.record {
        Some(file) => std::fs::read_to_string(file)?,
        None => RECORD.to_owned(),
    };
    let completion = json!({
        "id": "chatcmpl-fake", "object": "chat.completion", "created": 0, "model": "medical-ie",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": record}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 180, "completion_tokens": 70, "total_tokens": 250},
    });
    let models = json!({"object": "list", "data": [{"id": "medical-ie", "object": "model", "max_model_len": 8_192}]});
    let server = Arc::new(Server {
        delay: Duration::from_millis(options.delay_ms),
        slots: (options.slots > 0).then(|| Semaphore::new(options.slots)),
        calls: AtomicU64::new(0),
        in_flight: AtomicU64::new(0),
        most_in_flight: AtomicU64::new(0),
        first: OnceLock::new(),
        completion: answer("200 OK", completion.to_string().as_bytes()),
        models: answer("200 OK", models.to_string().as_bytes()),
    });
    let listener = TcpListener::bind(options.listen).await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let server = Arc::clone(&server);
        // After an error (a disconnect or an unexpected request) the connection closes.
        tokio::spawn(async move { serve_connection(socket, &server).await });
    }
}

/// Answers the requests of one connection, one after the other.
async fn serve_connection(mut socket: TcpStream, server: &Server) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(8 << 10);
    while let Some((route, body)) = receive(&mut socket, &mut buffer).await? {
        let answer = match route {
            Route::Completion => match server.complete(body, &mut socket, &mut buffer).await? {
                Some(answer) => answer,
                None => return Ok(()),
            },
            // Four bytes for each token are close enough: the gateway only checks whether the note fits.
            Route::Tokenize => {
                answer("200 OK", json!({"count": body.len() / 4, "max_model_len": 8_192}).to_string().as_bytes())
            }
            Route::Models => server.models.clone(),
            Route::Health => answer("200 OK", b""),
            Route::Stats => answer("200 OK", server.stats().as_bytes()),
            Route::First => answer("200 OK", server.first.get().map_or(b"".as_slice(), |body| body)),
            Route::Unknown => answer("404 Not Found", b"{}"),
        };
        socket.write_all(&answer).await?;
    }
    Ok(())
}

impl Server {
    /// Returns the completion, or `None` if the client disconnects first. vLLM stops then too.
    async fn complete(&self, body: Bytes, socket: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        self.calls.fetch_add(1, Relaxed);
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        let _in_flight = InFlight(&self.in_flight);
        self.most_in_flight.fetch_max(now, Relaxed);
        self.first.get_or_init(|| body);
        let work = async {
            let _slot = match &self.slots {
                Some(slots) => slots.acquire().await.ok(),
                None => None,
            };
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
        };
        tokio::pin!(work);
        loop {
            tokio::select! {
                // Polls the work first, so that without a delay the socket is not polled at all.
                biased;
                () = &mut work => return Ok(Some(self.completion.clone())),
                read = socket.read_buf(buffer) => if read? == 0 { return Ok(None) },
            }
        }
    }

    fn stats(&self) -> String {
        json!({
            "calls": self.calls.load(Relaxed),
            "in_flight": self.in_flight.load(Relaxed),
            "most_in_flight": self.most_in_flight.load(Relaxed),
        })
        .to_string()
    }
}

/// Returns the next request of a connection, `None` at its end.
async fn receive(socket: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<(Route, Bytes)>> {
    let head_length = loop {
        if let Some(end) = memmem::find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > LARGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let (route, body_length) = buffer.get(..head_length).and_then(parse_head).ok_or(io::ErrorKind::InvalidData)?;
    while buffer.len() < head_length + body_length {
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    buffer.advance(head_length);
    Ok(Some((route, buffer.split_to(body_length).freeze())))
}

/// Returns the route and the length of the body, `None` for a request that it does not support, such as a chunked one.
fn parse_head(head: &[u8]) -> Option<(Route, usize)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let route = match (words.next()?, words.next()?) {
        ("POST", "/v1/chat/completions") => Route::Completion,
        ("POST", "/tokenize") => Route::Tokenize,
        ("GET", "/v1/models") => Route::Models,
        ("GET", "/health") => Route::Health,
        ("GET", "/stats") => Route::Stats,
        ("GET", "/first") => Route::First,
        _ => Route::Unknown,
    };
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
    }
    Some((route, length))
}

fn answer(status: &str, body: &[u8]) -> Bytes {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat().into()
}
