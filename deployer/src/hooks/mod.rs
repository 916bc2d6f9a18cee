//! What the operator's side wants to hear of a change: executables in `hooks/` beside the configuration, and a notice to
//! a webhook. Both learn names, digests and outcomes; no secret is among them.

mod event;
mod notice;
mod run;

pub use event::Event;

use crate::{
    apply::Applied,
    failure::Failure,
    site::{DeployContext, Ports},
};

/// Runs `hooks/pre-up`, if it is there. What it refuses is not done.
pub async fn before<P: Ports>(site: &DeployContext<'_, P>, event: &Event) -> Result<(), Failure> {
    run::run(site, "pre-up", event).await.map_err(|why| why.before())
}

/// Runs `hooks/post-up` or `hooks/failure`, if it is there, and sends the notice. The change is made by then, so that
/// what fails here is only worth a warning.
pub async fn after<P: Ports>(site: &DeployContext<'_, P>, event: Event, result: &Result<Applied, Failure>) {
    let event = event.ended(result);
    let hook = match result {
        Ok(_) if event.command == "up" => Some("post-up"),
        Ok(_) => None,
        Err(_) => Some("failure"),
    };
    if let Some(hook) = hook
        && let Err(why) = run::run(site, hook, &event).await
    {
        site.report.warn(&why.to_string());
    }
    notice::send(site, &event).await;
}
