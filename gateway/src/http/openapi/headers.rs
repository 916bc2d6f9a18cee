//! The headers of answers, by status.

use utoipa::openapi::{
    HeaderBuilder, ObjectBuilder, Response,
    schema::{SchemaType, Type},
};

/// A header: its name, the type of its value, a description.
type Row = (&'static str, Type, &'static str);

const RETRY_AFTER: Row = ("Retry-After", Type::Integer, "Seconds after which to try again.");
const WWW_AUTHENTICATE: Row = ("WWW-Authenticate", Type::String, "`Bearer`: how to send the key.");
const RATE_LIMIT: Row = (
    "RateLimit",
    Type::String,
    "The limit with the fewest notes left, with the number of notes left (`r`) and the seconds until more are free \
     (`t`); only if limits are set.",
);
const RATE_LIMIT_POLICY: Row = (
    "RateLimit-Policy",
    Type::String,
    "The limit that `RateLimit` reports: notes (`q`) in a window of seconds (`w`); only if limits are set.",
);
const ACCEPT: Row = ("Accept", Type::String, "The media types that are read, if that is the reason.");
const ACCEPT_ENCODING: Row =
    ("Accept-Encoding", Type::String, "The content codings that are read, if that is the reason.");
const ALLOW_LIMITS: [&str; 6] = [
    "/api/v1/extract",
    "/api/v1/extract/stream",
    "/api/v1/ask",
    "/api/v1/ask/stream",
    "/api/v1/transcribe",
    "/api/v1/scan",
];

/// Documents the headers that an answer of a route has with this status.
pub(super) fn add(response: &mut Response, path: &str, status: &str) {
    let of_status: &[Row] = match status {
        "200" if ALLOW_LIMITS.contains(&path) => &[RATE_LIMIT, RATE_LIMIT_POLICY],
        "401" => &[WWW_AUTHENTICATE],
        "415" => &[ACCEPT, ACCEPT_ENCODING],
        "429" => &[RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY],
        // `/health/ready` answers 503 with its state, and does not know when that will change.
        "503" if path.starts_with("/api/") => &[RETRY_AFTER],
        _ => &[],
    };
    for (name, kind, description) in of_status.iter().cloned() {
        let schema = ObjectBuilder::new().schema_type(SchemaType::Type(kind));
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
        response.headers.insert(name.to_owned(), header.into());
    }
}
