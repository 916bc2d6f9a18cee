//! The commands, one file each: their arguments, the state that they read and the output that they print. The module
//! `apply` makes the changes.

mod attestations;
mod autostop;
mod boxes;
mod cost;
mod doctor;
mod down;
mod down_boxes;
mod exec;
mod init;
mod key_changes;
mod keys;
mod logs;
mod model;
mod monitor;
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
mod up_boxes;
mod url;
mod versions;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;

use boxes::Boxes;

use crate::failure::RUN_AGAIN;
use crate::{
    apply::{ApplyOutcome, with_retries},
    aws::{Aws, SecondFactor},
    cloud::{Cloud as _, CloudErrorKind},
    config::{self, ConfigFile, DEFAULT_PATH, Settings},
    console::{Console, Format},
    context::DeployContext,
    failure::Failure,
    interrupt::Interrupt,
    script::{HostReport, Service},
};

/// Starts the GPU box, deploys the extraction stack on it, watches it, rolls it back and stops it.
///
/// Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 failed and nothing changed,
/// 2 wrong usage or configuration, 3 failed and rolled back, 4 failed and an operator must check the host,
/// 5 another run holds the lock, 130 interrupted.
#[derive(Parser)]
#[command(name = "deployer", version)]
pub struct Cli {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// The output format
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    /// One box of several, by its instance id, for commands that read or change one box
    #[arg(long = "box", global = true, value_name = "INSTANCE_ID")]
    one_box: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fill in the configuration, and create missing SSM parameters, the token's secret and a first API key
    Init(init::Args),
    /// Check everything that a deploy needs, and say how to fix what is missing
    Doctor,
    /// Show what `up` would change
    Plan(plan::Args),
    /// Start the box if needed, deploy and verify; return to the previous release if that fails
    Up(up::Args),
    /// Wait for running work to end, then stop the services and the box
    Down(down::Args),
    /// Show the state of the box, the services and the lock
    Status(status::Args),
    /// Show the services' logs
    Logs(logs::Args),
    /// Watch the box and its gateway, or only a gateway: as a dashboard, once, or with notices
    Monitor(monitor::Args),
    /// Run one of a fixed list of diagnostics on the host or in a container; without a name, list them
    Exec(exec::Args),
    /// Restart the services, or one of them, and verify
    Restart(restart::Args),
    /// List the last releases
    Releases,
    /// Return to an earlier release and verify
    Rollback(rollback::Args),
    /// Release the lock of a run that has died
    Unlock(unlock::Args),
    /// Turn on or off, or show, the idle stop, which stops the box when it is idle
    Autostop(autostop::Args),
    /// Remove images, and with a flag models, that no kept release needs
    Prune(prune::Args),
    /// Add, revoke or list API keys, without an `up`
    Keys(keys::Args),
    /// List the models that are served, and let others answer for the public name, without an `up`
    Model(model::Args),
    /// Forward a local port to the gateway on the box, through Session Manager, until Ctrl-C
    PortForward(port_forward::Args),
    /// Print the service's address as the line that the Vercel route needs
    Url(url::Args),
    /// Check the service from outside, as its clients see it
    Smoke(smoke::Args),
    /// Show what the box costs: per hour, since its start, and while stopped
    Cost,
    /// Print the least IAM policies that the operator and the box need
    Policy(policy::Args),
}

/// A service that `restart` and `exec` accept.
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
    /// Returns the output format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }
}

/// Runs a command.
pub async fn run(cli: Cli, console: &Console, interrupt: &Interrupt) -> Result<(), Failure> {
    if cli.one_box.is_some() {
        boxes::check_flag(&cli.command)?;
    }
    let command = match cli.command {
        Command::Init(args) => return init::run(&cli.config, console, interrupt, &args).await,
        Command::Policy(args) if args.is_for_the_program() => {
            policy::program(console);
            return Ok(());
        }
        Command::Policy(args) => return policy::run(&ConfigFile::read(&cli.config)?, console, &args),
        Command::Exec(args) if args.is_for_the_list() => {
            exec::list(console);
            return Ok(());
        }
        Command::Monitor(args) if args.is_without_box() => {
            return monitor::run_there(console, interrupt, &args).await;
        }
        Command::Smoke(args) if args.says_where() => return smoke::run_there(console, interrupt, &args).await,
        command => command,
    };
    if let Command::Monitor(args) = &command {
        // Checked before any request to AWS.
        args.check(console)?;
    }
    let config_file = ConfigFile::read(&cli.config)?;
    let aws = connect(&config_file.file.region, console).await?;
    let command = match command {
        Command::Doctor => return doctor::run(config_file, aws, console, interrupt, cli.one_box.as_deref()).await,
        command => command,
    };
    let settings = resolve(&config_file, &aws, console, interrupt).await?;
    let ports = aws.with_host(&settings);
    let mut context = DeployContext { config_file, settings, ports, console, interrupt };
    if let Some(id) = &cli.one_box {
        context = boxes::choose(context, id).await?;
    }
    match command {
        // These commands have returned above.
        Command::Doctor | Command::Init(_) | Command::Policy(_) => Ok(()),
        Command::Plan(args) => plan::run(&Boxes::all(context).await?, &args).await,
        Command::Up(args) => {
            let boxes = Boxes::all(context).await?;
            if boxes.further.is_empty() {
                Box::pin(up::run(&boxes.gateway, &args)).await
            } else {
                Box::pin(up_boxes::run(&boxes, &args)).await
            }
        }
        Command::Down(args) => {
            let boxes = Boxes::known(context).await;
            if boxes.further.is_empty() {
                down::run(&boxes.gateway, &args).await
            } else {
                down_boxes::run(&boxes, &args).await
            }
        }
        Command::Status(args) if cli.one_box.is_some() => status::run(&Boxes::one(context), &args).await,
        Command::Status(args) => status::run(&Boxes::known(context).await, &args).await,
        Command::Logs(args) => logs::run(&context, &args).await,
        Command::Monitor(args) => Box::pin(monitor::run(&context, &args)).await,
        Command::Exec(args) => exec::run(&context, &args).await,
        Command::Restart(args) => restart::run(&context, &args).await,
        Command::Releases => releases::run(&context).await,
        Command::Rollback(args) => rollback::run(&context, &args).await,
        Command::Unlock(args) => unlock::run(&context, &args).await,
        Command::Autostop(args) => autostop::run(&context, &args).await,
        Command::Prune(args) => prune::run(&context, &args).await,
        // A further box that no longer exists must not prevent a key revocation or a change of models.
        Command::Keys(args) => keys::run(&Boxes::known(context).await.gateway, &args).await,
        Command::Model(args) if !args.carries_configuration() => {
            Box::pin(model::run(&Boxes::known(context).await.gateway, &args)).await
        }
        Command::Model(args) => Box::pin(model::run(&Boxes::all(context).await?.gateway, &args)).await,
        Command::PortForward(args) => port_forward::run(&context, &args).await,
        Command::Url(args) => url::run(&context, &args).await,
        Command::Smoke(args) => smoke::run(&context, &args).await,
        Command::Cost => cost::run(&context).await,
    }
}

/// Resolves the references of the configuration. Retries a request for a parameter while that may help.
async fn resolve(
    config_file: &ConfigFile,
    aws: &Aws,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Settings, Failure> {
    let read_parameter = async |name: &str| {
        let value = with_retries(console, interrupt, async || aws.parameter(name).await).await?;
        Ok(value.flatten())
    };
    let settings = config::resolve(config_file, &read_parameter, config::operator()).await;
    if interrupt.is_requested() {
        return Err(Failure::interrupted(
            "interrupted while the references of the configuration were looked up; nothing was changed",
            RUN_AGAIN,
        ));
    }
    settings
}

/// Connects to the account. If the role needs a code of a second factor, asks the operator for it.
async fn connect(region: &str, console: &Console) -> Result<Aws, Failure> {
    let Some(factor) = SecondFactor::wanted() else { return Ok(Aws::connect(region).await) };
    let login = crate::login::Login::here();
    if !console.can_ask() {
        return Err(Failure::unchanged(login.matter("there is no terminal to ask at"), login.next()));
    }
    Aws::check(region, &factor).await?;
    let code = console.ask_line(&factor.question()).await;
    Aws::connect_with(region, factor, code.trim()).await.map_err(|error| {
        let next = match error.kind {
            CloudErrorKind::Denied => "Run this again with the next code of the device.".to_owned(),
            _ => error.hint(),
        };
        Failure::unchanged(login.matter(&error.to_string()), next)
    })
}

/// Returns indented JSON, for output that an operator reads.
fn written_out(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| {
        Failure::unchanged(format!("the answer could not be written as JSON: {error}"), "Report this.")
    })
}

/// Adds to the JSON document what serves at the end of a command.
fn served<P>(context: &DeployContext<'_, P>, applied: &ApplyOutcome) {
    if let Some(document) = served_document(applied) {
        context.console.result(&document);
    }
}

/// Returns the fields that say what serves on a box; `None` if its host was not asked.
fn served_document(applied: &ApplyOutcome) -> Option<serde_json::Value> {
    let report = applied.report.as_ref()?;
    Some(json!({
        "outcome": report.outcome,
        "release": report.release,
        "images": {"gateway": report.images.gateway, "vllm": report.images.vllm},
        "url": applied.url,
        "message": report.message,
        "warnings": report.warnings,
        "autostop": applied.autostop,
    }))
}

/// Returns the failure of a read-only command on the host.
fn read_only_failure(report: HostReport, next: &str) -> Failure {
    Failure { lines: report.last_log_lines, step: report.failed_step, ..Failure::unchanged(report.message, next) }
}

/// Returns an error unless the box runs and its SSM agent answers.
async fn running<P: crate::context::Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    let instance = crate::apply::boot::describe_instance(context).await?;
    if instance.state != crate::cloud::InstanceState::Running {
        return Err(Failure::unchanged(
            format!("the box is {}; no command was sent to it", instance.state),
            "deployer up starts it.",
        ));
    }
    agent_online(context, &instance.id, "no command was sent to it").await
}

/// Returns an error unless the SSM agent of a running box answers. `unchanged` is what the error says about the box.
async fn agent_online<P: crate::context::Ports>(
    context: &DeployContext<'_, P>,
    instance_id: &str,
    unchanged: &str,
) -> Result<(), Failure> {
    if context.ports.agent(instance_id).await? == crate::cloud::AgentState::Online {
        return Ok(());
    }
    Err(Failure::unchanged(
        format!("the box runs, but its SSM agent does not answer; {unchanged}"),
        "Wait a minute after a start; otherwise run deployer doctor.",
    ))
}
