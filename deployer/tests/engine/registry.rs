//! A proxy between the host and the registry. It forwards everything until a test sets a fault.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// What the proxy does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Manner {
    /// Forwards it.
    Pass = 0,
    /// Refuses layers with 401, as if the login had expired after the manifest was read.
    Expired = 1,
    /// Closes the connection.
    Away = 2,
}

/// A running proxy. It ends with the process.
pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub address: String,
    manner: Arc<AtomicU8>,
    refused: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn before(registry: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (manner, refused) = (Arc::new(AtomicU8::new(Manner::Pass as u8)), Arc::new(AtomicUsize::new(0)));
        let (current, count, registry) = (Arc::clone(&manner), Arc::clone(&refused), registry.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (current, count, registry) = (Arc::clone(&current), Arc::clone(&count), registry.clone());
                // An error, such as a client that disconnects, affects only its own connection.
                thread::spawn(move || serve(client, current.load(SeqCst), &count, &registry));
            }
        });
        Self { address, manner, refused }
    }

    pub fn set(&self, manner: Manner) {
        self.manner.store(manner as u8, SeqCst);
    }

    /// Returns how many requests the proxy has refused with 401.
    pub fn refused(&self) -> usize {
        self.refused.load(SeqCst)
    }
}

/// Serves one request without a body. A pull makes no other requests.
fn serve(mut client: TcpStream, manner: u8, refused: &AtomicUsize, registry: &str) -> io::Result<()> {
    if manner == Manner::Away as u8 {
        return Ok(());
    }
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
        // Docker tries TLS first. Without this it would wait ten seconds for an answer to its handshake.
        if !head[0].is_ascii_uppercase() {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    if manner == Manner::Expired as u8 && path.contains("/blobs/") {
        refused.fetch_add(1, SeqCst);
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#;
        let length = body.len();
        return write!(
            client,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"registry\"\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }
    let mut server = TcpStream::connect(registry)?;
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    io::copy(&mut server, &mut client)?;
    Ok(())
}
