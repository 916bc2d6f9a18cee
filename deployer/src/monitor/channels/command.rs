//! The channel `command`: runs a program of the operator for each notice, which it finds in the environment.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::Message;
use crate::{child, config::SECRET_VARIABLES};

/// A program with its arguments.
pub(super) struct Program {
    path: String,
    arguments: Vec<String>,
    folder: PathBuf,
}

impl Program {
    /// Returns a program that runs in a folder. Returns an error if it is not named.
    pub(super) fn new(program: Vec<String>, folder: &Path) -> Result<Self, String> {
        let mut words = program.into_iter();
        let first = words.next().filter(|program| !program.is_empty());
        let Some(path) = first else {
            return Err(
                "notification_channels.command needs program: a list of the program and its arguments".to_owned()
            );
        };
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
        Ok(Self { path, arguments: words.collect(), folder })
    }

    /// Runs the program. Its output is not shown: it may hold what the operator's program must keep secret.
    pub(super) async fn run(&self, message: &Message, limit: Duration) -> Result<(), String> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).current_dir(&self.folder);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        let event = serde_json::to_value(message.notice.event).unwrap_or_default();
        command
            .env("DEPLOYER_ALERT", message.notice.alert.name())
            .env("DEPLOYER_ALERT_EVENT", event.as_str().unwrap_or_default())
            .env("DEPLOYER_ALERT_TEXT", &message.text)
            .env("DEPLOYER_ALERT_SERVICE", &message.service)
            .env("DEPLOYER_ALERT_TIME", &message.time);
        let (mut program, _output) =
            child::start(&mut command).map_err(|error| format!("the program cannot be run: {error}"))?;
        match program.wait_for_end(limit, || {}).await {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(format!("the program failed ({status})")),
            Ok(None) => Err(format!("the program did not end in {} s and was killed", limit.as_secs())),
            Err(error) => Err(format!("the program cannot be waited for: {error}")),
        }
    }
}
