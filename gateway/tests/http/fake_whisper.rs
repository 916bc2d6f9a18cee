//! A fake transcription server on a free port, which fails as a test says.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
};

/// What the server does with a recording.
#[derive(Clone, Debug)]
pub(crate) enum WhisperBehaviour {
    /// Answers with this text in one segment.
    Text(&'static str),
    /// Answers with this object.
    Answer(Value),
    /// Answers with these bytes.
    Bytes(&'static str),
    /// Answers with this status and text.
    Status(u16, &'static str),
    /// Never answers.
    Hangs,
    /// Sends spaces without end.
    Endless,
    /// Sends a space every 50 ms, without end.
    Slow,
    /// Closes the connection in the middle of an answer.
    BreaksOff,
    /// Answers once there is a permit.
    Waits(Arc<Semaphore>),
}

/// The address of the server, and the requests that it received.
pub(crate) struct FakeWhisper {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

#[derive(Clone)]
struct Script {
    hears: WhisperBehaviour,
    requests: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

pub(crate) async fn start(hears: WhisperBehaviour) -> FakeWhisper {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = Script { hears, requests: Arc::default() };
    let requests = Arc::clone(&script.requests);
    let router = Router::new()
        .route("/v1/audio/transcriptions", post(transcription))
        .layer(DefaultBodyLimit::disable())
        .with_state(script);
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    FakeWhisper { address, requests }
}

/// Returns an answer with one segment.
pub(crate) fn answer(text: &str) -> Value {
    json!({"task": "transcribe", "text": text, "segments": [
        {"id": 0, "start": 0.0, "end": 1.0, "text": text, "avg_logprob": -0.1, "no_speech_prob": 0.01}]})
}

/// Returns a WAV file of silence, 16 kHz, 16 bits, one channel.
pub(crate) fn wav(seconds: u32) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\x00\x7d\0\0\x02\0\x10\0data".to_vec();
    bytes.extend((seconds * 32_000).to_le_bytes());
    bytes.resize(bytes.len() + seconds as usize * 32_000, 0);
    bytes
}

/// Returns a form with a file, and its media type.
pub(crate) fn form(file: &[u8]) -> (&'static str, Vec<u8>) {
    let head = b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
    ("multipart/form-data; boundary=XX", [head, file, b"\r\n--XX--\r\n"].concat())
}

async fn transcription(State(script): State<Script>, headers: HeaderMap, body: Bytes) -> Response {
    script.requests.lock().await.push((headers, body));
    let json = |text: String| ([("content-type", "application/json")], text).into_response();
    let stream =
        |pieces: stream::BoxStream<'static, Result<Bytes, Infallible>>| Body::from_stream(pieces).into_response();
    match script.hears {
        WhisperBehaviour::Text(text) => json(answer(text).to_string()),
        WhisperBehaviour::Answer(value) => json(value.to_string()),
        WhisperBehaviour::Bytes(bytes) => json(bytes.to_owned()),
        WhisperBehaviour::Status(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        WhisperBehaviour::Hangs => std::future::pending().await,
        WhisperBehaviour::Endless => stream(stream::repeat_with(|| Ok(Bytes::from(vec![b' '; 64 << 10]))).boxed()),
        WhisperBehaviour::Slow => stream(
            stream::repeat(())
                .then(async |()| {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(Bytes::from_static(b" "))
                })
                .boxed(),
        ),
        WhisperBehaviour::BreaksOff => {
            // The first piece is large enough to be sent at once.
            let spaces = Ok(Bytes::from(vec![b' '; 1 << 20]));
            let pieces = stream::iter([spaces, Err(std::io::Error::other("broken"))]).then(async |piece| {
                tokio::task::yield_now().await;
                piece
            });
            Body::from_stream(pieces).into_response()
        }
        WhisperBehaviour::Waits(permits) => {
            permits.acquire().await.unwrap().forget();
            json(answer("Well.").to_string())
        }
    }
}
