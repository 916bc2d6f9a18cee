//! Checks that a test covers each safety measure in the host program. Each mutant removes one measure and must fail the
//! test that the table names: `cargo test -p deployer --test mutants check::`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../scripts/autostop_hours.rs"]
mod autostop_hours;
#[path = "../scripts/autostops.rs"]
mod autostops;
#[path = "../scripts/boxes.rs"]
mod boxes;
#[path = "../scripts/cut_off.rs"]
mod cut_off;
#[path = "../scripts/deploys.rs"]
mod deploys;
#[path = "../scripts/diagnose.rs"]
mod diagnose;
#[path = "../scripts/expected.rs"]
mod expected;
#[path = "../scripts/failures.rs"]
mod failures;
#[path = "../scripts/keys.rs"]
mod keys;
#[path = "../scripts/long_steps.rs"]
mod long_steps;
#[path = "../scripts/looks.rs"]
mod looks;
#[path = "../scripts/models.rs"]
mod models;
#[path = "../scripts/models_cut_off.rs"]
mod models_cut_off;
#[path = "../scripts/power.rs"]
mod power;
#[path = "../scripts/prune.rs"]
mod prune;
#[path = "../scripts/rollbacks.rs"]
mod rollbacks;
#[path = "../scripts/secrets.rs"]
mod secrets;
#[path = "../scripts/switches.rs"]
mod switches;
#[path = "../scripts/tls.rs"]
mod tls;
#[path = "../scripts/values.rs"]
mod values;

mod check;
