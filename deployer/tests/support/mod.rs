//! A host to run scripts on: real bash, with shims for docker, aws, curl, nvidia-smi, df and systemctl. Their state is
//! files in memory. They use neither the network nor files outside their folder.
#![allow(dead_code, unreachable_pub, reason = "each test suite uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

pub mod emulator;
pub mod host;
pub mod mutant;
pub mod mutant_table;
pub mod template;
pub mod wanted;
