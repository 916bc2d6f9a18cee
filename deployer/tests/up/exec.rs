//! `exec`, with the built binary: names of a list, and nothing else.

use crate::{account, laptop::Laptop, lock, served};

#[test]
fn a_name_of_the_list_is_run_and_its_end_told() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let sent = || emulator.commands().len();
    let before = sent();
    let said = ada.run(&["exec", "nvidia-smi"]);
    assert!(said.ended(0, &[]).out.contains("NVIDIA L4"), "{said}");
    let said = ada.run(&["exec", "--service", "vllm", "--", "processes"]);
    assert!(said.ended(0, &[]).out.contains("vllm"), "{said}");
    assert_eq!((sent(), lock(&emulator)), (before + 2, None));
    emulator.host.fault("nvidia-smi", "fail NVIDIA-SMI has failed");
    let said = ada.run(&["exec", "nvidia-smi", "--format", "json"]);
    let document = said.ended(1, &["nvidia-smi ended with 1"]).json();
    assert_eq!((&document["exit_status"], &document["diagnostic"]), (&1.into(), &"nvidia-smi".into()), "{said}");
    assert_eq!(document["output"][0], "NVIDIA-SMI has failed");
}

#[test]
fn what_is_no_name_of_the_list_never_reaches_the_host() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    for arguments in [
        &["exec", "bash"][..],
        &["exec", "--", "nvidia-smi; id"],
        &["exec", "--", "nvidia-smi", "--gpu-reset"],
        &["exec", "--service", "vllm"],
    ] {
        assert_eq!(ada.run(arguments).code, Some(2), "{arguments:?}");
    }
    let wrong = ada.run(&["exec", "disk", "--service", "gateway"]);
    wrong.ended(2, &["disk does not take a service", "Omit --service"]);
    ada.run(&["exec", "disk"]).ended(1, &["the box is stopped"]);
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand"));
}

#[test]
fn without_a_name_it_lists_them() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    // Not even a configuration is needed.
    let listed = ada.run(&["--config", "nowhere.toml", "exec"]);
    let readme = include_str!("../../docs/operating.md");
    for line in listed.ended(0, &["deployer exec NAME"]).out.lines() {
        let name = line.split(' ').next().unwrap();
        assert!(readme.contains(&format!("`{name}`")), "docs/operating.md lacks {name}");
    }
    assert_eq!(listed.out.lines().count(), 13);
    let document = ada.run(&["exec", "--format", "json"]);
    assert_eq!(document.ended(0, &[]).json()["diagnostics"][0]["name"], "nvidia-smi");
}
