//! `prune`: the content of a list, and that nothing else is removed.

use std::{collections::BTreeMap, fs};

use deployer::script::{Action, ActionOutcome, ComposeEnv, Script, facts::PruneCandidates};

use crate::{
    deploys::{assert_serves, of, served},
    support::{
        host::{Host, ScriptRun},
        wanted::{act, deploy, deploy_with, gateway, vllm},
    },
};

const BASE: &str = "meta-llama/Llama-3.1-8B/d04e592bb4f6aa9cfee91e2e20afa771667e1d4b";
const VOLUME: &str = "volumes/extraction-gateway_model-cache";

fn list(models: bool) -> Script {
    act(&Action::Prune { models, approved: None })
}

fn found(host: &Host, models: bool) -> PruneCandidates {
    let ran = host.run(&list(models));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.report().unneeded().unwrap_or_else(|| panic!("{ran:?}"))
}

/// Removes what was found.
fn remove(host: &Host, models: bool, found: &PruneCandidates) -> ScriptRun {
    host.run(&act(&Action::Prune { models, approved: Some(found.list.clone()) }))
}

fn names(found: &PruneCandidates) -> (Vec<String>, Vec<String>) {
    let names = |all: &[deployer::script::facts::DiskUse]| all.iter().map(|one| one.name.clone()).collect();
    (names(&found.images), names(&found.models))
}

fn adapter(digit: &str) -> String {
    format!("loghoag/llama-3.1-8b-medical-ie/{}", digit.repeat(40))
}

/// Release with gateway `g` and the adapter's revision of this digit, and the adapter's folder in the volume.
fn with_adapter(host: &Host, g: u8, digit: &str) {
    let mut wanted = deploy_with(&gateway(g), &vllm(1), digit);
    let mut env: BTreeMap<_, _> = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    env.insert("VLLM_ADAPTER_REVISION".to_owned(), digit.repeat(40));
    wanted.env = ComposeEnv::new(env).unwrap();
    let ran = host.run(&of(wanted));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    put_model(host, &adapter(digit), 5_000_000);
}

/// A folder of the volume with a file of so many bytes.
fn put_model(host: &Host, name: &str, bytes: usize) {
    let folder = host.at(&format!("state/{VOLUME}/{name}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("weights"), vec![1; bytes]).unwrap();
}

fn has_model(host: &Host, name: &str) -> bool {
    host.at(&format!("state/{VOLUME}/{name}/weights")).exists()
}

/// Releases 1 to 3 with one adapter each; 3 serves, and 2 is the target of a rollback.
fn three() -> Host {
    let host = served();
    put_model(&host, BASE, 1_000_000);
    for (g, digit) in [(1, "a"), (2, "b"), (3, "c")] {
        with_adapter(&host, g, digit);
    }
    host
}

#[test]
fn images_of_a_failed_release_go_and_nothing_else() {
    let host = served();
    host.set("images", &format!("{}someone/else@sha256:{}\n", host.get("images"), "c".repeat(64)));
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    assert_eq!(names(&found(&host, true)), (vec![], vec![]));
    host.behave(&vllm(2), "crash");
    assert_eq!(host.run(&deploy(3, 2)).report().outcome, ActionOutcome::RolledBack);
    let before = host.get("images");
    let found = found(&host, false);
    assert_eq!(names(&found), (vec![gateway(3), vllm(2)], vec![]));
    assert_eq!((found.images[0].bytes, found.images[1].bytes), (100_000_000, 25_000_000_000));
    // The release that serves, and the previous one.
    assert_eq!((found.kept.as_slice(), found.free_after), (&[2, 1][..], None));
    assert_eq!(host.get("images"), before, "a list removes nothing");
    let ran = remove(&host, false, &found);
    assert_eq!((ran.code, ran.report().release), (Some(0), Some(2)), "{ran:?}");
    let done = ran.report().unneeded().unwrap();
    assert_eq!(done.free_after, Some(found.free_before + 25_100_000_000));
    assert_eq!(host.get("images"), before.replace(&format!("{}\n{}\n", vllm(2), gateway(3)), ""));
    assert!(
        host.has_no_temporary_folders()
            && host.root("audit.jsonl").contains("\"action\":\"prune\",\"outcome\":\"done\"")
    );
    // Back without a pull.
    let pulls = host.called("docker.pull");
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 1, 1);
    assert_eq!(host.called("docker.pull"), pulls);
}

#[test]
fn what_was_rolled_back_from_goes() {
    let host = three();
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().outcome, ActionOutcome::Done);
    let found = found(&host, true);
    assert_eq!(names(&found), (vec![gateway(3)], vec![adapter("c")]));
}

#[test]
fn models_go_only_when_they_are_asked_for_and_no_kept_release_has_them() {
    let host = three();
    assert_eq!(names(&found(&host, false)).1, Vec::<String>::new());
    // A folder without the form of our models is kept.
    put_model(&host, "own/folder", 1);
    put_model(&host, &format!("deep/er/er/{}", "d".repeat(40)), 1);
    let found = found(&host, true);
    assert_eq!(names(&found), (vec![], vec![adapter("a")]));
    assert!(found.models[0].bytes >= 5_000_000 && found.models[0].bytes < 6_000_000, "{found:?}");
    assert_eq!(remove(&host, true, &found).code, Some(0));
    let kept = [BASE, &adapter("b"), &adapter("c"), "own/folder", &format!("deep/er/er/{}", "d".repeat(40))];
    assert!(!has_model(&host, &adapter("a")) && kept.iter().all(|name| has_model(&host, name)));
    // Back without a download.
    let downloads = host.called("docker.compose-run");
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().outcome, ActionOutcome::Done);
    assert_eq!(host.called("docker.compose-run"), downloads);
}

#[test]
fn a_release_whose_model_went_downloads_it_again() {
    let host = three();
    let found = found(&host, true);
    remove(&host, true, &found);
    assert!(!host.at(&format!("state/{VOLUME}/{}", adapter("a"))).exists());
    let downloads = host.called("docker.compose-run");
    let ran = host.run(&act(&Action::Rollback { to: Some(2) }));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    assert_eq!(host.called("docker.compose-run"), downloads + 1);
}

#[test]
fn a_model_that_is_no_revision_keeps_all() {
    let host = three();
    let env = host.root("releases/4/.env").replace("VLLM_ADAPTER='loghoag/", "VLLM_ADAPTER='/models/loghoag/");
    fs::write(host.at("root/releases/4/.env"), env).unwrap();
    let ran = host.run(&list(true));
    assert_eq!(names(&ran.report().unneeded().unwrap()).1, Vec::<String>::new(), "{ran:?}");
    assert!(ran.report().warnings[0].contains("release 4 has a model that is not a revision"), "{ran:?}");
}

#[test]
fn what_was_not_shown_is_not_removed() {
    let host = three();
    let shown = found(&host, true);
    put_model(&host, &adapter("d"), 1);
    let ran = remove(&host, true, &shown);
    assert!(ran.code == Some(1) && ran.report().message.contains("changed since the plan was made"), "{ran:?}");
    assert!(has_model(&host, &adapter("a")) && has_model(&host, &adapter("d")));
    let images = Action::Prune { models: false, approved: Some(shown.list) };
    assert_eq!(host.run(&act(&images)).code, Some(1), "another kind of list is another list");
    // And not more than fits into the report: the rest is for the next time.
    for n in 0..200 {
        put_model(&host, &format!("{}{n}/{}/{:040x}", "o".repeat(100), "m".repeat(100), n), 1);
    }
    let ran = host.run(&list(true));
    let some = ran.report().unneeded().unwrap();
    assert_eq!(some.models.len() as u64 + ran.report().left_out(), 202);
    assert!((20..100).contains(&some.models.len()), "{}", some.models.len());
    assert_eq!(remove(&host, true, &some).code, Some(0));
    let rest = found(&host, true).models.len();
    assert!(rest > 0 && some.models.iter().all(|model| !has_model(&host, &model.name)));
}

#[test]
fn nothing_is_removed_where_it_is_not_known_what_is_needed() {
    let empty = Host::new();
    let ran = empty.run(&list(true));
    assert!(ran.code == Some(1) && ran.report().message.contains("no release on the host"), "{ran:?}");
    let host = three();
    fs::write(host.at("root/switching"), "4 3 deploy\n").unwrap();
    let ran = host.run(&list(true));
    assert!(ran.code == Some(1) && ran.report().message.contains("An interrupted switch may still need"), "{ran:?}");
    fs::remove_file(host.at("root/switching")).unwrap();
    host.fault("docker.image-ls", "nothing");
    let ran = host.run(&list(false));
    assert!(ran.report().warnings[0].contains("no old image was removed"), "{ran:?}");
    assert_eq!(names(&ran.report().unneeded().unwrap()).0, Vec::<String>::new());
}

#[test]
fn what_cannot_be_removed_is_a_warning_and_a_killed_prune_is_done_again() {
    let host = three();
    host.behave(&vllm(2), "crash");
    let ran = host.run(&deploy(1, 2));
    assert_eq!(ran.report().outcome, ActionOutcome::RolledBack, "{ran:?}");
    let found = found(&host, true);
    host.fault("docker.image-rm", "fail conflict: image is being used");
    let ran = remove(&host, true, &found);
    assert_eq!((ran.code, ran.report().warnings.len()), (Some(0), 1), "{ran:?}");
    assert!(!has_model(&host, &adapter("a")) && host.get("images").contains(&gateway(1)));

    let host = three();
    host.behave(&vllm(2), "crash");
    let ran = host.run(&deploy(1, 2));
    assert_eq!(ran.report().outcome, ActionOutcome::RolledBack, "{ran:?}");
    let all = self::found(&host, true);
    host.fault("docker.image-rm", "kill");
    let killed = act(&Action::Prune { models: true, approved: Some(all.list) });
    assert_eq!(host.run_text(&killed.text()).code, None);
    assert_serves(&host, 3, 1);
    let again = self::found(&host, true);
    let ran = remove(&host, true, &again);
    assert_eq!((ran.code, ran.report().warnings.len()), (Some(0), 0), "{ran:?}");
    assert_eq!(names(&self::found(&host, true)), (vec![], vec![]));
    assert!(host.has_no_temporary_folders());
}

#[test]
fn the_models_of_several_adapters_are_kept() {
    let host = served();
    let mut wanted = deploy_with(&gateway(2), &vllm(1), "several");
    let mut env: BTreeMap<_, _> = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let word = |digit: &str| format!("a@{}=owner/a@{}", digit.repeat(8), digit.repeat(40));
    env.insert("VLLM_ADAPTERS".to_owned(), format!("{} {}", word("c"), word("d")));
    wanted.env = ComposeEnv::new(env).unwrap();
    let ran = host.run(&of(wanted));
    // The model's name of the test is not that of an adapter, so the note is answered by the public name.
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    let folder = |digit: &str| format!("owner/a/{}", digit.repeat(40));
    for name in [BASE.to_owned(), folder("c"), folder("d"), folder("e")] {
        put_model(&host, &name, 1000);
    }
    assert_eq!(names(&found(&host, true)).1, [folder("e")]);
}
