//! A model server whose certificate the gateway rejects, tested with the gateway's process.

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

/// Passes each connection to `serve` and returns the count of served connections.
fn accept(listener: TcpListener, serve: impl Fn(TcpStream) + Send + 'static) -> Arc<AtomicUsize> {
    let served = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&served);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
            counter.fetch_add(1, SeqCst);
        }
    });
    served
}

/// A certificate made for this test, for a host that does not exist. It protects nothing.
const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.der");
const KEY: &[u8] = include_bytes!("tls/key.der");
const NAME_IN_CERTIFICATE: &str = "elsewhere.internal";

/// Starts a server that begins TLS with each client. Returns its port and the count of connections.
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
        // The client closes the connection when it has seen the certificate.
        let _ = connection.complete_io(&mut stream);
        let _ = stream.read(&mut [0; 64]);
    };
    (port, accept(listener, serve))
}

/// Starts a server that answers a TLS handshake with plain HTTP. Returns its port and the count of connections.
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
fn a_tls_fault_is_logged_at_once_only_once_and_without_host_names() {
    for ((port, connections), word) in [(serve_tls(), "certificate"), (serve_no_tls(), "not use TLS")] {
        let url = format!("https://localhost:{port}");
        let program = env!("CARGO_BIN_EXE_gateway");
        let mut program = Program::start(program, &["serve", "--engine", "vllm", "--vllm-url", &url]);
        // Reads the log up to the fault, which the program may have logged before it listened. Without a fault the test
        // would wait here forever.
        let (mut lines, mut log) = (std::mem::take(&mut program.first_lines), program.log.take().unwrap());
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
        // Three more health checks log nothing more.
        let before = connections.load(SeqCst);
        while connections.load(SeqCst) < before + 3 {
            assert!(Instant::now() < until, "the gateway no longer checks the server");
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
