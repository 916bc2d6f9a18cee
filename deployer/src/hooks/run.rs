//! Runs one hook on the operator's machine, in its own process group and with a time limit.

use std::{fmt, fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use super::Event;
use crate::failure::RUN_AGAIN;
use crate::{
    child::{self, LAST_LINES_WAIT, OutputLines, RunningProgram},
    config::SECRET_VARIABLES,
    console::{Console, duration},
    context::DeployContext,
    failure::Failure,
};

/// The most output lines of a hook that are shown.
const MOST_LINES: usize = 500;

/// Why a hook did not succeed.
#[derive(Debug)]
pub(super) enum HookFailure {
    /// The hook exists but cannot be run.
    Unusable(String),
    /// The hook ran and failed.
    Failed(String),
    /// Ctrl-C ended the hook.
    Interrupted(String),
}

impl fmt::Display for HookFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unusable(text) | Self::Failed(text) | Self::Interrupted(text)) = self;
        out.write_str(text)
    }
}

impl HookFailure {
    /// Returns the failure of a hook that ran before the change.
    pub(super) fn before(&self) -> Failure {
        let what = format!("{self}; nothing was changed");
        let next = "Fix what the hook reports, then run this again, or skip the hooks with --no-hooks.";
        match self {
            Self::Unusable(_) => Failure::usage(what, next),
            Self::Failed(_) => Failure::unchanged(what, next),
            Self::Interrupted(_) => Failure::interrupted(what, RUN_AGAIN),
        }
    }
}

/// Runs `hooks/NAME` in the configuration's folder, if it exists.
pub(super) async fn run<P>(context: &DeployContext<'_, P>, name: &str, event: &Event) -> Result<(), HookFailure> {
    let folder = context.config_file.folder();
    let path = folder.join("hooks").join(name);
    let shown = path.display();
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {}
        Ok(_) => {
            return Err(HookFailure::Unusable(format!("{shown} is not an executable file (chmod +x makes it one)")));
        }
        Err(error) => return Err(HookFailure::Unusable(format!("{shown} cannot be read: {error}"))),
    }
    context.console.step(&format!("hook {name}"));
    let (mut program, mut lines) = start(&path, folder, event)
        .map_err(|error| HookFailure::Unusable(format!("{shown} cannot be run: {error}")))?;
    let mut output = HookOutput { console: context.console, shown: 0 };
    let limit = Duration::from_secs(context.settings.hooks.seconds.into());
    let status = tokio::select! {
        status = program.wait_for_end(limit, || lines.arrived(|line| output.show(&line))) => status,
        () = context.interrupt.wait() => {
            drop(program);
            return Err(HookFailure::Interrupted(format!("interrupted; the hook {name} was killed")));
        }
    };
    lines.remaining(LAST_LINES_WAIT, |line| output.show(&line)).await;
    match status {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(HookFailure::Failed(format!("the hook {name} failed ({status})"))),
        Ok(None) => {
            drop(program);
            Err(HookFailure::Failed(format!(
                "the hook {name} did not end in {} and was killed",
                duration(limit.as_secs())
            )))
        }
        Err(error) => Err(HookFailure::Failed(format!("the hook {name} cannot be waited for: {error}"))),
    }
}

fn start(path: &Path, folder: &Path, event: &Event) -> std::io::Result<(RunningProgram, OutputLines)> {
    let mut command = Command::new(path.canonicalize()?);
    command.current_dir(folder).envs(event.environment());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    child::start(&mut command)
}

/// The output of the hook.
struct HookOutput<'a> {
    console: &'a Console,
    shown: usize,
}

impl HookOutput<'_> {
    fn show(&mut self, line: &str) {
        self.shown += 1;
        match self.shown {
            ..=MOST_LINES => self.console.hook(line),
            shown if shown == MOST_LINES + 1 => self.console.hook("further lines are not shown"),
            _ => {}
        }
    }
}
