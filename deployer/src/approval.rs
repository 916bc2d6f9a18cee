//! Asks the operator to approve a plan. Only an approved plan can be applied.

use crate::failure::RUN_AGAIN;
use crate::{
    console::Console,
    failure::Failure,
    interrupt::Interrupt,
    plan::{Operation, Plan},
};

/// A plan that was printed and approved. Only this type can be applied, and only [`approve`] and [`approve_all`] create
/// it.
#[derive(Clone, Debug)]
pub struct ApprovedPlan(Operation);

impl ApprovedPlan {
    /// Returns the approved operation.
    #[must_use]
    pub const fn operation(&self) -> &Operation {
        &self.0
    }
}

/// Prints a plan and waits for its approval: by `--yes`, or by an operator at a terminal. Returns an error without
/// either.
pub async fn approve(plan: Plan, yes: bool, console: &Console, interrupt: &Interrupt) -> Result<ApprovedPlan, Failure> {
    console.plan(&plan.lines);
    approval(yes, console, interrupt).await?;
    Ok(ApprovedPlan(plan.operation))
}

/// Prints the plans of several boxes, as `lines`, and waits for one approval of all of them.
pub async fn approve_all(
    plans: Vec<Plan>,
    lines: &[String],
    yes: bool,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Vec<ApprovedPlan>, Failure> {
    console.plan(lines);
    approval(yes, console, interrupt).await?;
    Ok(plans.into_iter().map(|plan| ApprovedPlan(plan.operation)).collect())
}

async fn approval(yes: bool, console: &Console, interrupt: &Interrupt) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !console.can_ask() {
        return Err(Failure::usage(
            "this plan needs approval, and there is no terminal to ask at; nothing was changed",
            "Run it again with --yes.",
        ));
    }
    tokio::select! {
        answer = console.ask("Continue?") => {
            if answer { Ok(()) } else { Err(Failure::unchanged("not approved; nothing was changed", RUN_AGAIN)) }
        }
        () = interrupt.wait() => Err(Failure::interrupted("interrupted before anything was changed", RUN_AGAIN)),
    }
}

#[cfg(test)]
impl ApprovedPlan {
    /// Approves an operation without asking. For tests of `apply`.
    pub(crate) fn in_a_test(operation: Operation) -> Self {
        Self(operation)
    }
}
