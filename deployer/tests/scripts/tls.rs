//! The profile `tls`: Caddy is one of the services, with all that follows.

use std::collections::BTreeMap;

use deployer::script::{Action, ActionOutcome, ComposeEnv, Script, Service};

use crate::{
    deploys::{assert_serves, of, served},
    support::{
        host::Host,
        wanted::{act, deploy, deploy_with, gateway, vllm},
    },
};

fn behind_caddy(g: u8) -> Script {
    let mut wanted = deploy_with(&gateway(g), &vllm(1), "tls");
    let env: BTreeMap<String, String> = wanted
        .env
        .iter()
        .chain([("COMPOSE_PROFILES", "tls")])
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    wanted.env = ComposeEnv::new(env).unwrap();
    of(wanted)
}

fn encrypted() -> Host {
    let host = served();
    assert_eq!(host.run(&behind_caddy(1)).report().outcome, ActionOutcome::Done);
    assert_serves(&host, 1, 1);
    assert_eq!(host.get("containers/caddy/state"), "running");
    host
}

#[test]
fn caddy_is_looked_at_like_the_others() {
    let host = encrypted();
    assert_eq!(host.run(&behind_caddy(1)).report().outcome, ActionOutcome::NothingToDo);
    let status = host.run(&act(&Action::Status)).report().status().unwrap();
    assert_eq!(status.containers.iter().map(|one| &*one.service).collect::<Vec<_>>(), ["gateway", "vllm", "caddy"]);
    host.set("containers/caddy/state", "exited");
    let ran = host.run(&act(&Action::Verify));
    assert!(ran.code == Some(1) && ran.report().message.contains("caddy is not healthy"), "{ran:?}");
    std::fs::remove_dir_all(host.at("state/containers/caddy")).unwrap();
    let ran = host.run(&act(&Action::Verify));
    assert!(ran.report().message.contains("no container for caddy"), "{ran:?}");
    let ran = host.run(&behind_caddy(1));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(2)), "{ran:?}");
    assert_eq!(host.get("containers/caddy/state"), "running");
}

#[test]
fn its_lines_are_shown_with_the_others_and_alone() {
    let host = encrypted();
    for service in ["gateway", "vllm", "caddy"] {
        host.set(&format!("logs/{service}"), &format!("2026-11-21T11:00:00.000000000Z of {service}\n"));
    }
    for (service, expected) in [(None, &["gateway", "vllm", "caddy"][..]), (Some(Service::Caddy), &["caddy"])] {
        let ran = host.run(&act(&Action::Logs { service, lines: 10, since: None }));
        let lines = ran.report().last_log_lines.join("\n");
        for one in ["gateway", "vllm", "caddy"] {
            assert_eq!(lines.contains(&format!("of {one}")), expected.contains(&one), "{service:?}: {lines}");
        }
    }
}

#[test]
fn a_caddy_that_does_not_come_up_is_no_release() {
    let host = served();
    host.behave("caddy", "crash");
    let ran = host.run(&behind_caddy(1));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(1)), "{ran:?}");
    assert!(ran.report().message.contains("caddy does not stay up"), "{ran:?}");
    assert!(!host.at("state/containers/caddy").exists(), "the release without it has none");
}

#[test]
fn without_the_profile_it_is_taken_away_and_comes_back_with_it() {
    let host = encrypted();
    let ran = host.run(&deploy(1, 1));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(3)), "{ran:?}");
    assert!(!host.at("state/containers/caddy").exists(), "it would keep the ports");
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().release, Some(2));
    assert_eq!(host.get("containers/caddy/health"), "healthy");
}

#[test]
fn down_stops_it_between_the_gateway_and_the_model_server() {
    for drain in [true, false] {
        let host = encrypted();
        assert_eq!(host.run(&act(&Action::Down { drain })).code, Some(0));
        let stops: Vec<String> = host
            .calls()
            .iter()
            .filter(|call| call.starts_with("docker.compose-stop"))
            .map(|call| call.rsplit(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(stops, ["gateway", "caddy", "vllm"]);
        assert_eq!(host.get("containers/caddy/state"), "exited");
    }
}
