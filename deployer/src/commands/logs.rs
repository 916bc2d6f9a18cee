//! `logs`: prints the log lines of the services, once or until Ctrl-C.

use std::time::Duration;

use serde_json::json;

use crate::{
    apply::{
        command::{self, READ_ONLY_TIMEOUT_SECONDS},
        wait,
    },
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    script::{Action, Service},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print new lines until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only the logs of this service
    #[arg(long, value_enum)]
    service: Option<LogService>,
    /// The most lines to print; the newest are printed
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    lines: u32,
}

/// A service that has logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogService {
    /// The gateway
    Gateway,
    /// The model server
    Vllm,
    /// The reverse proxy of the profile tls
    Caddy,
}

impl From<LogService> for Service {
    fn from(name: LogService) -> Self {
        match name {
            LogService::Gateway => Self::Gateway,
            LogService::Vllm => Self::Vllm,
            LogService::Caddy => Self::Caddy,
        }
    }
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    super::running(context).await?;
    let mut since: Option<String> = None;
    loop {
        let action = Action::Logs { service: args.service.map(Into::into), lines: args.lines, since: since.clone() };
        let report = command::run(context, "logs", &action, READ_ONLY_TIMEOUT_SECONDS).await?;
        if report.outcome.exit_code() != 0 {
            return Err(super::read_only_failure(report, "Run deployer status."));
        }
        if report.left_out() > 0 {
            context
                .console
                .warn(&format!("{} lines came too fast to be shown; they are on the host", report.left_out()));
        }
        if args.follow {
            for line in &report.last_log_lines {
                context.console.log(line);
            }
        } else {
            for line in &report.last_log_lines {
                context.console.data(line);
            }
            context.console.result(&json!({"lines": report.last_log_lines}));
        }
        since = report.cursor().filter(|cursor| !cursor.is_empty()).or(since);
        if !args.follow {
            break;
        }
        // Each poll is a command on the host, so there is a pause between two.
        wait(Duration::from_secs(2), context.interrupt).await;
        if context.interrupt.is_requested() {
            return Err(Failure::new(
                Exit::Interrupted,
                "interrupted; nothing was changed",
                "deployer logs -f continues.",
            ));
        }
    }
    context.console.next("deployer logs -f shows new lines as they come.");
    Ok(())
}
