//! `gateway extract` as a user runs it: the built program, real files, real signals, a real gateway and a fake one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of a test fail it")]

mod command;
mod ends;
mod fake_gateway;
#[path = "../http/fake_vllm.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod fake_vllm;
mod inputs;
mod model;
mod outputs;
mod resume;
mod server;
