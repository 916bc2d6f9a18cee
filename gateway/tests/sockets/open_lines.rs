//! A batch of lines on an open connection: the test sends a note, reads its answer, and sends the next.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A batch of lines whose body the client has not ended.
pub(crate) struct OpenLines(BufReader<TcpStream>);

impl OpenLines {
    pub(crate) async fn begin(address: SocketAddr, key: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/v1/extract/batch HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\
             Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, line: &Value) {
        let line = format!("{line}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        self.0.get_mut().write_all(chunk.as_bytes()).await.unwrap();
    }

    /// Returns the next outcome, waiting for at most a minute.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            let read = tokio::time::timeout(Duration::from_mins(1), read).await.unwrap().unwrap();
            assert_ne!(read, 0, "the answer ended before the next outcome");
            if line.starts_with('{') {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }

    /// Returns the rest of the answer.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = String::new();
        let _ = tokio::time::timeout(Duration::from_mins(1), self.0.read_to_string(&mut rest)).await.unwrap();
        rest
    }
}
