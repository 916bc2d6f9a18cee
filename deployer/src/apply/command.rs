//! Runs one script on the host: sends it, follows it to its end, and sends it once more if the host's agent lost it.

pub use super::command_error::CommandError;
use super::{
    command_end::CommandEnd,
    follow::{self, SentCommand},
    lost_command,
    run_names::{name, run_id},
    send, ssm_document,
};
use crate::{
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::{self, Interrupt},
    script::{Action, ExpectedRelease, HostReport, Keys, Models, Script, facts::RunProgress, script},
};

/// Time limit, in seconds, of a script that changes nothing.
pub const READ_ONLY_TIMEOUT_SECONDS: u32 = 300;

/// Runs an action on the host. Ctrl-C cancels it.
pub async fn run<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, CommandError> {
    run_with(context, context.interrupt, what, action, limit_seconds).await
}

/// Runs an action on the host, with a given source of Ctrl-C: a check after a Ctrl-C must not react to that Ctrl-C
/// again.
pub(super) async fn run_with<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, CommandError> {
    let script = script(action, &context.settings.host());
    Box::pin(run_script(context, interrupt, what, &script, limit_seconds, is_read_only(action))).await
}

/// Runs an action on the host whose plan assumes `expect` as the state of the host.
pub(super) async fn run_expecting<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: ExpectedRelease,
    limit_seconds: u32,
) -> Result<HostReport, CommandError> {
    let script = script(action, &context.settings.host()).expecting(expect);
    Box::pin(run_script(context, context.interrupt, what, &script, limit_seconds, is_read_only(action))).await
}

async fn run_script<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    limit_seconds: u32,
    read_only: bool,
) -> Result<HostReport, CommandError> {
    script.clone().named(&run_id()).fits().map_err(|large| {
        CommandError::NeverRan(Failure::usage(
            large.to_string(),
            "Reduce the size of the files in config/; nothing was changed.",
        ))
    })?;
    let mut second = false;
    loop {
        let run = run_id();
        let named = script.clone().named(&run);
        let changes = (!read_only).then_some(&run);
        // A script that changes nothing may run twice, so it is sent again without a query to the host.
        let wait_until_gone = async || match changes {
            Some(run) => lost_command::wait_until_ended(context, interrupt, what, run, limit_seconds).await,
            None => Ok(()),
        };
        let id =
            send::send(context, interrupt, what, &named, &name(context, what), limit_seconds, wait_until_gone).await?;
        let progress = async || progress(context).await;
        let sent = SentCommand { what, id, run: run.clone(), limit_seconds, read_only };
        match follow::follow(context, interrupt, sent, progress).await {
            CommandEnd::Known(end) => match *end {
                Err(CommandError::Refused) => return Err(CommandError::NeverRan(ssm_document::refusal(context).await)),
                end => return end,
            },
            CommandEnd::Lost if second => {
                return Err(CommandError::NeverRan(Failure::unchanged(
                    "the host's agent took the command twice and never ran it; nothing was changed",
                    "Start the agent again by a restart of the box (deployer down --now, then deployer up); deployer doctor checks it.",
                )));
            }
            CommandEnd::Lost => {
                context.console.warn("the host's agent took the command and never ran it; it is sent once more");
                second = true;
            }
        }
    }
}

const fn is_read_only(action: &Action) -> bool {
    matches!(
        action,
        Action::Status
            | Action::Verify
            | Action::Releases
            | Action::Doctor { .. }
            | Action::Logs { .. }
            | Action::Keys(Keys::List)
            | Action::Models(Models::List)
            | Action::Prune { approved: None, .. }
            | Action::Diagnose { .. }
            | Action::Progress
    )
}

/// Asks the host for the progress of the command that runs on it. Returns `None` if the host does not answer, which
/// says nothing about the command.
async fn progress<P: Ports>(context: &DeployContext<'_, P>) -> Option<RunProgress> {
    // Ctrl-C must cancel only the command. The progress query has its own time limit.
    let (_end, no_interrupt) = interrupt::channel();
    // The progress query runs through this same function. A recursive async call must be boxed, because a future
    // cannot contain itself.
    let question: std::pin::Pin<Box<dyn Future<Output = _> + '_>> =
        Box::pin(run_with(context, &no_interrupt, "progress", &Action::Progress, READ_ONLY_TIMEOUT_SECONDS));
    question.await.ok()?.progress()
}
