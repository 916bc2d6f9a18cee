//! Parses the address to listen on, in the forms that people write. It looks up no names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Deserializer, de::Error};

/// Why a text is not an address to listen on. The message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// It is a URL.
    #[error("`{0}` is a URL: write the address alone, such as localhost:8080")]
    Url(String),
    /// It can be read as an IPv6 address without a port, so a port cannot be distinguished from the address.
    #[error("`{0}` lacks a port, or brackets around the IPv6 address before it: write it as in [::1]:8080")]
    NoBrackets(String),
    /// It has no port.
    #[error("`{0}` has no port: write {0}:8080")]
    NoPort(String),
    /// The port is not a port number.
    #[error("`{0}` is not a port: write a number from 0 (any free port) to 65535, such as localhost:8080 or 8080")]
    Port(String),
    /// The host is neither an address nor `localhost`.
    #[error(
        "`{0}` is not an address of this machine: write localhost:{1} for this machine alone, 0.0.0.0:{1} for all of \
         its IPv4 addresses, [::]:{1} for all, or one address such as 192.168.1.5:{1}"
    )]
    Host(String, u16),
}

/// Parses `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` or `8080`.
///
/// Without a host only this machine can connect: a port alone must not open the service to a network.
pub fn listen_address(text: &str) -> Result<SocketAddr, ListenAddressError> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.contains("://") || text.contains('/') {
        return Err(ListenAddressError::Url(text.to_owned()));
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<Ipv6Addr>().is_ok() {
        return Err(ListenAddressError::NoBrackets(text.to_owned()));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some(parts) => parts,
        None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => ("", text),
        None => return Err(ListenAddressError::NoPort(text.to_owned())),
    };
    // A sign would be accepted as part of a number.
    let number = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    let port: u16 = number.ok_or_else(|| ListenAddressError::Port(port.to_owned()))?;
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    host.parse::<IpAddr>()
        .map(|address| SocketAddr::new(address, port))
        .map_err(|_| ListenAddressError::Host(host.to_owned(), port))
}

/// A setting as the file or the environment has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Setting {
    /// A port.
    Number(u64),
    Text(String),
}

/// Reads a setting with [`listen_address`].
pub(super) fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = match Setting::deserialize(from)? {
        Setting::Number(port) => port.to_string(),
        Setting::Text(text) => text,
    };
    listen_address(&text).map_err(D::Error::custom)
}

/// Reads a setting with [`listen_address`] that may be left out.
pub(super) fn optional_listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    listen(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::]:0", "[::]:0"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LocalHost:1", "127.0.0.1:1"),
            (":8080", "127.0.0.1:8080"),
            ("8080", "127.0.0.1:8080"),
            ("0", "127.0.0.1:0"),
            (" 65535 ", "127.0.0.1:65535"),
        ] {
            assert_eq!(listen_address(text).map(|address| address.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_to_write() {
        for (text, expected) in [
            ("http://localhost:8080", "localhost:8080"),
            ("localhost:8080/docs", "the address alone"),
            ("127.0.0.1", "write 127.0.0.1:8080"),
            ("localhost", "write localhost:8080"),
            ("::1", "[::1]:8080"),
            ("[fe80::2]", "lacks a port"),
            ("::1:8080", "brackets"),
            ("127.0.0.1:", "65535"),
            ("70000", "65535"),
            (":+80", "65535"),
            ("-1", "no port"),
            ("localhost:http", "65535"),
            ("gateway.example:8080", "0.0.0.0:8080"),
            ("*:8080", "0.0.0.0:8080"),
            ("256.0.0.1:8080", "not an address"),
            ("", "no port"),
        ] {
            let error = listen_address(text).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(expected)), "{text}: {error:?}");
        }
    }
}
