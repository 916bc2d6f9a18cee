//! `doctor`: everything a deploy needs, each finding with why it matters and what mends it. Changes nothing.

use serde::Serialize;

use super::{Format, json};
use crate::{
    apply::{command, command::LOOK_SECONDS, lock},
    aws::Aws,
    cloud::{Agent, Checks, Cloud, Ingress, Instance, State},
    config::{self, Carried, Settings, Written},
    failure::Failure,
    interrupt::Interrupt,
    report::Report,
    script::Action,
    site::{Ports, Site},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// For whom to write
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    /// Works, but should be known.
    Note,
    /// A deploy would fail, or the service not be reached.
    Bad,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    check: String,
    level: Level,
    found: String,
    why: String,
    mend: String,
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &str, level: Level, found: impl Into<String>, why: &str, mend: impl Into<String>) {
        let (why, mend) =
            if level == Level::Ok { (String::new(), String::new()) } else { (why.to_owned(), mend.into()) };
        self.0.push(Finding { check: check.to_owned(), level, found: found.into(), why, mend });
    }

    fn failed(&mut self, check: &str, why: &str, failure: Failure) {
        self.add(check, Level::Bad, failure.what, why, failure.next);
    }
}

pub(super) async fn run(
    written: Written,
    aws: Aws,
    report: &Report,
    interrupt: &Interrupt,
    args: &Args,
) -> Result<(), Failure> {
    let mut findings = Findings::default();
    look(written, aws, report, interrupt, &mut findings).await?;
    print(report, &findings.0, args.format)?;
    let bad = findings.0.iter().filter(|finding| finding.level == Level::Bad).count();
    if bad > 0 {
        return Err(Failure::unchanged(
            format!("{bad} of {} checks found something that has to be mended", findings.0.len()),
            "Mend the first one, then run deployer doctor again.",
        ));
    }
    report.next("deployer plan says what up would do.");
    Ok(())
}

/// Every check that can be made; a later one needs what an earlier one found.
async fn look(
    written: Written,
    aws: Aws,
    report: &Report,
    interrupt: &Interrupt,
    findings: &mut Findings,
) -> Result<(), Failure> {
    match aws.identity().await {
        Ok(who) => findings.add("credentials", Level::Ok, who.arn, "", ""),
        Err(error) => {
            findings.failed("credentials", "Nothing can be asked of AWS without them.", error.into());
            return Ok(());
        }
    }
    let settings = match config::resolve(&written, &aws, config::operator()).await {
        Ok(settings) => settings,
        Err(failure) => {
            findings.failed("configuration", "Every command needs it.", failure);
            return Ok(());
        }
    };
    findings.add("configuration", Level::Ok, format!("{} in {}", settings.name, settings.region), "", "");
    files(&written, &settings, findings);
    let ports = aws.with_host(&settings);
    let site = Site { written, settings, ports, report, interrupt };
    secret(&site, findings).await;
    operators_lock(&site, findings).await;
    let instance = match site.ports.instance(&site.settings.instance_id).await {
        Ok(instance) => instance,
        Err(error) => {
            findings.failed("instance", "There is nothing to deploy to.", error.into());
            return Ok(());
        }
    };
    machine(&site, &instance, findings);
    firewall(&site, &instance, findings).await;
    quota(&instance, findings);
    if instance.state == State::Running {
        status_checks(&site, &instance, findings).await;
        host(&site, findings).await?;
    } else {
        let found = format!("not looked at: the box is {}", instance.state);
        findings.add(
            "host",
            Level::Note,
            found,
            "Docker, GPU, disk, role, secret and registry are checked on the box.",
            "deployer up starts it.",
        );
    }
    Ok(())
}

fn files(written: &Written, settings: &Settings, findings: &mut Findings) {
    match Carried::gather(written, settings) {
        Ok(carried) => {
            findings.add("files", Level::Ok, format!("{} files travel with a deploy", carried.files.len()), "", "")
        }
        Err(failure) => findings.failed("files", "They travel to the host with every deploy.", failure),
    }
}

async fn secret<P: Ports>(site: &Site<'_, P>, findings: &mut Findings) {
    let id = &site.settings.secret_id;
    let why = "The host downloads the model with the Hugging Face token in it.";
    match site.ports.has_secret(id).await {
        Ok(true) => {
            findings.add("secret", Level::Ok, format!("{id} is there (its shape is checked on the host)"), "", "")
        }
        Ok(false) => findings.add(
            "secret",
            Level::Bad,
            format!("{id} is not there, or is being deleted"),
            why,
            "deployer init creates it.",
        ),
        Err(error) => findings.failed("secret", why, error.into()),
    }
}

async fn operators_lock<P: Ports>(site: &Site<'_, P>, findings: &mut Findings) {
    match lock::holder(&site.ports, &site.settings.lock_parameter()).await {
        Ok(None) => findings.add("lock", Level::Ok, "free", "", ""),
        Ok(Some(holder)) => {
            findings.add(
                "lock",
                Level::Note,
                holder.shown(),
                "Nothing can be changed while somebody is at work.",
                "Wait, or deployer unlock if their run is dead.",
            );
        }
        Err(failure) => findings.failed("lock", "Two operators must not change things at once.", failure),
    }
}

fn machine<P>(site: &Site<'_, P>, instance: &Instance, findings: &mut Findings) {
    let shown = format!("{} ({}) in {}, {}", instance.id, instance.kind, instance.zone, instance.state);
    match instance.state {
        State::Terminated | State::ShuttingDown => {
            findings.add(
                "instance",
                Level::Bad,
                shown,
                "It is gone for good.",
                "Make a new one with config/cloudformation.yaml.",
            );
        }
        _ => findings.add("instance", Level::Ok, shown, "", ""),
    }
    let family = instance.kind.split('.').next().unwrap_or_default();
    if site.settings.gpu
        && !matches!(family, "g5" | "g6" | "gr6" | "g6e" | "g7e" | "p4d" | "p4de" | "p5" | "p5e" | "p5en")
    {
        findings.add(
            "gpu type",
            Level::Bad,
            format!("{} has no GPU that this stack is for", instance.kind),
            "The model needs one with 24 GB.",
            "Use a g6.2xlarge: change the type while the box is stopped, or make a new one.",
        );
    }
    match &instance.profile {
        Some(profile) => findings.add("role", Level::Ok, profile.clone(), "", ""),
        None => findings.add(
            "role",
            Level::Bad,
            "the instance has no role",
            "Without it: no SSM, no registry, no secret, no idle stop.",
            "Attach the instance profile of config/cloudformation.yaml (deployer policy prints what it allows).",
        ),
    }
    if instance.elastic {
        findings.add("address", Level::Ok, "an Elastic IP: the same after every start", "", "");
    } else {
        findings.add(
            "address",
            Level::Note,
            "no Elastic IP",
            "Every start has another address, and the Vercel route must learn it.",
            "Set ElasticAddress=yes in the stack, or run deployer url after each up.",
        );
    }
}

/// Is this port open, and to whom?
fn lets_in(rules: &[Ingress], port: u16) -> Vec<String> {
    let covers = |rule: &&Ingress| {
        rule.from.is_none_or(|from| from <= i32::from(port)) && rule.to.is_none_or(|to| i32::from(port) <= to)
    };
    rules.iter().filter(covers).map(|rule| rule.source.clone()).collect()
}

async fn firewall<P: Ports>(site: &Site<'_, P>, instance: &Instance, findings: &mut Findings) {
    let port = if site.settings.gateway.profile == "tls" { 443 } else { site.settings.gateway.port };
    let rules = match site.ports.ingress(&instance.groups).await {
        Ok(rules) => rules,
        Err(error) => return findings.failed("ports", "The service must be reached, and nothing else.", error.into()),
    };
    let from = lets_in(&rules, port);
    if from.is_empty() {
        findings.add(
            "ports",
            Level::Bad,
            format!("no security group lets port {port} in"),
            "Nobody can reach the service.",
            format!("Add a rule for port {port}, or use the security group of config/cloudformation.yaml."),
        );
    } else {
        findings.add("ports", Level::Ok, format!("port {port} is open to {}", from.join(", ")), "", "");
    }
    for (port, what) in [(22, "SSH"), (8000, "the model server, which has no keys")] {
        if lets_in(&rules, port).iter().any(|source| source == "0.0.0.0/0" || source == "::/0") {
            findings.add(
                "ports",
                Level::Note,
                format!("port {port} ({what}) is open to the world"),
                "The deployer needs no SSH, and the model server must not be reached.",
                format!("Remove the rule for port {port}."),
            );
        }
    }
}

fn quota(instance: &Instance, findings: &mut Findings) {
    if instance.state == State::Stopped {
        findings.add(
            "quota",
            Level::Note,
            "not known before a start",
            "A start fails with VcpuLimitExceeded where the account's quota for G instances is too low.",
            crate::cloud::quota_hint(),
        );
    } else {
        findings.add("quota", Level::Ok, "enough for this instance: it was started", "", "");
    }
}

async fn status_checks<P: Ports>(site: &Site<'_, P>, instance: &Instance, findings: &mut Findings) {
    match site.ports.checks(&instance.id).await {
        Ok(Checks::Passed) => findings.add("status checks", Level::Ok, "passed", "", ""),
        Ok(Checks::Initializing) => findings.add(
            "status checks",
            Level::Note,
            "not known yet",
            "They take some minutes after a start.",
            "Run this again.",
        ),
        Ok(Checks::Impaired) => findings.add(
            "status checks",
            Level::Bad,
            "impaired",
            "The hardware or the system does not answer.",
            "deployer down --now, then deployer up: the box moves to other hardware.",
        ),
        Err(error) => findings.failed("status checks", "They say whether the hardware answers.", error.into()),
    }
}

async fn host<P: Ports>(site: &Site<'_, P>, findings: &mut Findings) -> Result<(), Failure> {
    let why = "Every command runs through it; there is no SSH.";
    match site.ports.agent(&site.settings.instance_id).await {
        Ok(Agent::Online) => findings.add("agent", Level::Ok, "the SSM agent answers", "", ""),
        Ok(Agent::Lost) => {
            findings.add(
                "agent",
                Level::Bad,
                "the SSM agent answered once, and does not now",
                why,
                "Look at its way out to port 443 and its role; restart the box with deployer down --now and up.",
            );
            return Ok(());
        }
        Ok(Agent::Absent) => {
            findings.add("agent", Level::Bad, "the SSM agent was never seen", why, "Give the instance the role of config/cloudformation.yaml and a way out to port 443, then wait some minutes.");
            return Ok(());
        }
        Err(error) => {
            findings.failed("agent", why, error.into());
            return Ok(());
        }
    }
    match command::run(site, "doctor", &Action::Doctor, LOOK_SECONDS).await {
        Ok(report) => {
            for found in report.findings() {
                let (why, mend) = advice(&found.check);
                let harmless = matches!(found.check.as_str(), "autostop" | "clock");
                let level = if found.ok {
                    Level::Ok
                } else if harmless {
                    Level::Note
                } else {
                    Level::Bad
                };
                findings.add(&found.check, level, found.detail, why, mend);
            }
            if report.outcome.exit_code() != 0 {
                findings.add(
                    "host",
                    Level::Bad,
                    report.message,
                    "The host could not be looked at.",
                    "Run deployer doctor again.",
                );
            }
        }
        Err(command::NoReport::Interrupted { .. }) => {
            return Err(Failure::interrupted("interrupted; nothing was changed", "deployer doctor looks again."));
        }
        Err(none) => {
            findings.failed("host", "Docker, GPU, disk, role, secret and registry are checked there.", none.into())
        }
    }
    Ok(())
}

/// Why a check on the host matters, and what mends it.
fn advice(check: &str) -> (&'static str, &'static str) {
    match check {
        "docker" => {
            ("The stack runs in it.", "Use the image of config/cloudformation.yaml, or install Docker on the host.")
        }
        "compose" => ("The stack is a compose file.", "Install docker-compose-plugin on the host."),
        "gpu" => {
            ("The model runs on it.", "Use a g6 instance with the NVIDIA driver; a reboot may bring the driver back.")
        }
        "gpu_runtime" => (
            "A container cannot see the GPU without it.",
            "Install nvidia-container-toolkit and run nvidia-ctk runtime configure --runtime=docker on the host.",
        ),
        "disk" => (
            "A pull that fills the disk fails.",
            "Remove what is not needed, or enlarge the volume (aws ec2 modify-volume) and its file system.",
        ),
        "identity" => (
            "The host logs in to the registry and reads the secret by its role.",
            "Attach the instance profile of config/cloudformation.yaml.",
        ),
        "secret" => (
            "The model's download needs the token.",
            "deployer init stores it; deployer policy prints the right the role needs.",
        ),
        "registry" => ("The images are pulled from it.", "deployer policy prints the rights the role needs."),
        "clock" => ("Logins and signatures fail when it is minutes off.", "Run timedatectl set-ntp true on the host."),
        "half_done" => ("What serves may not be what was wanted.", "deployer up goes on; deployer rollback goes back."),
        "autostop" => ("A forgotten box costs until somebody looks.", "deployer autostop on"),
        "keys" => ("Callers need API keys.", "deployer init makes a first one."),
        _ => ("A deploy needs it.", "Look at the host."),
    }
}

fn print(report: &Report, findings: &[Finding], format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        report.data(&json(&findings)?);
        return Ok(());
    }
    for finding in findings {
        let mark = match finding.level {
            Level::Ok => "ok  ",
            Level::Note => "note",
            Level::Bad => "BAD ",
        };
        report.data(&format!("{mark} {:<14} {}", finding.check, finding.found));
        if finding.level != Level::Ok {
            report.data(&format!("                    why: {}", finding.why));
            report.data(&format!("                    mend: {}", finding.mend));
        }
    }
    Ok(())
}
