//! The library behind the `deployer` command: one box, one stack, one operator at a time, no SSH. The operator approves
//! each change before it happens.

pub mod apply;
pub mod approval;
pub mod attestation;
pub mod aws;
mod child;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod console;
pub mod context;
pub mod cost;
mod exit;
mod failure;
mod forward;
pub mod hooks;
mod http;
pub mod interrupt;
pub mod login;
pub mod monitor;
pub mod plan;
pub mod policy;
pub mod recorded_releases;
pub mod script;
mod secret;
pub mod smoke;
mod webhook;

pub use exit::Exit;
pub use failure::Failure;
pub use secret::Secret;
