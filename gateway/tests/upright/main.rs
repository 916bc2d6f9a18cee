//! What the gateway stands: strangers, failing model servers, broken connections, its own end.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of a test fail it")]

mod certificates;
mod connections;
#[path = "../http/fake_vllm.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod fake_vllm;
#[cfg(target_os = "linux")]
mod given_back;
mod hosts;
mod idle;
mod leases;
mod leavers;
mod many;
mod memory;
mod model_answers;
mod model_lists;
mod model_server;
mod open_lines;
mod process;
mod replicas;
mod revoked;
mod served;
mod server_key;
mod shutdown;
mod strangers;
mod traces;
