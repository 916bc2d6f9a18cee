//! Runs `gh` as a child process on the operator's machine, without a shell and with a time limit.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Command, Output, Stdio},
    time::Duration,
};

use super::refused;
use crate::failure::RUN_AGAIN;
use crate::{
    config::{Trust, WEBHOOK_VARIABLE},
    context::DeployContext,
    failure::Failure,
    script::ImageWanted,
};

/// The time limit for gh, which sends requests to GitHub and to the registry.
const LIMIT: Duration = Duration::from_mins(2);
/// The exit code of gh when the operator is not logged in.
const NOT_LOGGED_IN: i32 = 4;

/// Verifies the attestation of an image with gh and returns its standard output.
pub(super) async fn ask<P>(
    context: &DeployContext<'_, P>,
    trust: &Trust,
    image: &ImageWanted,
) -> Result<Vec<u8>, Failure> {
    context.console.step(&format!("verifying the attestation of {image}"));
    let child = command(trust, image).spawn().map_err(|error| cannot_run(image, &error))?;
    let id = child.id();
    let mut wait_task = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = tokio::select! {
        output = &mut wait_task => output,
        () = tokio::time::sleep(LIMIT) => {
            kill(id);
            let _ = wait_task.await;
            return Err(refused(image, "gh did not end in 2 minutes; nothing was changed", "Check that GitHub and the registry can be reached, then run this again."));
        }
        () = context.interrupt.wait() => {
            kill(id);
            let _ = wait_task.await;
            return Err(Failure::interrupted("interrupted; nothing was changed", RUN_AGAIN));
        }
    };
    let output =
        output.map_err(io::Error::other).and_then(|output| output).map_err(|error| cannot_run(image, &error))?;
    if output.status.success() { Ok(output.stdout) } else { Err(failure_of(context, trust, image, &output)) }
}

fn command(trust: &Trust, image: &ImageWanted) -> Command {
    let mut command = Command::new("gh");
    command.args(["attestation", "verify", &format!("oci://{image}"), "--repo", &trust.repository]);
    command.args(["--signer-workflow", &format!("{}/{}", trust.repository, trust.workflow)]);
    command.args(["--source-ref", &trust.git_ref, "--deny-self-hosted-runners", "--format", "json"]);
    command.envs([
        ("GH_PROMPT_DISABLED", "1"),
        ("GH_NO_UPDATE_NOTIFIER", "1"),
        ("NO_COLOR", "1"),
        ("GH_HOST", "github.com"),
    ]);
    command.env_remove(WEBHOOK_VARIABLE).env_remove("GH_DEBUG").env_remove("GH_FORCE_TTY");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

fn kill(id: u32) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).stderr(Stdio::null()).status();
}

fn cannot_run(image: &ImageWanted, error: &io::Error) -> Failure {
    let what = if error.kind() == io::ErrorKind::NotFound {
        "the GitHub command line (gh) is not installed; nothing was changed".to_owned()
    } else {
        format!("the GitHub command line (gh) cannot be run: {error}; nothing was changed")
    };
    refused(image, &what, "Install a current gh (https://cli.github.com) and log in: gh auth login.")
}

/// Finds the reason and the next step in what gh wrote. Only gh's exit status decides that the verification failed; its
/// text only helps to explain it.
fn failure_of<P>(context: &DeployContext<'_, P>, trust: &Trust, image: &ImageWanted, output: &Output) -> Failure {
    let errors = String::from_utf8_lossy(&output.stderr);
    let has = |words: &[&str]| words.iter().any(|word| errors.contains(word));
    let other_image =
        "Use an image that the workflow images of the trusted repository pushed; older images have no attestation.";
    let (what, next) = if output.status.code() == Some(NOT_LOGGED_IN)
        || has(&["gh auth login", "HTTP 401", "not authenticated with"])
    {
        ("gh is not logged in to GitHub".to_owned(), "Log in: gh auth login.".to_owned())
    } else if has(&["unknown command", "unknown flag"]) {
        ("gh is too old".to_owned(), "Install a current gh (https://cli.github.com).".to_owned())
    } else if has(&[
        "remote registry authorization failed",
        "UNAUTHORIZED",
        "401 Unauthorized",
        "no basic auth credentials",
        "DENIED",
    ]) {
        let (region, registry) = (&context.settings.region, &context.settings.registry);
        let login = format!(
            "aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}"
        );
        ("gh is not logged in to the registry".to_owned(), format!("Log in: {login}"))
    } else if has(&["no attestations found", "No attestations found", "HTTP 404"]) {
        (format!("{} has no attestation of the image", trust.repository), other_image.to_owned())
    } else if has(&[
        "expected SourceRepository",
        "no attestations were verified",
        "verifying with issuer",
        "no matching CertificateIdentity",
        "Sigstore verification failed",
    ]) {
        (
            format!("the image was not built by {} of {} on {}", trust.workflow, trust.repository, trust.git_ref),
            other_image.to_owned(),
        )
    } else {
        (
            format!("gh failed ({})", output.status),
            "The lines above are the output of gh. Fix the cause, then run this again.".to_owned(),
        )
    };
    let lines = errors.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect::<Vec<_>>();
    let clean = |line: &&str| line.chars().take(300).map(|one| if one.is_control() { ' ' } else { one }).collect();
    Failure {
        lines: lines.iter().rev().map(clean).collect(),
        ..refused(image, &format!("{what}; nothing was changed"), &next)
    }
}
