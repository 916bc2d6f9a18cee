//! `logs`: the services' own lines, once or until Ctrl-C.

use std::time::Duration;

use serde_json::json;

use crate::{
    apply::{
        command::{self, LOOK_SECONDS},
        wait,
    },
    exit::Exit,
    failure::Failure,
    script::{Action, Service},
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Go on until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only this one
    #[arg(long, value_enum)]
    service: Option<LogService>,
    /// At most so many lines, the newest
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    lines: u32,
}

/// A service whose lines can be asked for.
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

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    super::running(site).await?;
    let mut since: Option<String> = None;
    loop {
        let action = Action::Logs { service: args.service.map(Into::into), lines: args.lines, since: since.clone() };
        let report = command::run(site, "logs", &action, LOOK_SECONDS).await?;
        if report.outcome.exit_code() != 0 {
            return Err(super::refused_look(report, "Run deployer status."));
        }
        if report.left_out() > 0 {
            site.report.warn(&format!("{} lines came too fast to be shown; they are on the host", report.left_out()));
        }
        if args.follow {
            for line in &report.last_log_lines {
                site.report.log(line);
            }
        } else {
            for line in &report.last_log_lines {
                site.report.data(line);
            }
            site.report.result(&json!({"lines": report.last_log_lines}));
        }
        since = report.cursor().filter(|cursor| !cursor.is_empty()).or(since);
        if !args.follow {
            break;
        }
        // Each look is a command on the host: not more often than a person reads.
        wait(Duration::from_secs(2), site.interrupt).await;
        if site.interrupt.came() {
            return Err(Failure::new(
                Exit::Interrupted,
                "interrupted; nothing was changed",
                "deployer logs -f goes on.",
            ));
        }
    }
    site.report.next("deployer logs -f shows new lines as they come.");
    Ok(())
}
