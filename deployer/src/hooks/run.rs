//! Runs one hook on the operator's machine, in its own process group and with a time limit.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout},
};

use super::Event;
use crate::{
    child::{self, kill},
    config::SECRET_VARIABLES,
    console::{Console, duration},
    context::DeployContext,
    failure::Failure,
};

/// The pause between two checks whether the hook has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait, after a hook has ended, for each further line that its child processes may still write.
const LAST_LINES_WAIT: Duration = Duration::from_millis(200);
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
            Self::Interrupted(_) => Failure::interrupted(what, "Run it again when it fits."),
        }
    }
}

/// Runs `hooks/NAME` beside the configuration, if it exists.
pub(super) async fn run<P>(context: &DeployContext<'_, P>, name: &str, event: &Event) -> Result<(), HookFailure> {
    let folder = context.config_file.folder();
    let path = folder.join("hooks").join(name);
    let shown = path.display();
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {}
        Ok(_) => return Err(HookFailure::Unusable(format!("{shown} is no executable file (chmod +x makes it one)"))),
        Err(error) => return Err(HookFailure::Unusable(format!("{shown} cannot be looked at: {error}"))),
    }
    context.console.step(&format!("hook {name}"));
    let (mut child, lines) = start(&path, folder, event)
        .map_err(|error| HookFailure::Unusable(format!("{shown} cannot be run: {error}")))?;
    let mut output = Output { console: context.console, lines, shown: 0 };
    let limit = Duration::from_secs(context.settings.hooks.seconds.into());
    let status = tokio::select! {
        status = wait_for_end(&mut child, &mut output, limit) => status,
        () = context.interrupt.wait() => {
            kill(&mut child);
            return Err(HookFailure::Interrupted(format!("interrupted; the hook {name} was killed")));
        }
    };
    output.show_remaining().await;
    match status {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(HookFailure::Failed(format!("the hook {name} failed ({status})"))),
        Ok(None) => {
            kill(&mut child);
            Err(HookFailure::Failed(format!(
                "the hook {name} did not end in {} and was killed",
                duration(limit.as_secs())
            )))
        }
        Err(error) => Err(HookFailure::Failed(format!("the hook {name} cannot be waited for: {error}"))),
    }
}

fn start(path: &Path, folder: &Path, event: &Event) -> std::io::Result<(Child, UnboundedReceiver<String>)> {
    let mut command = Command::new(path.canonicalize()?);
    command.current_dir(folder).envs(event.environment());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    child::start(&mut command)
}

/// Waits for the hook and shows its output. Returns its exit status, or `None` if it does not end within the limit.
async fn wait_for_end(
    child: &mut Child,
    output: &mut Output<'_>,
    limit: Duration,
) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        output.show();
        match child.try_wait()? {
            None if Instant::now() >= deadline => return Ok(None),
            None => sleep(PAUSE).await,
            status => return Ok(status),
        }
    }
}

/// The output of the hook.
struct Output<'a> {
    console: &'a Console,
    lines: UnboundedReceiver<String>,
    shown: usize,
}

impl Output<'_> {
    /// Shows the lines that have arrived so far.
    fn show(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.line(&line);
        }
    }

    /// Shows the remaining lines of a hook that has ended.
    async fn show_remaining(&mut self) {
        while let Ok(Some(line)) = timeout(LAST_LINES_WAIT, self.lines.recv()).await {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        self.shown += 1;
        match self.shown {
            ..=MOST_LINES => self.console.hook(line),
            shown if shown == MOST_LINES + 1 => self.console.hook("further lines are not shown"),
            _ => {}
        }
    }
}
