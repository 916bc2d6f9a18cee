//! The operator, the machine and the commit, for locks, the ledger and the audit; also the terminal's colours and
//! the wall clock.

use std::{env, ffi::OsString, fs, path::Path, process::Command};

use crate::script::WallClock;

/// Returns the operator: the value of `DEPLOYER_OPERATOR`, or else user and host name, such as `ada@laptop`.
#[must_use]
pub fn operator() -> String {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    set("DEPLOYER_OPERATOR").unwrap_or_else(|| {
        let user = set("USER").or_else(|| set("LOGNAME")).unwrap_or_else(|| "unknown".to_owned());
        let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| set("HOSTNAME"));
        format!("{user}@{}", host.as_deref().map_or("unknown", str::trim))
    })
}

/// Returns whether `NO_COLOR` turns colours off.
#[must_use]
pub fn no_color() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Returns whether `TERM` names a terminal that cannot move its cursor.
#[must_use]
pub fn dumb_terminal() -> bool {
    env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb")
}

/// Returns the names of the variables in the environment from which the program `gateway` would take settings.
#[must_use]
pub fn gateway_variables() -> Vec<OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| is_gateway_setting(&name.to_string_lossy())).collect()
}

fn is_gateway_setting(name: &str) -> bool {
    name.starts_with("GATEWAY_") || matches!(name, "VLLM_BASE_URL" | "CORS_ORIGINS")
}

/// Returns the commit of the repository, with `-dirty` if tracked files differ from it; `unknown` without git.
#[must_use]
pub fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "--short=12", "HEAD"]), git(&["status", "--porcelain", "--untracked-files=no"])) {
        (Some(head), Some(changes)) if !changes.is_empty() => format!("{head}-dirty"),
        (Some(head), _) => head,
        (None, _) => "unknown".to_owned(),
    }
}

/// Returns the weekday and time in a time zone; `None` if this machine does not know the zone.
#[must_use]
pub fn wall_clock(time_zone: &str) -> Option<WallClock> {
    let folder = env::var_os("TZDIR").unwrap_or_else(|| "/usr/share/zoneinfo".into());
    // `date` uses UTC for a zone that it does not know.
    if time_zone != "UTC" && !Path::new(&folder).join(time_zone).is_file() {
        return None;
    }
    let output = Command::new("date").env("TZ", time_zone).arg("+%u %H %M").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Vec<u16> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [day @ 1..=7, hours, minutes] => {
            Some(WallClock { weekday: usize::from(day - 1), minutes: hours * 60 + minutes })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_gateway_setting;

    #[test]
    fn settings_of_the_gateway_are_known_by_their_names() {
        for (name, expected) in [
            ("GATEWAY_LISTEN", true),
            ("GATEWAY_LIMITS__BODY_BYTES", true),
            ("VLLM_BASE_URL", true),
            ("CORS_ORIGINS", true),
            ("PATH", false),
            ("RUST_LOG", false),
            ("HTTPS_PROXY", false),
        ] {
            assert_eq!(is_gateway_setting(name), expected, "{name}");
        }
    }
}
