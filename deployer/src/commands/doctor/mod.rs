//! `doctor`: checks everything that a deploy needs. Each finding says why it matters and how to fix it. It changes
//! nothing.

mod account;
mod boxes;
mod finding;
mod host;

use account::{files, firewall, machine, operators_lock, program, quota, secret, status_checks, termination};
use boxes::further_boxes;
use finding::{Findings, Level, print};
use host::host;

use crate::{
    aws::Aws,
    cloud::{Cloud, InstanceState},
    config::{self, ConfigFile},
    console::Console,
    context::DeployContext,
    failure::Failure,
    interrupt::Interrupt,
};

pub(super) async fn run(
    config_file: ConfigFile,
    aws: Aws,
    console: &Console,
    interrupt: &Interrupt,
    one_box: Option<&str>,
) -> Result<(), Failure> {
    let mut findings = Findings::default();
    run_checks(config_file, aws, console, interrupt, one_box, &mut findings).await?;
    print(console, &findings.0);
    let bad = findings.bad();
    if bad > 0 {
        return Err(Failure::unchanged(
            format!("{bad} of {} checks found something that has to be fixed", findings.0.len()),
            "Fix the first one, then run deployer doctor again.",
        ));
    }
    console.next("deployer plan shows what up would do.");
    Ok(())
}

/// Runs the checks in order, and stops where the later checks need something that is missing.
async fn run_checks(
    config_file: ConfigFile,
    aws: Aws,
    console: &Console,
    interrupt: &Interrupt,
    one_box: Option<&str>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    match aws.identity().await {
        Ok(identity) => findings.add("credentials", Level::Ok, identity.arn, "", ""),
        Err(error) => {
            findings.failed("credentials", "Nothing can be asked of AWS without them.", error.into());
            return Ok(());
        }
    }
    let settings =
        match config::resolve(&config_file, &async |name| aws.parameter(name).await, config::operator()).await {
            Ok(settings) => settings,
            Err(failure) => {
                findings.failed("configuration", "Every command needs it.", failure);
                return Ok(());
            }
        };
    let settings = match one_box {
        Some(id) => super::boxes::of_box(&settings, id)?,
        None => settings,
    };
    findings.add("configuration", Level::Ok, format!("{} in {}", settings.name, settings.region), "", "");
    files(&config_file, &settings, findings);
    let ports = aws.with_host(&settings);
    let context = DeployContext { config_file, settings, ports, console, interrupt };
    secret(&context, findings).await;
    operators_lock(&context, findings).await;
    program(&context, findings).await;
    let instance = match context.ports.instance(&context.settings.instance_id).await {
        Ok(instance) => instance,
        Err(error) => {
            findings.failed("instance", "There is nothing to deploy to.", error.into());
            return Ok(());
        }
    };
    machine(&context, &instance, findings);
    termination(&context, &instance, findings).await;
    firewall(&context, &instance, findings).await;
    further_boxes(&context, &instance, findings).await;
    quota(&context, &instance, findings);
    if instance.state == InstanceState::Running {
        status_checks(&context, &instance, findings).await;
        host(&context, findings).await?;
    } else {
        let found = format!("not checked: the box is {}", instance.state);
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
