//! The scripts themselves, run by real bash on a host of shims.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod autostop_hours;
mod autostops;
mod boxes;
mod cut_off;
mod deploys;
mod diagnose;
mod expected;
mod failures;
mod keys;
mod long_steps;
mod looks;
mod models;
mod models_cut_off;
mod power;
mod prune;
mod rollbacks;
mod secrets;
mod switches;
mod text;
mod tls;
mod tools;
mod values;
