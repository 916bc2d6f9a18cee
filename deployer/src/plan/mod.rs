//! Computes what a command would change, from the desired and the current state. Pure: reads and changes nothing.

mod autostop;
mod lock_holder;
mod up;
mod work;

pub use autostop::{AutostopStep, plan_autostop};
pub use lock_holder::LockHolder;
pub use up::{
    CurrentRelease, CurrentState, DesiredState, HostState, Outage, ServiceChange, TimeLimits, UpPlan, plan_up,
};
pub use work::{Operation, Plan};

#[cfg(test)]
mod tests;
