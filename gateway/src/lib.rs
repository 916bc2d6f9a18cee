//! Extracts seven structured oncology fields from a free-text note, each with its evidence.
//!
//! A request passes through: [`http`] -> [`extraction::Pipeline`] -> an [`extraction::Engine`]
//! ([`vllm`] or [`rules`]) -> parse -> ground -> answer.

pub mod access;
pub mod admission;
pub mod ask;
pub mod audit;
pub mod bulk;
pub mod config;
pub mod deadline;
pub mod dictation;
pub mod eval;
pub mod extraction;
pub mod files;
pub mod http;
pub mod in_flight;
pub mod jobs;
pub mod memory;
pub mod ocr;
mod own_program;
pub mod rate_limiter;
pub mod rate_limits;
pub mod readiness;
pub mod routing;
pub mod rules;
pub mod scan;
pub mod server;
pub mod server_key;
pub mod spool;
mod statics;
pub mod steps;
pub mod telemetry;
pub mod timeline;
pub mod tls;
pub mod ui;
pub mod vllm;
