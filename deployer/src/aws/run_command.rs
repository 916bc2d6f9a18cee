//! Calls to Systems Manager's Run Command (send, find, look, cancel) and to its agent.

use aws_sdk_ssm::{
    Client,
    config::{Builder, retry::RetryConfig},
    types::{CloudWatchOutputConfig, CommandInvocationStatus, InstanceInformationStringFilter, PingStatus},
};

use super::{ScriptTarget, error::cloud_error};
use crate::{
    cloud::{AgentState, CloudError, CloudErrorKind, CommandId, CommandProgress, Invocation},
    script::Script,
};

/// AWS' own document, for an account without the stack's document.
const RUN_SHELL_SCRIPT: &str = "AWS-RunShellScript";

pub(super) async fn agent(client: &Client, id: &str) -> Result<AgentState, CloudError> {
    let filter = InstanceInformationStringFilter::builder().key("InstanceIds").values(id).build().map_err(|error| {
        CloudError {
            kind: CloudErrorKind::Other,
            operation: "DescribeInstanceInformation",
            code: "not sent".to_owned(),
            message: error.to_string(),
        }
    })?;
    let found = client
        .describe_instance_information()
        .filters(filter)
        .send()
        .await
        .map_err(|error| cloud_error("DescribeInstanceInformation", &error))?;
    Ok(match found.instance_information_list().first().and_then(|agent| agent.ping_status()) {
        Some(PingStatus::Online) => AgentState::Online,
        Some(_) => AgentState::Lost,
        None => AgentState::Absent,
    })
}

/// Returns the programs that the stack's document names, each as 64 hexadecimal digits.
pub(super) async fn programs(client: &Client, target: &ScriptTarget) -> Result<Option<Vec<String>>, CloudError> {
    if target.document == RUN_SHELL_SCRIPT {
        return Ok(None);
    }
    let found = client
        .get_document()
        .name(&target.document)
        .send()
        .await
        .map_err(|error| cloud_error("GetDocument", &error))?;
    let words = found.content().unwrap_or_default().split(|c: char| !c.is_ascii_alphanumeric());
    let is_hash = |word: &&str| word.len() == 64 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    Ok(Some(words.filter(is_hash).map(str::to_owned).collect()))
}

/// Disables the SDK's retries: the caller decides whether and when to repeat the call.
pub(super) fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// Sends a script once. AWS may have received a call whose answer was lost: the caller looks it up with [`find`].
pub(super) async fn send(
    client: &Client,
    target: &ScriptTarget,
    script: &Script,
    name: &str,
    limit_seconds: u32,
) -> Result<CommandId, CloudError> {
    let operation = "SendCommand";
    let delivery = i32::try_from(target.delivery_seconds).unwrap_or(i32::MAX);
    let mut call = client
        .send_command()
        .instance_ids(&target.instance_id)
        .document_name(&target.document)
        .comment(name)
        .timeout_seconds(delivery);
    if target.document == RUN_SHELL_SCRIPT {
        call = call
            .parameters("commands", vec![script.command()])
            .parameters("executionTimeout", vec![limit_seconds.to_string()]);
    } else {
        call = call
            .parameters("Values", vec![script.values()])
            .parameters("Program", vec![script.program()])
            .parameters("ExecutionTimeout", vec![limit_seconds.to_string()])
            // CloudWatch keeps the output after Systems Manager has deleted it. The output has no secret.
            .cloud_watch_output_config(
                CloudWatchOutputConfig::builder()
                    .cloud_watch_log_group_name(&target.log_group)
                    .cloud_watch_output_enabled(true)
                    .build(),
            );
    }
    match call.customize().config_override(once()).send().await {
        Ok(sent) => sent.command.and_then(|command| command.command_id).map(CommandId).ok_or_else(|| CloudError {
            kind: CloudErrorKind::Other,
            operation,
            code: "no command id".to_owned(),
            message: String::new(),
        }),
        Err(error) => Err(cloud_error(operation, &error)),
    }
}

/// Finds a command by its name among the newest 25.
pub(super) async fn find(client: &Client, target: &ScriptTarget, name: &str) -> Result<Option<CommandId>, CloudError> {
    let listed = client
        .list_commands()
        .instance_id(&target.instance_id)
        .max_results(25)
        .customize()
        .config_override(once())
        .send()
        .await
        .map_err(|error| cloud_error("ListCommands", &error))?;
    let found = listed.commands().iter().find(|command| command.comment() == Some(name));
    Ok(found.and_then(|command| command.command_id()).map(|id| CommandId(id.to_owned())))
}

pub(super) async fn get_invocation(
    client: &Client,
    instance_id: &str,
    id: &CommandId,
) -> Result<Invocation, CloudError> {
    let seen = client
        .get_command_invocation()
        .instance_id(instance_id)
        .command_id(&id.0)
        .customize()
        .config_override(once())
        .send()
        .await
        .map_err(|error| cloud_error("GetCommandInvocation", &error))?;
    let details = seen.status_details().unwrap_or_default();
    Ok(Invocation {
        progress: progress(seen.status(), details, seen.response_code()),
        stdout: seen.standard_output_content().unwrap_or_default().to_owned(),
        stderr: seen.standard_error_content().unwrap_or_default().to_owned(),
    })
}

fn progress(status: Option<&CommandInvocationStatus>, details: &str, code: i32) -> CommandProgress {
    match (status, details) {
        (
            _,
            "Undeliverable" | "DeliveryTimedOut" | "Delivery Timed Out" | "Terminated" | "InvalidPlatform"
            | "AccessDenied",
        ) => CommandProgress::NotDelivered(details.to_owned()),
        (Some(CommandInvocationStatus::Pending | CommandInvocationStatus::Delayed), _) => CommandProgress::Waiting,
        (Some(CommandInvocationStatus::Cancelling), _) => CommandProgress::Cancelling,
        (Some(CommandInvocationStatus::Success | CommandInvocationStatus::Failed), _) => CommandProgress::Ended(code),
        (Some(CommandInvocationStatus::Cancelled), _) => CommandProgress::Cancelled,
        (Some(CommandInvocationStatus::TimedOut), _) => CommandProgress::TimedOut,
        // A status that this program does not know: the caller asks again until its own deadline.
        _ => CommandProgress::Running,
    }
}

pub(super) async fn cancel(client: &Client, instance_id: &str, id: &CommandId) -> Result<(), CloudError> {
    let cancelled = client.cancel_command().command_id(&id.0).instance_ids(instance_id).send().await;
    cancelled.map_err(|error| cloud_error("CancelCommand", &error)).map(|_| ())
}
