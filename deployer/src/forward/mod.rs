//! Runs AWS' session-manager-plugin, which implements Session Manager's protocol, for one session, after a check of its
//! version. The arguments are the same as those of the AWS command line.

mod plugin;

use std::{io::ErrorKind, process::Command, time::Duration};

pub(crate) use plugin::{PluginEnd, run};

use crate::{
    child::{self, LAST_LINES_WAIT},
    failure::Failure,
};

/// The name of the program on the PATH.
const PLUGIN: &str = "session-manager-plugin";
/// The last version that accepts AWS' answer, with the session's token, only as an argument. Every user of this machine
/// can read a process's arguments.
const LAST_WITH_AN_ARGUMENT: [u64; 4] = [1, 2, 497, 0];
/// The time limit for `--version`.
const LIMIT: Duration = Duration::from_secs(10);
/// AWS' instructions for the installation of the plug-in.
const INSTALL_GUIDE: &str =
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html";

/// Returns an error unless the plug-in is installed and accepts the session's token in the environment, where other
/// users cannot read it. Call this before a session is opened.
pub(crate) async fn check() -> Result<(), Failure> {
    let refuse = |what: String| Err(Failure::unchanged(format!("{what}; no session was opened"), next()));
    let (mut program, mut lines) = match child::start(Command::new(PLUGIN).arg("--version")) {
        Ok(started) => started,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return refuse(format!("AWS' {PLUGIN} is not on this machine, or not on its PATH"));
        }
        Err(error) => return refuse(format!("{PLUGIN} cannot be run: {error}")),
    };
    if let Ok(None) = program.wait_for_end(LIMIT, || {}).await {
        return refuse(format!("{PLUGIN} --version did not end in {} s", LIMIT.as_secs()));
    }
    let mut last_line = String::new();
    let keep = |line: String| {
        if !line.trim().is_empty() {
            last_line = line;
        }
    };
    lines.remaining(LAST_LINES_WAIT, keep).await;
    match version(&last_line) {
        Some(version) if version > LAST_WITH_AN_ARGUMENT => Ok(()),
        Some(_) => refuse(format!(
            "{PLUGIN} {} is too old: it takes the session's token as an argument, which every user of this machine can \
             read",
            last_line.trim()
        )),
        None => refuse(format!("{PLUGIN} --version did not print a version")),
    }
}

/// Returns the next step for a plug-in that is missing or too old.
fn next() -> String {
    format!("Install a {PLUGIN} newer than 1.2.497.0 ({INSTALL_GUIDE}), then run this again.")
}

/// Parses a version such as `1.2.707.0`. Missing parts at the end count as 0.
fn version(text: &str) -> Option<[u64; 4]> {
    let mut version = [0; 4];
    let mut parts = text.trim().split('.');
    for number in &mut version {
        match parts.next() {
            Some(part) => *number = part.parse().ok()?,
            None => break,
        }
    }
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::{LAST_WITH_AN_ARGUMENT, version};

    #[test]
    fn versions_are_parsed_and_compared() {
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
