//! `model list|use|rules|rollback|download`, with the built binary, the record on the host and a stand-in of `gateway`.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::{
    account,
    laptop::{Laptop, said, signal},
    lock,
    support::emulator::{Emulator, until},
};

pub(crate) const OLD: &str = "medical-ie@0123abcd";
pub(crate) const NEW: &str = "medical-ie@89ef4567";

fn adapters(revisions: &[&str]) -> String {
    let adapter = |revision: &&str| {
        format!(
            "[[model.adapters]]\nname = \"medical-ie\"\nrepo = \"owner/adapter\"\nrevision = \"{}\"\n",
            revision.repeat(5)
        )
    };
    revisions.iter().map(adapter).collect()
}

/// Release 1 serves two adapters.
pub(crate) fn two() -> Emulator {
    let emulator = account();
    let ada = ada(&emulator);
    ada.up(1, 1).ended(0, &["Release 1 serves and was verified."]);
    emulator
}

pub(crate) fn ada(emulator: &Emulator) -> Laptop<'_> {
    let ada = Laptop::new(emulator, "ada@laptop");
    ada.configure(&adapters(&["0123abcd", "89ef4567"]));
    ada
}

fn loaded(emulator: &Emulator) -> String {
    emulator.host.get("containers/gateway/models")
}

#[test]
fn another_model_answers_and_the_former_one_returns() {
    let emulator = two();
    let ada = ada(&emulator);
    let started = emulator.host.started("gateway");
    let list = ada.run(&["model", "list"]);
    list.ended(0, &["deployer model use NAME@REVISION"]);
    assert!(list.out.starts_with(&format!("medical-ie: {OLD}\n")), "{list}");
    assert!(list.out.contains(&format!("  {OLD}      100 %  served\n")), "{list}");
    let used = ada.run(&["model", "use", NEW, "--yes"]);
    used.ended(
        0,
        &[
            &format!("answers  what the configuration says -> {NEW}"),
            "outage   none",
            "without --eval it is not known",
            &format!("Now answers: {NEW}. One note was read to see it."),
            "deployer model rollback returns",
        ],
    );
    assert!(loaded(&emulator).contains(&format!("[\"{NEW}=100\"]")));
    ada.run(&["model", "use", NEW, "--yes"]).ended(0, &["Nothing to do"]);
    let shares = [format!("{OLD}=90"), format!("{NEW}=10")];
    ada.run(&["model", "use", &shares[0], &shares[1], "--yes"]).ended(0, &[&shares.join(" ")]);
    let document = ada.run(&["model", "list", "--format", "json"]).json();
    assert_eq!(document["models"][0]["percent"], 90, "{document}");
    assert_eq!((&document["models"][1]["served"], &document["operator"]), (&true.into(), &"ada@laptop".into()));
    assert_eq!((document["former"].as_str(), document["cut_off"].as_str()), (Some(&*format!("{NEW}=100")), None));
    // An up with another change keeps it, and the plan has nothing to do for it.
    ada.run(&["plan"]).ended(0, &["Nothing to do."]);
    ada.up(2, 1).ended(0, &["Release 2 serves"]);
    assert!(loaded(&emulator).contains(&shares.join("\", \"")), "{}", loaded(&emulator));
    let back = ada.run(&["model", "rollback", "--yes", "--format", "json"]);
    assert_eq!(back.ended(0, &[]).json()["route"], format!("{NEW}=100"));
    ada.run(&["model", "rollback", "--yes"]).ended(0, &["what the configuration says"]);
    ada.run(&["model", "rollback", "--yes"]).ended(1, &["no previous models", "nothing was changed"]);
    let list = ada.run(&["model", "list"]);
    assert_eq!(list.out.matches(" ago  ").count(), 4, "{list}");
    assert!(emulator.host.started("gateway") != started, "the second up started it");
    assert_eq!(lock(&emulator), None);
}

#[test]
fn what_cannot_answer_is_refused_before_anything_changes() {
    let emulator = two();
    let ada = ada(&emulator);
    let before = loaded(&emulator);
    for (arguments, code, words) in [
        (&["model", "use", "medical-ie", "--yes"][..], 2, "named with its revision"),
        (&["model", "use", "medical-ie@aaaa1111", "--yes"], 1, "medical-ie@aaaa1111 is not served"),
        (&["model", "use", "medical-ie@0123abcd=90", "medical-ie@89ef4567=20", "--yes"], 2, "sum to 110"),
        (&["model", "use", "medical-ie@89ef4567"], 2, "needs approval"),
        (&["model", "rollback", "--yes"], 1, "no previous models"),
        (&["model", "use", "medical-ie@89ef4567", "--eval", "gold.jsonl", "--yes"], 2, "--api-key-file"),
    ] {
        let ran = ada.run(arguments);
        assert!(ran.code == Some(code) && ran.err.contains(words), "{arguments:?}: {ran}");
        assert_eq!(loaded(&emulator), before, "{arguments:?}");
    }
    // A model that answers cannot be removed from the configuration by accident, and an unsuitable model is never
    // served.
    ada.run(&["model", "use", NEW, "--yes"]).ended(0, &[]);
    ada.configure(&adapters(&["0123abcd"]));
    ada.up(1, 1).ended(1, &[&format!("{NEW} answers for the public name"), "deployer model use"]);
    ada.configure(&format!("{}rank = 64\n", adapters(&["0123abcd"])));
    ada.run(&["plan"])
        .ended(2, &["model.adapters, number 1: rank must be between 1 and model.max_lora_rank, which is 16"]);
    ada.configure(&adapters(&["0123abcd"]).replace(&"0123abcd".repeat(5), "main"));
    ada.run(&["plan"]).ended(2, &["revision must be the full commit"]);
    ada.configure(&adapters(&["0123abcd", "89ef4567"]));
    ada.write("config/gateway.toml", "[routing]\nmodels = [\"medical-ie@0123abcd=100\"]\n");
    ada.run(&["plan"]).ended(2, &["sets routing.models, which the deployer writes from model.adapters"]);
}

/// The entry point of the model server finds an adapter of another base, or of a higher rank, before it serves.
#[test]
fn an_adapter_of_another_base_leaves_what_serves() {
    let emulator = two();
    let ada = ada(&emulator);
    ada.configure(&adapters(&["0123abcd", "89ef4567", "cccc2222"]));
    let unfit = "model server: medical-ie@cccc2222 was trained on other/base, and VLLM_BASE_MODEL is meta-llama/Llama-3.1-8B: serve that base";
    emulator.host.fault("docker.compose-run", &format!("fail {unfit}"));
    ada.up(1, 1).ended(
        1,
        &["An adapter of model.adapters does not fit: medical-ie@cccc2222 was trained on other/base", "still serves"],
    );
}

#[test]
fn the_rules_are_a_switch_without_a_new_image() {
    let emulator = two();
    let ada = ada(&emulator);
    let model = emulator.host.started("vllm");
    ada.run(&["model", "rules", "--yes"])
        .ended(0, &["-> the rules", "the model stays loaded", "Now answers: the rules"]);
    assert_eq!(emulator.host.get("containers/gateway/engine"), "rules");
    ada.run(&["model", "rules", "--yes"]).ended(0, &["Nothing to do. It answers already: the rules."]);
    ada.up(2, 1).ended(0, &["Release 2 serves"]);
    assert_eq!(emulator.host.get("containers/gateway/engine"), "rules", "an up does not lift it");
    let list = ada.run(&["model", "list"]);
    assert!(list.out.starts_with("medical-ie: the rules; no model is asked, since "), "{list}");
    ada.run(&["model", "rollback", "--yes"]).ended(0, &["Now answers: what the configuration says"]);
    assert_eq!((emulator.host.get("containers/gateway/engine"), emulator.host.started("vllm")), (String::new(), model));
    ada.configure(&format!("{}[gateway.env]\nGATEWAY_ENGINE = \"rules\"\n", adapters(&["0123abcd"])));
    ada.run(&["plan"]).ended(2, &["gateway.env.GATEWAY_ENGINE"]);
}

#[test]
fn a_model_is_downloaded_while_the_old_one_serves() {
    let emulator = two();
    let ada = ada(&emulator);
    ada.configure(&adapters(&["0123abcd", "89ef4567", "cccc2222"]));
    let list = ada.run(&["model", "list"]);
    assert!(list.out.contains("medical-ie@cccc2222        0 %  not on the host: the next up serves it"), "{list}");
    let started = emulator.host.started("vllm");
    ada.run(&["model", "download", "--yes"])
        .ended(0, &["the current release keeps serving", "medical-ie@cccc2222", "deployer up serves it"]);
    assert_eq!((emulator.host.started("vllm"), emulator.host.called("docker.compose-run")), (started, 2));
    ada.up(1, 1).ended(0, &["Release 2 serves"]);
    assert_eq!(emulator.host.called("docker.compose-run"), 2, "the up found it in the cache");
}

#[test]
fn a_change_that_is_interrupted_says_what_answers() {
    let emulator = two();
    let ada = ada(&emulator);
    let child = ada.start_until_held("docker.logs", &["model", "use", NEW, "--yes"]);
    signal(&child, "INT");
    let ran = said(child);
    ada.go();
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(ran.err.contains(OLD) || ran.err.contains("what the configuration says"), "{ran}");
    emulator.host.no_faults();
    until("the lock is free", || lock(&emulator).is_none());
    ada.run(&["model", "use", NEW, "--yes"]).ended(0, &[&format!("Now answers: {NEW}")]);
    let list = ada.run(&["model", "list"]);
    assert!(!list.err.contains("was interrupted"), "{list}");
}

/// A stand-in of `gateway` on the operator's machine: logs its arguments, and scores as `scores.json` specifies.
pub(crate) fn stand_in(ada: &Laptop<'_>, high: f64, reads: u8) {
    let scores = serde_json::json!({"notes": 40, "micro": {"relaxed": {"f1": 0.81}}, "against":
        {"micro": {"relaxed": {"f1": 0.93}}, "difference": -0.12, "difference_interval_95": [-0.2, high]}});
    ada.write("scores.json", &scores.to_string());
    fs::create_dir_all(ada.path().join("bin")).unwrap();
    let program = ada.path().join("bin/gateway");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>calls\ncase \"$*\" in\n*--review-harm*) grep -q expected gold.jsonl || {{ echo 'error: gold.jsonl, line 1: no object `expected`' >&2; exit 1; }} ;;\nextract*) exit {reads} ;;\n*) cat scores.json ;;\nesac\n"
    );
    crate::support::host::write_program(&program, &script);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    ada.write("key", "a-key\n");
    ada.write("gold.jsonl", "{\"input\": \"x\", \"expected\": {}}\n");
}

pub(crate) const EVAL: [&str; 9] =
    ["model", "use", NEW, "--eval", "gold.jsonl", "--api-key-file", "key", "--url", "https://notes.example.org"];

#[test]
fn a_model_that_reads_worse_is_refused_and_the_scores_of_a_good_one_are_kept() {
    let emulator = two();
    let ada = ada(&emulator);
    let run = || ada.run(&[&EVAL[..], &["--yes"]].concat());
    stand_in(&ada, -0.05, 0);
    let before = loaded(&emulator);
    run().ended(
        1,
        &[
            &format!("{NEW} reads your notes worse than {OLD}"),
            &format!("F1 {NEW} 0.8100, {OLD} 0.9300; difference -0.1200, 95 % interval -0.2000 to -0.0500, 40 notes"),
            "nothing was changed",
        ],
    );
    assert_eq!((loaded(&emulator), emulator.host.root("models.jsonl")), (before.clone(), String::new()));
    let calls = fs::read_to_string(ada.path().join("calls")).unwrap();
    for part in [
        "eval --gold gold.jsonl --review-harm",
        &format!("/gold.jsonl --server https://notes.example.org --api-key-file key --model {OLD} --format jsonl"),
        &format!("--model {NEW} --format jsonl"),
        "--predictions /tmp/deployer-eval-",
        "--against /tmp/deployer-eval-",
    ] {
        assert!(calls.contains(part), "{part}: {calls}");
    }
    let refused = ada.run(&[&EVAL[..], &["--yes", "--format", "json"]].concat()).json();
    assert_eq!((&refused["outcome"], &refused["scores"]["f1"]), (&"refused".into(), &0.81.into()), "{refused}");
    // Notes without an answer, and labels of another form.
    stand_in(&ada, 0.05, 3);
    run().ended(1, &["some notes got no answer", "nothing was changed"]);
    ada.write("gold.jsonl", "{\"note\": \"x\"}\n");
    run().ended(1, &["check the labels", "no object `expected`", "nothing was changed"]);
    assert_eq!(loaded(&emulator), before);
    // It may be worse, but that is not shown.
    stand_in(&ada, 0.05, 0);
    run().ended(0, &["scores   F1", &format!("Now answers: {NEW}")]);
    let list = ada.run(&["model", "list", "--format", "json"]).json();
    assert_eq!((&list["scores"]["f1_of_that"], &list["scores"]["notes"]), (&0.93.into(), &40.into()), "{list}");
    assert!(fs::read_dir("/tmp").unwrap().all(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap_or_default();
        !calls.contains(&format!("/tmp/{name}/")) || !name.starts_with("deployer-eval-")
    }));
}
