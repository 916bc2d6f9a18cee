//! Computes what a command would change, from the desired and the current state. Pure: reads and changes nothing.

mod autostop;
mod lock_holder;
mod up;
mod work;

pub use autostop::{AutostopStep, of_autostop};
pub use lock_holder::LockHolder;
pub use up::{CurrentState, DesiredState, HostState, Limits, Outage, ServiceChange, Serving, UpPlan, of_up};
pub use work::{Operation, Plan};

#[cfg(test)]
mod tests;
