//! A key that is taken out of the key file ends what it has open.

use std::time::Duration;

use gateway::access;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{
    fake_vllm::{Act, start},
    served::{Served, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma.";

/// A gateway with two keys, and the file that they stand in.
struct Guarded {
    served: Served,
    file: NamedTempFile,
    leaves: String,
    stays: String,
}

impl Guarded {
    async fn start(mut settings: gateway::config::Settings) -> Self {
        let (leaves, stays) = ("l".repeat(32), "s".repeat(32));
        let file = NamedTempFile::new().unwrap();
        let lines = [("leaves", &leaves), ("stays", &stays)].map(|(name, key)| access::line_for(name, key).unwrap());
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        settings.auth_keys_file = Some(file.path().to_owned());
        Self { served: Served::ready(settings).await, file, leaves, stays }
    }

    /// What an operator does: takes the key out, and sends SIGHUP.
    async fn revoke(&self) {
        std::fs::write(self.file.path(), access::line_for("stays", &self.stays).unwrap()).unwrap();
        assert_eq!(self.served.app.keys.as_ref().unwrap().reload().await.unwrap(), 1);
    }
}

/// Lines on a connection that stays open.
struct Lines(BufReader<TcpStream>);

impl Lines {
    async fn open(guarded: &Guarded, key: &str) -> Self {
        let mut stream = TcpStream::connect(guarded.served.address).await.unwrap();
        let head = format!(
            "POST /api/v1/extract/batch HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\
             Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    async fn send(&mut self) {
        let line = format!("{}\n", json!({"text": NOTE}));
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        self.0.get_mut().write_all(chunk.as_bytes()).await.unwrap();
    }

    /// The next outcome.
    async fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            let read = tokio::time::timeout(Duration::from_mins(1), read).await.unwrap().unwrap();
            assert_ne!(read, 0, "the answer ended before");
            if line.starts_with('{') {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_open_end_with_401_and_those_of_other_keys_go_on() {
    let guarded = Guarded::start(gateway::config::Settings::default()).await;
    let mut leaves = Lines::open(&guarded, &guarded.leaves).await;
    let mut stays = Lines::open(&guarded, &guarded.stays).await;
    for lines in [&mut leaves, &mut stays] {
        lines.send().await;
        assert_eq!(lines.next().await["status"], 200);
    }
    guarded.revoke().await;
    let last = leaves.next().await;
    assert_eq!((&last["status"], &last["ends"], &last["index"]), (&json!(401), &json!(true), &json!(1)), "{last}");
    assert!(last["error"]["detail"].as_str().unwrap().contains("taken out of the key file"), "{last}");
    let mut rest = String::new();
    let _ = tokio::time::timeout(Duration::from_mins(1), leaves.0.read_to_string(&mut rest)).await.unwrap();
    assert!(!rest.contains("status"), "{rest}");
    stays.send().await;
    assert_eq!(stays.next().await["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_ends_with_401() {
    let fake = start(vec![Act::Hang]).await;
    let batch = json!({"notes": [{"text": NOTE}, {"text": NOTE}, {"text": NOTE}]}).to_string();
    let one = json!({"text": NOTE}).to_string();
    let lines = format!("{}\n", json!({"text": NOTE}));
    for (path, kind, body, expected) in [
        ("", "application/json", &one, 1),
        ("/stream", "application/json", &one, 1),
        ("/batch", "application/json", &batch, 3),
        ("/batch", "application/x-ndjson", &lines, 1),
    ] {
        let mut settings = with_model(&[fake.address]);
        settings.admission.in_flight = 1;
        let guarded = Guarded::start(settings).await;
        let served = &guarded.served;
        let url = format!("http://{}/api/v1/extract{path}", served.address);
        let request = served.client.post(url).header("content-type", kind).bearer_auth(&guarded.leaves);
        let answer = tokio::spawn(request.body(body.clone()).send());
        until("a note is at the model", async || served.app.pipeline.admission().counts().in_flight == 1).await;
        guarded.revoke().await;
        let text = tokio::time::timeout(Duration::from_mins(1), async { answer.await.unwrap().unwrap().text().await });
        let text = text.await.unwrap().unwrap();
        assert_eq!(text.matches("\"code\":\"unauthorized\"").count(), expected, "{path} {kind}: {text}");
        // The place at the model is free again.
        until("nothing is at the model", async || served.app.pipeline.admission().counts().in_flight == 0).await;
    }
}
