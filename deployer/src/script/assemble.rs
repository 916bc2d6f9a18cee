//! Assembles a script: the values as read-only variables, then the program, which is the same for every action.

use std::{fmt::Write as _, io::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};

use super::{Action, Autostop, Deploy, HostSettings, Keys, Models, Schedule, Service, ShellWord};

/// The program's parts, in order.
const PARTS: &[&str] = &[
    include_str!("bash/values.sh"),
    include_str!("bash/base.sh"),
    include_str!("bash/explain.sh"),
    include_str!("bash/lock.sh"),
    include_str!("bash/release.sh"),
    include_str!("bash/docker.sh"),
    include_str!("bash/checks.sh"),
    include_str!("bash/progress.sh"),
    include_str!("bash/model.sh"),
    include_str!("bash/verify.sh"),
    include_str!("bash/switch.sh"),
    include_str!("bash/deploy.sh"),
    include_str!("bash/rollback.sh"),
    include_str!("bash/power.sh"),
    include_str!("bash/autostop-install.sh"),
    include_str!("bash/observe.sh"),
    include_str!("bash/keys.sh"),
    include_str!("bash/models.sh"),
    include_str!("bash/prune.sh"),
    include_str!("bash/diagnose.sh"),
    include_str!("bash/doctor.sh"),
];

/// The script that the host's timer runs. The program contains it as text.
const AUTOSTOP: &str = include_str!("bash/autostop.sh");

const MAIN: &str = include_str!("bash/main.sh");

/// The lines before the values.
pub(super) const HEAD: &str = "#!/bin/bash\nset -Eeuo pipefail\numask 077\n\n";

/// Returns the program: the code of every action, without values.
pub(super) fn program() -> String {
    let mut program = String::new();
    for part in PARTS {
        program.push('\n');
        push_code(&mut program, part);
    }
    program.push_str("\nautostop_script() {\n  cat <<'END_OF_SCRIPT'\n");
    push_code(&mut program, AUTOSTOP);
    program.push_str("END_OF_SCRIPT\n}\n\n");
    push_code(&mut program, MAIN);
    program
}

/// Adds a part without its comments. Shellcheck directives and a script's first line stay.
fn push_code(program: &mut String, part: &str) {
    for line in part.lines() {
        let text = line.trim_start();
        if !text.starts_with('#') || text.starts_with("#!") || text.starts_with("# shellcheck ") {
            program.push_str(line);
            program.push('\n');
        }
    }
}

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Deploy(_) => "deploy",
        Action::Rollback { .. } => "rollback",
        Action::Down { .. } => "down",
        Action::Status => "status",
        Action::Verify => "verify",
        Action::Logs { .. } => "logs",
        Action::Restart { .. } => "restart",
        Action::Releases => "releases",
        Action::Doctor { .. } => "doctor",
        Action::Autostop(_) => "autostop",
        Action::Unlock => "unlock",
        Action::Keys(_) => "keys",
        Action::Models(_) => "models",
        Action::Progress => "progress",
        Action::Prune { .. } => "prune",
        Action::Diagnose { .. } => "diagnose",
    }
}

/// The values of one action: lines of `readonly NAME='value'`, and nothing else.
#[derive(Default)]
pub(super) struct Values {
    /// The lines that run.
    pub(super) real: String,
    /// The lines for a person, with only the size of packed contents.
    pub(super) shown: String,
}

impl Values {
    pub(super) fn of(action: &Action, host: &HostSettings) -> Self {
        let mut values = Self::default();
        values.value("ACTION", name(action));
        values.of_host(host);
        values.of_action(action);
        values
    }

    fn value(&mut self, name: &str, value: &str) {
        // Control characters become spaces, because values are read line by line and must stay on one line.
        let line = format!("readonly {name}={}\n", ShellWord::new(&value.replace(char::is_control, " ")));
        self.real.push_str(&line);
        self.shown.push_str(&line);
    }

    fn yes_or_no(&mut self, name: &str, value: bool) {
        self.value(name, if value { "yes" } else { "no" });
    }

    /// Adds `prefix` and packed content, which may have any bytes.
    fn packed(&mut self, name: &str, prefix: &str, content: &[u8]) {
        let real = ShellWord::new(&format!("{prefix}{}", pack(content)));
        let _ = writeln!(self.real, "readonly {name}={real}");
        let shown = ShellWord::new(&format!("{prefix}({} bytes, as gzip in base64)", content.len()));
        let _ = writeln!(self.shown, "readonly {name}={shown}");
    }

    fn of_host(&mut self, host: &HostSettings) {
        self.value("OPERATOR", &operator(&host.operator));
        self.value("REGION", &host.region);
        self.value("REGISTRY", &host.registry);
        self.value("SECRET_ID", &host.secret_id);
        self.yes_or_no("NEED_GPU", host.gpu);
        self.value("SIZE_GATEWAY", &host.disk.gateway_image.to_string());
        self.value("SIZE_VLLM", &host.disk.vllm_image.to_string());
        self.value("SIZE_MODEL", &host.disk.model.to_string());
        self.value("UP_WAIT", &host.up_wait_seconds.to_string());
        self.value("READY_WAIT", &host.ready_wait_seconds.to_string());
        self.value("DRAIN", &host.drain_seconds.to_string());
    }

    fn of_action(&mut self, action: &Action) {
        let services = |service: &Option<Service>| service.map_or("gateway vllm", Service::name);
        match action {
            Action::Deploy(deploy) => self.of_deploy(deploy),
            Action::Rollback { to } => self.value("TO", &to.map(|to| to.to_string()).unwrap_or_default()),
            Action::Down { drain } => self.yes_or_no("DRAIN_FIRST", *drain),
            Action::Logs { service, lines, since } => {
                self.value("SERVICES", services(service));
                self.value("LINES", &lines.to_string());
                self.value("SINCE", since.as_deref().unwrap_or_default());
            }
            Action::Restart { service } => self.value("SERVICES", services(service)),
            Action::Autostop(Autostop::On { idle_minutes, max_uptime_hours, schedule }) => {
                self.value("AUTOSTOP", "on");
                self.value("STOP_AFTER_MINUTES", &idle_minutes.to_string());
                self.value("STOP_AFTER_HOURS", &max_uptime_hours.unwrap_or(0).to_string());
                self.of_schedule(schedule.as_ref());
            }
            Action::Autostop(Autostop::Off) => self.value("AUTOSTOP", "off"),
            Action::Autostop(Autostop::Status) => self.value("AUTOSTOP", "status"),
            Action::Keys(Keys::List) => self.value("KEYS", "list"),
            Action::Keys(Keys::Change(change)) => {
                self.value("KEYS", if change.line.is_some() { "add" } else { "revoke" });
                self.value("KEY_NAME", &change.name);
                self.value("KEY_LINE", change.line.as_deref().unwrap_or_default());
                self.value("KEYS_BEFORE", &plain(&change.before));
                self.value("CONFIG_HASH", &plain(&change.config_hash));
            }
            Action::Models(Models::List) => self.value("MODELS", "list"),
            Action::Models(Models::Change(change)) => {
                self.value("MODELS", change.kind.name());
                self.value("ROUTE", change.route.as_str());
                self.value("ROUTE_BEFORE", change.before.as_str());
                self.value("SCORES", &change.scores);
            }
            Action::Prune { models, approved } => {
                self.value("PRUNE", if approved.is_some() { "remove" } else { "list" });
                self.yes_or_no("PRUNE_MODELS", *models);
                if let Some(list) = approved {
                    self.value("PRUNE_LIST", &plain(list));
                }
            }
            Action::Diagnose { diagnostic, service } => {
                self.value("DIAGNOSTIC", diagnostic.name());
                self.value("ONE_SERVICE", service.map_or("", Service::name));
            }
            Action::Doctor { images } => {
                let images: Vec<String> = images.iter().map(ToString::to_string).collect();
                self.value("WANT_IMAGES", &images.join(" "));
            }
            Action::Status | Action::Verify | Action::Releases | Action::Unlock | Action::Progress => {}
        }
    }

    /// Adds the schedule. Without an hour to stop at, the host ignores the other values.
    fn of_schedule(&mut self, schedule: Option<&Schedule>) {
        let or = |value: Option<&String>, other: &str| value.cloned().unwrap_or_else(|| other.to_owned());
        self.value("STOP_AT", &or(schedule.map(|schedule| &schedule.stop_at), ""));
        self.value("OPEN_AT", &or(schedule.map(|schedule| &schedule.open_at), ""));
        self.value("STOP_DAYS", &or(schedule.map(|schedule| &schedule.days), "Mon"));
        self.value("TIME_ZONE", &or(schedule.map(|schedule| &schedule.time_zone), "UTC"));
    }

    fn of_deploy(&mut self, deploy: &Deploy) {
        self.value("WANT_GATEWAY", &deploy.gateway.to_string());
        self.value("WANT_VLLM", &deploy.vllm.to_string());
        self.value("COMMIT", &plain(&deploy.commit));
        self.value("CONFIG_HASH", &plain(&deploy.config_hash));
        self.yes_or_no("RESTART_VLLM", deploy.restart_vllm);
        self.yes_or_no("DOWNLOAD_ONLY", deploy.download_only);
        for (index, file) in deploy.files.iter().enumerate() {
            let prefix = format!("{:04o} {} ", file.mode, file.path);
            self.packed(&format!("FILE_{index}"), &prefix, &file.content);
        }
        // Compose does not interpret text between single quotes.
        let mut lines = String::new();
        for (name, value) in deploy.env.iter() {
            let _ = writeln!(lines, "{name}='{value}'");
        }
        self.packed("SETTINGS", "", lines.as_bytes());
    }
}

/// Returns the operator's name as the host accepts it: at most 200 characters, and not empty.
fn operator(name: &str) -> String {
    let name: String = name.chars().take(200).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Removes characters that would need escapes in the JSON that bash writes.
fn plain(value: &str) -> String {
    value.chars().filter(|character| character.is_ascii_alphanumeric() || "._-:".contains(*character)).collect()
}

/// Packs content as gzip in base64, which has no quote, brace or line end.
pub(super) fn pack(content: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let packed = gzip.write_all(content).and_then(|()| gzip.finish());
    // Writing to memory does not fail. If it did, gzip on the host would refuse the empty text.
    BASE64_STANDARD.encode(packed.unwrap_or_default())
}
