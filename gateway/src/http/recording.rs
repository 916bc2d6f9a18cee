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
/// The only part of the form.
const FILE: &str = "file";
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

    /// Returns the recording of a body.
    pub(super) async fn take(self, body: Bytes) -> Result<Bytes, Violation> {
        match self {
            Self::Body => Ok(body),
            Self::Form(boundary) => file_of(body, boundary).await,
        }
    }
}

async fn file_of(body: Bytes, boundary: String) -> Result<Bytes, Violation> {
    let broken = |_| violation(FILE, "form", "The form is not complete multipart/form-data.");
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some(FILE) {
            let message =
                "The form has a part other than `file`. Model, language and vocabulary are settings of the service.";
            return Err(violation("", "unknown_key", message));
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
    async fn a_form_has_one_file_and_nothing_else() {
        let part = |name: &str| {
            format!("--a\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.mp4\"\r\n\r\nsound\r\n")
        };
        let end = "--a--\r\n".to_owned();
        for (form, expected) in [
            (part("file") + &end, Ok("sound")),
            (part("file") + &part("file") + &end, Err("one")),
            (part("file") + &part("model") + &end, Err("unknown_key")),
            (end.clone(), Err("required")),
            (part("file"), Err("form")),
            ("sound".to_owned(), Err("form")),
        ] {
            let taken = RecordingFormat::Form("a".to_owned()).take(Bytes::from(form.clone())).await;
            let taken =
                taken.as_ref().map(|file| std::str::from_utf8(file).unwrap()).map_err(|violation| violation.rule);
            assert_eq!(taken, expected, "{form}");
        }
    }
}
