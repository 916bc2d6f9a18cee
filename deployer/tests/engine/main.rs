//! The built `deployer` and a real Docker engine: AWS is the emulator, `docker` the real client, the images are small
//! ones behind a registry with a password. What a stand-in of ours could get wrong is looked at here.
//!
//! The host program's project has one name, so one test runs at a time: `--test-threads=1`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, unreachable_pub, reason = "tests")]

mod cut_off;
mod daemon;
mod engine;
mod exec;
mod failures;
mod full;
#[path = "../up/laptop.rs"]
#[expect(dead_code, reason = "every suite uses its own part of it")]
mod laptop;
mod ordinary;
mod probes;
mod prune;
mod registry;
mod site;

#[path = "../support/mod.rs"]
mod support;

use support::emulator::Emulator;
