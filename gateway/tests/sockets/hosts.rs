//! The host that a request names: a foreign web page must not be able to read answers of a gateway without keys.

use gateway::{access, config::Settings};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::served::Served;

const ROUTES: [&str; 11] = [
    "POST /api/v1/extract",
    "POST /api/v1/extract/batch",
    "POST /api/v1/extract/stream",
    "GET /",
    "GET /metrics",
    "GET /health?verbose=1",
    "GET /health",
    "GET /ui",
    "GET /docs/",
    "GET /openapi.json",
    "GET /nope",
];

/// Sends a request with this HTTP version and these header lines. Returns the status and the whole answer.
async fn send(served: &Served, route: &str, version: &str, lines: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let body = "{\"text\": \"Stage IV lung cancer.\"}";
    let head = format!(
        "{route} HTTP/{version}\r\n{lines}Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_an_unknown_host_is_refused_on_every_route() {
    let settings = Settings { allowed_hosts: vec!["gateway.example.org".parse().unwrap()], ..Settings::default() };
    let served = Served::ready(settings).await;
    for route in ROUTES {
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.nip.example", "other.example.org"] {
            let lines = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
            let (status, answer) = send(&served, route, "1.1", &lines).await;
            assert_eq!(status, 421, "{route} {host}: {answer}");
            assert!(answer.contains("host_not_allowed") && answer.contains("allowed_hosts"), "{answer}");
            assert!(!answer.contains("example"), "the answer does not repeat the host: {answer}");
        }
        for host in ["localhost:8080", "127.0.0.1", "[::1]:8080", "gateway:8080", "gateway.example.org", ""] {
            let (status, answer) = send(&served, route, "1.1", &format!("Host: {host}\r\n")).await;
            assert!((200..500).contains(&status) && ![400, 421].contains(&status), "{route} {host}: {answer}");
        }
    }
    // The host in the request target counts as well.
    let (status, _) = send(&served, "GET http://evil.example/metrics", "1.1", "Host: localhost\r\n").await;
    assert_eq!(status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_any_host_is_accepted() {
    let (key, file) = ("k".repeat(32), NamedTempFile::new().unwrap());
    std::fs::write(file.path(), access::line_for("page", &key).unwrap()).unwrap();
    let served = Served::ready(Settings { auth_keys_file: Some(file.path().to_owned()), ..Settings::default() }).await;
    for (lines, expected) in [("", 401), (&*format!("X-API-Key: {key}\r\n"), 200)] {
        let (status, answer) =
            send(&served, "POST /api/v1/extract", "1.1", &format!("Host: any.example\r\n{lines}")).await;
        assert_eq!(status, expected, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_names_one_host_and_is_at_most_64_kib_large() {
    let served = Served::ready(Settings::default()).await;
    let (fits, large) =
        (format!("X-Big: {}\r\n", "x".repeat(60 << 10)), format!("X-Big: {}\r\n", "x".repeat(70 << 10)));
    let many = format!("X-Part: {}\r\n", "x".repeat(7 << 10)).repeat(10);
    for (version, lines, expected, text) in [
        ("1.1", "Host: x\r\n".to_owned(), 200, "live"),
        ("1.1", String::new(), 400, "invalid_host"),
        ("1.1", "Host: x\r\nHost: x\r\n".to_owned(), 400, "invalid_host"),
        ("1.1", "Host: x@y\r\n".to_owned(), 400, "invalid_host"),
        ("1.0", String::new(), 200, "live"),
        ("1.0", "Host: x\r\nHost: y\r\n".to_owned(), 400, "invalid_host"),
        ("1.1", format!("Host: x\r\n{fits}"), 200, "live"),
        ("1.1", format!("Host: x\r\n{large}"), 431, ""),
        ("1.1", format!("Host: x\r\n{many}"), 431, ""),
    ] {
        let (status, answer) = send(&served, "GET /health/live", version, &lines).await;
        let shown: String = lines.chars().take(40).collect();
        assert!(status == expected && answer.contains(text), "{version} {shown:?}: {answer}");
    }
}
