//! The errors that a client can get, as RFC 9457 problem details. A client gets the sentence that stands here; the cause
//! goes to the log.

mod code;
mod problem;

pub use self::{
    code::ErrorCode,
    problem::{NestedProblem, Problem, Violation},
};
