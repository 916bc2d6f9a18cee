//! AWS' session-manager-plugin, which speaks Session Manager's protocol: found, asked for its version, run for one
//! session. It is called as the AWS command line calls it.

mod plugin;

use std::{io::ErrorKind, process::Command, time::Duration};

use tokio::time::{Instant, sleep, timeout};

pub(crate) use plugin::{End, run};

use crate::{child, failure::Failure};

/// Its name, on the PATH.
const PLUGIN: &str = "session-manager-plugin";
/// The last version that takes AWS' answer, with the session's token, as an argument alone: there every user of this
/// machine can read it.
const LAST_WITH_AN_ARGUMENT: [u64; 4] = [1, 2, 497, 0];
/// For `--version`.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// How long its last lines are waited for.
const REST: Duration = Duration::from_millis(200);
const WHERE: &str =
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html";

/// Looks whether the plug-in is there and takes its token where nobody sees it. To be asked before a session is opened.
pub(crate) async fn check() -> Result<(), Failure> {
    let install = |what: String| Err(Failure::unchanged(format!("{what}; no session was opened"), next()));
    let (mut child, mut lines) = match child::start(Command::new(PLUGIN).arg("--version")) {
        Ok(started) => started,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return install(format!("AWS' {PLUGIN} is not on this machine, or not on its PATH"));
        }
        Err(error) => return install(format!("{PLUGIN} cannot be run: {error}")),
    };
    let deadline = Instant::now() + LIMIT;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= deadline {
            child::kill(&mut child);
            return install(format!("{PLUGIN} --version did not end in {} s", LIMIT.as_secs()));
        }
        sleep(PAUSE).await;
    }
    let mut said = String::new();
    while let Ok(Some(line)) = timeout(REST, lines.recv()).await {
        said = if line.trim().is_empty() { said } else { line };
    }
    match version(&said) {
        Some(version) if version > LAST_WITH_AN_ARGUMENT => Ok(()),
        Some(_) => install(format!(
            "{PLUGIN} {} is too old: it takes the session's token as an argument, which every user of this machine can \
             read",
            said.trim()
        )),
        None => install(format!("{PLUGIN} --version did not say a version")),
    }
}

fn next() -> String {
    format!("Install a {PLUGIN} newer than 1.2.497.0 ({WHERE}), then run this again.")
}

/// `1.2.707.0`; what is left out at its end is 0.
fn version(text: &str) -> Option<[u64; 4]> {
    let mut version = [0; 4];
    let mut parts = text.trim().split('.');
    for place in &mut version {
        match parts.next() {
            Some(part) => *place = part.parse().ok()?,
            None => break,
        }
    }
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::{LAST_WITH_AN_ARGUMENT, version};

    #[test]
    fn versions() {
        for (text, newer) in [
            ("1.2.707.0\n", Some(true)),
            ("1.2.497.1", Some(true)),
            ("1.3", Some(true)),
            ("2", Some(true)),
            ("1.2.497.0", Some(false)),
            ("1.2.497", Some(false)),
            ("1.1.61.0", Some(false)),
            ("", None),
            ("1.2.x.0", None),
            ("1.2.3.4.5", None),
            ("The Session Manager plugin was installed successfully.", None),
        ] {
            assert_eq!(version(text).map(|version| version > LAST_WITH_AN_ARGUMENT), newer, "{text}");
        }
    }
}
