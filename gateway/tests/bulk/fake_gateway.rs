//! A fake gateway that answers batches as a test says, and may close the connection in the middle of an answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use serde_json::{Value, json};

/// The answer to a batch.
pub(crate) enum Answer {
    /// These lines, one for each note.
    Lines(Vec<Value>),
    /// These lines; then the connection breaks, and no other connection is accepted.
    DiesAfter(Vec<Value>),
    /// A problem for the whole batch: status, further headers, body.
    Refused(u16, &'static str, Value),
}

pub(crate) struct FakeGateway {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    serving: Option<JoinHandle<Vec<usize>>>,
}

/// Returns the line of a note that was read.
pub(crate) fn read(index: usize) -> Value {
    json!({"id": null, "index": index, "status": 200, "result": {
        "cancer_type": "colon cancer", "stage": null, "gene_mutation": null, "biomarker": null, "treatment": null,
        "response": null, "metastasis_site": null, "engine": "vllm", "warnings": [], "evidence": {}}})
}

/// Returns the line of a note that was not read.
pub(crate) fn refused(index: usize, status: u16, code: &str, retry_after: Option<u64>) -> Value {
    let mut error = json!({"title": "No", "status": status, "detail": "Not now.", "code": code});
    if let Some(seconds) = retry_after {
        error["retry_after"] = seconds.into();
    }
    json!({"id": null, "index": index, "status": status, "error": error})
}

impl FakeGateway {
    /// Starts a gateway that serves one connection after the other. `answer` gets the number of the batch, from 0, and
    /// its notes.
    pub(crate) fn start(mut answer: impl FnMut(usize, &[Value]) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let serving = std::thread::spawn(move || {
            let mut sizes = Vec::new();
            for stream in listener.incoming() {
                if stop.load(SeqCst) {
                    break;
                }
                if !serve(stream.unwrap(), &mut sizes, &mut answer) {
                    break;
                }
            }
            sizes
        });
        Self { address, stopped, serving: Some(serving) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the gateway and returns the number of notes of each batch.
    pub(crate) fn sizes(mut self) -> Vec<usize> {
        self.stopped.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        self.serving.take().unwrap().join().unwrap()
    }
}

/// Serves one request of one connection. Returns false if the gateway is to stop.
fn serve(stream: TcpStream, sizes: &mut Vec<usize>, answer: &mut impl FnMut(usize, &[Value]) -> Answer) -> bool {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or(0) < 3 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut out = stream;
    if head.starts_with("GET /health/live ") {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").unwrap();
        return true;
    }
    if head.is_empty() {
        return true;
    }
    assert!(head.starts_with("POST /api/v1/extract/batch HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("application/x-ndjson"), "{head}");
    let mut body = vec![0; length];
    input.read_exact(&mut body).unwrap();
    let notes: Vec<Value> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    sizes.push(notes.len());
    let (lines, dies) = match answer(sizes.len() - 1, &notes) {
        Answer::Lines(lines) => (lines, false),
        Answer::DiesAfter(lines) => (lines, true),
        Answer::Refused(status, headers, body) => {
            let body = body.to_string();
            let head =
                format!("HTTP/1.1 {status} No\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            out.write_all(format!("{head}{body}").as_bytes()).unwrap();
            return true;
        }
    };
    out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").unwrap();
    for line in lines {
        let line = format!("{line}\n");
        out.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).unwrap();
    }
    if !dies {
        out.write_all(b"0\r\n\r\n").unwrap();
    }
    !dies
}
