//! Takes the recording out of a request: the part `file` of a form, as clients of OpenAI's API send it, or the body
//! itself, declared as sound.

use std::convert::Infallible;

use axum::{
    body::Bytes,
    http::{HeaderMap, header},
};
use futures_util::stream;

use super::{
    error::{ErrorCode, Problem, Violation},
    media,
};

/// Bytes of a form around its file.
pub(super) const FORM_OVERHEAD: usize = 16 << 10;
/// The part of the form with the recording.
const FILE: &str = "file";
/// Longest other part, in bytes.
const LONGEST_TERM: usize = 256;
const ACCEPTED: &str = "multipart/form-data, audio/wav, audio/mpeg, audio/webm";
const WRONG_TYPE: &str = "Send the recording as the part `file` of a multipart/form-data, or as the body with Content-Type: \
                          audio/wav, audio/mpeg or audio/webm.";
const COMPRESSED: &str = "Send the recording without Content-Encoding: sound is compressed already.";
const OTHER_SITE: &str = "This service has no keys, so it takes no form from a page of another site. Send the recording as \
                          the body, with Content-Type: audio/webm, audio/mpeg or audio/wav.";

/// How a request holds its recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordingFormat {
    /// A form with this boundary.
    Form(String),
    /// The body.
    Body,
}

impl RecordingFormat {
    /// Returns how the recording is sent, by the head of the request. `with_keys`: a page of another site has no key, so
    /// where there are keys a form may come from anywhere.
    pub(super) fn of(headers: &HeaderMap, with_keys: bool, id: &str) -> Result<Self, Box<Problem>> {
        let refused = |detail: &str, name, value| {
            Box::new(ErrorCode::UnsupportedMediaType.problem(id).with_detail(detail).with_accepted(name, value))
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if headers.contains_key(header::CONTENT_ENCODING)
            && !text(header::CONTENT_ENCODING).eq_ignore_ascii_case("identity")
        {
            return Err(refused(COMPRESSED, header::ACCEPT_ENCODING, "identity"));
        }
        let declared = text(header::CONTENT_TYPE);
        let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind == "multipart/form-data" {
            if !with_keys && !media::is_from_own_page(headers) {
                return Err(refused(OTHER_SITE, header::ACCEPT, ACCEPTED));
            }
            let boundary = multer::parse_boundary(declared);
            return boundary.map(Self::Form).map_err(|_| refused(WRONG_TYPE, header::ACCEPT, ACCEPTED));
        }
        // Recorders declare `video/webm` for sound too. The bytes decide.
        let is_body = kind.starts_with("audio/") || matches!(&*kind, "video/webm" | "application/octet-stream");
        if is_body { Ok(Self::Body) } else { Err(refused(WRONG_TYPE, header::ACCEPT, ACCEPTED)) }
    }

    /// Returns the recording of a body. What a form asks for beside it must be what is done anyway.
    pub(super) async fn take(self, body: Bytes, terms: &FormTerms<'_>) -> Result<Bytes, Violation> {
        match self {
            Self::Body => Ok(body),
            Self::Form(boundary) => file_of(body, boundary, terms).await,
        }
    }
}

/// How recordings are transcribed. A client of OpenAI's API names some of it in its form, the model always.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormTerms<'a> {
    pub(super) model: &'a str,
    pub(super) language: &'a str,
}

impl FormTerms<'_> {
    /// Checks a part of the form beside the recording. No part is ignored.
    fn check(&self, name: &str, value: &str) -> Result<(), Violation> {
        let refused = |rule, message: &str| Err(violation(name, rule, message));
        match name {
            "model" if value == self.model => Ok(()),
            "model" => {
                refused("known_model", "This service transcribes with another model; GET /api/v1/models names it.")
            }
            "language" if value.eq_ignore_ascii_case(self.language) => Ok(()),
            "language" => {
                refused("known_language", "This service transcribes another language; GET /api/v1/models names it.")
            }
            "temperature" if value.trim().parse::<f64>().is_ok_and(|temperature| temperature == 0.0) => Ok(()),
            "temperature" => refused("range", "This service transcribes with `temperature` 0. Leave the part out."),
            "response_format" | "timestamp_granularities[]" | "include[]" => {
                refused("one_format", "The answer has one form, a transcript for review in JSON. Leave the part out.")
            }
            "stream" => refused("one_format", "The answer is never streamed. Leave the part out."),
            "prompt" => refused("own_vocabulary", "The vocabulary is a part of this service. Leave the part out."),
            _ => {
                let message =
                    "The form has a part other than `file`, `model`, `language` and `temperature`. Leave it out.";
                Err(violation("", "unknown_key", message))
            }
        }
    }
}

async fn file_of(body: Bytes, boundary: String, terms: &FormTerms<'_>) -> Result<Bytes, Violation> {
    let broken = |_| violation(FILE, "form", "The form is not complete multipart/form-data.");
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some(FILE) {
            let name = part.name().unwrap_or_default().to_owned();
            let value = part.bytes().await.map_err(broken)?;
            // A value that is too long or no text is none of those that are accepted.
            let value = std::str::from_utf8(&value).ok().filter(|value| value.len() <= LONGEST_TERM);
            terms.check(&name, value.unwrap_or_default())?;
            continue;
        }
        if file.is_some() {
            return Err(violation(FILE, "one", "The form has more than one `file`. Send one recording in a request."));
        }
        file = Some(part.bytes().await.map_err(broken)?);
    }
    file.ok_or_else(|| violation(FILE, "required", "The form has no `file`."))
}

pub(super) fn violation(field: &str, rule: &'static str, message: &str) -> Violation {
    Violation { field: field.to_owned(), rule, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_head_says_how_the_recording_is_sent() {
        use RecordingFormat::{Body, Form};
        for (kind, expected) in [
            ("audio/wav", Some(Body)),
            ("Audio/WebM;codecs=opus", Some(Body)),
            ("video/webm", Some(Body)),
            ("application/octet-stream", Some(Body)),
            ("multipart/form-data; boundary=abc", Some(Form("abc".to_owned()))),
            ("multipart/form-data; boundary=\"a b\"", Some(Form("a b".to_owned()))),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json", None),
            ("text/plain", None),
            ("", None),
        ] {
            let format = RecordingFormat::of(&headers(&[("content-type", kind)]), false, "id");
            assert_eq!(format.ok(), expected, "{kind}");
        }
        assert!(RecordingFormat::of(&HeaderMap::new(), false, "id").is_err());
        let zipped = headers(&[("content-type", "audio/wav"), ("content-encoding", "gzip")]);
        assert!(RecordingFormat::of(&zipped, false, "id").is_err());
    }

    #[test]
    fn a_page_of_another_site_sends_no_form_to_a_service_without_keys() {
        let from = |origin| {
            headers(&[
                ("content-type", "multipart/form-data; boundary=a"),
                ("origin", origin),
                ("host", "localhost:8080"),
            ])
        };
        for (origin, with_keys, expected) in [
            ("http://localhost:8080", false, true),
            ("https://evil.example", false, false),
            ("null", false, false),
            ("https://evil.example", true, true),
        ] {
            assert_eq!(RecordingFormat::of(&from(origin), with_keys, "id").is_ok(), expected, "{origin} {with_keys}");
        }
    }

    #[tokio::test]
    async fn a_form_has_one_file_and_only_what_is_done_anyway() {
        let part = |name: &str, value: &str| {
            format!("--a\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.mp4\"\r\n\r\n{value}\r\n")
        };
        let file = part("file", "sound");
        let with = |name: &str, value: &str| part(name, value) + &file + "--a--\r\n";
        let (long, end) = ("whisper-1".repeat(30), "--a--\r\n".to_owned());
        for (form, expected) in [
            (file.clone() + &end, Ok("sound")),
            (file.clone() + &part("model", "whisper-1") + &end, Ok("sound")),
            (with("model", "whisper-1"), Ok("sound")),
            (with("model", "whisper-2"), Err("known_model")),
            (with("model", ""), Err("known_model")),
            (with("model", &long), Err("known_model")),
            (with("language", "en"), Ok("sound")),
            (with("language", "de"), Err("known_language")),
            (with("temperature", "0.0"), Ok("sound")),
            (with("temperature", "0.2"), Err("range")),
            (with("temperature", "hot"), Err("range")),
            (with("response_format", "json"), Err("one_format")),
            (with("timestamp_granularities[]", "word"), Err("one_format")),
            (with("stream", "true"), Err("one_format")),
            (with("prompt", "EGFR"), Err("own_vocabulary")),
            (with("CANARY", "x"), Err("unknown_key")),
            (file.clone() + &file + &end, Err("one")),
            (part("model", "whisper-1") + &end, Err("required")),
            (end.clone(), Err("required")),
            (file.clone(), Err("form")),
            ("sound".to_owned(), Err("form")),
        ] {
            let terms = FormTerms { model: "whisper-1", language: "en" };
            let taken = RecordingFormat::Form("a".to_owned()).take(Bytes::from(form.clone()), &terms).await;
            let taken = taken.as_ref().map(|file| std::str::from_utf8(file).unwrap());
            assert!(!format!("{taken:?}").contains("CANARY"));
            assert_eq!(taken.map_err(|violation| violation.rule), expected, "{form}");
        }
    }
}
