//! Tests of a gateway on real sockets: unknown callers, failing model servers, broken connections, shutdown.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "the helpers of a test fail it")]

mod certificates;
mod connections;
#[path = "../http/fake_vllm.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod fake_vllm;
#[cfg(target_os = "linux")]
mod given_back;
mod half_duplex;
mod hosts;
mod http2;
mod idle;
mod jobs;
mod leases;
mod leavers;
mod many;
mod memory;
mod model_answers;
mod model_lists;
mod model_routing;
mod model_server;
mod ocr;
mod open_lines;
mod process;
mod replicas;
mod revoked;
mod served;
mod server_key;
mod shadow;
mod shutdown;
mod strangers;
mod traces;
