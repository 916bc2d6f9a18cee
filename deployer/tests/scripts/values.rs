//! No value becomes code on the host, and none leads out of a release's folder: nasty values × all values × real bash.

use std::{fmt::Write as _, path::Path, process::Command, sync::Mutex};

use deployer::script::{
    Action, ActionOutcome, Autostop, Diagnostic, ModelChange, ModelChangeKind, Models, Route, RunId, Schedule, Script,
    Service, Step, script,
};

use crate::{
    deploys::{assert_serves, served},
    support::{
        host::Host,
        wanted::{act, deploy, deploy_with, digest, gateway, settings, vllm},
    },
};

/// One of every action, so that every name of a value occurs.
fn every_action() -> Vec<Script> {
    let run = RunId::new("0123abcd-run").unwrap();
    let actions = [
        Action::Deploy(Box::new(deploy_with(&gateway(1), &vllm(1), "two"))),
        Action::Rollback { to: Some(1) },
        Action::Down { drain: true },
        Action::Logs { service: Some(Service::Vllm), lines: 100, since: Some("2026-11-21T10:00:00.1Z".to_owned()) },
        Action::Restart { service: None },
        Action::Doctor { images: vec![digest(&gateway(1))] },
        Action::Autostop(Autostop::On { idle_minutes: 30, max_uptime_hours: Some(12), schedule: Some(hours()) }),
        Action::Prune { models: true, approved: Some("0".repeat(64)) },
        Action::Models(Models::Change(ModelChange {
            kind: ModelChangeKind::Use,
            route: Route::of("a@0123abcd=100"),
            before: Route::Configured,
            scores: String::new(),
        })),
        Action::Diagnose { diagnostic: Diagnostic::Processes, service: Some(Service::Vllm) },
        Action::Status,
    ];
    actions.iter().map(|action| script(action, &settings()).named(&run)).collect()
}

fn hours() -> Schedule {
    Schedule::new("20:00", Some("07:00"), &["mon".to_owned(), "fri".to_owned()], "UTC").unwrap()
}

/// `canary` is what each would make if any part of it were run; `out` a file outside of the release.
fn nasty(canary: &Path, out: &Path) -> Vec<String> {
    let (canary, out) = (canary.display(), out.display());
    vec![
        format!("a[$(touch {canary})]"),
        format!("x[`touch {canary}`]=1"),
        format!("$(touch {canary})"),
        format!("1; touch {canary}"),
        format!("; touch {canary} #"),
        format!("\n touch {canary}\n"),
        format!("| touch {canary}"),
        format!("{canary}.run"),
        format!("'; touch {canary}; '"),
        format!("\"; touch {canary}; \""),
        format!("<(touch {canary})"),
        format!("BASH_FUNC_docker%%=() {{ touch {canary}; }}"),
        format!("0755 ../../../{} aGk=", out.to_string().trim_start_matches('/')),
        format!("0755 {out} aGk="),
        "0755 .env aGk=".to_owned(),
        "0644 state/x aGk=".to_owned(),
        "0644 a/../../../x aGk=".to_owned(),
        "4755 tool aGk=".to_owned(),
        format!("0644 a $(touch {canary})"),
        format!("file://{out}"),
        "--help".to_owned(),
        "-1".to_owned(),
        "010".to_owned(),
        "99999999999999999999999".to_owned(),
        "*".to_owned(),
        "../../etc".to_owned(),
        "%s%n%*d".to_owned(),
        "a\\".to_owned(),
        "GATEWAY_IMAGE".to_owned(),
        "finish".to_owned(),
        "\u{1}".to_owned(),
    ]
}

/// The script's values with one of them set to something else.
fn with(text: &str, name: &str, value: &str) -> String {
    let (head, program) = text.split_once("# shellcheck").unwrap();
    let quoted = value.replace('\'', r"'\''");
    let mut lines = String::new();
    for line in head.lines() {
        let ours = line.starts_with(&format!("readonly {name}="));
        writeln!(lines, "{}", if ours { format!("readonly {name}='{quoted}'") } else { line.to_owned() }).unwrap();
    }
    assert!(!value.is_empty() && lines.contains(&quoted), "{name}");
    format!("{lines}# shellcheck{program}")
}

fn names(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("readonly ")?.split_once("='"));
    lines.map(|(name, _)| name.to_owned()).filter(|name| name.bytes().all(|b| !b.is_ascii_lowercase())).collect()
}

/// Returns whether this value may stay as it is. Then it is data that nothing interprets.
fn is_free(name: &str, value: &str) -> bool {
    match name {
        "OPERATOR" => !value.chars().any(char::is_control),
        "SECRET_ID" => {
            value.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+=.@!-".contains(&b)) && !value.starts_with('-')
        }
        "COMMIT" | "CONFIG_HASH" => !value.bytes().any(|b| !b.is_ascii_alphanumeric() && !b"._:-".contains(&b)),
        "SETTINGS" => value.bytes().all(|b| b.is_ascii_alphanumeric()),
        // It has the form of a zone, and is searched in the host's list of zones.
        "TIME_ZONE" => value == "GATEWAY_IMAGE",
        "REGISTRY" => matches!(value, "010" | "99999999999999999999999" | "finish"),
        "RUN" => value.len() >= 8 && value.bytes().all(|b| b.is_ascii_alphanumeric()),
        _ => false,
    }
}

/// Set: every value in the place of every other, minutes of it. Else each place gets a third, and each value a third of
/// the places.
const ALL_VALUES: &str = "DEPLOYER_ALL_VALUES";

#[test]
fn no_value_is_code_and_none_leaves_the_release() {
    let host = served();
    let step = if std::env::var_os(ALL_VALUES).is_some() { 1 } else { 3 };
    let (canary, out) = (host.at("canary"), host.at("out"));
    std::fs::write(host.at("canary.run"), format!("#!/bin/sh\ntouch {}\n", canary.display())).unwrap();
    Command::new("chmod").arg("755").arg(host.at("canary.run")).status().unwrap();
    let before = (host.calls().len(), host.root("releases.jsonl"));
    let mut tried = std::collections::BTreeSet::new();
    let mut attempts = Vec::new();
    for script in every_action() {
        let text = script.text();
        for name in names(&text) {
            // The same name is the same check, whatever the action.
            if !tried.insert(name.clone()) {
                continue;
            }
            let values = nasty(&canary, &out).into_iter().skip(tried.len() % step).step_by(step);
            attempts
                .extend(values.filter(|value| !is_free(&name, value)).map(|value| (name.clone(), value, text.clone())));
        }
    }
    assert!(attempts.len() > 900 / step, "{}", attempts.len());
    let left = Mutex::new(attempts.into_iter());
    let next = || left.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((name, value, text)) = next() {
                    let ran = host.run_text(&with(&text, &name, &value));
                    let report = ran.report();
                    assert_eq!(
                        (ran.code, report.outcome, report.failed_step),
                        (Some(1), ActionOutcome::FailedUnchanged, Some(Step::Tools)),
                        "{name}={value}: {ran:?}"
                    );
                    assert!(report.message.contains(&name) && !ran.stdout.contains(&value), "{name}={value}: {ran:?}");
                    assert!(!canary.exists() && !out.exists(), "{name}={value}");
                }
            });
        }
    });
    for name in [
        "ACTION",
        "RUN",
        "FILE_2",
        "SETTINGS",
        "TO",
        "LINES",
        "SINCE",
        "SERVICES",
        "UP_WAIT",
        "STOP_AFTER_MINUTES",
        "PRUNE",
        "PRUNE_MODELS",
        "PRUNE_LIST",
        "MODELS",
        "ROUTE",
        "ROUTE_BEFORE",
        "SCORES",
        "DOWNLOAD_ONLY",
        "DIAGNOSTIC",
        "ONE_SERVICE",
        "STOP_AT",
        "TIME_ZONE",
    ] {
        assert!(tried.contains(name), "{name}: {tried:?}");
    }
    assert_eq!((host.calls().len(), host.root("releases.jsonl")), before, "no tool was called");
    assert_serves(&host, 1, 1);
}

/// A value that may contain anything is printed as data, and the report stays valid.
#[test]
fn a_value_that_is_free_is_data() {
    let host = served();
    let canary = host.at("canary");
    for value in nasty(&canary, &host.at("out")) {
        if !is_free("OPERATOR", &value) {
            continue;
        }
        let ran = host.run_text(&with(&act(&Action::Unlock).text(), "OPERATOR", &value));
        assert_eq!(ran.report().outcome, ActionOutcome::Done, "{value}: {ran:?}");
        let audit = host.root("audit.jsonl");
        let last: serde_json::Value = serde_json::from_str(audit.lines().last().unwrap()).unwrap();
        assert_eq!(last["operator"].as_str(), Some(&*value));
        assert!(!canary.exists(), "{value}");
    }
}

#[test]
fn a_name_that_is_not_in_the_table_is_refused() {
    let host = served();
    for name in
        ["EVIL", "FILE_X", "FILE_", "HF_TOKEN_FILE", "TMOUT", "PS4", "GLOBIGNORE", "DOCKER_HOST", "root", "step"]
    {
        let text =
            act(&Action::Status).text().replace("readonly ACTION=", &format!("readonly {name}='1'\nreadonly ACTION="));
        let ran = host.run_text(&text);
        assert_eq!(ran.report().failed_step, Some(Step::Tools), "{name}: {ran:?}");
        assert!(ran.report().message.contains(&format!("The value {name} is none")), "{ran:?}");
    }
}

/// The packed settings are checked as well.
#[test]
fn settings_that_are_none_are_refused_on_the_host_too() {
    let host = served();
    for line in [
        "GATEWAY_IMAGE='evil'",
        "HF_TOKEN_FILE='/etc/shadow'",
        "COMPOSE_FILE='/tmp/x'",
        "COMPOSE_PROJECT_NAME='other'",
        "DOCKER_HOST='tcp://evil'",
        "A=$(id)",
        "A='x' B",
        "A='x\\'",
        "a='x'",
        "include evil",
    ] {
        let packed =
            Command::new("bash").args(["-c", "printf '%s\\n' \"$1\" | gzip | base64 -w 0", "bash", line]).output();
        let packed = String::from_utf8(packed.unwrap().stdout).unwrap();
        let ran = host.run_text(&with(&deploy(2, 1).text(), "SETTINGS", &packed));
        assert_eq!((ran.code, ran.report().failed_step), (Some(1), Some(Step::Files)), "{line}: {ran:?}");
        assert!(ran.report().message.contains("not a setting of a release"), "{line}: {ran:?}");
        assert_serves(&host, 1, 1);
    }
}

/// Files that the program wrote and reads again: damaged ones are not code either, and nothing is lost.
#[test]
fn files_that_are_read_again_are_no_code() {
    let host = served();
    let canary = host.at("canary");
    let code = format!("a[$(touch {})]", canary.display());
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(host.at(name).parent().unwrap()).unwrap();
        std::fs::write(host.at(name), text).unwrap();
    };
    std::fs::create_dir_all(host.at(&format!("root/releases/1{}", code.replace('/', "_")))).unwrap();
    write("root/models.jsonl", &format!("{{\"action\":\"use\",\"route\":\"{code}\",\"from\":\"{code}\"}}\n{code}\n"));
    write("root/models.changing", &code);
    write("root/switching", &format!("{code} {code} {code}\n"));
    write("root/lock.holder", &code);
    write("run/autostop.state", &format!("\"decision\":{code}"));
    let status = host.run(&act(&Action::Status)).report().status().unwrap();
    assert!(status.half_done && !status.autostop.on);
    let ran = host.run(&act(&Action::Rollback { to: None }));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(1)), "{ran:?}");
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    let on = Action::Autostop(Autostop::On { idle_minutes: 30, max_uptime_hours: None, schedule: None });
    assert_eq!(host.run(&act(&on)).code, Some(0));
    for name in ["autostop.busy", "autostop.unknown", "autostop.unusable"] {
        write(&format!("run/{name}"), &code);
    }
    host.set("idle_seconds", "0899");
    assert_eq!(host.tick().code, Some(0), "a number with a leading zero is one");
    for settings in
        [format!("idle_minutes={code}\n$(touch {})\n", canary.display()), format!("touch {}\n", canary.display())]
    {
        write("root/autostop/settings", &settings);
        assert_eq!(host.tick().code, Some(0), "{settings}");
    }
    host.fault("docker.exec-healthcheck", "always fail no");
    // It was taken away when the gateway answered.
    write("run/autostop.unknown", &code);
    assert_eq!(host.tick().code, Some(0));
    assert!(!canary.exists());
}

/// The name of the model is compared, not searched for.
#[test]
fn a_served_name_is_no_pattern() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    let mut wanted = deploy_with(&gateway(1), &vllm(1), "one");
    let env = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = env.chain([("VLLM_SERVED_NAME".to_owned(), "medical.*".to_owned())]).collect();
    wanted.env = deployer::script::ComposeEnv::new(env).unwrap();
    let ran = host.run(&crate::deploys::of(wanted));
    assert!(ran.code == Some(4) && ran.report().message.contains("not answered by the model"), "{ran:?}");
}

/// What the stack's SSM document does before it runs the approved program, with these lines as values.
fn by_the_document(host: &Host, values: &str) -> crate::support::host::ScriptRun {
    host.run_text(&document(values))
}

/// The document's commands, as the agent gets them.
fn document(values: &str) -> String {
    let template =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cloudformation.yaml")).unwrap();
    let (_, lines) = template.split_once("runCommand:\n").unwrap();
    let (lines, _) = lines.split_once("\n\n").unwrap();
    let packed = Command::new("bash").args(["-c", "printf '%s' \"$1\" | gzip | base64 -w 0", "bash", values]).output();
    let packed = String::from_utf8(packed.unwrap().stdout).unwrap();
    let text: Vec<String> = lines
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .map(|line| serde_json::from_str::<String>(line.trim_start_matches("!Sub ")).unwrap())
        .collect();
    let text = text.join("\n").replace("{{ Values }}", &packed).replace("{{ Program }}", &deploy(1, 1).program());
    text.replace("${ProgramSha256}", &deployer::script::program_sha256())
}

/// The values of a status query, as lines, and further lines.
fn values_of_a_look(more: &str) -> String {
    let text = act(&Action::Status).text();
    let (_, ours) = text.split_once("umask 077\n\n").unwrap();
    let ours: Vec<&str> = ours.lines().take_while(|line| line.starts_with("readonly ")).collect();
    format!("{}\n{more}", ours.join("\n"))
}

/// The agent kills a command that was cancelled at once, with all its processes: no clean-up runs.
#[test]
fn a_document_that_is_killed_leaves_no_file() {
    let host = served();
    let folder = host.at("temporary");
    std::fs::create_dir(&folder).unwrap();
    let head = "#!/bin/bash\n";
    let text =
        document(&values_of_a_look("")).replacen(head, &format!("{head}export TMPDIR={}\n", folder.display()), 1);
    let left = || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert_eq!((host.run_text(&text).code, left()), (Some(0), vec![]));
    host.fault("docker.ps", "kill");
    assert_eq!((host.run_text(&text).code, left()), (None, vec![]));
}

/// Names that bash itself reads run their value before the program can check it.
#[test]
fn the_document_lets_no_name_of_bash_pass() {
    let host = served();
    let canary = host.at("canary");
    let values = values_of_a_look;
    assert_eq!(by_the_document(&host, &values("")).report().outcome, ActionOutcome::Done);
    for name in ["RANDOM", "SRANDOM", "HISTCMD", "OPTIND", "SECONDS", "LINENO", "PATH", "BASH_ENV", "IFS", "SHELLOPTS"]
    {
        let ran = by_the_document(&host, &values(&format!("readonly {name}='a[$(touch {})]'\n", canary.display())));
        assert!(ran.code == Some(65) && ran.report.is_none(), "{name}: {ran:?}");
        assert!(!canary.exists(), "{name}");
    }
    // The program checks what the document accepts.
    for line in ["readonly EVIL='1'", "readonly TMOUT='1'", "readonly FILE_9='0755 ../../../x aGk='"] {
        let ran = by_the_document(&host, &values(&format!("{line}\n")));
        assert_eq!(ran.report().failed_step, Some(Step::Tools), "{line}: {ran:?}");
    }
    for action in ["/bin/true", "declare", "unharmed", "verify_now", "eval", "go_back"] {
        let ours = values("").replace("ACTION='status'", &format!("ACTION='{action}'"));
        assert_eq!(by_the_document(&host, &ours).report().failed_step, Some(Step::Tools), "{action}");
    }
}
