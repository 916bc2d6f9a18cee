//! The built command against a small gateway and a small AWS that write down what they were asked. No network but
//! loopback, no fixed port.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod credentials;
mod format;
mod gateway;
mod http;
mod init;
mod laptop;
mod policy;
mod smoke;
mod url;
