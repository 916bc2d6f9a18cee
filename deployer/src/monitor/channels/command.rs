//! The channel `command`: runs a program of the operator for each notice, which it finds in the environment.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::Message;
use crate::{
    child::{kill, start},
    config::SECRET_VARIABLES,
};

/// The pause between two checks whether the program has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// A program with its arguments.
pub(super) struct Program {
    path: String,
    arguments: Vec<String>,
    folder: PathBuf,
}

/// Kills its program if it is dropped before the end.
struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            kill(child);
        }
    }
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
        let (child, _output) = start(&mut command).map_err(|error| format!("the program cannot be run: {error}"))?;
        let mut running = Running(Some(child));
        let deadline = Instant::now() + limit;
        while let Some(child) = &mut running.0 {
            match child.try_wait().map_err(|error| format!("the program cannot be waited for: {error}"))? {
                Some(status) => {
                    running.0 = None;
                    return if status.success() { Ok(()) } else { Err(format!("the program failed ({status})")) };
                }
                None if Instant::now() >= deadline => break,
                None => sleep(PAUSE).await,
            }
        }
        Err(format!("the program did not end in {} s and was killed", limit.as_secs()))
    }
}
