//! Calls the transcription server: `POST /v1/audio/transcriptions` of OpenAI's API, as vLLM and others have it.

use std::sync::Arc;

use reqwest::{Client, Response, header};
use url::Url;

use super::{DictationError, audio::AudioFormat, vocabulary::PROMPT};
use crate::{extraction::Deadline, server_key::ServerKey, tls};

/// Size limit of an answer, in bytes. A server that sends without end costs no more.
const LARGEST_ANSWER: usize = 4 << 20;
const PATH: &str = "/v1/audio/transcriptions";

/// A transcription server.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client,
    url: Url,
    key: Option<Arc<ServerKey>>,
    model: String,
    language: String,
}

impl Upstream {
    pub(super) fn new(
        base: &Url,
        key: Option<Arc<ServerKey>>,
        model: String,
        language: String,
    ) -> Result<Self, reqwest::Error> {
        let mut url = base.clone();
        url.set_path(&[base.path().trim_end_matches('/'), PATH].concat());
        Ok(Self { client: tls::client_builder(&url).build()?, url, key, model, language })
    }

    pub(super) fn key(&self) -> Option<Arc<ServerKey>> {
        self.key.clone()
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn language(&self) -> &str {
        &self.language
    }

    /// Sends a recording and returns the body of the answer.
    pub(super) async fn transcribe(
        &self,
        audio: &[u8],
        format: AudioFormat,
        request_id: &str,
        deadline: Deadline,
    ) -> Result<Vec<u8>, DictationError> {
        let (boundary, body) = self.form(audio, format);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header("x-request-id", request_id)
            .body(body);
        if let Some(key) = &self.key {
            request = key.authorise(request);
        }
        let answered = async {
            let response = request.send().await.map_err(|_| DictationError::Unavailable)?;
            let status = response.status().as_u16();
            if status != 200 {
                tracing::warn!(request_id, upstream_status = status, "the transcription server answered an error");
            }
            match status {
                200 => read(response).await.ok_or(DictationError::Failed),
                429 => Err(DictationError::Overloaded),
                503 => Err(DictationError::Unavailable),
                400..500 => Err(DictationError::Rejected),
                _ => Err(DictationError::Failed),
            }
        };
        deadline.bound(answered).await.unwrap_or(Err(DictationError::DeadlineExceeded))
    }

    /// Returns the boundary and the body of the form.
    fn form(&self, audio: &[u8], format: AudioFormat) -> (String, Vec<u8>) {
        // 128 random bits do not occur in a recording.
        let boundary = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let mut body = Vec::with_capacity(audio.len() + (2 << 10));
        for (name, value) in [
            ("model", self.model.as_str()),
            ("language", &self.language),
            ("prompt", &PROMPT),
            ("response_format", "verbose_json"),
            ("timestamp_granularities[]", "segment"),
            ("temperature", "0"),
        ] {
            let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let (file, kind) = (format.file_name(), format.media_type());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\
             Content-Type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(audio);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (boundary, body)
    }
}

/// Returns the body of a response; none if it is too large or breaks off.
async fn read(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}
