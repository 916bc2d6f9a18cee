//! A model server whose certificate is not accepted, seen by the program itself.

use std::{
    io::{BufRead, Read},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection, pki_types::PrivateKeyDer};
use serde_json::Value;

use crate::process::Program;

/// Hands whoever comes to `serve`, and counts them.
fn accept(listener: TcpListener, serve: impl Fn(TcpStream) + Send + 'static) -> Arc<AtomicUsize> {
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
            counter.fetch_add(1, SeqCst);
        }
    });
    came
}

/// Made for this test, and for a host that is nowhere; it guards nothing.
const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.der");
const KEY: &[u8] = include_bytes!("tls/key.der");
const NAME_IN_CERTIFICATE: &str = "elsewhere.internal";

/// Begins TLS with whoever comes. The port, and how many came.
fn serve_tls() -> (u16, Arc<AtomicUsize>) {
    gateway::tls::install();
    let key = PrivateKeyDer::try_from(KEY).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![CERTIFICATE.into()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |mut stream: TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        // The caller breaks off when it sees the certificate.
        let _ = connection.complete_io(&mut stream);
        let _ = stream.read(&mut [0; 64]);
    };
    (port, accept(listener, serve))
}

/// A server that answers TLS with something else.
fn serve_no_tls() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    };
    (port, accept(listener, serve))
}

#[test]
fn a_certificate_that_is_not_accepted_is_said_at_once_and_once_and_without_a_name() {
    for ((port, came), word) in [(serve_tls(), "certificate"), (serve_no_tls(), "no TLS")] {
        let url = format!("https://localhost:{port}");
        let program = env!("CARGO_BIN_EXE_gateway");
        let mut program = Program::start(program, &["serve", "--engine", "vllm", "--vllm-url", &url]);
        // Until the fault is in the log; a line that never comes would keep the test here.
        let (mut lines, mut log) = (Vec::<String>::new(), program.log.take().unwrap());
        while !lines.iter().any(|line| line.contains("TLS with a model server")) {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "{lines:?}");
            lines.push(line);
        }
        let until = Instant::now() + Duration::from_secs(30);
        let mut codes = program.codes();
        while codes.1 != "upstream_unavailable" && Instant::now() < until {
            codes = program.codes();
        }
        assert_eq!(codes, (503, "upstream_unavailable".to_owned()), "{word}");
        // Some looks more say nothing more.
        let before = came.load(SeqCst);
        while came.load(SeqCst) < before + 3 {
            assert!(Instant::now() < until, "nobody looks at the server any more");
            std::thread::sleep(Duration::from_millis(2));
        }
        program.signal("TERM");
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        lines.extend(rest.lines().map(str::to_owned));
        let faults: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &Value| line["level"] == "ERROR")
            .collect();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0]["fault"].as_str().unwrap().contains(word), "{faults:?}");
        for line in &lines {
            for name in ["localhost", NAME_IN_CERTIFICATE, &port.to_string()] {
                assert!(!line.contains(name), "{name}: {line}");
            }
        }
    }
}
