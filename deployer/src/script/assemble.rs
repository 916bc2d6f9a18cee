//! Puts a script together: the values as read-only variables and carried files, then the program's constant parts.

use std::{fmt::Write as _, io::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};

use super::{Action, Autostop, Deploy, HostSettings, Script, Service, ShellWord};

const BASE: &[&str] = &[
    include_str!("bash/base.sh"),
    include_str!("bash/explain.sh"),
    include_str!("bash/lock.sh"),
    include_str!("bash/release.sh"),
    include_str!("bash/docker.sh"),
];
const CHECKS: &str = include_str!("bash/checks.sh");
const MODEL: &str = include_str!("bash/model.sh");
const VERIFY: &str = include_str!("bash/verify.sh");
const SWITCH: &str = include_str!("bash/switch.sh");
const DEPLOY: &str = include_str!("bash/deploy.sh");
const ROLLBACK: &str = include_str!("bash/rollback.sh");
const POWER: &str = include_str!("bash/power.sh");
const OBSERVE: &str = include_str!("bash/observe.sh");
const DOCTOR: &str = include_str!("bash/doctor.sh");
const AUTOSTOP: &str = include_str!("bash/autostop-install.sh");
const MAIN: &str = include_str!("bash/main.sh");

/// The script that the timer on the host runs.
const AUTOSTOP_ON_THE_HOST: &str = include_str!("bash/autostop.sh");

/// The parts an action needs, in order: what nobody calls does not travel.
fn parts(action: &Action) -> &'static [&'static str] {
    match action {
        Action::Deploy(_) => &[CHECKS, MODEL, VERIFY, SWITCH, DEPLOY],
        Action::Rollback { .. } | Action::Repair => &[CHECKS, MODEL, VERIFY, SWITCH, ROLLBACK],
        Action::Restart { .. } | Action::Down { .. } | Action::Unlock => &[VERIFY, SWITCH, POWER],
        Action::Status | Action::Verify | Action::Logs { .. } | Action::Releases => {
            &[CHECKS, VERIFY, AUTOSTOP, OBSERVE]
        }
        Action::Doctor => &[CHECKS, MODEL, AUTOSTOP, DOCTOR],
        Action::Autostop(_) => &[AUTOSTOP],
    }
}

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Deploy(_) => "deploy",
        Action::Rollback { .. } => "rollback",
        Action::Repair => "repair",
        Action::Down { .. } => "down",
        Action::Status => "status",
        Action::Verify => "verify",
        Action::Logs { .. } => "logs",
        Action::Restart { .. } => "restart",
        Action::Releases => "releases",
        Action::Doctor => "doctor",
        Action::Autostop(_) => "autostop",
        Action::Unlock => "unlock",
    }
}

/// A script in the making: the text that runs, and the one that is shown.
struct Text {
    real: String,
    shown: String,
}

impl Text {
    fn add(&mut self, text: &str) {
        self.real.push_str(text);
        self.shown.push_str(text);
    }

    fn value(&mut self, name: &str, value: &str) {
        self.add(&format!("readonly {name}={}\n", ShellWord::new(value)));
    }

    fn yes_or_no(&mut self, name: &str, value: bool) {
        self.value(name, if value { "yes" } else { "no" });
    }

    /// Packed content, which is shown as its size only.
    fn packed(&mut self, content: &[u8]) {
        let _ = writeln!(self.real, "{}", pack(content));
        let _ = writeln!(self.shown, "# ({} bytes, as gzip in base64)", content.len());
    }
}

/// Builds the script for an action.
pub(super) fn assemble(action: &Action, host: &HostSettings) -> Script {
    let mut text = Text { real: String::new(), shown: String::new() };
    text.add("#!/bin/bash\nset -Eeuo pipefail\numask 077\n\n");
    text.value("ACTION", name(action));
    host_values(&mut text, host);
    action_values(&mut text, action);
    for part in BASE.iter().chain(parts(action)).chain(&[MAIN]) {
        text.add("\n");
        text.add(part);
    }
    Script { text: text.real, masked: text.shown }
}

fn host_values(text: &mut Text, host: &HostSettings) {
    text.value("OPERATOR", &host.operator);
    text.value("REGION", &host.region);
    text.value("REGISTRY", &host.registry);
    text.value("SECRET_ID", &host.secret_id);
    text.yes_or_no("NEED_GPU", host.gpu);
    text.value("SIZE_GATEWAY", &host.disk.gateway_image.to_string());
    text.value("SIZE_VLLM", &host.disk.vllm_image.to_string());
    text.value("SIZE_MODEL", &host.disk.model.to_string());
    text.value("UP_WAIT", &host.up_wait_seconds.to_string());
    text.value("DRAIN", &host.drain_seconds.to_string());
}

fn action_values(text: &mut Text, action: &Action) {
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let services = |service: &Option<Service>| service.map_or("gateway vllm", Service::name);
    match action {
        Action::Deploy(deploy) => deploy_values(text, deploy),
        Action::Rollback { to } => text.value("TO", &number(*to)),
        Action::Down { drain } => text.yes_or_no("DRAIN_FIRST", *drain),
        Action::Logs { service, lines, since } => {
            text.value("SERVICES", services(service));
            text.value("LINES", &lines.to_string());
            text.value("SINCE", since.as_deref().unwrap_or_default());
        }
        Action::Restart { service } => text.value("SERVICES", services(service)),
        Action::Autostop(Autostop::On { idle_minutes, max_uptime_hours }) => {
            text.value("AUTOSTOP", "on");
            text.value("STOP_AFTER_MINUTES", &idle_minutes.to_string());
            text.value("STOP_AFTER_HOURS", &max_uptime_hours.unwrap_or(0).to_string());
            text.value("AUTOSTOP_SCRIPT", &pack(AUTOSTOP_ON_THE_HOST.as_bytes()));
        }
        Action::Autostop(Autostop::Off) => text.value("AUTOSTOP", "off"),
        Action::Autostop(Autostop::Status) => text.value("AUTOSTOP", "status"),
        Action::Repair | Action::Status | Action::Verify | Action::Releases | Action::Doctor | Action::Unlock => {}
    }
}

fn deploy_values(text: &mut Text, deploy: &Deploy) {
    text.value("WANT_GATEWAY", &deploy.gateway.to_string());
    text.value("WANT_VLLM", &deploy.vllm.to_string());
    // They stand in JSON that bash writes.
    let plain =
        |value: &str| value.chars().filter(|c| c.is_ascii_alphanumeric() || "._-:".contains(*c)).collect::<String>();
    text.value("COMMIT", &plain(&deploy.commit));
    text.value("CONFIG_HASH", &plain(&deploy.config_hash));
    text.yes_or_no("RESTART_VLLM", deploy.restart_vllm);
    text.add("carried_files() {\n");
    for file in &deploy.files {
        let path = ShellWord::new(&file.path);
        text.add(&format!("  unpack {:04o} {path} <<'END_OF_FILE'\n", file.mode));
        text.packed(&file.content);
        text.add("END_OF_FILE\n");
    }
    text.add("}\ncarried_env() {\n  cat <<'END_OF_FILE'\n");
    for (name, value) in &deploy.env.0 {
        // Compose takes what stands between single quotes as it is.
        text.add(&format!("{name}='{value}'\n"));
    }
    text.add("END_OF_FILE\n}\n");
}

/// gzip and base64: no quote, no brace, no line end.
fn pack(content: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let packed = gzip.write_all(content).and_then(|()| gzip.finish());
    // Writing to memory does not fail; an empty text would be refused by gzip on the host.
    BASE64_STANDARD.encode(packed.unwrap_or_default())
}
