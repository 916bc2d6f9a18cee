//! Hooks and notices: runs the operator's executables in `hooks/` of the configuration's folder, and sends a notice to
//! a webhook. Both get names, digests and outcomes, and no secret.

mod event;
mod notice;
mod run;

pub use event::Event;

use crate::{
    apply::ApplyOutcome,
    context::{DeployContext, Ports},
    failure::Failure,
};

/// Runs `hooks/pre-up`, if it exists. Returns an error if it fails, so that the change does not begin.
pub async fn before<P: Ports>(context: &DeployContext<'_, P>, event: &Event) -> Result<(), Failure> {
    run::run(context, "pre-up", event).await.map_err(|why| why.before())
}

/// Runs `hooks/post-up` or `hooks/failure`, if it exists, and sends the notice. The change has ended by then, so an
/// error of a hook or of the webhook is only a warning.
pub async fn after<P: Ports>(context: &DeployContext<'_, P>, event: Event, result: &Result<ApplyOutcome, Failure>) {
    let event = event.ended(result);
    let hook = match result {
        Ok(_) if event.command == "up" => Some("post-up"),
        Ok(_) => None,
        Err(_) => Some("failure"),
    };
    if let Some(hook) = hook
        && let Err(why) = run::run(context, hook, &event).await
    {
        context.console.warn(&why.to_string());
    }
    notice::send(context, &event).await;
}
