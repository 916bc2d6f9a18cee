//! Tests of the built command with a fake gateway and a fake AWS, which record their requests. They use only loopback
//! and free ports.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod credentials;
mod format;
mod gateway;
mod http;
mod init;
mod laptop;
mod monitor;
mod policy;
mod smoke;
mod url;
