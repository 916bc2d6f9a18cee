//! Between the host and the registry: passes everything on until a test wants otherwise.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// What it does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Manner {
    /// Passes it on.
    Pass = 0,
    /// Refuses layers with 401: the login has ended since the manifest was read.
    Expired = 1,
    /// Ends the connection.
    Away = 2,
}

/// It ends with the process.
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
        let (now, count, registry) = (Arc::clone(&manner), Arc::clone(&refused), registry.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (now, count, registry) = (Arc::clone(&now), Arc::clone(&count), registry.clone());
                // A client that goes away is its own affair.
                thread::spawn(move || serve(client, now.load(SeqCst), &count, &registry));
            }
        });
        Self { address, manner, refused }
    }

    pub fn set(&self, manner: Manner) {
        self.manner.store(manner as u8, SeqCst);
    }

    /// So many requests got a 401 of ours.
    pub fn refused(&self) -> usize {
        self.refused.load(SeqCst)
    }
}

/// One request without a body, which is all that a pull makes.
fn serve(mut client: TcpStream, manner: u8, refused: &AtomicUsize, registry: &str) -> io::Result<()> {
    if manner == Manner::Away as u8 {
        return Ok(());
    }
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
        // Docker tries TLS first, and waits ten seconds for a server that says nothing to its greeting.
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
