//! `keys add|revoke|list`, with the built binary, the file and the host.

use std::fs;

use sha2::{Digest, Sha256};

use crate::{account, laptop::Laptop, lock, served};

fn file(ada: &Laptop<'_>) -> String {
    fs::read_to_string(ada.path().join("config/keys.txt")).unwrap()
}

#[test]
fn a_key_is_added_and_revoked_while_the_service_serves() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let started = emulator.host.started("gateway");
    let added = ada.run(&["keys", "add", "eve", "--header-only", "--yes"]);
    added.ended(0, &["outage   none", "The key eve opens the service", "Commit it", "this once"]);
    let key = added.out.trim().strip_prefix("API_KEY=").unwrap();
    let digest = Sha256::digest(key).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let both = format!("vercel {}\neve {digest}\n", "0".repeat(64));
    assert_eq!((file(&ada), emulator.host.root("releases/1/keys.txt")), (both.clone(), both.clone()));
    assert_eq!(emulator.host.get("containers/gateway/keys"), both);
    // The key is nowhere but on that one line.
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
fn a_file_that_differs_from_the_host_is_said_and_stays_so() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let bob = Laptop::new(&emulator, "bob@laptop");
    ada.run(&["keys", "add", "eve", "--yes"]).ended(0, &[]);
    // Bob has not pulled.
    let listed = bob.run(&["keys", "list"]);
    assert!(listed.ended(0, &["deployer plan shows it"]).out.contains("host: the next up takes it away"), "{listed}");
    bob.run(&["keys", "add", "eve", "--yes"]).ended(1, &["which the file does not"]);
    bob.run(&["keys", "add", "zoe", "--yes"]).ended(0, &["zoe opens"]);
    assert!(emulator.host.get("containers/gateway/keys").contains("eve "), "Ada's key was taken away");
    let plan = bob.run(&["plan"]);
    plan.ended(0, &["deployer up does this"]);
    assert!(plan.out.contains("other settings") && plan.out.contains("keys     eve goes: it is refused"), "{plan}");
    let plan = bob.run(&["plan", "--format", "json"]).json();
    assert_eq!(plan["keys"], serde_json::json!({"added": [], "revoked": ["eve"], "changed": []}));
    // A revoke wants no file to agree.
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
    ada.run(&["keys", "add", "eve", "--yes"]).ended(0, &["the next deployer up carries the file"]);
    assert!(file(&ada).contains("\neve ") && emulator.instance_state() == "stopped");
    let listed = ada.run(&["keys", "list"]);
    assert!(listed.ended(0, &["Only the file was looked at"]).out.contains("eve"), "{listed}");
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand"));
}
