//! `up` sets the idle stop and its hours to the values of the configuration, and prints when the box will be stopped.

use std::process::Command;

use crate::{account, laptop::Laptop, served};

/// Three days from now in UTC, so that no test is ever within its hours: `thu`.
fn another_day() -> String {
    let said = Command::new("date").args(["--utc", "--date", "+3 days", "+%a"]).env("LC_ALL", "C").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_lowercase()
}

fn hours(stop_at: &str) -> String {
    format!("[autostop]\nstop_at = \"{stop_at}\"\nopen_at = \"07:00\"\ndays = [\"{}\"]", another_day())
}

#[test]
fn up_changes_an_idle_stop_that_differs_and_nothing_else() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    // No idle stop was requested, so it stays off.
    ada.up(1, 1).ended(0, &["Nothing to do."]);
    assert!(ada.run(&["autostop", "status"]).out.starts_with("off:"));
    ada.run(&["autostop", "on", "--idle-minutes", "20", "--yes"])
        .ended(0, &["restores the limits of the configuration"]);
    let started = (emulator.host.started("gateway"), emulator.host.started("vllm"));
    let doctor = ada.run(&["doctor"]);
    assert!(doctor.out.contains("after 20 min idle on the box, after 30 min idle in the configuration"), "{doctor}");
    let plan = ada.run(&["plan", "--format", "json"]);
    let plan = plan.ended(0, &["deployer up does this"]).json();
    assert_eq!((&plan["changes"], &plan["outage"]), (&true.into(), &"none".into()), "{plan}");
    assert_eq!(plan["autostop"], serde_json::json!({"from": "after 20 min idle", "to": "after 30 min idle"}));
    let up = ada.up(1, 1);
    up.ended(0, &["autostop after 20 min idle -> after 30 min idle: set on the box", "Nothing was restarted."]);
    let state = ada.run(&["autostop", "status", "--format", "json"]).json();
    assert_eq!((&state["on"], &state["idle_minutes"]), (&true.into(), &30.into()));
    assert_eq!((emulator.host.started("gateway"), emulator.host.started("vllm")), started);
    assert!(!ada.run(&["doctor"]).out.contains("in the configuration"));
    ada.up(1, 1).ended(0, &["Nothing to do."]);
}

#[test]
fn hours_that_are_configured_are_installed_by_up() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure(&hours("20:00"));
    let first = ada.up(1, 1);
    first.ended(0, &["if the box has other limits", "hours    the box stops at 20:00", "closed   the time is outside"]);
    first.ended(0, &["The box will be stopped on ", "20:00 UTC", "was started outside of its hours"]);
    let status = ada.run(&["autostop", "status"]);
    let day = another_day();
    let (first, rest) = day.split_at(1);
    let shown = format!("{}{rest}", first.to_uppercase());
    assert!(status.out.contains(&format!("stops at 20:00 {shown} (UTC), open from 07:00, next {shown} ")), "{status}");
    assert!(ada.run(&["status"]).out.contains("outside of its hours now"));
    let json = ada.run(&["autostop", "status", "--format", "json"]).json();
    assert_eq!((&json["stop_at"], &json["closed"], &json["due"]), (&"20:00".into(), &true.into(), &false.into()));
    ada.up(1, 1).ended(0, &["Nothing to do.", "The box will be stopped on "]);
    // Other hours, and then none.
    ada.configure(&hours("21:00"));
    ada.up(1, 1).ended(0, &["-> after 30 min idle, at 21:00", "Nothing was restarted.", "21:00 UTC"]);
    ada.run(&["autostop", "off", "--yes"]).ended(0, &["off until the next deployer up"]);
    ada.up(1, 1).ended(0, &["autostop off -> after 30 min idle, at 21:00"]);
    ada.configure("");
    let none = ada.up(1, 1);
    assert!(!none.ended(0, &["-> after 30 min idle: set on the box"]).err.contains("will be stopped on"), "{none}");
}

#[test]
fn an_idle_stop_that_cannot_be_changed_is_a_warning_and_the_release_serves() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure(&hours("20:00"));
    emulator.host.fault("aws.stop-instances", "always fail UnauthorizedOperation");
    ada.up(1, 1).ended(0, &["the idle stop was not set", "may not stop itself", "deployer autostop on"]);
    assert!(emulator.host.serving("gateway").is_some());
    assert!(ada.run(&["status"]).out.contains("off on the box"));
    emulator.host.no_faults();
    ada.configure(&hours("20:00").replace("[autostop]\n", "[autostop]\ntime_zone = \"Europe/Atlantis\"\n"));
    ada.up(1, 1).ended(0, &["does not know the time zone Europe/Atlantis"]);
    ada.configure("[autostop]\nstop_at = \"8pm\"");
    ada.run(&["plan"]).ended(2, &["autostop.stop_at must be an hour such as \"20:00\""]);
    ada.configure("[autostop]\nopen_at = \"07:00\"");
    ada.run(&["plan"]).ended(2, &["autostop.stop_at must be set where"]);
}
