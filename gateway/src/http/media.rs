//! The media type and the content coding of a request body, and the answer to a body that this service cannot read.

use axum::http::{HeaderMap, header};

use super::error::{ErrorCode, Problem};

/// The media types of lines, the preferred one first.
const LINES: [&str; 7] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
    "application/json-lines",
];
/// The content codings of [`Coding`], as `Accept-Encoding` names them.
const CODINGS: &str = "gzip, zstd, deflate";

const ONLY_JSON: &str = "Send the body as Content-Type: application/json.";
const JSON_OR_LINES: &str = "Send the notes as Content-Type: application/json or application/x-ndjson.";
const ONLY_LINES: &str = "Send the notes as Content-Type: application/x-ndjson, one JSON object per line.";
const UNKNOWN_CODING: &str = "The Content-Encoding of the body is not one that this service reads. Compress the body \
                              once, with gzip, zstd or deflate, or not at all.";

/// How a body holds its notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFormat {
    /// One JSON object: `application/json`, `text/json` and every type that ends with `+json`.
    Json,
    /// A JSON object per line: `application/x-ndjson` and its other names.
    Lines,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

/// The formats of a body that a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AcceptedFormats {
    Json,
    Lines,
    JsonOrLines,
}

impl BodyFormat {
    /// Returns the format that a request declares; none for any other media type. Parameters of the type are ignored.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if LINES.contains(&&*kind) {
            return Some(Self::Lines);
        }
        let is_json = matches!(&*kind, "application/json" | "text/json") || kind.ends_with("+json");
        is_json.then_some(Self::Json)
    }
}

impl Coding {
    /// Returns the coding of a body; none for a body that is not compressed. Fails for a coding that is not known, and
    /// for several codings.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, UnknownCoding> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(header::CONTENT_ENCODING) { Err(UnknownCoding) } else { Ok(None) };
        };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" if value.as_bytes().is_ascii() => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(UnknownCoding),
        }
    }
}

struct UnknownCoding;

impl AcceptedFormats {
    fn accepts(self, format: BodyFormat) -> bool {
        self == Self::JsonOrLines || self == if format == BodyFormat::Json { Self::Json } else { Self::Lines }
    }

    /// Returns the format and the coding of a body. Fails with status 415, which names what is accepted: the media types
    /// in `Accept`, or the codings in `Accept-Encoding` (RFC 9110, section 15.5.16).
    pub(super) fn check(self, headers: &HeaderMap, id: &str) -> Result<(BodyFormat, Option<Coding>), Box<Problem>> {
        let problem = |detail| ErrorCode::UnsupportedMediaType.problem(id).with_detail(detail);
        let text = (self == Self::Lines && is_own_text(headers)).then_some(BodyFormat::Lines);
        let Some(format) = BodyFormat::of(headers).or(text).filter(|&format| self.accepts(format)) else {
            let (detail, accept) = match self {
                Self::Json => (ONLY_JSON, "application/json"),
                Self::Lines => (ONLY_LINES, "application/x-ndjson"),
                Self::JsonOrLines => (JSON_OR_LINES, "application/json, application/x-ndjson"),
            };
            return Err(Box::new(problem(detail).with_accepted(header::ACCEPT, accept)));
        };
        let coding = Coding::of(headers).map_err(|UnknownCoding| {
            Box::new(problem(UNKNOWN_CODING).with_accepted(header::ACCEPT_ENCODING, CODINGS))
        })?;
        Ok((format, coding))
    }
}

/// Returns whether a body is plain text that no page of another site sends.
///
/// Generators and Swagger UI send lines as they are only if their type is `text/plain`; of a type with `json` in its name
/// they make one JSON string. But a browser lets a page of any site send plain text, without asking the service first.
fn is_own_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/plain") && is_from_own_page(headers)
}

/// Returns whether a request comes from no page, or from a page of this service.
pub(super) fn is_from_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    text(header::ORIGIN).is_none_or(|origin| {
        let origin_host = origin.split_once("://").map(|(_, host)| host);
        origin_host.is_some_and(|origin| text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(origin)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_lines_unless_a_page_of_another_site_sends_it() {
        for (origin, host, expected) in [
            (None, Some("localhost:8080"), true),
            (None, None, true),
            (Some("http://localhost:8080"), Some("localhost:8080"), true),
            (Some("https://LOCALHOST"), Some("localhost"), true),
            (Some("https://evil.example"), Some("localhost:8080"), false),
            (Some("http://localhost:9"), Some("localhost:8080"), false),
            (Some("null"), Some("localhost:8080"), false),
            (Some("https://evil.example"), None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "text/plain; charset=utf-8".parse().unwrap());
            for (name, value) in [(header::ORIGIN, origin), (header::HOST, host)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(AcceptedFormats::Lines.check(&headers, "id").is_ok(), expected, "{origin:?} {host:?}");
            assert!(
                AcceptedFormats::Json.check(&headers, "id").is_err()
                    && AcceptedFormats::JsonOrLines.check(&headers, "id").is_err()
            );
        }
    }

    #[test]
    fn media_types_and_codings_are_known_by_all_their_names() {
        use BodyFormat::{Json, Lines};
        let not_read = |header: &str| Err(header.to_owned());
        for (kind, coding, expected) in [
            ("application/json", None, Ok((Json, None))),
            ("Application/JSON; charset=utf-8", None, Ok((Json, None))),
            ("text/json", None, Ok((Json, None))),
            ("application/vnd.clinic.v1+json;a=b", None, Ok((Json, None))),
            ("application/x-ndjson", None, Ok((Lines, None))),
            ("application/ndjson", Some("GZIP"), Ok((Lines, Some(Coding::Gzip)))),
            ("application/jsonl; charset=utf-8", Some("x-gzip"), Ok((Lines, Some(Coding::Gzip)))),
            ("application/x-jsonlines", Some("zstd"), Ok((Lines, Some(Coding::Zstd)))),
            ("application/json", Some(" deflate "), Ok((Json, Some(Coding::Deflate)))),
            ("application/json", Some("identity"), Ok((Json, None))),
            ("application/json", Some("br"), not_read("accept-encoding")),
            ("application/json", Some("gzip, gzip"), not_read("accept-encoding")),
            ("application/json", Some("\u{e9}"), not_read("accept-encoding")),
            ("text/plain", None, not_read("accept")),
            ("text/plain", Some("gzip"), not_read("accept")),
            ("application/jsonx", None, not_read("accept")),
            ("application/x-www-form-urlencoded", None, not_read("accept")),
            ("", None, not_read("accept")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
            }
            let checked = AcceptedFormats::JsonOrLines.check(&headers, "id");
            let checked = checked.map_err(|problem| problem.accepted().unwrap().0.to_string());
            assert_eq!(checked, expected, "{kind} {coding:?}");
        }
        let mut headers = HeaderMap::new();
        assert!(AcceptedFormats::Json.check(&headers, "id").is_err());
        headers.insert(header::CONTENT_TYPE, "application/x-ndjson".parse().unwrap());
        assert!(
            AcceptedFormats::Json.check(&headers, "id").is_err()
                && AcceptedFormats::Lines.check(&headers, "id").is_ok()
        );
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(
            AcceptedFormats::Json.check(&headers, "id").is_ok()
                && AcceptedFormats::Lines.check(&headers, "id").is_err()
        );
        // Two codings in two lines.
        headers.append(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        headers.append(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(AcceptedFormats::Json.check(&headers, "id").is_err());
    }
}
