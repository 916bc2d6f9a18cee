//! `keys add|revoke|list`, with the built binary, the file and the host.

use std::fs;

use sha2::{Digest, Sha256};

use crate::{
    account,
    laptop::{CommandOutput, Laptop, said, signal},
    lock, served,
    support::emulator::Emulator,
};

fn file(ada: &Laptop<'_>) -> String {
    fs::read_to_string(ada.path().join("config/keys.txt")).unwrap()
}

#[test]
fn a_key_is_added_and_revoked_while_the_service_serves() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let started = emulator.host.started("gateway");
    let added = ada.run(&["keys", "add", "eve", "--header-only", "--yes"]);
    added.ended(0, &["outage   none", "The key eve opens the service", "Commit it", "shown only now"]);
    let key = added.out.trim().strip_prefix("API_KEY=").unwrap();
    let digest = hex::encode(Sha256::digest(key));
    let both = format!("vercel {}\neve {digest}\n", "0".repeat(64));
    assert_eq!((file(&ada), emulator.host.root("releases/1/keys.txt")), (both.clone(), both.clone()));
    assert_eq!(emulator.host.get("containers/gateway/keys"), both);
    // The key is only on that one line.
    assert!(!added.err.contains(key) && !emulator.everything().contains(key));
    let plan = ada.run(&["plan"]);
    assert!(plan.ended(0, &["Nothing to do."]).out.contains("outage   none"), "{plan}");
    ada.up(1, 1).ended(0, &["Nothing to do."]);
    ada.run(&["keys", "add", "eve", "--yes"]).ended(1, &["a key for eve already"]);

    let listed = ada.run(&["keys", "list"]);
    assert_eq!(listed.ended(0, &[]).out.matches("file and host").count(), 2, "{listed}");
    ada.run(&["keys", "revoke", "vercel", "--yes"]).ended(0, &["The key vercel is refused"]);
    assert_eq!(emulator.host.get("containers/gateway/keys"), format!("eve {digest}\n"));
    ada.run(&["plan"]).ended(0, &["Nothing to do."]);
    ada.run(&["keys", "revoke", "eve", "--yes"]).ended(1, &["the last key", "nothing was changed"]);
    ada.run(&["keys", "revoke", "vercel", "--yes"]).ended(1, &["no key for vercel"]);
    assert_eq!((emulator.host.started("gateway"), lock(&emulator)), (started, None));
}

#[test]
fn a_key_has_the_scopes_that_it_is_given() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let before = file(&ada);
    for (scopes, more, words) in [
        ("extract,all", &["--header-only"][..], "'all'"),
        ("", &["--header-only"], "possible values: extract, metrics, usage, admin"),
        ("usage,admin", &[], "cannot have the scope admin; nothing was changed"),
    ] {
        let ran = ada.run(&[&["keys", "add", "eve", "--yes", "--scopes", scopes][..], more].concat());
        assert!(ran.code == Some(2) && ran.err.contains(words), "{scopes}: {ran}");
        assert_eq!((file(&ada), emulator.host.root("releases/1/keys.txt")), (before.clone(), before.clone()));
    }
    let added = ada.run(&["keys", "add", "eve", "--scopes", "usage,extract", "--header-only", "--yes"]);
    added.ended(0, &["scopes   extract,usage", "The key eve opens the service"]);
    assert!(file(&ada).ends_with(" scopes=extract,usage\n"), "{}", file(&ada));
    assert_eq!(emulator.host.get("containers/gateway/keys"), file(&ada));
    let listed = ada.run(&["keys", "list"]);
    assert!(listed.out.contains("header           extract,metrics  file and host"), "{listed}");
    assert!(listed.out.contains("header           extract,usage    file and host"), "{listed}");
    let listed = ada.run(&["keys", "list", "--format", "json"]).json();
    assert_eq!(listed["keys"][1]["scopes"], serde_json::json!(["extract", "usage"]), "{listed}");
    ada.run(&["plan"]).ended(0, &["Nothing to do."]);
}

#[test]
fn a_file_that_differs_from_the_host_is_said_and_stays_so() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let bob = Laptop::new(&emulator, "bob@laptop");
    ada.run(&["keys", "add", "eve", "--yes"]).ended(0, &[]);
    // Bob has not pulled.
    let listed = bob.run(&["keys", "list"]);
    assert!(
        listed.ended(0, &["deployer plan shows the changes"]).out.contains("host: the next up revokes it"),
        "{listed}"
    );
    bob.run(&["keys", "add", "eve", "--yes"]).ended(1, &["which the file does not"]);
    bob.run(&["keys", "add", "zoe", "--yes"]).ended(0, &["zoe opens"]);
    assert!(emulator.host.get("containers/gateway/keys").contains("eve "), "Ada's key was taken away");
    let plan = bob.run(&["plan"]);
    plan.ended(0, &["deployer up does this"]);
    assert!(
        plan.out.contains("other settings") && plan.out.contains("keys     eve is revoked: the gateway refuses it"),
        "{plan}"
    );
    let plan = bob.run(&["plan", "--format", "json"]).json();
    assert_eq!(plan["keys"], serde_json::json!({"added": [], "revoked": ["eve"], "changed": []}));
    // A revoke does not need the file to agree.
    bob.run(&["keys", "revoke", "eve", "--yes"]).ended(0, &["eve is refused"]);
    assert!(!emulator.host.get("containers/gateway/keys").contains("eve "));
}

#[test]
fn approval_lock_and_a_stopped_box() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let before = file(&ada);
    ada.run(&["keys", "add", "eve"]).ended(2, &["the box is stopped", "needs approval"]);
    let theirs = serde_json::json!({"operator": "eve@gone", "action": "up", "since": 1, "run": "1"}).to_string();
    emulator.aws(
        "ssm",
        "put_parameter",
        &serde_json::json!({"Name": "/extraction-gateway/lock", "Type": "String", "Value": theirs}),
    );
    ada.run(&["keys", "add", "eve", "--yes"]).ended(5, &["eve@gone"]);
    assert_eq!(file(&ada), before);
    emulator.aws("ssm", "delete_parameter", &serde_json::json!({"Name": "/extraction-gateway/lock"}));
    ada.run(&["keys", "add", "eve", "--yes"]).ended(0, &["the next deployer up copies the file"]);
    assert!(file(&ada).contains("\neve ") && emulator.instance_state() == "stopped");
    let listed = ada.run(&["keys", "list"]);
    assert!(listed.ended(0, &["Only the file was read"]).out.contains("eve"), "{listed}");
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand"));
}

/// A change that Ctrl-C interrupts after the signal to the gateway.
fn cut_off<'a>(emulator: &'a Emulator, change: &[&str]) -> (Laptop<'a>, CommandOutput) {
    let ada = Laptop::new(emulator, "ada@laptop");
    if change[1] == "revoke" {
        ada.run(&["keys", "add", change[2], "--yes"]).ended(0, &[]);
    }
    let child = ada.start_until_held("docker.logs", change);
    signal(&child, "INT");
    let said = said(child);
    ada.go();
    (ada, said)
}

#[test]
fn an_add_that_is_cut_off_says_that_the_key_is_there_and_was_not_shown() {
    let emulator = served();
    let (ada, said) = cut_off(&emulator, &["keys", "add", "eve", "--yes"]);
    said.ended(130, &["opens the service, or will", "it was not shown", "deployer keys revoke eve"]);
    assert!(!said.out.contains("API_KEY") && !file(&ada).contains("eve"));
    ada.run(&["keys", "list"]).ended(0, &["a change of the key eve on the host was interrupted"]);
    ada.run(&["keys", "add", "eve", "--yes"]).ended(1, &["keys revoke"]);
    ada.run(&["keys", "revoke", "eve", "--yes"]).ended(0, &["The key eve is refused"]);
    let list = ada.run(&["keys", "list", "--format", "json"]).json();
    assert_eq!(list["cut_off"], serde_json::Value::Null);
    ada.run(&["keys", "add", "eve", "--yes"]).ended(0, &["The key eve opens the service"]);
}

#[test]
fn a_revoke_that_is_cut_off_says_so_and_goes_on() {
    let emulator = served();
    let (ada, said) = cut_off(&emulator, &["keys", "revoke", "eve", "--yes"]);
    said.ended(130, &["may still open the service", "The file on this machine still has it", "it continues from here"]);
    ada.run(&["keys", "revoke", "eve", "--yes"]).ended(0, &["The key eve is refused"]);
    assert!(!file(&ada).contains("eve ") && !emulator.host.get("containers/gateway/keys").contains("eve "));
    assert_eq!(lock(&emulator), None);
}

#[test]
fn a_key_file_that_cannot_be_written_keeps_the_host_as_it_is() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let before = emulator.host.root("releases/1/keys.txt");
    // As root, too.
    fs::create_dir(ada.path().join("config/keys.txt.new")).unwrap();
    for change in [&["keys", "add", "eve", "--yes"][..], &["keys", "revoke", "vercel", "--yes"]] {
        let words = if change[1] == "add" { ["cannot be written", "nothing was changed"] } else { ["the last key"; 2] };
        ada.run(change).ended(1, &words);
    }
    assert_eq!(emulator.host.root("releases/1/keys.txt"), before);
}

#[test]
fn a_key_that_is_live_is_shown_even_if_the_file_cannot_be_written() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let child = ada.start_until_held("kill", &["keys", "add", "eve", "--yes"]);
    fs::create_dir(ada.path().join("config/keys.txt.new")).unwrap();
    ada.go();
    let said = said(child);
    said.ended(4, &["the key was changed on the host but not in the file", "Put this line into"]);
    let key = said.out.trim().strip_prefix("API_KEY=").unwrap();
    let digest = hex::encode(Sha256::digest(key));
    assert!(emulator.host.get("containers/gateway/keys").contains(&digest));
    // The line to insert is the line of the host.
    assert!(said.err.contains(&format!("eve {digest} path")), "{said}");
}

#[test]
fn a_file_that_the_gateway_refuses_stops_a_plan() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let line = format!("vercel {}\n", "0".repeat(64));
    for (text, said) in [("# none\n".to_owned(), "names no key"), (line.repeat(2), "line 2: the name appears twice")] {
        ada.write("config/keys.txt", &text);
        ada.run(&["plan"]).ended(2, &[said]);
        ada.up(1, 1).ended(2, &[said]);
    }
    assert_eq!(emulator.instance_state(), "stopped");
}
