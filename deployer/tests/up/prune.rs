//! `prune`, with the built binary: the plan, its approval, and the free space afterwards.

use crate::{account, laptop::Laptop, lock, served, vllm};

#[test]
fn the_images_of_a_failed_release_are_removed_once_that_is_approved() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.run(&["prune", "--yes"]).ended(0, &["there is none to roll back to", "deployer prune --models"]);
    emulator.host.behave(&vllm(2), "crash");
    ada.up(1, 2).ended(3, &[]);
    ada.up(2, 1).ended(0, &["Release 3 serves"]);
    // That `up` pruned; one more that fails.
    emulator.host.behave(&vllm(3), "crash");
    ada.up(2, 3).ended(3, &[]);
    let images = emulator.host.get("images");
    let plan = ["image      25 GB  ", &vllm(3), "frees    at most 25 GB", "disk     ", "what releases 3 and 1 need"];
    ada.run(&["prune", "--dry-run"]).ended(0, &plan).ended(0, &["Nothing was changed."]);
    ada.run(&["prune"]).ended(2, &plan).ended(2, &["needs approval"]);
    assert_eq!(emulator.host.get("images"), images);
    let asked = ada.run_at_a_terminal(&["prune"], "n\n");
    assert!(asked.code == Some(1) && asked.out.contains("not approved"), "{asked}");
    assert_eq!(emulator.host.get("images"), images);

    let said = ada.run(&["prune", "--yes", "--format", "json"]);
    let document = said.ended(0, &[]).json();
    assert_eq!((&document["removed"], &document["bytes"]), (&true.into(), &25_000_000_000_u64.into()), "{document}");
    assert_eq!(document["images"][0]["name"], vllm(3));
    let free = |name: &str| document[name].as_u64().unwrap();
    assert_eq!(free("free_after"), free("free_before") + 25_000_000_000);
    assert_eq!(emulator.host.get("images"), images.replace(&format!("{}\n", vllm(3)), ""));
    assert_eq!(lock(&emulator), None);
    // The kept images are enough for a rollback.
    let pulls = emulator.host.called("docker.pull");
    ada.run(&["rollback", "--yes"]).ended(0, &["Release 1 serves again"]);
    assert_eq!(emulator.host.called("docker.pull"), pulls);
}

#[test]
fn a_model_that_no_kept_release_uses_is_removed_where_that_is_asked_for() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let model = format!("someone/of-before/{}", "c".repeat(40));
    let folder = emulator.host.at("state/volumes/extraction-gateway_model-cache").join(&model);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("weights"), vec![1; 3_000_000]).unwrap();
    let plain = ada.run(&["prune", "--yes"]);
    assert!(!plain.ended(0, &["Nothing to remove"]).err.contains(&model) && folder.exists(), "{plain}");
    let said = ada.run(&["prune", "--models", "--yes"]);
    said.ended(0, &["model     3.0 MB  ", &model, "The disk has 150 GB free; before, it had 150 GB."]);
    assert!(!folder.exists());
}

#[test]
fn a_stopped_box_another_operator_and_a_host_that_changed() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.run(&["prune", "--yes"]).ended(1, &["the box is stopped"]);
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand"));
    ada.up(1, 1).ended(0, &[]);
    emulator.host.behave(&vllm(2), "crash");
    ada.up(1, 2).ended(3, &[]);
    let theirs = serde_json::json!({"operator": "eve@gone", "action": "up", "since": 1, "run": "1"}).to_string();
    let put = serde_json::json!({"Name": "/extraction-gateway/lock", "Type": "String", "Value": theirs});
    emulator.aws("ssm", "put_parameter", &put);
    ada.run(&["prune", "--yes"]).ended(5, &["eve@gone"]);
    assert!(emulator.host.get("images").contains(&vllm(2)));
}
