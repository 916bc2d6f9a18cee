//! What the `deployer` command is made of. One box, one stack, one operator at a time; no SSH, no surprise.

pub mod apply;
pub mod approval;
pub mod attestation;
pub mod aws;
mod child;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod cost;
mod exit;
mod failure;
mod forward;
pub mod hooks;
pub mod interrupt;
pub mod ledger;
pub mod plan;
pub mod policy;
pub mod report;
pub mod script;
mod secret;
pub mod site;
pub mod smoke;

pub use exit::Exit;
pub use failure::Failure;
pub use secret::Secret;
