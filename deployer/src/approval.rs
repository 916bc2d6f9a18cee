//! Approval: the only way from a plan to something that may be applied.

use crate::{
    failure::Failure,
    interrupt::Interrupt,
    plan::{Operation, Plan},
    report::Report,
};

/// A plan that was printed and approved. Nothing else can be applied, and nothing but [`approve`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedPlan(Operation);

impl ApprovedPlan {
    /// What was approved.
    #[must_use]
    pub const fn work(&self) -> &Operation {
        &self.0
    }
}

/// Prints a plan and has it approved: by `--yes`, or by a person at a terminal.
pub async fn approve(plan: Plan, yes: bool, report: &Report, interrupt: &Interrupt) -> Result<ApprovedPlan, Failure> {
    report.plan(&plan.lines);
    if yes {
        return Ok(ApprovedPlan(plan.work));
    }
    if !report.can_ask() {
        return Err(Failure::usage(
            "this plan needs approval, and there is no terminal to ask at; nothing was changed",
            "Run it again with --yes.",
        ));
    }
    tokio::select! {
        answer = report.ask("Go ahead?") => {
            if answer { Ok(ApprovedPlan(plan.work)) } else { Err(Failure::unchanged("not approved; nothing was changed", "Run it again when it fits.")) }
        }
        () = interrupt.wait() => Err(Failure::interrupted("interrupted before anything was changed", "Run it again when it fits.")),
    }
}

#[cfg(test)]
impl ApprovedPlan {
    /// For the tests of what applies plans.
    pub(crate) fn in_a_test(work: Operation) -> Self {
        Self(work)
    }
}
