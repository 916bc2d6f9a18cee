//! The names of a run: in the account's list of commands, and on the host.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{context::DeployContext, script::RunId};

/// Returns the script's name in the account's list of commands. It is unique, so that a command can be found again.
pub(super) fn name<P>(context: &DeployContext<'_, P>, action: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let operator: String = context
        .settings
        .operator
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "@._-".contains(*c))
        .take(40)
        .collect();
    format!("deployer {action} {operator} {now}")
}

/// Returns the id of a run in the host's facts. It is unique, so that a run can be distinguished from any other.
pub(super) fn run_id() -> RunId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    RunId::from_numbers(std::process::id(), now)
}
