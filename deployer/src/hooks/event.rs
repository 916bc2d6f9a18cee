//! The description of one change that hooks and the webhook get.

use serde::Serialize;

use crate::{apply::ApplyOutcome, context::DeployContext, exit::Exit, failure::Failure, script::Deploy};

/// A change before it begins, or after it has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The command: `up`, `rollback`, `restart` or `down`.
    pub command: &'static str,
    /// The name of the deployment.
    name: String,
    region: String,
    instance_id: String,
    operator: String,
    /// The commit of the files that the deploy carries; empty for other commands.
    commit: String,
    /// The gateway's image: before the change the wanted one, after it the one that serves.
    gateway: String,
    /// The model server's image, in the same way.
    vllm: String,
    /// The current release; `null` if it is not known.
    release: Option<u32>,
    /// `null` before the change; after it the word for the exit code: `done`, `rolled_back`, ...
    outcome: Option<String>,
    exit: Option<u8>,
    /// The step on the host that failed, if one did.
    failed_step: Option<String>,
    /// What happened, for the operator.
    message: String,
    /// What the operator can do next.
    next: String,
    /// The public URL of the service.
    url: Option<String>,
}

impl Event {
    /// Returns the event before a change.
    pub fn of<P>(
        context: &DeployContext<'_, P>,
        command: &'static str,
        deploy: Option<&Deploy>,
        release: Option<u32>,
    ) -> Self {
        let settings = &context.settings;
        Self {
            command,
            name: settings.name.clone(),
            region: settings.region.clone(),
            instance_id: settings.instance_id.clone(),
            operator: settings.operator.clone(),
            commit: deploy.map(|deploy| deploy.commit.clone()).unwrap_or_default(),
            gateway: deploy.map(|deploy| deploy.gateway.to_string()).unwrap_or_default(),
            vllm: deploy.map(|deploy| deploy.vllm.to_string()).unwrap_or_default(),
            release,
            outcome: None,
            exit: None,
            failed_step: None,
            message: String::new(),
            next: String::new(),
            url: None,
        }
    }

    /// Returns the event after the change, with its result.
    pub(super) fn ended(self, result: &Result<ApplyOutcome, Failure>) -> Self {
        let exit = result.as_ref().map_or_else(|failure| failure.exit, |_| Exit::Done);
        let ended = Self { outcome: Some(exit.to_string()), exit: Some(exit.code()), ..self };
        match result {
            Err(failure) => Self {
                failed_step: failure.step.map(|step| step.to_string()),
                message: failure.what.clone(),
                next: failure.next.clone(),
                ..ended
            },
            Ok(applied) => {
                let Some(report) = &applied.report else { return ended };
                Self {
                    release: report.release,
                    gateway: report.images.gateway.clone(),
                    vllm: report.images.vllm.clone(),
                    message: report.message.clone(),
                    url: applied.url.clone(),
                    ..ended
                }
            }
        }
    }

    /// Returns the environment variables for a hook. Unknown values are empty.
    pub(super) fn environment(&self) -> [(&'static str, String); 15] {
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        [
            ("DEPLOYER_COMMAND", self.command.to_owned()),
            ("DEPLOYER_NAME", self.name.clone()),
            ("DEPLOYER_REGION", self.region.clone()),
            ("DEPLOYER_INSTANCE_ID", self.instance_id.clone()),
            ("DEPLOYER_OPERATOR", self.operator.clone()),
            ("DEPLOYER_COMMIT", self.commit.clone()),
            ("DEPLOYER_GATEWAY_IMAGE", self.gateway.clone()),
            ("DEPLOYER_VLLM_IMAGE", self.vllm.clone()),
            ("DEPLOYER_RELEASE", number(self.release)),
            ("DEPLOYER_OUTCOME", self.outcome.clone().unwrap_or_default()),
            ("DEPLOYER_EXIT", number(self.exit.map(u32::from))),
            ("DEPLOYER_FAILED_STEP", self.failed_step.clone().unwrap_or_default()),
            ("DEPLOYER_MESSAGE", self.message.clone()),
            ("DEPLOYER_NEXT", self.next.clone()),
            ("DEPLOYER_URL", self.url.clone().unwrap_or_default()),
        ]
    }

    /// Returns the event as one line for chat services.
    pub(super) fn shown(&self) -> String {
        let outcome = self.outcome.as_deref().unwrap_or("begins").replace('_', " ");
        format!("{}: {} by {}: {outcome}. {}", self.name, self.command, self.operator, self.message)
    }
}
