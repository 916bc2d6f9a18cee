//! Tests `gateway extract` as a user runs it: the built program, real files, real signals, a real gateway and a fake
//! one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic in a helper fails the test")]

mod carried;
mod command;
mod ends;
mod fake_gateway;
#[path = "../http/fake_vllm.rs"]
#[expect(dead_code, reason = "other tests use the rest of this shared file")]
mod fake_vllm;
mod formats;
mod inputs;
mod model;
mod outputs;
mod parquet;
mod patients;
mod pdf;
mod pdf_file;
mod refused;
mod resume;
mod reviewed;
mod select;
mod server;
mod shards;
mod tools;
