//! Tests of the built `deployer` with a real Docker engine, for everything that the docker shim could get wrong. AWS is
//! the emulator, `docker` is the real client, and the images are small and come from a registry with a password.
//!
//! The host program has one compose project name, so one test runs at a time: `--test-threads=1`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, unreachable_pub, reason = "tests")]

mod cut_off;
mod daemon;
mod deployment;
mod engine;
mod exec;
mod failures;
mod full;
#[path = "../up/laptop.rs"]
#[expect(dead_code, reason = "each test suite uses a part of it")]
mod laptop;
mod models;
mod ordinary;
mod probes;
mod prune;
mod registry;

#[path = "../support/mod.rs"]
mod support;

use support::emulator::Emulator;
