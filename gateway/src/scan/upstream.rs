//! Calls the OCR server: `POST /v1/ocr` with the scan as the body. The answer is the TSV of tesseract.

use bytes::Bytes;
use reqwest::{Client, Response, header};
use url::Url;

use super::{ScanError, format::ScanFormat};
use crate::{extraction::Deadline, memory::MemoryReservation, tls};

/// Size limit of an answer, in bytes. A server that sends without end costs no more.
const LARGEST_ANSWER: usize = 8 << 20;
/// Bytes of memory for each byte of an answer: the table, its words and lines, the marks, and the text in JSON. With one
/// letter on each line it is 12, with ordinary lines 5.
const COST: usize = 12;
const PATH: &str = "/v1/ocr";
/// The header in which the server names its program.
const ENGINE: &str = "x-ocr-engine";
const LONGEST_ENGINE: usize = 64;

/// An OCR server.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client,
    url: Url,
}

/// What the server says.
pub(super) struct OcrAnswer {
    pub(super) table: Vec<u8>,
    /// The program that read, as the server names it.
    pub(super) engine: Option<String>,
}

impl Upstream {
    pub(super) fn new(base: &Url) -> Result<Self, reqwest::Error> {
        let mut url = base.clone();
        url.set_path(&[base.path().trim_end_matches('/'), PATH].concat());
        Ok(Self { client: tls::client_builder(&url).build()?, url })
    }

    /// Sends a scan and returns the answer.
    pub(super) async fn read(
        &self,
        scan: Bytes,
        format: ScanFormat,
        request_id: &str,
        deadline: Deadline,
        reservation: &mut MemoryReservation,
    ) -> Result<OcrAnswer, ScanError> {
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, format.media_type())
            .header("x-request-id", request_id)
            .body(scan);
        let answered = async {
            let response = request.send().await.map_err(|_| ScanError::Unavailable)?;
            let status = response.status().as_u16();
            if status != 200 {
                tracing::warn!(request_id, upstream_status = status, "the OCR server answered an error");
            }
            match status {
                200 => body_of(response, reservation).await,
                413 => Err(ScanError::TooLarge),
                422 => Err(ScanError::Unreadable),
                429 => Err(ScanError::Overloaded),
                503 => Err(ScanError::Unavailable),
                504 => Err(ScanError::DeadlineExceeded),
                400..500 => Err(ScanError::Rejected),
                _ => Err(ScanError::Failed),
            }
        };
        deadline.bound(answered).await.unwrap_or(Err(ScanError::DeadlineExceeded))
    }
}

/// Returns the answer in a response. An answer that is too large or breaks off has failed.
async fn body_of(mut response: Response, reservation: &mut MemoryReservation) -> Result<OcrAnswer, ScanError> {
    let engine = response.headers().get(ENGINE).and_then(|name| name.to_str().ok());
    let engine = engine.filter(|name| name.len() <= LONGEST_ENGINE).map(str::to_owned);
    let mut table = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| ScanError::Failed)? {
        if table.len() + chunk.len() > LARGEST_ANSWER {
            return Err(ScanError::Failed);
        }
        reservation.grow(chunk.len() * COST).map_err(|_| ScanError::NoMemory)?;
        table.extend_from_slice(&chunk);
    }
    Ok(OcrAnswer { table, engine })
}
