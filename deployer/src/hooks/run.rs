//! One hook, run on the operator's machine in a process group of its own, with a limit of time.

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
    config::WEBHOOK_VARIABLE,
    failure::Failure,
    report::{Report, duration},
    site::DeployContext,
};

/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// How long lines are waited for that a hook's own children may still write.
const REST: Duration = Duration::from_millis(200);
/// Of all lines.
const MOST_LINES: usize = 500;
/// Secrets of the deployer's own environment that a hook has no use for.
const WITHHELD: [&str; 3] = [WEBHOOK_VARIABLE, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Why a hook did not end well.
#[derive(Debug)]
pub(super) enum HookFailure {
    /// It is there and cannot be run.
    Unusable(String),
    /// It ran, and failed.
    Failed(String),
    /// Ctrl-C.
    Interrupted(String),
}

impl fmt::Display for HookFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unusable(text) | Self::Failed(text) | Self::Interrupted(text)) = self;
        out.write_str(text)
    }
}

impl HookFailure {
    /// Before anything was changed.
    pub(super) fn before(&self) -> Failure {
        let what = format!("{self}; nothing was changed");
        let next = "Mend what the hook found, then run this again; --no-hooks does without hooks.";
        match self {
            Self::Unusable(_) => Failure::usage(what, next),
            Self::Failed(_) => Failure::unchanged(what, next),
            Self::Interrupted(_) => Failure::interrupted(what, "Run it again when it fits."),
        }
    }
}

/// Runs `hooks/NAME` beside the configuration, if it is there.
pub(super) async fn run<P>(site: &DeployContext<'_, P>, name: &str, event: &Event) -> Result<(), HookFailure> {
    let folder = site.written.folder();
    let path = folder.join("hooks").join(name);
    let shown = path.display();
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {}
        Ok(_) => return Err(HookFailure::Unusable(format!("{shown} is no executable file (chmod +x makes it one)"))),
        Err(error) => return Err(HookFailure::Unusable(format!("{shown} cannot be looked at: {error}"))),
    }
    site.report.step(&format!("hook {name}"));
    let (mut child, lines) = start(&path, folder, event)
        .map_err(|error| HookFailure::Unusable(format!("{shown} cannot be run: {error}")))?;
    let mut output = Output { report: site.report, lines, shown: 0 };
    let limit = Duration::from_secs(site.settings.hooks.seconds.into());
    let status = tokio::select! {
        status = ended(&mut child, &mut output, limit) => status,
        () = site.interrupt.wait() => {
            kill(&mut child);
            return Err(HookFailure::Interrupted(format!("interrupted; the hook {name} was killed")));
        }
    };
    output.rest().await;
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
    for name in WITHHELD {
        command.env_remove(name);
    }
    child::start(&mut command)
}

/// Its end; `None`: there was none in time.
async fn ended(child: &mut Child, output: &mut Output<'_>, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        output.show();
        match child.try_wait()? {
            None if Instant::now() >= deadline => return Ok(None),
            None => sleep(PAUSE).await,
            ended => return Ok(ended),
        }
    }
}

/// What it prints.
struct Output<'a> {
    report: &'a Report,
    lines: UnboundedReceiver<String>,
    shown: usize,
}

impl Output<'_> {
    /// What came so far.
    fn show(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.line(&line);
        }
    }

    /// What comes yet.
    async fn rest(&mut self) {
        while let Ok(Some(line)) = timeout(REST, self.lines.recv()).await {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        self.shown += 1;
        match self.shown {
            ..=MOST_LINES => self.report.hook(line),
            shown if shown == MOST_LINES + 1 => self.report.hook("further lines are not shown"),
            _ => {}
        }
    }
}
