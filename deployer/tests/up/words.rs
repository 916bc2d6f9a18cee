//! The exact output of the commands: standard output, standard error and exit code.
//!
//! `INSTA_UPDATE=always` writes the snapshots again; values that change with every run are replaced by names.

use crate::{
    account,
    laptop::{CommandOutput, Laptop},
    served,
};

/// Replaces the values that differ from run to run.
fn settled(text: &str, ada: &Laptop<'_>) -> String {
    let text = text.replace(&ada.emulator.instance_id, "i-0123").replace(&ada.emulator.url, "http://aws");
    let text = text.replace("/private", "").replace(&ada.path().display().to_string(), "FOLDER");
    text.lines()
        // How often a state is seen before it changes is chance: lines of progress.
        .filter(|line| !line.strip_prefix("   ").is_some_and(is_progress))
        // So is whether compose prints it before its wait is ended.
        .filter(|line| !(line.contains("host | container ") && line.ends_with(" exited (1)")))
        .map(|line| {
            let line: Vec<&str> = line.split(", for ").collect();
            match line.as_slice() {
                [start, rest] if rest.contains(" so far") => format!("{start}, for N s, N USD so far\n"),
                _ => format!("{}\n", line.join(", for ")),
            }
        })
        .collect()
}

/// `deploy: running on the host`, indented by three blanks; not `host | ...`, which the host says once.
fn is_progress(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_lowercase()) && !line.starts_with("host |") && line.contains(": ")
}

/// A crash loop alternates between states, and compose sees one or the other. The run gives up before or after compose
/// has started the services that depend on it. So the rollback may or may not drain a service, and may or may not show
/// the gateway's last lines.
fn crash_looped(text: &str) -> String {
    let mut back = false;
    let kept = text.lines().filter(|line| {
        back |= line.contains("failed: going back");
        let of_the_gateway = line.contains("host | drain: ") || line.contains("host | gateway: ");
        !(line.ends_with("-1 is unhealthy") || back && of_the_gateway)
    });
    let lines = kept.map(|line| {
        let Some((before, rest)) = line.split_once("(state ") else { return format!("{line}\n") };
        let (_, after) = rest.split_once(')').unwrap();
        format!("{before}(state S, started again N times){after}\n")
    });
    lines.collect()
}

fn told(name: &str, ada: &Laptop<'_>, said: &CommandOutput) {
    let text = format!(
        "exit code: {}\n--- stdout\n{}--- stderr\n{}",
        said.code.unwrap(),
        settled(&said.out, ada),
        crash_looped(&settled(&said.err, ada))
    );
    insta::assert_snapshot!(name, text);
}

/// `vol-0123abcd` becomes `vol-N`; how long was waited is chance.
fn without_ids(text: &str) -> String {
    let mut text = text.to_owned();
    for start in ["vol-", "vpc-"] {
        let mut parts = text.split(start);
        let first = parts.next().unwrap_or_default().to_owned();
        text = parts.fold(first, |text, part| {
            let rest = part.trim_start_matches(|one: char| one.is_ascii_hexdigit());
            text + start + if rest.len() < part.len() { "N" } else { "" } + rest
        });
    }
    let lines = text.lines().map(|line| match line.split_once(", tried for ") {
        Some((before, _)) => format!("{before}, tried for N s\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn of_a_zone_without_room() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits("capacity_seconds = 0\ncapacity_pause_seconds = 1", "");
    let fault = serde_json::json!({"action": "StartInstances", "code": "InsufficientInstanceCapacity", "status": 500, "times": 99});
    emulator.fault(&fault);
    let said = ada.up(1, 1);
    told("no_capacity", &ada, &CommandOutput { err: without_ids(&said.err), ..said });
}

#[test]
fn of_a_life() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    told("plan_of_a_stopped_box", &ada, &{
        let images = Laptop::images(1, 1);
        ada.run(&["plan", &images[0], &images[1], &images[2], &images[3]])
    });
    told("status_of_a_stopped_box", &ada, &ada.run(&["status"]));
    told("first_up", &ada, &ada.up(1, 1));
    told("second_up", &ada, &ada.up(1, 1));
    told("status", &ada, &ada.run(&["status"]));
    told("up_of_a_gateway", &ada, &ada.up(2, 1));
    told("rollback", &ada, &ada.run(&["rollback", "--yes"]));
    told("restart", &ada, &ada.run(&["restart", "--yes"]));
    told("autostop_on", &ada, &ada.run(&["autostop", "on", "--yes"]));
    told("doctor", &ada, &ada.run(&["doctor"]));
    told("unlock", &ada, &ada.run(&["unlock", "--yes"]));
    told("down", &ada, &ada.run(&["down", "--yes"]));
}

/// `3 s ago` and `2 min ago` become `N s ago`, without the blanks before that align them.
fn without_ages(said: &CommandOutput) -> CommandOutput {
    let aged = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let is_age = |at: usize| {
            let is_number = words[at].parse::<u64>().is_ok();
            is_number
                && matches!(words.get(at + 1), Some(&("s" | "min")))
                && words.get(at + 2).is_some_and(|word| word.starts_with("ago"))
        };
        let word = |at: usize| match () {
            () if is_age(at) => "N",
            () if at > 0 && is_age(at - 1) => "s",
            () => words[at],
        };
        let line = (0..words.len()).map(word).collect::<Vec<_>>().join(" ");
        match line.trim_start().strip_prefix("N s ago") {
            Some(rest) => format!("  N s ago{rest}\n"),
            None => format!("{line}\n"),
        }
    };
    let text = |text: &str| text.lines().map(aged).collect();
    CommandOutput { code: said.code, out: text(&said.out), err: text(&said.err) }
}

#[test]
fn of_models() {
    let emulator = crate::model::two();
    let ada = crate::model::ada(&emulator);
    crate::model::stand_in(&ada, -0.05, 0);
    told("model_list", &ada, &ada.run(&["model", "list"]));
    told("model_refused", &ada, &ada.run(&[&crate::model::EVAL[..], &["--yes"]].concat()));
    crate::model::stand_in(&ada, 0.05, 0);
    told("model_use", &ada, &ada.run(&[&crate::model::EVAL[..], &["--yes"]].concat()));
    told("model_rules", &ada, &ada.run(&["model", "rules", "--yes"]));
    told("model_rollback", &ada, &ada.run(&["model", "rollback", "--yes"]));
    told("model_list_later", &ada, &without_ages(&ada.run(&["model", "list"])));
    told("model_not_served", &ada, &ada.run(&["model", "use", "medical-ie@aaaa1111", "--yes"]));
}

#[test]
fn of_failures() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.host.behave(&crate::vllm(2), "crash");
    emulator
        .host
        .set("logs/vllm", "2026-11-21T11:00:00.000000000Z ValueError: No available memory for the cache blocks\n");
    told("rolled_back", &ada, &ada.up(1, 2));
    told("no_image_named", &ada, &Laptop::new(&account(), "ada@laptop").run(&["up", "--yes"]));
    told("unknown_key", &ada, &{
        ada.configure("[gatewy]\nport = 1");
        ada.run(&["status"])
    });
    told("no_configuration", &ada, &ada.run(&["--config", "nowhere.toml", "status"]));
}
