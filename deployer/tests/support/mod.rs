//! A host to run scripts on: real bash, with shims for docker, aws, curl, nvidia-smi, df and systemctl whose state
//! is files in memory. Never a network, never a file outside its own folder.
#![allow(dead_code, unreachable_pub, reason = "every suite uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

pub mod emulator;
pub mod host;
pub mod mutant;
pub mod mutant_table;
pub mod wanted;
