//! Which models answer for the public name, while the gateway keeps serving.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, sync::OnceLock};

use deployer::script::{
    Action, ActionOutcome, ComposeEnv, Deploy, HostFile, ModelChange, ModelChangeKind, Models, ModelsFound, Route,
    Script,
};

use crate::{
    deploys::{assert_serves, of, served},
    support::{
        host::{Host, ScriptRun},
        template::Template,
        wanted::{act, deploy, deploy_with, gateway, vllm},
    },
};

pub(crate) const OLD: &str = "medical-ie@0123abcd";
pub(crate) const NEW: &str = "medical-ie@89ef4567";

/// A deploy of gateway image `g` that serves these adapters, of which the first answers.
pub(crate) fn with_adapters(g: u8, names: &[&str]) -> Deploy {
    let mut wanted = deploy_with(&gateway(g), &vllm(1), &format!("adapters {}", names.len()));
    let mut env: BTreeMap<_, _> = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let words = names.iter().map(|name| format!("{name}=owner/adapter@{}", name[name.len() - 8..].repeat(5)));
    env.insert("VLLM_ADAPTERS".to_owned(), words.collect::<Vec<_>>().join(" "));
    let first = names.first().unwrap();
    env.insert("ROUTING_MODELS".to_owned(), format!("{first}=100"));
    wanted.env = ComposeEnv::new(env).unwrap();
    let settings = format!("# kept\n[routing]\nmodels = [\"{first}=100\"] # deployer model use\n");
    let others = wanted.files.into_iter().filter(|file| file.path() != "config/gateway.toml");
    let settings = HostFile::new("config/gateway.toml", 0o644, settings.into_bytes()).unwrap();
    wanted.files = others.chain([settings]).collect();
    wanted
}

/// Release 1 serves both adapters.
pub(crate) fn two() -> Host {
    static TWO: OnceLock<Template> = OnceLock::new();
    let deployed = || {
        let host = Host::new();
        host.push(&[&gateway(1), &vllm(1), &gateway(2), &vllm(2)]);
        let ran = host.run(&of(with_adapters(1, &[OLD, NEW])));
        assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
        Template::of(&host)
    };
    TWO.get_or_init(deployed).host()
}

pub(crate) fn found(host: &Host) -> ModelsFound {
    let ran = host.run(&act(&Action::Models(Models::List)));
    ran.report().models().unwrap_or_else(|| panic!("{ran:?}"))
}

pub(crate) fn script(host: &Host, kind: ModelChangeKind, route: &str) -> Script {
    let before = Route::of(&found(host).chosen);
    change(kind, route, before)
}

fn change(kind: ModelChangeKind, route: &str, before: Route) -> Script {
    let scores = String::new();
    act(&Action::Models(Models::Change(ModelChange { kind, route: Route::of(route), before, scores })))
}

pub(crate) fn make(host: &Host, kind: ModelChangeKind, route: &str) -> ScriptRun {
    host.run(&script(host, kind, route))
}

pub(crate) fn whole(name: &str) -> String {
    format!("{name}=100")
}

/// The models line that the gateway has loaded.
pub(crate) fn loaded(host: &Host) -> String {
    host.get("containers/gateway/models")
}

pub(crate) fn line(words: &[&str]) -> String {
    format!(
        "models = [{}] # deployer model use",
        words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
    )
}

#[test]
fn another_model_answers_without_a_start_and_the_former_one_returns() {
    let host = two();
    let inode = |host: &Host| host.at("root/releases/1/config/gateway.toml").metadata().unwrap().ino();
    let before = (host.started("gateway"), host.started("vllm"), inode(&host));
    assert_eq!((found(&host).route.as_str(), found(&host).words), ("configured", whole(OLD)));
    let ran = make(&host, ModelChangeKind::Use, &whole(NEW));
    assert_eq!((ran.code, ran.report().release), (Some(0), Some(1)), "{ran:?}");
    assert!(ran.report().message.contains(&format!("Now answers: {NEW}.")), "{ran:?}");
    assert_eq!(loaded(&host), line(&[&whole(NEW)]));
    assert_eq!(host.root("releases/1/config/gateway.toml"), format!("# kept\n[routing]\n{}\n", line(&[&whole(NEW)])));
    let listed = found(&host);
    assert_eq!((listed.route, listed.former), (whole(NEW), "configured".to_owned()));
    assert_eq!(listed.adapters.len(), 2);
    assert!(listed.adapters.iter().all(|adapter| adapter.ends_with(" yes")), "{:?}", listed.adapters);

    let shares = format!("{OLD}=90 {NEW}=10");
    assert_eq!(make(&host, ModelChangeKind::Use, &shares).code, Some(0));
    assert_eq!(loaded(&host), line(&[&format!("{OLD}=90"), &format!("{NEW}=10")]));
    for expected in [whole(NEW), "configured".to_owned()] {
        assert_eq!(found(&host).former, expected);
        let ran = make(&host, ModelChangeKind::Rollback, &expected);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!((loaded(&host), found(&host).former), (line(&[&whole(OLD)]), String::new()));
    // The container mounts the file, not its name; nothing was started.
    assert_eq!((host.started("gateway"), host.started("vllm"), inode(&host)), before);
    assert!(
        host.has_no_temporary_folders()
            && host.root("audit.jsonl").contains("\"action\":\"models\",\"outcome\":\"done\"")
    );
}

#[test]
fn the_rules_answer_without_a_build_until_the_model_returns() {
    let host = two();
    assert_eq!(make(&host, ModelChangeKind::Use, &whole(NEW)).code, Some(0));
    let model = host.started("vllm");
    let ran = make(&host, ModelChangeKind::Rules, "rules");
    assert!(ran.code == Some(0) && ran.report().message.contains("Now answers: the rules"), "{ran:?}");
    assert_eq!((host.get("containers/gateway/engine").as_str(), host.started("vllm")), ("rules", model.clone()));
    // A deploy and a restart keep it.
    let ran = host.run(&of(with_adapters(2, &[OLD, NEW])));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    assert_eq!(host.get("containers/gateway/engine"), "rules");
    assert_eq!(host.run(&act(&Action::Restart { service: None })).code, Some(0));
    assert_eq!((host.get("containers/gateway/engine"), found(&host).former), ("rules".to_owned(), whole(NEW)));
    let ran = make(&host, ModelChangeKind::Rollback, &whole(NEW));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!((host.get("containers/gateway/engine"), loaded(&host)), (String::new(), line(&[&whole(NEW)])));
    assert!(!host.root("releases/2/.env").contains("GATEWAY_ENGINE"));
}

#[test]
fn the_rules_are_a_way_out_where_the_model_server_is_down_or_there_is_one_adapter() {
    let host = served();
    host.set("containers/vllm/state", "exited");
    host.set("containers/vllm/health", "unhealthy");
    let ran = make(&host, ModelChangeKind::Rules, "rules");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(host.get("containers/gateway/engine"), "rules");
    host.set("containers/vllm/state", "running");
    host.set("containers/vllm/health", "healthy");
    assert_eq!(make(&host, ModelChangeKind::Rollback, "configured").code, Some(0));
    assert_eq!((host.get("containers/gateway/engine"), found(&host).route.as_str()), (String::new(), "configured"));
}

#[test]
fn no_deploy_and_no_rollback_moves_notes_to_another_model() {
    let host = two();
    assert_eq!(make(&host, ModelChangeKind::Use, &whole(NEW)).code, Some(0));
    let ran = host.run(&of(with_adapters(2, &[OLD, NEW])));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    assert_eq!(loaded(&host), line(&[&whole(NEW)]));
    // The models that answer are not removed.
    let ran = host.run(&of(with_adapters(2, &[OLD])));
    assert_eq!((ran.code, ran.report().outcome), (Some(1), ActionOutcome::FailedUnchanged), "{ran:?}");
    assert!(ran.report().message.contains(&format!("{NEW} answers for the public name")), "{ran:?}");
    assert_serves(&host, 2, 1);
    assert_eq!(host.run(&act(&Action::Rollback { to: Some(1) })).code, Some(0));
    assert_eq!(loaded(&host), line(&[&whole(NEW)]));
}

#[test]
fn a_rollback_to_a_release_without_the_model_says_what_answers() {
    let host = served();
    assert_eq!(host.run(&of(with_adapters(2, &[OLD, NEW]))).code, Some(0));
    assert_eq!(make(&host, ModelChangeKind::Use, &whole(NEW)).code, Some(0));
    let ran = host.run(&act(&Action::Rollback { to: Some(1) }));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.report().warnings.iter().any(|warning| warning.contains(&format!("does not serve {NEW}"))), "{ran:?}");
    let listed = found(&host);
    assert_eq!((listed.route.as_str(), listed.chosen.as_str()), ("configured", "configured"));
    assert_eq!(listed.entries().last().unwrap().action, "release");
}

#[test]
fn what_is_not_served_another_plan_and_odd_routes_are_refused() {
    let host = two();
    let configured = Route::Configured;
    let other = "other@0123abcd=100";
    for (kind, route, before, said) in [
        (ModelChangeKind::Use, other, configured.clone(), "does not serve all of other@0123abcd"),
        (ModelChangeKind::Use, &whole(NEW), Route::Rules, "Other models answer than when the plan was made"),
        (ModelChangeKind::Rollback, &whole(NEW), configured.clone(), "Other models answer than when the plan was made"),
        (ModelChangeKind::Use, &format!("{OLD}=90 {NEW}=20"), configured.clone(), "sum to 110"),
        (ModelChangeKind::Use, &format!("{OLD}=50 {OLD}=50"), configured.clone(), "is named twice"),
        (ModelChangeKind::Use, "medical-ie=100", configured.clone(), "ROUTE does not have the required format"),
        (
            ModelChangeKind::Use,
            &format!("{NEW}=100 $(id)"),
            configured.clone(),
            "ROUTE does not have the required format",
        ),
        (ModelChangeKind::Use, "|s|x|@0123abcd=100", configured.clone(), "ROUTE does not have the required format"),
    ] {
        let ran = host.run(&change(kind, route, before));
        assert!(ran.code == Some(1) && ran.report().message.contains(said), "{route}: {ran:?}");
        assert!(ran.report().message.contains("nothing was changed"), "{route}: {ran:?}");
        assert_eq!((loaded(&host), host.root("models.jsonl")), (line(&[&whole(OLD)]), String::new()), "{route}");
    }
    // The model server has it in its settings, and does not list it.
    host.set("unlisted", NEW);
    assert_eq!(host.run(&act(&Action::Restart { service: None })).code, Some(0));
    let ran = make(&host, ModelChangeKind::Use, &whole(NEW));
    assert!(ran.code == Some(1) && ran.report().message.contains(&format!("does not list {NEW}")), "{ran:?}");
    assert!(found(&host).adapters[1].ends_with(" no"));
    host.set("containers/vllm/state", "exited");
    let ran = make(&host, ModelChangeKind::Use, &whole(OLD));
    assert!(ran.code == Some(1) && ran.report().message.contains("does not answer"), "{ran:?}");
    assert!(found(&host).adapters[1].ends_with(" unknown"));
    let ran = Host::new().run(&act(&Action::Models(Models::List)));
    assert!(ran.code == Some(1) && ran.report().message.contains("no release"), "{ran:?}");
}

#[test]
fn what_the_gateway_or_the_model_does_not_take_changes_nothing() {
    let host = two();
    host.set("refuses_models", "a model server does not list it");
    let ran = make(&host, ModelChangeKind::Use, &whole(NEW));
    assert_eq!((ran.code, ran.report().outcome), (Some(1), ActionOutcome::FailedUnchanged), "{ran:?}");
    assert!(ran.report().message.contains("The gateway refused the change"), "{ran:?}");
    assert!(ran.report().last_log_lines[0].contains("a model server does not list it"), "{ran:?}");
    let file = || host.root("releases/1/config/gateway.toml");
    assert!(file().contains(&line(&[&whole(OLD)])) && host.root("models.jsonl").is_empty());
    std::fs::remove_file(host.at("state/refuses_models")).unwrap();
    // The model is listed and reads no note.
    host.set("mute", NEW);
    let ran = make(&host, ModelChangeKind::Use, &whole(NEW));
    assert_eq!((ran.code, ran.report().outcome), (Some(1), ActionOutcome::FailedUnchanged), "{ran:?}");
    assert!(ran.report().message.contains("What answered before still answers"), "{ran:?}");
    assert_eq!((loaded(&host), found(&host).changing), (line(&[&whole(OLD)]), String::new()));
    assert!(file().contains(&line(&[&whole(OLD)])) && host.root("models.jsonl").is_empty());
}

#[test]
fn a_gateway_that_says_nothing_is_started_again_for_its_models() {
    let host = two();
    host.behave(&gateway(1), "quiet");
    let (started, model) = (host.started("gateway"), host.started("vllm"));
    let ran = make(&host, ModelChangeKind::Use, &whole(NEW));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(loaded(&host), line(&[&whole(NEW)]));
    assert!(host.started("gateway") != started && host.started("vllm") == model);
}

#[test]
fn one_that_is_ended_returns_and_one_that_is_killed_is_known_and_completed() {
    let host = two();
    let script = script(&host, ModelChangeKind::Use, &whole(NEW));
    host.fault("docker.logs", "hold");
    let child = host.spawn(&script.text());
    crate::support::emulator::until("the gateway is asked", || host.at("state/held").exists());
    let id = child.id().to_string();
    std::process::Command::new("pkill").args(["-TERM", "-P", &id]).status().unwrap();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    host.set("go", "");
    let ran = Host::wait(child);
    assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged, "{ran:?}");
    assert_eq!((loaded(&host), found(&host).changing), (line(&[&whole(OLD)]), String::new()));

    host.no_faults();
    host.fault("kill", "kill");
    assert_eq!(host.run_text(&script.text()).code, None);
    host.no_faults();
    let listed = found(&host);
    assert_eq!((listed.chosen.as_str(), listed.changing), ("configured", whole(NEW)));
    // A rollback of an interrupted change returns to what was chosen, and not further.
    assert_eq!(listed.former, "configured");
    let ran = make(&host, ModelChangeKind::Rollback, "configured");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!((loaded(&host), found(&host).changing), (line(&[&whole(OLD)]), String::new()));
    assert_eq!(make(&host, ModelChangeKind::Use, &whole(NEW)).code, Some(0));
    assert_eq!((loaded(&host), found(&host).changing), (line(&[&whole(NEW)]), String::new()));
}

/// A routing that the operator wrote into the settings: the first of its models answers the test note.
#[test]
fn a_deploy_with_a_routing_of_its_own_is_verified_by_it() {
    let host = two();
    let mut wanted = with_adapters(2, &[OLD, NEW]);
    let settings = format!("[routing]\nmodels = [\"{OLD}=100\"] # deployer model use\n");
    wanted.files.retain(|file| file.path() != "config/gateway.toml");
    wanted.files.push(HostFile::new("config/gateway.toml", 0o644, settings.into_bytes()).unwrap());
    let env = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = env.chain([("ROUTING_MODELS".to_owned(), "another=50 b=50".to_owned())]).collect();
    wanted.env = ComposeEnv::new(env).unwrap();
    wanted.config_hash = "other".to_owned();
    let ran = host.run(&of(wanted));
    // The answer comes from the one model, and the release names the other.
    assert!(ran.code == Some(3) && ran.report().message.contains("not answered by the model"), "{ran:?}");
}

#[test]
fn a_download_alone_switches_nothing() {
    let host = two();
    let before = (host.started("gateway"), host.started("vllm"));
    let mut wanted = with_adapters(2, &[OLD, NEW, "third@aaaa1111"]);
    wanted.download_only = true;
    let ran = host.run(&of(wanted));
    assert_eq!((ran.code, ran.report().release), (Some(0), Some(1)), "{ran:?}");
    assert!(ran.report().message.contains("What served before still serves"), "{ran:?}");
    assert_eq!((host.started("gateway"), host.started("vllm")), before);
    assert!(!host.at("root/releases/.next").exists() && !host.at("root/releases/2").exists());
    let downloads = host.called("docker.compose-run");
    assert_eq!(host.run(&of(with_adapters(2, &[OLD, NEW, "third@aaaa1111"]))).code, Some(0));
    assert_eq!(host.called("docker.compose-run"), downloads, "the deploy found it in the cache");
    // A release without several adapters is served as before.
    assert_eq!(host.run(&deploy(1, 1)).code, Some(0));
}

/// The host program recognizes the gateway's answer by these words.
#[test]
fn the_gateway_says_what_the_host_program_looks_for() {
    let gateway = include_str!("../../../gateway/src/cli/serve.rs");
    let program = deployer::script::program();
    for words in [
        "models behind the public name stay as they are",
        "other models answer for the public name",
        "models behind the public name are as before",
    ] {
        assert!(gateway.contains(words) && program.contains(words), "{words}");
    }
}
