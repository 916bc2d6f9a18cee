//! Computes what a command would change, from the desired and the current state. Pure: reads and changes nothing.

mod autostop;
mod lock_holder;
mod operation;
mod up;

pub use autostop::{AutostopStep, plan_autostop};
pub use lock_holder::LockHolder;
pub use operation::{Operation, Plan};
pub use up::{
    CurrentRelease, CurrentState, DesiredState, HostState, Outage, ServiceChange, TimeLimits, UpDiff, up_diff,
};

#[cfg(test)]
mod tests;
