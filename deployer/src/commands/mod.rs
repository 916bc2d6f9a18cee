//! The commands, one file each: what is asked for, what is looked at, what is printed. The work is done elsewhere.

mod attested;
mod autostop;
mod cost;
mod doctor;
mod down;
mod exec;
mod init;
mod key_changes;
mod keys;
mod logs;
mod plan;
mod policy;
mod port_forward;
mod prune;
mod releases;
mod restart;
mod rollback;
mod smoke;
mod status;
mod unlock;
mod up;
mod url;
mod versions;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;

use crate::{
    apply::{Applied, persistently},
    aws::{Aws, SecondFactor},
    cloud::{Cloud as _, CloudErrorKind},
    config::{self, ConfigFile, DEFAULT_PATH, Settings, login::Login},
    failure::Failure,
    interrupt::Interrupt,
    report::{Format, Report},
    script::{HostReport, Service},
    site::DeployContext,
};

/// Starts the GPU box, deploys the extraction stack on it, watches it, rolls it back and stops it.
///
/// Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 failed and nothing changed,
/// 2 usage or configuration, 3 failed and rolled back, 4 the host needs a person, 5 somebody else is at work,
/// 130 interrupted.
#[derive(Parser)]
#[command(name = "deployer", version)]
pub struct Cli {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// For whom to write
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fill in the configuration; make what is missing of parameters, the token's secret and a first API key
    Init(init::Args),
    /// Look for what a deploy lacks, and say how to mend it
    Doctor,
    /// Say what `up` would do
    Plan(plan::Args),
    /// Start the box where needed, deploy, verify; back to the release before if that fails
    Up(up::Args),
    /// Drain running work, stop the services, stop the box
    Down(down::Args),
    /// Show what is there
    Status(status::Args),
    /// Show the services' logs
    Logs(logs::Args),
    /// Run one of a closed list of looks on the host or in a container; without a name, list them
    Exec(exec::Args),
    /// Start a service again and verify
    Restart(restart::Args),
    /// List the last releases
    Releases,
    /// Go back to an earlier release and verify
    Rollback(rollback::Args),
    /// Take the lock from a run that is dead
    Unlock(unlock::Args),
    /// Stop the box by itself when it is idle
    Autostop(autostop::Args),
    /// Remove images, and models, that no kept release needs
    Prune(prune::Args),
    /// Add, revoke or list API keys, without an up
    Keys(keys::Args),
    /// Forward a local port to the gateway on the box, through Session Manager, until Ctrl-C
    PortForward(port_forward::Args),
    /// Print the line with the address that the Vercel route needs
    Url(url::Args),
    /// Ask the service from outside, as its clients do
    Smoke(smoke::Args),
    /// Say what the box costs: an hour, so far, at rest
    Cost,
    /// Print the IAM policies that are needed, and no more
    Policy(policy::Args),
}

/// A service that can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ServiceName {
    /// The gateway
    Gateway,
    /// The model server
    Vllm,
}

impl From<ServiceName> for Service {
    fn from(name: ServiceName) -> Self {
        match name {
            ServiceName::Gateway => Self::Gateway,
            ServiceName::Vllm => Self::Vllm,
        }
    }
}

impl Cli {
    /// For whom it writes.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }
}

/// Runs a command.
pub async fn run(cli: Cli, report: &Report, interrupt: &Interrupt) -> Result<(), Failure> {
    let command = match cli.command {
        Command::Init(args) => return init::run(&cli.config, report, interrupt, &args).await,
        Command::Policy(args) if args.is_for_the_program() => {
            policy::program(report);
            return Ok(());
        }
        Command::Policy(args) => return policy::run(&ConfigFile::read(&cli.config)?, report, &args),
        Command::Exec(args) if args.is_for_the_list() => {
            exec::list(report);
            return Ok(());
        }
        Command::Smoke(args) if args.says_where() => return smoke::run_there(report, interrupt, &args).await,
        command => command,
    };
    let written = ConfigFile::read(&cli.config)?;
    let aws = connect(&written.file.region, report).await?;
    let command = match command {
        Command::Doctor => return doctor::run(written, aws, report, interrupt).await,
        command => command,
    };
    let settings = resolve(&written, &aws, report, interrupt).await?;
    let ports = aws.with_host(&settings);
    let site = DeployContext { written, settings, ports, report, interrupt };
    match command {
        // They went their way above.
        Command::Doctor | Command::Init(_) | Command::Policy(_) => Ok(()),
        Command::Plan(args) => plan::run(&site, &args).await,
        Command::Up(args) => Box::pin(up::run(&site, &args)).await,
        Command::Down(args) => down::run(&site, &args).await,
        Command::Status(args) => status::run(&site, &args).await,
        Command::Logs(args) => logs::run(&site, &args).await,
        Command::Exec(args) => exec::run(&site, &args).await,
        Command::Restart(args) => restart::run(&site, &args).await,
        Command::Releases => releases::run(&site).await,
        Command::Rollback(args) => rollback::run(&site, &args).await,
        Command::Unlock(args) => unlock::run(&site, &args).await,
        Command::Autostop(args) => autostop::run(&site, &args).await,
        Command::Prune(args) => prune::run(&site, &args).await,
        Command::Keys(args) => keys::run(&site, &args).await,
        Command::PortForward(args) => port_forward::run(&site, &args).await,
        Command::Url(args) => url::run(&site, &args).await,
        Command::Smoke(args) => smoke::run(&site, &args).await,
        Command::Cost => cost::run(&site).await,
    }
}

/// The configuration with its references, whose parameters are asked for as long as that may help.
async fn resolve(written: &ConfigFile, aws: &Aws, report: &Report, interrupt: &Interrupt) -> Result<Settings, Failure> {
    let ask = async |name: &str| {
        let value = persistently(report, interrupt, async || aws.parameter(name).await).await?;
        Ok(value.flatten())
    };
    let settings = config::resolve(written, &ask, config::operator()).await;
    if interrupt.came() {
        return Err(Failure::interrupted(
            "interrupted while the references of the configuration were looked up; nothing was changed",
            "Run it again when it fits.",
        ));
    }
    settings
}

/// The account; where its role wants a code of a second factor, a person is asked for it.
async fn connect(region: &str, report: &Report) -> Result<Aws, Failure> {
    let Some(factor) = SecondFactor::wanted() else { return Ok(Aws::connect(region).await) };
    let login = Login::here();
    if !report.can_ask() {
        return Err(Failure::unchanged(login.matter("there is no terminal to ask at"), login.next()));
    }
    Aws::check(region, &factor).await?;
    let code = report.ask_line(&factor.question()).await;
    Aws::connect_with(region, factor, code.trim()).await.map_err(|error| {
        let next = match error.kind {
            CloudErrorKind::Denied => "Run this again with the next code of the device.".to_owned(),
            _ => error.hint(),
        };
        Failure::unchanged(login.matter(&error.to_string()), next)
    })
}

/// JSON that is data for a person, too.
fn written_out(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| {
        Failure::unchanged(format!("the answer could not be written as JSON: {error}"), "Report this.")
    })
}

/// The document of a command at whose end something serves.
fn served<P>(site: &DeployContext<'_, P>, applied: &Applied) {
    let Some(report) = &applied.report else { return };
    site.report.result(&json!({
        "outcome": report.outcome,
        "release": report.release,
        "images": {"gateway": report.images.gateway, "vllm": report.images.vllm},
        "url": applied.url,
        "message": report.message,
        "warnings": report.warnings,
        "autostop": applied.autostop,
    }));
}

/// A look that the host did not end well. It changed nothing.
fn refused_look(report: HostReport, next: &str) -> Failure {
    Failure { lines: report.last_log_lines, step: report.failed_step, ..Failure::unchanged(report.message, next) }
}

/// For commands that need a running host.
async fn running<P: crate::site::Ports>(site: &DeployContext<'_, P>) -> Result<(), Failure> {
    let instance = crate::apply::boot::look(site).await?;
    if instance.state != crate::cloud::State::Running {
        return Err(Failure::unchanged(
            format!("the box is {}; nothing was asked of it", instance.state),
            "deployer up starts it.",
        ));
    }
    if site.ports.agent(&instance.id).await? != crate::cloud::Agent::Online {
        return Err(Failure::unchanged(
            "the box runs, but its SSM agent does not answer; nothing was asked of it",
            "Wait a minute after a start; otherwise deployer doctor looks why.",
        ));
    }
    Ok(())
}
