//! A deploy from an empty host, again, and with one thing changed.

use std::sync::OnceLock;

use deployer::script::{Action, ActionOutcome, Deploy, ImageTag, ImageWanted, Script};

use crate::support::{
    host::{CANARY, Host},
    template::Template,
    wanted::{REGISTRY, act, deploy, deploy_with, gateway, vllm},
};

/// Release 1 serves.
pub(crate) fn served() -> Host {
    static SERVED: OnceLock<Template> = OnceLock::new();
    let deployed = || {
        let host = Host::new();
        host.push(&[&gateway(1), &vllm(1), &gateway(2), &vllm(2), &gateway(3)]);
        assert_eq!(host.run(&deploy(1, 1)).report().outcome, ActionOutcome::Done);
        Template::of(&host)
    };
    SERVED.get_or_init(deployed).host()
}

pub(crate) fn of(deploy: Deploy) -> Script {
    act(&Action::Deploy(Box::new(deploy)))
}

pub(crate) fn assert_serves(host: &Host, g: u8, v: u8) {
    assert_eq!((host.serving("gateway"), host.serving("vllm")), (Some(gateway(g)), Some(vllm(v))));
}

#[test]
fn a_first_deploy_serves_what_was_asked_for() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    let ran = host.run(&deploy(1, 1));
    let report = ran.report();
    assert_eq!((report.outcome, report.release), (ActionOutcome::Done, Some(1)), "{ran:?}");
    assert_eq!((report.images.gateway.as_str(), report.images.vllm.as_str()), (&*gateway(1), &*vllm(1)));
    assert!(ran.stderr.is_empty() && ran.stdout.len() < 4_000 && report.warnings.is_empty(), "{ran:?}");
    assert_serves(&host, 1, 1);
    // Docker reads the settings as they were given, and no shell ever did.
    assert!(host.root("releases/1/.env").contains("CORS_ORIGINS='https://example.org,https://$HOME.`id`'"));
    assert_eq!(host.root("releases/1/config/gateway.toml"), "# one\n");
    assert_eq!(std::fs::read_link(host.at("root/current")).unwrap().to_str(), Some("releases/1"));
    assert!(!host.at("root/switching").exists() && !host.at("root/lock.holder").exists());
    let audit = host.root("audit.jsonl");
    assert!(audit.contains(r#""operator":"ada's laptop","action":"deploy","outcome":"done","release":1"#), "{audit}");
}

#[test]
fn a_second_one_finds_nothing_to_do() {
    let host = served();
    let before = (host.started("gateway"), host.started("vllm"), host.called("docker.pull"));
    let ran = host.run(&deploy(1, 1));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::NothingToDo, Some(1)));
    assert_eq!((host.started("gateway"), host.started("vllm"), host.called("docker.pull")), before);
    assert_eq!(host.called("docker.compose-up"), 1);
    assert!(!host.at("root/releases/.next").exists());
}

#[test]
fn a_new_gateway_leaves_vllm_running() {
    let host = served();
    let (g, v) = (host.started("gateway"), host.started("vllm"));
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 2, 1);
    assert_ne!(host.started("gateway"), g);
    assert_eq!(host.started("vllm"), v);
    assert_eq!(host.called("docker.compose-run"), 1, "the model is downloaded once");
}

#[test]
fn a_new_configuration_starts_the_gateway_anew_and_only_it() {
    let host = served();
    let (g, v) = (host.started("gateway"), host.started("vllm"));
    let ran = host.run(&of(deploy_with(&gateway(1), &vllm(1), "two")));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(2)));
    assert_ne!(host.started("gateway"), g);
    assert_eq!(host.started("vllm"), v);
    assert_eq!(host.root("current/config/gateway.toml"), "# two\n");
}

#[test]
fn vllm_starts_anew_when_it_changed_or_when_asked() {
    let host = served();
    let v = host.started("vllm");
    assert_eq!(host.run(&deploy(1, 2)).report().outcome, ActionOutcome::Done);
    let second = host.started("vllm");
    assert_ne!(second, v);
    let mut again = deploy_with(&gateway(1), &vllm(2), "one");
    again.restart_vllm = true;
    let ran = host.run(&of(again));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(2)), "no new release for it");
    assert_ne!(host.started("vllm"), second);
}

#[test]
fn a_new_model_is_downloaded_first() {
    let host = served();
    let mut wanted = deploy_with(&gateway(1), &vllm(1), "two");
    let mut env: std::collections::BTreeMap<_, _> =
        wanted.env.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    env.insert("VLLM_ADAPTER_REVISION".to_owned(), "f".repeat(40));
    wanted.env = deployer::script::ComposeEnv::new(env).unwrap();
    assert_eq!(host.run(&of(wanted)).report().outcome, ActionOutcome::Done);
    let calls = host.calls();
    let last = |start: &str| calls.iter().rposition(|call| call.starts_with(start)).unwrap();
    assert!(last("docker.compose-run") < last("docker.compose-up"));
    assert_eq!(host.called("aws.get-secret-value"), 2);
    assert_serves(&host, 1, 1);
}

#[test]
fn a_volume_made_anew_is_filled_again() {
    let host = served();
    host.set("volumes/extraction-gateway_model-cache/created", "2026-12-01T00:00:00Z\n");
    host.set("volumes/extraction-gateway_model-cache/models", "");
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    assert_eq!(host.called("docker.compose-run"), 2);
}

#[test]
fn a_tag_is_resolved_once_and_what_runs_is_its_digest() {
    let host = served();
    host.set("tags/extraction_gateway/v2", &format!("{}\n", gateway(2).split_once('@').unwrap().1));
    let mut wanted = deploy_with(&gateway(1), &vllm(1), "one");
    wanted.gateway = ImageWanted::Tag(ImageTag::new(&format!("{REGISTRY}/extraction/gateway"), "v2").unwrap());
    assert_eq!(host.run(&of(wanted.clone())).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 2, 1);
    assert_eq!(host.called("aws.describe-images"), 1);
    assert!(host.calls().iter().all(|call| !call.contains("gateway:v2")), "no tag is ever pulled");
    assert_eq!(host.run(&of(wanted.clone())).report().outcome, ActionOutcome::NothingToDo);
    wanted.vllm = ImageWanted::Tag(ImageTag::new("docker.io/vllm/vllm-openai", "latest").unwrap());
    let ran = host.run(&of(wanted));
    assert!(ran.report().message.contains("Give the digest") && ran.code == Some(1), "{ran:?}");
}

#[test]
fn services_that_were_stopped_start_again_under_the_same_number() {
    let host = served();
    assert_eq!(host.run(&act(&Action::Down { drain: true })).report().outcome, ActionOutcome::Done);
    assert_eq!(host.serving("gateway"), None);
    let ran = host.run(&deploy(1, 1));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(1)));
    assert_serves(&host, 1, 1);
}

#[test]
fn only_our_images_older_than_the_release_before_are_pruned() {
    let host = served();
    host.set("images", &format!("{}someone/else@sha256:{}\n", host.get("images"), "c".repeat(64)));
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    assert!(host.get("images").contains(&gateway(1)), "a rollback needs it");
    assert_eq!(host.run(&deploy(3, 1)).report().outcome, ActionOutcome::Done);
    let images = host.get("images");
    assert!(!images.contains(&gateway(1)) && images.contains(&gateway(2)) && images.contains(&vllm(1)), "{images}");
    assert!(images.contains("someone/else"));
    // Those of releases that failed go as well, and those of a repository of before.
    host.behave(&vllm(2), "crash");
    assert_eq!(host.run(&deploy(1, 2)).report().outcome, ActionOutcome::RolledBack);
    assert!(host.get("images").contains(&vllm(2)));
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
    let images = host.get("images");
    assert!(!images.contains(&vllm(2)) && !images.contains(&gateway(1)) && images.contains(&gateway(3)), "{images}");
}

#[test]
fn a_list_of_images_that_is_not_whole_is_said() {
    let host = served();
    host.fault("docker.image-ls", "nothing");
    let ran = host.run(&deploy(2, 1));
    assert_eq!((ran.report().outcome, ran.report().warnings.len()), (ActionOutcome::Done, 1), "{ran:?}");
    assert!(ran.report().warnings[0].contains("no old image was removed"), "{ran:?}");
    assert!(host.get("images").contains(&gateway(1)));
}

#[test]
fn a_prune_that_fails_is_a_warning_and_ten_releases_are_kept() {
    let host = served();
    for n in 4..=14 {
        host.push(&[&gateway(n)]);
        assert_eq!(host.run(&deploy(n, 1)).report().outcome, ActionOutcome::Done);
    }
    host.fault("docker.image-rm", "fail conflict");
    let ran = host.run(&deploy(2, 1));
    assert_eq!((ran.report().outcome, ran.report().warnings.len()), (ActionOutcome::Done, 1), "{ran:?}");
    assert_eq!(host.root("releases.jsonl").lines().count(), 10);
    let folders = std::fs::read_dir(host.at("root/releases")).unwrap().count();
    assert_eq!((folders, ran.report().release), (10, Some(13)));
}

#[test]
fn the_way_of_the_agent_packed_or_not_is_the_same() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    let ran = host.run_text(&deploy(1, 1).command());
    assert_eq!((ran.report().outcome, ran.code), (ActionOutcome::Done, Some(0)), "{ran:?}");
    assert!(!ran.stdout.contains(CANARY));
}
