//! A fake OCR server on a free port, which fails as a test says.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{StreamExt, stream};
use tokio::{net::TcpListener, sync::Mutex};

/// What the server does with a scan.
#[derive(Clone, Debug)]
pub(crate) enum OcrBehaviour {
    /// Answers with this table.
    Table(String),
    /// Answers with this status and text.
    Status(u16, &'static str),
    /// Never answers.
    Hangs,
    /// Sends spaces without end.
    Endless,
    /// Closes the connection in the middle of an answer.
    BreaksOff,
}

/// The address of the server, and the requests that it received.
pub(crate) struct FakeOcr {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

type Script = (OcrBehaviour, Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

pub(crate) async fn start(reads: OcrBehaviour) -> FakeOcr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let requests = Arc::default();
    let script: Script = (reads, Arc::clone(&requests));
    let router = Router::new().route("/v1/ocr", post(ocr)).layer(DefaultBodyLimit::disable()).with_state(script);
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    FakeOcr { address, requests }
}

/// Returns the table of a page with these lines, whose words have this confidence in percent.
pub(crate) fn table(lines: &[(&str, f64)]) -> String {
    let head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n";
    let mut table = format!("{head}1\t1\t0\t0\t0\t0\t0\t0\t900\t900\t-1\t\n");
    for (number, (line, confidence)) in lines.iter().enumerate() {
        let top = number * 30;
        let of_line = format!("4\t1\t1\t1\t{number}\t0\t0\t{top}\t900\t20\t-1\t\n");
        table.push_str(&of_line);
        for word in line.split(' ') {
            let of_word = format!("5\t1\t1\t1\t{number}\t1\t0\t{top}\t90\t20\t{confidence}\t{word}\n");
            table.push_str(&of_word);
        }
    }
    table
}

/// Returns a file that begins and ends as a PNG.
pub(crate) fn png(size: usize) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".to_vec(), vec![7; size], b"IEND\xae\x42\x60\x82".to_vec()].concat()
}

async fn ocr(State((reads, requests)): State<Script>, headers: HeaderMap, body: Bytes) -> Response {
    requests.lock().await.push((headers, body));
    match reads {
        OcrBehaviour::Table(table) => ([("x-ocr-engine", "tesseract 9.9.9")], table).into_response(),
        OcrBehaviour::Status(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        OcrBehaviour::Hangs => std::future::pending().await,
        OcrBehaviour::Endless => {
            let spaces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![b' '; 64 << 10])));
            Body::from_stream(spaces).into_response()
        }
        OcrBehaviour::BreaksOff => {
            // The first piece is large enough to be sent at once.
            let spaces = Ok(Bytes::from(vec![b' '; 1 << 20]));
            let pieces = stream::iter([spaces, Err(std::io::Error::other("broken"))]).then(async |piece| {
                tokio::task::yield_now().await;
                piece
            });
            Body::from_stream(pieces).into_response()
        }
    }
}
