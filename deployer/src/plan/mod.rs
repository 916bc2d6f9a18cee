//! What would be done, from what is wanted and what is there. Pure: it looks at nothing and changes nothing.

mod autostop;
mod up;
mod work;

pub use autostop::{AutostopStep, of_autostop};
pub use up::{Known, Limits, Now, Outage, Part, Serving, UpPlan, Wanted, of_up};
pub use work::{Plan, Work};

#[cfg(test)]
mod tests;
