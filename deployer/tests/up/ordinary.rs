//! Runs without faults: from a stopped box to a release, another one, back, and to a stopped box.

use std::io::{BufRead, BufReader};

use serde_json::json;

use crate::{
    account,
    laptop::{Laptop, signal},
    lock, served,
    support::{
        host::stamp,
        wanted::{gateway, vllm},
    },
};

#[test]
fn a_first_up_starts_the_box_and_a_second_does_nothing() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let first = ada.up(1, 1);
    first.ended(0, &["starting the box", "download", "Release 1 serves and was verified."]);
    assert_eq!(first.out, "http://203.0.113.10:8080\n");
    let started = emulator.host.started("gateway");
    let calls = emulator.calls();
    let second = ada.up(1, 1);
    second.ended(0, &["unchanged: keeps running", "Nothing to do."]);
    assert_eq!(second.out, first.out);
    assert_eq!(emulator.host.started("gateway"), started);
    let more = &emulator.calls()[calls.len()..];
    assert!(!more.iter().any(|call| call == "PutParameter" || call == "StartInstances"), "{more:?}");
    assert_eq!(lock(&emulator), None);
}

#[test]
fn without_yes_and_without_a_terminal_nothing_is_changed() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(1, 1);
    let arguments: Vec<&str> = ["up"].into_iter().chain(images.iter().map(String::as_str)).collect();
    ada.run_with(&arguments, "y\n").ended(2, &["needs approval", "--yes"]);
    assert_eq!(emulator.instance_state(), "stopped");
    assert_eq!(lock(&emulator), None);
}

#[test]
fn a_change_of_the_gateway_leaves_vllm_running() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let model = emulator.host.started("vllm");
    ada.up(2, 1).ended(0, &["the gateway for about 5 s", "Release 2 serves"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(2)));
    assert_eq!(emulator.host.started("vllm"), model, "the model was loaded again");
    // Another setting of the gateway alone.
    ada.write("config/gateway.toml", "listen = \"0.0.0.0:8080\"\n# changed\n");
    ada.up(2, 1).ended(0, &["other settings", "Release 3 serves"]);
    assert_eq!(emulator.host.started("vllm"), model);
    // ... and one of the model server.
    ada.configure("max_num_seqs = 16");
    ada.up(2, 1).ended(0, &["about 6 min", "Release 4 serves"]);
    assert_ne!(emulator.host.started("vllm"), model);
}

#[test]
fn images_that_are_not_named_stay_as_they_are() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let digest = gateway(2).split_once('@').unwrap().1.to_owned();
    ada.run(&["up", "--yes", "--digest", &format!("gateway={digest}")]).ended(0, &["Release 2 serves"]);
    assert_eq!((emulator.host.serving("gateway"), emulator.host.serving("vllm")), (Some(gateway(2)), Some(vllm(1))));
    // Also after a stop, when only the record knows.
    ada.run(&["down", "--yes"]).ended(0, &["The box is stopped."]);
    let plan = ada.run(&["plan", "--format", "json"]);
    assert_eq!(plan.ended(0, &[]).json()["gateway"]["image"], gateway(2));
}

#[test]
fn a_tag_is_looked_up_on_the_host() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let digest = gateway(2).split_once('@').unwrap().1.to_owned();
    emulator.host.set("tags/extraction_gateway/v2", &digest);
    ada.run(&["plan", "--tag", "gateway=v2"]).ended(0, &[]);
    ada.run(&["up", "--yes", "--tag", "gateway=v2"]).ended(0, &["Release 2 serves"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(2)));
    ada.run(&["up", "--yes", "--tag", "gateway=v2"]).ended(0, &["Nothing was restarted."]);
}

#[test]
fn a_dry_run_prints_the_script_and_changes_nothing() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(1, 1);
    let arguments: Vec<&str> = ["up", "--dry-run"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let said = ada.run(&arguments);
    said.ended(0, &["Nothing was changed."]);
    assert!(
        said.out.starts_with("#!/bin/bash\nset -Eeuo pipefail\n") && said.out.contains("as gzip in base64"),
        "{said}"
    );
    assert_eq!(emulator.instance_state(), "stopped");
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand" || call == "PutParameter"));
}

#[test]
fn a_dry_run_is_no_reason_to_wait_for_somebody() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let theirs = json!({"operator": "eve@gone", "action": "down", "since": 1, "run": "1"}).to_string();
    let put = json!({"Name": "/extraction-gateway/lock", "Type": "String", "Value": theirs});
    emulator.aws("ssm", "put_parameter", &put);
    let images = Laptop::images(2, 1);
    let arguments: Vec<&str> = ["up", "--dry-run"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let said = ada.run(&arguments);
    said.ended(0, &["eve@gone (down, for ", "would fail now", "Nothing was changed."]);
    assert!(said.out.contains("readonly EXPECT_RELEASE='1'\n"), "{said}");
    assert_eq!(lock(&emulator), Some(theirs));
}

#[test]
fn an_up_with_nothing_to_do_has_a_note_answered_all_the_same() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.up(1, 1).ended(0, &["Release 1 serves and was verified.", "Nothing to do."]);
    // Healthy and ready, and yet notes are answered by rules.
    emulator.host.behave(&gateway(1), "rules");
    let said = ada.up(1, 1);
    said.ended(1, &["its verification failed", "rules engine", "deployer restart"]);
    assert!(!said.err.contains("Nothing to do.") && said.out.is_empty(), "{said}");
}

#[test]
fn rollback_and_the_ledger() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.up(2, 1).ended(0, &[]);
    let back = ada.run(&["rollback", "--yes"]);
    back.ended(0, &["2 -> 1", "the model stays loaded", "Release 1 serves again"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
    let ledger = ada.run(&["releases", "--format", "json"]);
    let ledger = ledger.ended(0, &[]).json();
    let ledger = &ledger["releases"];
    let actions: Vec<_> = ledger.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["deploy", "deploy", "rollback"]);
    assert_eq!((&ledger[2]["release"], &ledger[2]["current"]), (&1.into(), &true.into()));
    ada.run(&["rollback", "--to", "2", "--yes"]).ended(0, &["Release 2 serves again"]);
    ada.run(&["rollback", "--to", "9", "--yes"]).ended(1, &["Release 9 is not on the host", "nothing was changed"]);
    let dry = ada.run(&["rollback", "--dry-run"]);
    dry.ended(0, &["Nothing was changed."]);
    assert!(dry.out.contains("readonly ACTION='rollback'"));
}

#[test]
fn down_stops_the_box_and_a_later_up_has_another_address() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.run(&["down", "--yes"]).ended(0, &["running work ends first", "saves 0.98 USD an hour", "The box is stopped."]);
    assert_eq!(emulator.instance_state(), "stopped");
    assert!(emulator.host.called("docker.compose-stop") >= 2, "drained by the host");
    ada.run(&["down", "--yes"]).ended(0, &["stopped already"]);
    let again = ada.up(1, 1);
    again.ended(0, &["start it", "Release 1 serves and was verified."]);
    assert_eq!(again.out, "http://203.0.113.11:8080\n", "another address after a start");
    ada.run(&["down", "--now", "--yes"]).ended(0, &["running work is lost", "The box is stopped."]);
}

#[test]
fn status_of_a_stopped_and_of_a_serving_box() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let stopped = ada.run(&["status", "--format", "json"]);
    let stopped = stopped.ended(0, &["deployer up starts the box."]).json();
    assert_eq!(
        (&stopped["instance"]["state"], &stopped["host"], &stopped["serves"]),
        (&"stopped".into(), &().into(), &false.into())
    );
    ada.up(1, 1).ended(0, &[]);
    emulator.host.set("in_flight", "3");
    emulator.host.set("queued", "2");
    let serving = ada.run(&["status", "--format", "json"]);
    let serving = serving.ended(0, &[]).json();
    assert_eq!((&serving["serves"], &serving["host"]["release"]), (&true.into(), &1.into()));
    assert_eq!(
        (&serving["host"]["gateway"]["in_flight"], &serving["host"]["gpu"]["name"]),
        (&3.into(), &"NVIDIA L4".into())
    );
    let text = ada.run(&["status"]);
    for line in [
        "release   1 (commit ",
        "queue     3 running, 2 waiting",
        "ready     yes",
        "url       http://203.0.113.10:8080",
    ] {
        assert!(text.out.contains(line), "{line}: {text}");
    }
}

#[test]
fn logs_once_and_as_they_come() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let first = "2026-11-21T11:00:01.000000000Z line 1\n";
    emulator.host.set("logs/gateway", first);
    let once = ada.run(&["logs", "--service", "gateway"]);
    assert_eq!(once.ended(0, &[]).out, "gateway-1  | 2026-11-21T11:00:01.000000000Z line 1\n");
    let mut child = ada.start(&["logs", "-f"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("line 1"));
    emulator.host.set("logs/gateway", &format!("{first}{} line 2\n", stamp()));
    assert!(lines.next().unwrap().unwrap().ends_with("line 2"), "each line once");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn restart_and_the_idle_stop() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let (model, gateway) = (emulator.host.started("vllm"), emulator.host.started("gateway"));
    ada.run(&["restart", "--service", "gateway", "--yes"])
        .ended(0, &["the model stays loaded", "Restarted; release 1 serves"]);
    assert_eq!(emulator.host.started("vllm"), model);
    assert_ne!(emulator.host.started("gateway"), gateway);
    let off = ada.run(&["autostop", "status"]);
    assert!(off.ended(0, &["autostop on"]).out.starts_with("off:"), "{off}");
    ada.run(&["autostop", "on", "--idle-minutes", "20", "--max-uptime-hours", "12", "--yes"])
        .ended(0, &["after 20 min", "The idle stop is on."]);
    let on = ada.run(&["autostop", "status", "--format", "json"]);
    let on = on.ended(0, &[]).json();
    assert_eq!((&on["on"], &on["idle_minutes"], &on["max_uptime_hours"]), (&true.into(), &20.into(), &12.into()));
    // The file has 30 minutes and no limit, and the difference to the box is shown.
    let status = ada.run(&["status"]);
    assert!(
        status.out.contains(
            "autostop  after 20 min idle, after 12 h whatever runs on the box, after 30 min idle in the configuration"
        ),
        "{status}"
    );
    ada.run(&["autostop", "on", "--yes"]).ended(0, &["The idle stop is on."]);
    assert!(!ada.run(&["status"]).out.contains("in the configuration"));
    ada.run(&["autostop", "off", "--yes"]).ended(0, &["The idle stop is off."]);
}

#[test]
fn commands_that_need_a_running_box_say_so() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    for arguments in
        [&["logs"][..], &["restart", "--yes"], &["releases"], &["rollback", "--yes"], &["autostop", "status"]]
    {
        ada.run(arguments).ended(1, &["the box is stopped", "deployer up starts it."]);
    }
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand" || call == "PutParameter"));
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(1, 1);
    let up: Vec<&str> = ["up"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let no = ada.run_at_a_terminal(&up, "n\n");
    assert!(no.code == Some(1) && no.out.contains("Continue? [y/N]") && no.out.contains("not approved"), "{no}");
    assert_eq!((emulator.instance_state().as_str(), lock(&emulator)), ("stopped", None));
    // The agent never answers: the run asks whether to stop the box that it started.
    emulator.set(&serde_json::json!({"no_agent": true}));
    let stop = ada.run_at_a_terminal(&up, "y\ny\n");
    assert!(stop.code == Some(1) && stop.out.contains("Stop it again? [y/N]"), "{stop}");
    assert_eq!(emulator.instance_state(), "stopped");
    let leave = ada.run_at_a_terminal(&up, "y\nn\n");
    assert!(leave.code == Some(1) && leave.out.contains("deployer down stops it"), "{leave}");
    assert_eq!(emulator.instance_state(), "running");
}

#[test]
fn the_service_runs_from_the_repositorys_own_files() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let names = ["docker-compose.yml", "config/gateway.toml", "config/Caddyfile"];
    let own = |name: &str| std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for name in names {
        ada.write(name, &own(name));
    }
    let config = std::fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    let tls = "[gateway]\nprofile = \"tls\"\ndomain = \"notes.example.org\"\nbind = \"127.0.0.1\"\n";
    ada.write("config/deployment.toml", &format!("{config}{tls}"));
    let up = ada.up(1, 1);
    up.ended(0, &["Release 1 serves and was verified."]);
    assert_eq!(up.out, "https://notes.example.org\n");
    for name in names {
        let there = emulator.host.at("root/releases/1").join(name);
        assert_eq!(std::fs::read_to_string(there).unwrap(), own(name), "{name}");
    }
}

#[test]
fn a_box_without_a_gpu_gets_the_file_that_leaves_its_reservation_out() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let config = std::fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    ada.write("config/deployment.toml", &config.replace("[box]\n", "[box]\ngpu = false\n"));
    ada.up(1, 1).ended(2, &["config/compose.no-gpu.yml cannot be read", "Run this in the repository."]);
    ada.write("config/compose.no-gpu.yml", "services: {}\n");
    emulator.host.fault("nvidia-smi", "always fail NVIDIA-SMI has failed");
    ada.up(1, 1).ended(0, &["Release 1 serves and was verified."]);
    // Every call of compose for this release, and none for the next.
    let uses = |release: &str| {
        let calls = emulator.host.calls();
        let of = calls.iter().filter(|call| call.starts_with("docker.compose-") && call.contains(release));
        of.filter(|call| !call.contains("releases/.next"))
            .map(|call| call.contains("/config/compose.no-gpu.yml "))
            .collect::<Vec<_>>()
    };
    assert!(
        !uses("releases/1/").is_empty() && uses("releases/1/").iter().all(|used| *used),
        "{:?}",
        emulator.host.calls()
    );
    assert!(!ada.run(&["status"]).out.contains("gpu "));
    emulator.host.no_faults();
    ada.write("config/deployment.toml", &config);
    ada.up(1, 1).ended(0, &["docker-compose.yml changed", "Release 2 serves"]);
    assert!(
        !uses("releases/2/").is_empty() && uses("releases/2/").iter().all(|used| !used),
        "{:?}",
        emulator.host.calls()
    );
    ada.run(&["rollback", "--yes"]).ended(0, &["Release 1 serves again"]);
    assert!(uses("releases/1/").iter().all(|used| *used), "a rollback runs what the release ran on");
}

#[test]
fn releases_and_rollback_of_a_stopped_box() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.run(&["releases"]).ended(1, &["no release was recorded"]);
    ada.run(&["rollback", "--yes"]).ended(1, &["no release was recorded"]);
    ada.up(1, 1).ended(0, &["Release 1 serves"]);
    ada.up(2, 1).ended(0, &["Release 2 serves"]);
    ada.run(&["down", "--yes"]).ended(0, &[]);
    emulator.until_state("stopped");
    let commands = emulator.commands().len();
    let list = ada.run(&["releases"]);
    list.ended(0, &["The box is stopped; this was recorded", "rollback --to N starts the box"]);
    let lines: Vec<&str> = list.out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("     1") && lines[1].starts_with("*    2"), "{}", list.out);
    ada.run(&["rollback", "--dry-run"]).ended(0, &["release  2 -> 1", "stopped: it is started first"]);
    assert_eq!((emulator.instance_state(), emulator.commands().len()), ("stopped".to_owned(), commands));
    // The last release is no longer wanted.
    ada.run(&["rollback", "--yes"]).ended(0, &["release  2 -> 1", "starting the box", "Release 1 serves again"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
    assert_eq!(lock(&emulator), None);
}
