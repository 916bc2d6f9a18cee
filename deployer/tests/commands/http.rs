//! An HTTP server for tests, on the standard library alone. A dependency on axum would enable more features of the HTTP
//! crates, and the AWS crates, which compile for a quarter of an hour, would be compiled again with them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// A request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Lines `Name: value`, in the order of the request.
    headers: Vec<String>,
    pub(crate) body: String,
}

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lines `Name: value`.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Asked {
    /// Returns the value of a header, empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let named = |line: &&String| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.headers.iter().find(named).and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }

    /// Returns the whole request.
    pub(crate) fn text(&self) -> String {
        format!("{} {}\n{}\n\n{}", self.method, self.path, self.headers.join("\n"), self.body)
    }

    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut first = lines.first()?.split(' ').map(str::to_owned);
        let (method, path) = (first.next()?, first.next()?);
        let mut asked = Self { method, path, headers: lines.split_off(1), body: String::new() };
        let mut body = vec![0; asked.header("content-length").parse().unwrap_or_default()];
        reader.read_exact(&mut body).ok()?;
        asked.body = String::from_utf8(body).ok()?;
        Some(asked)
    }
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Self { status, headers: vec![format!("Content-Type: {kind}")], body: body.into() }
    }

    fn write(&self, mut stream: &TcpStream) {
        let (status, headers, length) = (self.status, self.headers.join("\r\n"), self.body.len());
        let text = format!(
            "HTTP/1.1 {status} X\r\n{headers}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{}",
            self.body
        );
        // The client may have disconnected.
        let _ = stream.write_all(text.as_bytes());
    }
}

/// Serves on a free port until the test ends, and returns the URL.
pub(crate) fn serve(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                if let Some(asked) = Asked::read(&stream) {
                    answer(&asked).write(&stream);
                }
            });
        }
    });
    url
}
