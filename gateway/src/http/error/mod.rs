//! The errors that a client can get, as RFC 9457 problem details. A client gets the fixed sentence of the error code;
//! the cause goes to the log.

mod code;
mod problem;

pub use self::{
    code::ErrorCode,
    problem::{NestedProblem, Problem, Violation},
};
