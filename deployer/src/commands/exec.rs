//! `exec`: runs one of a fixed list of diagnostics on the host or in a container. It offers no shell, takes no
//! arguments and changes nothing.

use serde_json::{Value, json};

use super::ServiceName;
use crate::{
    apply::command::{self, READ_ONLY_TIMEOUT_SECONDS},
    console::Console,
    context::{DeployContext, Ports},
    failure::Failure,
    script::{Action, Diagnostic},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The diagnostic to run (default: list all diagnostics)
    #[arg(value_name = "NAME", value_parser = diagnostic)]
    diagnostic: Option<Diagnostic>,
    /// The service in whose container the diagnostic runs; only for `processes`
    #[arg(long, value_enum, requires = "diagnostic")]
    service: Option<ServiceName>,
}

impl Args {
    /// Returns whether the list of diagnostics is asked for, which needs neither a configuration nor a host.
    pub(super) const fn is_for_the_list(&self) -> bool {
        self.diagnostic.is_none()
    }
}

/// Parses the name of a diagnostic.
fn diagnostic(text: &str) -> Result<Diagnostic, String> {
    Diagnostic::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Diagnostic::ALL.iter().map(|one| one.name()).collect();
        format!("exec runs only these commands: {}", names.join(", "))
    })
}

pub(super) fn list(console: &Console) {
    let all: Vec<Value> = Diagnostic::ALL
        .iter()
        .map(|one| json!({"name": one.name(), "shows": one.shows(), "takes_service": one.takes_service()}))
        .collect();
    console.result(&json!({"diagnostics": all}));
    for one in Diagnostic::ALL {
        console.data(&format!("{:<16} {}", one.name(), one.shows()));
    }
    console.next("deployer exec NAME runs one.");
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let Some(diagnostic) = args.diagnostic else {
        list(context.console);
        return Ok(());
    };
    if args.service.is_some() && !diagnostic.takes_service() {
        return Err(Failure::usage(
            format!("{} does not take a service", diagnostic.name()),
            "Omit --service; deployer exec lists the diagnostics.",
        ));
    }
    super::running(context).await?;
    let action = Action::Diagnose { diagnostic, service: args.service.map(Into::into) };
    let report = command::run(context, "exec", &action, READ_ONLY_TIMEOUT_SECONDS).await?;
    let Some(exit) = report.exit() else {
        return Err(super::read_only_failure(report, "deployer status shows the state of the host."));
    };
    for line in &report.last_log_lines {
        context.console.data(line);
    }
    if report.left_out() > 0 {
        context.console.warn(&format!("{} further lines are not shown", report.left_out()));
    }
    context.console.result(&json!({
        "diagnostic": diagnostic.name(),
        "service": args.service.map(|service| crate::script::Service::from(service).name()),
        "exit_status": exit,
        "output": report.last_log_lines,
        "left_out": report.left_out(),
    }));
    if exit != 0 {
        return Err(Failure::unchanged(report.message, "Its output is above; deployer doctor checks more."));
    }
    context.console.next("deployer exec lists the other diagnostics.");
    Ok(())
}
