//! `exec`: one of a closed list of looks on the host or in a container. No shell, no arguments, nothing changes.

use serde_json::{Value, json};

use super::ServiceName;
use crate::{
    apply::command::{self, LOOK_SECONDS},
    failure::Failure,
    report::Report,
    script::{Action, Diagnostic},
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// What to look at (default: list what there is)
    #[arg(value_name = "NAME", value_parser = diagnostic)]
    diagnostic: Option<Diagnostic>,
    /// In whose container: only for processes
    #[arg(long, value_enum, requires = "diagnostic")]
    service: Option<ServiceName>,
}

impl Args {
    /// Asks for the list of names, for which nothing else has to be there.
    pub(super) const fn is_for_the_list(&self) -> bool {
        self.diagnostic.is_none()
    }
}

/// A name of the list.
fn diagnostic(text: &str) -> Result<Diagnostic, String> {
    Diagnostic::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Diagnostic::ALL.iter().map(|one| one.name()).collect();
        format!("exec runs no command but one of these: {}", names.join(", "))
    })
}

pub(super) fn list(report: &Report) {
    let all: Vec<Value> = Diagnostic::ALL
        .iter()
        .map(|one| json!({"name": one.name(), "shows": one.shows(), "takes_service": one.takes_service()}))
        .collect();
    report.result(&json!({"diagnostics": all}));
    for one in Diagnostic::ALL {
        report.data(&format!("{:<16} {}", one.name(), one.shows()));
    }
    report.next("deployer exec NAME runs one.");
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let Some(diagnostic) = args.diagnostic else {
        list(site.report);
        return Ok(());
    };
    if args.service.is_some() && !diagnostic.takes_service() {
        return Err(Failure::usage(
            format!("{} is not asked of a service", diagnostic.name()),
            "Leave --service out; deployer exec lists what there is.",
        ));
    }
    super::running(site).await?;
    let action = Action::Diagnose { diagnostic, service: args.service.map(Into::into) };
    let report = command::run(site, "exec", &action, LOOK_SECONDS).await?;
    let Some(exit) = report.exit() else {
        return Err(super::refused_look(report, "deployer status shows what is there."));
    };
    for line in &report.last_log_lines {
        site.report.data(line);
    }
    if report.left_out() > 0 {
        site.report.warn(&format!("{} further lines are not shown", report.left_out()));
    }
    site.report.result(&json!({
        "diagnostic": diagnostic.name(),
        "service": args.service.map(|service| crate::script::Service::from(service).name()),
        "exit_status": exit,
        "output": report.last_log_lines,
        "left_out": report.left_out(),
    }));
    if exit != 0 {
        return Err(Failure::unchanged(report.message, "What it printed is above; deployer doctor looks at more."));
    }
    site.report.next("deployer exec lists what else there is to look at.");
    Ok(())
}
