//! The parts of a script before it runs: quoting, sizes, names, reports.

use std::{collections::BTreeMap, fmt::Write as _, process::Command};

use deployer::script::{
    Action, ActionOutcome, Autostop, ComposeEnv, Diagnostic, HostFile, ImageDigest, ImageTag, KeyChange, Keys,
    ModelChange, ModelChangeKind, Models, Route, Service, ShellWord, parse_report, program, script,
};
use proptest::prelude::*;

use crate::support::wanted::{act, deploy, deploy_with, digest, gateway, settings, vllm};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Real bash reads each word back as what it was: nothing is expanded, split or run.
    #[test]
    fn bash_reads_a_word_back(values in prop::collection::vec(r#"(\PC|[\n\t'"$`\\!*?~{}()<>|&; \u{7f}\u{1}]){0,40}"#, 1..30)) {
        let mut text = String::from("set -u\n");
        for value in &values {
            writeln!(text, "word={}; printf '%s\\0' \"$word\" {}", ShellWord::new(value), ShellWord::new(value)).unwrap();
        }
        let output = Command::new("bash").arg("-c").arg(text).output().unwrap();
        let read: Vec<String> =
            output.stdout.split(|byte| *byte == 0).map(|word| String::from_utf8(word.to_vec()).unwrap()).collect();
        let expected: Vec<String> =
            values.iter().flat_map(|value| [value.clone(), value.clone()]).chain([String::new()]).collect();
        prop_assert_eq!(read, expected);
    }
}

fn every_action() -> Vec<Action> {
    let on = Autostop::On { idle_minutes: 30, max_uptime_hours: Some(12), schedule: None };
    vec![
        Action::Deploy(Box::new(deploy_with(&gateway(1), &vllm(1), "one"))),
        Action::Rollback { to: Some(3) },
        Action::Down { drain: true },
        Action::Status,
        Action::Verify,
        Action::Logs { service: Some(Service::Vllm), lines: 100, since: Some("2026'$(id)\n".to_owned()) },
        Action::Restart { service: None },
        Action::Releases,
        Action::Doctor { images: vec![digest(&gateway(1))] },
        Action::Autostop(on),
        Action::Unlock,
        Action::Progress,
        Action::Prune { models: false, approved: None },
        Action::Prune { models: true, approved: Some("0".repeat(64)) },
        Action::Diagnose { diagnostic: Diagnostic::NvidiaSmi, service: None },
        Action::Keys(Keys::List),
        Action::Models(Models::List),
        Action::Models(Models::Change(ModelChange {
            kind: ModelChangeKind::Use,
            route: Route::of("a@0123abcd=90 b@0123abcd=10'$(id)\n"),
            before: Route::Rules,
            scores: "a=0.9'$(id)\n".to_owned(),
        })),
        Action::Keys(Keys::Change(KeyChange {
            name: "ada".to_owned(),
            line: Some(format!("ada {} path rate=10/s", "0".repeat(64))),
            before: "0".repeat(64),
            config_hash: String::new(),
        })),
    ]
}

#[test]
fn values_are_quoted_words_on_lines_of_their_own_and_the_program_is_always_the_same() {
    let mut host = settings();
    host.operator = "o'neil; rm -rf / $(id) `id`\nreadonly EVIL='1'".to_owned();
    // The values that the stack's own SSM document accepts.
    let line = regex("readonly [A-Z][A-Z0-9_]*='[^']*'(\\\\''[^']*')*");
    for action in every_action() {
        let script = script(&action, &host);
        let text = script.text();
        let values = text.strip_suffix(&program()).unwrap().split_once("umask 077\n\n").unwrap().1;
        for value in values.lines() {
            assert!(line(value), "{value}");
        }
        assert!(text.starts_with("#!/bin/bash\nset -Eeuo pipefail\n") && !values.contains("\nreadonly EVIL"));
        assert!(!script.command().contains("{{") && script.fits().is_ok(), "{action:?}");
    }
}

/// `.ci/run` has shellcheck read every script as it travels.
#[test]
fn every_script_parses_and_is_written_for_shellcheck() {
    let folder = std::env::var_os("EXTRACTION_GATEWAY_SCRIPTS");
    for (index, action) in every_action().iter().enumerate() {
        let text = act(action).text();
        assert!(Command::new("bash").args(["-n", "-c", &text]).status().unwrap().success(), "{action:?}");
        if let Some(folder) = &folder {
            std::fs::write(std::path::Path::new(folder).join(format!("{index}.sh")), text).unwrap();
        }
    }
}

/// A whole line fits a pattern, by grep: the document on the host asks it too.
fn regex(pattern: &'static str) -> impl Fn(&str) -> bool {
    move |line| {
        Command::new("bash")
            .args(["-c", "grep -Eqx -- \"$1\" <<<\"$2\"", "bash", pattern, line])
            .status()
            .unwrap()
            .success()
    }
}

#[test]
fn a_command_that_is_too_large_says_so() {
    let mut wanted = deploy_with(&gateway(1), &vllm(1), "one");
    // Noise does not pack.
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_le_bytes()[7]
    };
    let noise: Vec<u8> = (0..60_000).map(|_| next()).collect();
    wanted.files.push(HostFile::new("config/noise", 0o644, noise).unwrap());
    let error = act(&Action::Deploy(Box::new(wanted))).fits().unwrap_err();
    assert!(error.to_string().contains("make the files of config/ smaller"), "{error}");
    let usual = deploy(1, 1).command().len();
    // They take 5,000 as they are.
    assert!(usual < 38_700, "23,300 are for the files of config/, and this takes {usual}");
}

#[test]
fn what_is_shown_holds_no_file() {
    let shown = deploy(1, 1).masked();
    assert!(shown.contains("keys.txt (12 bytes, as gzip in base64)"), "{shown}");
    assert!(shown.contains(&format!("WANT_VLLM='{}'", vllm(1))) && shown.contains("docker compose"));
    assert!(!shown.contains("H4sI"));
}

#[test]
fn images_are_digests_or_tags() {
    let hex = "0123456789abcdef".repeat(4);
    for (text, good) in [
        (format!("registry.example.org:5000/a/b@sha256:{hex}"), true),
        (format!("gateway@sha256:{hex}"), true),
        (format!("Gateway@sha256:{hex}"), false),
        (format!("gateway@sha256:{}", &hex[1..]), false),
        (format!("gateway@sha256:{}", hex.to_uppercase()), false),
        (format!("a:b/c@md5:{hex}"), false),
        (format!("/a@sha256:{hex}"), false),
        (format!("a/../b@sha256:{hex}"), false),
        (format!("a;id@sha256:{hex}"), false),
        (format!("a\nb@sha256:{hex}"), false),
        ("gateway:latest".to_owned(), false),
    ] {
        let parsed = ImageDigest::parse(&text);
        assert_eq!(parsed.is_ok(), good, "{text}");
        assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
    }
    for (tag, good) in [("v2", true), ("39f5335", true), ("", false), ("-x", false), ("a b", false), ("a$(id)", false)]
    {
        assert_eq!(ImageTag::new("r/x", tag).is_ok(), good, "{tag}");
    }
}

#[test]
fn files_and_settings_that_cannot_travel_are_refused() {
    for (path, good) in [
        ("docker-compose.yml", true),
        ("config/a-b_c.toml", true),
        ("../x", false),
        ("/etc/passwd", false),
        ("a//b", false),
        ("./a", false),
        ("a b", false),
        ("", false),
        (".env", false),
        ("state", false),
        ("state/x", false),
        ("state.new", false),
        (".env/x", false),
        ("config/state", true),
        ("release.json", false),
    ] {
        assert_eq!(HostFile::new(path, 0o644, Vec::new()).is_ok(), good, "{path}");
    }
    for (name, value, good) in [
        ("CORS_ORIGINS", "https://a.org,$x", true),
        ("A", "it's", false),
        ("A", r"a\b", false),
        ("A", "a\nB='x'", false),
        ("a", "x", false),
        ("1A", "x", false),
        ("", "x", false),
        ("GATEWAY_IMAGE", "x", false),
        ("HF_TOKEN_FILE", "x", false),
        ("COMPOSE_PROFILES", "tls", true),
        ("COMPOSE_FILE", "x", false),
        ("DOCKER_HOST", "x", false),
    ] {
        let values = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(ComposeEnv::new(values).is_ok(), good, "{name}={value}");
    }
}

#[test]
fn a_report_is_found_or_not() {
    let line = r#"EXTRACTION-GATEWAY-REPORT {"outcome":"rolled_back","action":"deploy","failed_step":"of_the_future","message":"m"}"#;
    let report = parse_report(&format!("pull\n{line}\n")).unwrap();
    assert_eq!((report.outcome, report.outcome.exit_code()), (ActionOutcome::RolledBack, 3));
    for cut in ["", "pull: running", &line[..40], "EXTRACTION-GATEWAY-REPORT {}"] {
        assert!(parse_report(cut).is_none(), "{cut}");
    }
}
