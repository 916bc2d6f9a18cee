use std::fs;

use super::AlertConfig;
use crate::monitor::rules::{AlertKind, Rule};

/// Reads a file with this text, in a folder with a file `url` with an address and a file `password`.
fn read(text: &str) -> Result<AlertConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alert_config.json");
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("url"), "https://hooks.example.org/services/secret\n").unwrap();
    fs::write(folder.path().join("http"), "http://hooks.example.org/services/secret\n").unwrap();
    fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    let read = AlertConfig::read(&path);
    read.map_err(|failure| {
        assert_eq!(failure.exit.code(), 2);
        failure.what
    })
}

fn channels(text: &str) -> Result<AlertConfig, String> {
    read(&format!("{{\"alerts\": {{\"service_down\": {{}}}}, \"notification_channels\": {{{text}}}}}"))
}

#[test]
fn the_neighbours_file_is_read() {
    let config = read(
        r#"{"alerts": {
            "service_down": {"enabled": true, "consecutive_violations": 2, "cooldown_minutes": 30},
            "high_latency": {"enabled": true, "threshold_ms": 5000, "consecutive_violations": 5, "cooldown_minutes": 15},
            "resource_usage": {"enabled": true, "threshold": 80},
            "process_missing": {"enabled": false}},
          "notification_channels": {"console": {"enabled": true}, "log_file": {"enabled": true, "path": "alerts.log"},
            "email": {"enabled": false}, "slack": {"enabled": false}}}"#,
    )
    .unwrap();
    let rule =
        |kind, threshold, consecutive, minutes: f64| Rule { kind, threshold, consecutive, cooldown: minutes * 60.0 };
    assert_eq!(
        config.rules,
        [
            rule(AlertKind::ServiceDown, 0.0, 2, 30.0),
            rule(AlertKind::HighLatency, 5000.0, 5, 15.0),
            rule(AlertKind::ResourceUsage, 80.0, 3, 15.0),
        ]
    );
    assert!(config.console);
    assert_eq!(format!("{:?}", config.channels), "[log_file]");
}

#[test]
fn an_unknown_key_is_named() {
    for (text, name) in [
        (r#"{"alerts": {"service_dwon": {}}}"#, "service_dwon"),
        (r#"{"alerts": {"service_down": {"threshold": 3}}}"#, "threshold"),
        (r#"{"alerts": {"high_latency": {"threshold": 3}}}"#, "threshold"),
        (r#"{"alerts": {"cost": {"threshold": 3, "colour": 1}}}"#, "colour"),
        (r#"{"alerts": {"service_down": {}}, "chanels": {}}"#, "chanels"),
        (r#"{"alerts": {"service_down": {}}, "notification_channels": {"pager": {}}}"#, "pager"),
        (
            r#"{"alerts": {"service_down": {}}, "notification_channels": {"slack": {"enabled": true, "url": "x"}}}"#,
            "url",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(&format!("unknown field `{name}`")), "{error}");
    }
    assert!(read("{}").unwrap_err().contains("alerts"));
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    for (text, word) in [
        (r#"{"alerts": {}}"#, "no alert is on"),
        (r#"{"alerts": {"cost": {}}}"#, "alerts.cost needs a threshold"),
        (r#"{"alerts": {"error_share": {"threshold": 20}}}"#, "must be 0 or more and below 1"),
        (r#"{"alerts": {"resource_usage": {"threshold": 100}}}"#, "below 100"),
        (r#"{"alerts": {"queue_depth": {"threshold": -1}}}"#, "must be 0 or more"),
        (r#"{"alerts": {"service_down": {"consecutive_violations": 0}}}"#, "consecutive_violations is 0"),
        (r#"{"alerts": {"service_down": {"cooldown_minutes": -5}}}"#, "cooldown_minutes is -5"),
        // Also of an alert that is off.
        (r#"{"alerts": {"service_down": {}, "cost": {"enabled": false}}}"#, "alerts.cost needs a threshold"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn channels_are_checked_before_anything_is_watched() {
    for (text, word) in [
        (r#""log_file": {"enabled": true}"#, "log_file needs a path"),
        (r#""log_file": {"enabled": true, "path": "absent/alerts.log"}"#, "cannot be written"),
        (r#""log_file": {"enabled": true, "path": "."}"#, "not a regular file"),
        (r#""slack": {"enabled": true}"#, "slack needs url_file"),
        (r#""webhook": {"enabled": true, "url_file": "absent"}"#, "cannot be read"),
        (r#""webhook": {"enabled": true, "url_file": "http"}"#, "not an https address"),
        (r#""command": {"enabled": true}"#, "command needs program"),
        (r#""email": {"enabled": true}"#, "email.smtp_host"),
        (
            r#""email": {"enabled": true, "smtp_host": "mail.example.org", "from": "nobody", "to": ["a@example.org"]}"#,
            "email.from",
        ),
        (
            r#""email": {"enabled": true, "smtp_host": "mail.example.org", "from": "a@example.org"}"#,
            "email.to must contain",
        ),
        (
            r#""email": {"enabled": true, "smtp_host": "mail.example.org", "tls": "none", "from": "a@example.org", "to": ["a@example.org"]}"#,
            "unencrypted",
        ),
        (
            r#""email": {"enabled": true, "smtp_host": "localhost", "tls": "none", "username": "a", "from": "a@example.org", "to": ["a@example.org"]}"#,
            "must be set together",
        ),
    ] {
        let error = channels(text).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
        assert!(!error.contains("services/secret") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn all_channels_may_be_on() {
    let config = channels(
        r#""console": {"enabled": false}, "log_file": {"enabled": true, "path": "a.log"}, "slack": {"enabled": true, "url_file": "url"},
           "webhook": {"enabled": true, "url_file": "url"}, "command": {"enabled": true, "program": ["true"]},
           "email": {"enabled": true, "smtp_host": "mail.example.org", "username": "a", "password_file": "password",
                     "from": "Monitor <a@example.org>", "to": ["b@example.org", "c@example.org"]}"#,
    )
    .unwrap();
    assert!(!config.console);
    let shown = format!("{config:?}");
    assert!(shown.contains("[log_file, email, slack, webhook, command]"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{shown}");
}

#[test]
fn the_example_of_the_document_is_accepted() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitor.md")).unwrap();
    let (_, example) = document.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("alert_config.json", example), ("smtp-password", "x"), ("slack-url", "https://example.org/x")]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let config = AlertConfig::read(&folder.path().join("alert_config.json")).unwrap();
    assert_eq!((config.rules.len(), config.channels.len()), (5, 4));
    // The table of the alerts has each of them, with its default.
    for kind in AlertKind::ALL {
        let row = document.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.name()))).unwrap();
        let default = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let expected = match kind.default_threshold() {
            None => "off".to_owned(),
            Some(0.0) => "on".to_owned(),
            Some(threshold) => threshold.to_string(),
        };
        assert_eq!(default, expected, "{row}");
    }
}
