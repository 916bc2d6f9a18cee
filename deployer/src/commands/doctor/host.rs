//! Checks on the host, which need its tools and its role.

use super::{
    super::plan::other_autostop,
    finding::{Findings, Level},
};
use crate::{
    apply::{command, command::READ_ONLY_TIMEOUT_SECONDS},
    cloud::AgentState,
    context::{DeployContext, Ports},
    failure::Failure,
    script::Action,
};

pub(super) async fn host<P: Ports>(context: &DeployContext<'_, P>, findings: &mut Findings) -> Result<(), Failure> {
    let why = "Every command runs through it; there is no SSH.";
    match context.ports.agent(&context.settings.instance_id).await {
        Ok(AgentState::Online) => findings.add("agent", Level::Ok, "the SSM agent answers", "", ""),
        Ok(AgentState::Lost) => {
            findings.add(
                "agent",
                Level::Bad,
                "the SSM agent was connected before and is not connected now",
                why,
                "Check its outbound access to port 443 and its role; restart the box with deployer down --now and up.",
            );
            return Ok(());
        }
        Ok(AgentState::Absent) => {
            findings.add("agent", Level::Bad, "the SSM agent was never seen", why, "Give the instance the role of config/cloudformation.yaml and outbound access to port 443, then wait some minutes.");
            return Ok(());
        }
        Err(error) => {
            findings.failed("agent", why, error.into());
            return Ok(());
        }
    }
    let images = context.settings.images_named().unwrap_or_else(|failure| {
        findings.failed("images", "up does not know which image to deploy.", failure);
        Vec::new()
    });
    let doctor = Action::Doctor { images };
    match command::run(context, "doctor", &doctor, READ_ONLY_TIMEOUT_SECONDS).await {
        Ok(report) => {
            let differs = report.autostop().and_then(|state| other_autostop(&state, &context.settings));
            for found in report.findings() {
                let (why, fix) = match found.check.as_str() {
                    // `autostop on` is refused for several boxes.
                    "autostop" if !context.settings.model_boxes.is_empty() => {
                        ("Nothing stops several boxes when they are idle.", "deployer down, when they are not needed")
                    }
                    check => advice(check),
                };
                let harmless = matches!(found.check.as_str(), "autostop" | "clock");
                let level = if found.ok {
                    Level::Ok
                } else if harmless {
                    Level::Note
                } else {
                    Level::Bad
                };
                if found.check == "autostop"
                    && let Some(differs) = &differs
                {
                    let why = "The host applies its own limits, which differ from the configuration.";
                    findings.add("autostop", Level::Note, differs.clone(), why, "deployer up, or deployer autostop on");
                    continue;
                }
                findings.add(&found.check, level, found.detail, why, fix);
            }
            if report.outcome.exit_code() != 0 {
                findings.add(
                    "host",
                    Level::Bad,
                    report.message,
                    "The host could not be checked.",
                    "Run deployer doctor again.",
                );
            }
        }
        Err(command::CommandError::Interrupted { .. }) => {
            return Err(Failure::interrupted("interrupted; nothing was changed", "deployer doctor checks again."));
        }
        Err(no_report) => {
            findings.failed(
                "host",
                "Docker, GPU, disk, role, secret and registry are checked there.",
                no_report.into(),
            );
        }
    }
    Ok(())
}

/// Returns why a check on the host matters, and how to fix what it finds.
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
        "images" => (
            "up pulls them from the registry.",
            "Push them (the workflow images), or correct images.*.version; up --tag and --digest name others.",
        ),
        "clock" => ("Logins and signatures fail when it is minutes off.", "Run timedatectl set-ntp true on the host."),
        "half_done" => {
            ("The release that serves may not be the configured one.", "deployer up or deployer rollback repairs it.")
        }
        "autostop" => ("The box does not stop by itself: it costs money until you stop it.", "deployer autostop on"),
        _ => ("A deploy needs it.", "Check the host."),
    }
}
