//! API keys that are added and revoked while the gateway keeps serving.

use std::{os::unix::fs::MetadataExt, sync::OnceLock};

use deployer::script::{Action, ActionOutcome, KeyChange, Keys, Script, facts::KeysFound};
use sha2::{Digest, Sha256};

use crate::{
    deploys::{assert_serves, of, served},
    support::{
        host::Host,
        template::Template,
        wanted::{act, deploy, deploy_with, gateway, vllm},
    },
};

/// Key number `n` of `name`, as it is in the file.
fn line(name: &str, n: u8) -> String {
    format!("{name} {n:064x}")
}

fn change(host: &Host, name: &str, line: Option<String>) -> Script {
    let before = found(host).sha256;
    let change = KeyChange { name: name.to_owned(), line, before, config_hash: "c.1-v.1-g.2".to_owned() };
    act(&Action::Keys(Keys::Change(change)))
}

fn found(host: &Host) -> KeysFound {
    let ran = host.run(&act(&Action::Keys(Keys::List)));
    ran.report().keys().unwrap_or_else(|| panic!("{ran:?}"))
}

/// The keys that the gateway has loaded.
fn loaded(host: &Host) -> String {
    host.get("containers/gateway/keys")
}

/// Two releases; the second serves.
fn two() -> Host {
    static TWO: OnceLock<Template> = OnceLock::new();
    let deployed = || {
        let host = served();
        let mut other = deploy_with(&gateway(2), &vllm(1), "one");
        "c.1-v.1-g.1".clone_into(&mut other.config_hash);
        assert_eq!(host.run(&of(other)).code, Some(0));
        Template::of(&host)
    };
    TWO.get_or_init(deployed).host()
}

#[test]
fn a_key_comes_and_goes_without_a_start() {
    let host = two();
    let (started, inode) =
        (host.started("gateway"), |host: &Host| host.at("root/releases/2/keys.txt").metadata().unwrap().ino());
    let before = inode(&host);
    let ran = host.run(&change(&host, "ada", Some(line("ada", 7))));
    assert_eq!((ran.code, ran.report().release), (Some(0), Some(2)), "{ran:?}");
    assert!(ran.report().message.contains("ada opens the service: the gateway read its 2 keys"), "{ran:?}");
    let both = format!("vercel 00ff\n{}\n", line("ada", 7));
    assert_eq!((loaded(&host), host.root("releases/2/keys.txt")), (both.clone(), both));
    let ran = host.run(&change(&host, "vercel", None));
    assert!(ran.report().message.contains("vercel is refused: the gateway read its 1 keys"), "{ran:?}");
    assert_eq!(loaded(&host), format!("{}\n", line("ada", 7)));
    // The container mounts the file, not its name.
    assert_eq!((host.started("gateway"), inode(&host)), (started, before));
    assert!(
        host.has_no_temporary_folders()
            && host.root("audit.jsonl").contains("\"action\":\"keys\",\"outcome\":\"done\"")
    );
}

#[test]
fn a_later_plan_finds_what_was_agreed_on() {
    let host = two();
    assert_eq!(found(&host).config_hash, "c.1-v.1-g.1");
    host.run(&change(&host, "ada", Some(line("ada", 7))));
    let after = found(&host);
    assert_eq!(after.config_hash, "c.1-v.1-g.2");
    let shown = hex::encode(Sha256::digest(format!("{:064x}", 7)));
    assert_eq!(after.lines[1], format!("ada {}", &shown[..12]), "a digest of the digest");
    assert!(host.root("releases/2/release.json").contains("\"commit\":\"39f5335\""));
    // If the host's configuration is not known, no plan takes it for the wanted one.
    let unknown = KeyChange {
        name: "eve".to_owned(),
        line: Some(line("eve", 8)),
        before: after.sha256,
        config_hash: String::new(),
    };
    assert_eq!(host.run(&act(&Action::Keys(Keys::Change(unknown)))).code, Some(0));
    assert_eq!(found(&host).config_hash, "c.1-v.1-g.keys");
}

#[test]
fn a_rollback_brings_no_revoked_key_back() {
    let host = two();
    host.run(&change(&host, "ada", Some(line("ada", 7))));
    host.run(&change(&host, "vercel", None));
    let ran = host.run(&act(&Action::Rollback { to: Some(1) }));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_serves(&host, 1, 1);
    assert_eq!(loaded(&host), format!("{}\n", line("ada", 7)));
}

#[test]
fn what_the_gateway_does_not_take_changes_nothing() {
    let host = two();
    host.set("refuses_keys", "");
    let ran = host.run(&change(&host, "ada", Some(line("ada", 7))));
    assert_eq!((ran.code, ran.report().outcome), (Some(1), ActionOutcome::FailedUnchanged), "{ran:?}");
    assert!(ran.report().message.contains("The old keys hold"), "{ran:?}");
    for release in ["1", "2"] {
        assert_eq!(host.root(&format!("releases/{release}/keys.txt")), "vercel 00ff\n");
    }
    assert_eq!(found(&host).config_hash, "c.1-v.1-g.1");
}

#[test]
fn a_gateway_that_says_nothing_is_started_again() {
    let host = two();
    host.behave(&gateway(2), "quiet");
    let (gateway_started, model) = (host.started("gateway"), host.started("vllm"));
    let ran = host.run(&change(&host, "ada", Some(line("ada", 7))));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(loaded(&host).contains("ada ") && host.started("gateway") != gateway_started, "{ran:?}");
    assert_eq!(host.started("vllm"), model);
}

#[test]
fn a_key_comes_with_its_scopes() {
    let host = two();
    let scoped = format!("{} scopes=extract,usage", line("ada", 7));
    assert_eq!(host.run(&change(&host, "ada", Some(scoped.clone()))).code, Some(0));
    assert!(loaded(&host).ends_with(&format!("{scoped}\n")), "{}", loaded(&host));
    assert!(found(&host).lines.iter().any(|line| line.starts_with("ada ") && line.ends_with(" scopes=extract,usage")));
    // The names of the host and of the gateway.
    let gateway = include_str!("../../../gateway/src/access/scopes.rs");
    for name in ["extract", "metrics", "usage", "admin"] {
        assert!(gateway.contains(&format!("=> \"{name}\"")), "{name}");
    }
}

#[test]
fn the_last_key_another_plan_and_odd_lines_are_refused() {
    let host = two();
    let before = found(&host).sha256;
    let ask = |name: &str, line: Option<String>, before: &str| {
        let change = KeyChange { name: name.to_owned(), line, before: before.to_owned(), config_hash: String::new() };
        host.run(&act(&Action::Keys(Keys::Change(change))))
    };
    for (name, line, before, said) in [
        ("vercel", None, before.as_str(), "is the last key"),
        ("ada", Some(line("ada", 7)), &"0".repeat(64), "changed since the plan"),
        ("ada", Some(line("eve", 7)), &before, "The line is for another key than ada"),
        ("ada", Some("ada 00ff".to_owned()), &before, "KEY_LINE does not have the required format"),
        ("ada", Some(format!("{} $(id)", line("ada", 7))), &before, "KEY_LINE does not have the required format"),
        ("ada", Some(format!("{} scopes=all", line("ada", 7))), &before, "KEY_LINE does not have the required format"),
        ("ada", Some(format!("{} scopes=", line("ada", 7))), &before, "KEY_LINE does not have the required format"),
        ("a b", None, &before, "KEY_NAME does not have the required format"),
        ("x\\n|| system(\"id\")", None, &before, "KEY_NAME does not have the required format"),
    ] {
        let ran = ask(name, line, before);
        assert!(ran.code == Some(1) && ran.report().message.contains(said), "{name} {before}: {ran:?}");
        assert_eq!(loaded(&host), "vercel 00ff\n");
    }
    // A host without a release has no keys to report.
    let empty = Host::new();
    let ran = empty.run(&act(&Action::Keys(Keys::List)));
    assert!(ran.code == Some(1) && ran.report().message.contains("no release"), "{ran:?}");
}

#[test]
fn one_that_was_killed_is_done_again() {
    for tool in ["kill", "docker.logs"] {
        let host = two();
        host.fault(tool, "kill");
        assert_eq!(host.run_text(&change(&host, "ada", Some(line("ada", 7))).text()).code, None);
        host.no_faults();
        let ran = host.run(&change(&host, "ada", Some(line("ada", 7))));
        assert_eq!(ran.code, Some(0), "{tool}: {ran:?}");
        assert_eq!(loaded(&host), format!("vercel 00ff\n{}\n", line("ada", 7)), "{tool}");
    }
}

#[test]
fn a_stopped_gateway_reads_them_when_it_starts() {
    let host = two();
    host.run(&act(&Action::Down { drain: false }));
    let ran = host.run(&change(&host, "ada", Some(line("ada", 7))));
    assert!(ran.code == Some(0) && ran.report().message.contains("reads it when it starts"), "{ran:?}");
    assert_eq!(host.called("kill"), 0);
    let mut again = deploy_with(&gateway(2), &vllm(1), "one");
    "c.1-v.1-g.2".clone_into(&mut again.config_hash);
    assert_eq!(host.run(&of(again)).code, Some(0));
    assert!(loaded(&host).contains("ada "));
}

#[test]
fn a_run_that_works_can_be_asked_how_far_it_is() {
    let host = served();
    let none = host.run(&act(&Action::Progress));
    assert_eq!((none.code, none.report().progress()), (Some(0), None));
    host.fault("docker.pull", "hold");
    let child = host.spawn(&deploy(2, 1).text());
    crate::support::emulator::until("the pull is reached", || host.at("state/held").exists());
    let ran = host.run(&act(&Action::Progress));
    let seen = ran.report().progress().unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!((seen.said, seen.lines[0].as_str()), (seen.lines.len(), "lock: one at a time on this host"));
    assert!(seen.lines.last().unwrap().starts_with("pull: "), "{seen:?}");
    host.set("go", "");
    let output = child.wait_with_output().unwrap();
    let said: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    // The progress lines are the beginning of the final output.
    assert_eq!(said[..seen.said], seen.lines, "{said:?}");
}

/// Ada's key exists in both releases.
fn with_ada() -> Host {
    let host = two();
    assert_eq!(host.run(&change(&host, "ada", Some(line("ada", 7)))).code, Some(0));
    assert!(files(&host).iter().all(|file| file.contains("ada ")), "in both releases");
    host
}

fn files(host: &Host) -> Vec<String> {
    ["1", "2"].iter().map(|release| host.root(&format!("releases/{release}/keys.txt"))).collect()
}

#[test]
fn a_change_that_is_ended_leaves_the_old_keys_everywhere() {
    for (name, line) in [("ada", None), ("eve", Some(line("eve", 8)))] {
        let host = with_ada();
        let before = (files(&host), loaded(&host), found(&host).config_hash);
        let script = change(&host, name, line);
        host.fault("docker.logs", "hold");
        let child = host.spawn(&script.text());
        crate::support::emulator::until("the gateway is asked", || host.at("state/held").exists());
        assert_ne!(loaded(&host), before.1, "the gateway has the changed ones");
        let id = child.id().to_string();
        std::process::Command::new("pkill").args(["-TERM", "-P", &id]).status().unwrap();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        host.set("go", "");
        let ran = Host::wait(child);
        assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged, "{ran:?}");
        assert!(ran.report().message.contains("The old keys hold"), "{ran:?}");
        assert_eq!((files(&host), loaded(&host), found(&host).config_hash), before, "{name}");
        assert_eq!(found(&host).changing, "");
    }
}

#[test]
fn a_revoke_that_is_killed_leaves_no_release_that_brings_the_key_back() {
    let host = with_ada();
    let script = change(&host, "ada", None);
    host.fault("kill", "kill");
    assert_eq!(host.run_text(&script.text()).code, None);
    host.no_faults();
    assert_eq!(files(&host), ["vercel 00ff\n", "vercel 00ff\n"]);
    assert!(loaded(&host).contains("ada "), "the gateway got no signal");
    assert_eq!(found(&host).changing, "ada", "the interrupted change is known");
    assert_eq!(host.run(&change(&host, "ada", None)).code, Some(0));
    assert_eq!((loaded(&host), found(&host).changing), ("vercel 00ff\n".to_owned(), String::new()));
}

#[test]
fn a_gateway_that_does_not_come_up_with_the_changed_keys_gets_the_old_ones() {
    let host = with_ada();
    let before = (files(&host), found(&host).config_hash);
    let script = change(&host, "ada", None);
    host.behave(&gateway(2), "quiet");
    host.fault("docker.compose-restart", "fail no");
    let ran = host.run(&script);
    assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged, "{ran:?}");
    assert_eq!((files(&host), found(&host).config_hash), before);
    assert!(loaded(&host).contains("ada "));
    host.fault("docker.compose-restart", "always fail no");
    let ran = host.run(&script);
    assert_eq!(ran.report().outcome, ActionOutcome::NeedsAPerson, "{ran:?}");
    assert!(ran.report().message.contains("deployer restart"), "{ran:?}");
    assert_eq!((files(&host), found(&host).changing), (before.0, "ada".to_owned()));
}
