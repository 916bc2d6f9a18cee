//! `smoke`: checks the service from outside: from this machine, with an API key like that of any client.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    apply::boot,
    cloud::InstanceState,
    console::Console,
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::Interrupt,
    secret::Secret,
    smoke::{self, CheckOutcome, CheckResult, SmokeTarget, Url},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The service's address (default: that of the box); with it neither AWS nor the configuration is used
    #[arg(long)]
    url: Option<String>,
    /// A file that contains only an API key, on one line
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// An origin whose pages must be allowed to call (default: the first of `gateway.cors_origins`)
    #[arg(long)]
    origin: Option<String>,
    /// The longest time that the note may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=60))]
    max_seconds: u64,
}

impl Args {
    /// Returns whether the address is given, so that AWS is not needed.
    pub(super) const fn says_where(&self) -> bool {
        self.url.is_some()
    }
}

/// Checks the service at the given address.
pub(super) async fn run_there(console: &Console, interrupt: &Interrupt, args: &Args) -> Result<(), Failure> {
    let url = args.url.clone().unwrap_or_default();
    check_service(console, interrupt, args, &url, args.origin.clone()).await
}

/// Checks the service at the box's address.
pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let instance = boot::describe_instance(context).await?;
    if instance.state != InstanceState::Running {
        return Err(Failure::unchanged(
            format!("the box is {}; nothing answers", instance.state),
            "deployer up starts it.",
        ));
    }
    let url = super::url::of(&context.settings, &instance)?;
    // With a wildcard such as `https://*.example.org`, any name must be allowed.
    let configured = context.settings.gateway.cors_origins.first().map(|origin| origin.replace('*', "smoke"));
    check_service(context.console, context.interrupt, args, &url, args.origin.clone().or(configured)).await
}

async fn check_service(
    console: &Console,
    interrupt: &Interrupt,
    args: &Args,
    url: &str,
    origin: Option<String>,
) -> Result<(), Failure> {
    let url = Url::parse(url).map_err(|why| {
        Failure::usage(format!("the service's address is refused: {why}"), "Correct --url or gateway.domain.")
    })?;
    let key = args.api_key_file.as_ref().map(read_key).transpose()?;
    if url.in_the_clear() {
        console.warn("plain HTTP: the note and the key can be read on their way to the box. The profile tls (deployer/docs/setup.md) adds HTTPS.");
    }
    let target = SmokeTarget { url, key, origin, slowest: Duration::from_secs(args.max_seconds) };
    let on_finding = |finding: &CheckResult| console.log(&line(finding));
    let findings = tokio::select! {
        findings = smoke::run(&target, on_finding) => findings?,
        () = interrupt.wait() => return Err(Failure::interrupted("interrupted; nothing was changed", "deployer smoke asks again.")),
    };
    let failed: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == CheckOutcome::Failed)
        .map(|finding| finding.check)
        .collect();
    console.result(&json!({"url": target.url.text(), "passed": failed.is_empty(), "checks": findings}));
    if failed.is_empty() {
        console.next("deployer url prints the line for Vercel.");
        return Ok(());
    }
    Err(Failure::unchanged(
        format!("failed from outside: {}", failed.join(", ")),
        if failed == ["health"] && findings.len() == 1 {
            "Check whether the port is open to this machine (AllowedCidr, deployer doctor) and the box serves (deployer status)."
        } else {
            "deployer status shows the services, deployer logs their output; deployer rollback returns to the previous release."
        },
    ))
}

fn line(finding: &CheckResult) -> String {
    let mark = match finding.verdict {
        CheckOutcome::Passed => "ok  ",
        CheckOutcome::Odd => "odd ",
        CheckOutcome::Failed => "FAIL",
    };
    let took = finding.milliseconds.map_or_else(String::new, |took| format!(" ({took} ms)"));
    format!("{mark} {:<10} {}{took}", finding.check, finding.found)
}

/// Reads a file that contains one API key and nothing else.
pub(super) fn read_key(path: &PathBuf) -> Result<Secret, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}"), "Name a file with an API key."))?;
    let text = Zeroizing::new(text);
    // The key file's lines have a name and a digest, not a key.
    if text.split_whitespace().count() != 1 {
        return Err(Failure::usage(
            format!("{shown} does not contain exactly one API key"),
            "Put the key itself there: the one that deployer init or gateway hash-key showed, not the line of its digest.",
        ));
    }
    Ok(Secret::new(text))
}
