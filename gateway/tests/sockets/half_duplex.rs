//! Clients that send their whole batch before they read the answer, as urllib, requests and httpx do.

use std::{sync::Arc, time::Duration};

use bytesize::ByteSize;
use gateway::config::Settings;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    served::{Served, until, with_model},
};

/// Lines whose answers are more than the system buffers.
const LINES: usize = 12_000;

/// Longer than a busy machine needs: the client hangs.
const HANGS: Duration = Duration::from_mins(10);

/// Returns lines that are answered without an engine: their texts are empty. All together have 30 MB, and their answers 10.
fn refused_lines() -> String {
    let padding = " ".repeat(1_700);
    let line = |index| format!("{{\"id\": \"{index:🩺>200}\", \"text\": \"\"{padding}}}\n");
    (0..LINES).map(line).collect::<Vec<_>>().concat()
}

/// Sends a batch of lines in chunks, and reads nothing. Its receive buffer is the system's: with one of 64 KiB, as long as a
/// segment on loopback, Linux drops segments that it has room for no more, and both sides wait for retransmissions.
async fn send_all(served: &Served, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let sending = async {
        let head = "POST /api/v1/extract/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                    Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        for piece in body.as_bytes().chunks(1 << 20) {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
            stream.write_all(piece).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    };
    tokio::time::timeout(HANGS, sending).await.unwrap();
    stream
}

/// Reads the whole answer and returns its outcomes.
async fn read_all(mut stream: TcpStream) -> Vec<Value> {
    let mut answer = String::new();
    tokio::time::timeout(HANGS, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.ends_with("0\r\n\r\n"), "the answer broke off");
    let lines = answer.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_note_is_answered_or_the_last_line_says_why_not() {
    let body = refused_lines();
    for (spool, memory, most, end) in [
        (ByteSize::gib(1), ByteSize::mib(32), ByteSize::mib(64), None),
        (ByteSize::b(0), ByteSize::mib(128), ByteSize::mib(64), None),
        (ByteSize::b(0), ByteSize::mib(16), ByteSize::mib(64), Some("overloaded")),
        (ByteSize::gib(1), ByteSize::mib(32), ByteSize::mib(20), Some("body_too_large")),
    ] {
        let mut settings = Settings::default();
        settings.spool.bytes = spool;
        settings.limits.memory = Some(memory);
        settings.limits.batch_bytes = most;
        let served = Served::ready(settings).await;
        let stream = send_all(&served, &body).await;
        // The bytes that were sent may still be in the system's buffers.
        until("the batch is kept where it belongs", async || {
            let (reserved, used) = (served.app.state.memory.reserved(), served.app.batch.spool.used());
            if spool.as_u64() > 0 {
                // 1 MiB and what has arrived since, and the buffer of the current lines.
                reserved < 8 << 20 && used > 8 << 20
            } else {
                reserved > 8 << 20 && used == 0
            }
        })
        .await;
        let outcomes = read_all(stream).await;
        let mut indices: Vec<u64> = outcomes.iter().map(|outcome| outcome["index"].as_u64().unwrap()).collect();
        indices.sort_unstable();
        assert!(indices.iter().copied().eq(0..indices.len() as u64));
        let last = outcomes.last().unwrap();
        assert_eq!(last["ends"].as_bool(), end.map(|_| true), "{last}");
        match end {
            None => assert_eq!(outcomes.len(), LINES),
            Some(code) => {
                assert_eq!(last["error"]["code"], code);
                assert!((LINES / 5..LINES).contains(&outcomes.len()), "{}", outcomes.len());
            }
        }
        until("memory and space are returned", async || {
            served.app.state.memory.reserved() == 0 && served.app.batch.spool.used() == 0
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_engine_does_not_keep_a_client_from_sending() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let served = Served::ready(with_model(&[fake.address])).await;
    let note = json!({"text": "Stage IV lung adenocarcinoma."}).to_string() + "\n";
    let stream = send_all(&served, &(note.repeat(60) + &refused_lines())).await;
    until("most of the batch waits", async || served.app.batch.spool.used() > 8 << 20).await;
    // The client disconnects: its notes are cancelled although the engine holds them.
    drop(stream);
    until("all is returned", async || {
        let (memory, spool) = (served.app.state.memory.reserved(), served.app.batch.spool.used());
        memory == 0 && spool == 0 && served.app.state.in_flight.running() == 0
    })
    .await;
}
