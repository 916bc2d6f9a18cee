//! Compares the docker shim, on which the fast tests rely, with the engine: both must answer the same probes alike.

use std::collections::BTreeMap;

use deployer::script::{Action, ActionOutcome, ComposeEnv, Deploy, DiskNeed, HostFile, HostSettings, script};

use crate::{
    deployment,
    engine::engine,
    support::{
        host::Host,
        wanted::{self, deploy_with, digest, settings},
    },
};

/// The shim or the engine, with its names of the images.
struct Target {
    host: Host,
    settings: HostSettings,
    image: fn(&str) -> String,
}

fn shim() -> Target {
    let image = |name: &str| match name {
        "gateway-1" => wanted::gateway(1),
        "gateway-crash" => wanted::gateway(2),
        _ => wanted::vllm(1),
    };
    let host = Host::new();
    host.push(&[&image("gateway-1"), &image("gateway-crash"), &image("vllm-1")]);
    host.behave(&image("gateway-crash"), "crash");
    host.set("logs/gateway", "2026-11-21T11:00:00.000000000Z listening\n");
    Target { host, settings: HostSettings { gpu: false, ..settings() }, image }
}

fn real() -> Target {
    let engine = engine();
    engine.clean();
    let image = |name: &str| {
        let (repository, _) = name.split_once('-').unwrap();
        format!("{}/extraction/{repository}@{}", crate::engine::engine().registry, crate::engine::engine().digest(name))
    };
    let disk = DiskNeed { gateway_image: 1 << 30, vllm_image: 1 << 30, model: 1 << 30 };
    let settings =
        HostSettings { gpu: false, registry: engine.registry.clone(), up_wait_seconds: 60, disk, ..settings() };
    Target { host: deployment::host(), settings, image }
}

/// Shell functions for the probes: `c` runs compose on release 1; `look SERVICE` inspects a service as the host program
/// does; `events` prints the container events since `mark`.
const FUNCTIONS: &str = r#"#!/bin/bash
folder=$EXTRACTION_GATEWAY_ROOT/releases/1
c() {
  docker compose --project-name extraction-gateway --project-directory "$folder" --file "$folder/docker-compose.yml" \
    --env-file "$folder/.env" --file "$folder/config/compose.no-gpu.yml" "$@"
}
up() { c up --detach --wait --wait-timeout 60 --pull never --remove-orphans; }
id() {
  docker ps --all --quiet --no-trunc --filter label=com.docker.compose.project=extraction-gateway \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}
look() {
  docker inspect --format '{{.State.Status}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}|{{.State.OOMKilled}}' "$(id "$1")"
}
mark() { since=$(date +%s.%N); }
events() {
  # Until a moment in the future, because an event may arrive shortly after its container has ended.
  docker events --since "$since" --until "$(date -d '+1 second' +%s.%N)" --filter label=com.docker.compose.project=extraction-gateway \
    --filter event=die --filter event=start --format '{{.Action}} {{index .Actor.Attributes "com.docker.compose.service"}}'
}
status() { "$@" >/dev/null 2>&1; echo "exit $?"; }
set_env() { sed -i "s|^$1=.*|$1='$2'|" "$folder/.env"; }
"#;

/// The name and the script of each probe. They run in this order, each in the state that the previous one left.
const PROBES: [(&str, &str); 14] = [
    ("what serves", "look gateway; look vllm"),
    (
        "stopped in good order",
        "mark; c stop --timeout 20 gateway; events; look gateway; docker inspect --format '{{.State.ExitCode}}' \"$(id gateway)\"",
    ),
    ("an exec in what is stopped", "status docker exec \"$(id gateway)\" /gateway healthcheck --format json"),
    (
        "started again",
        "before=$(id gateway); mark; up; events; look gateway; [[ $(id gateway) == \"$before\" ]] && echo same",
    ),
    ("nothing changed", "mark; up; events"),
    ("a setting of vllm", "set_env VLLM_MAX_QUEUED_REQS 65; mark; up; events; look gateway; look vllm"),
    ("a setting of the gateway", "set_env CORS_ORIGINS https://b.example; mark; up; events"),
    ("restart of the gateway", "mark; c restart --timeout 20 gateway; events"),
    ("restart of vllm", "mark; c restart --timeout 20 vllm; events | sort"),
    ("restart of both", "mark; c restart --timeout 20 gateway vllm; events | sort"),
    ("all stopped", "up; mark; c stop --timeout 20; events; look gateway; look vllm"),
    (
        "an image of a container",
        "status docker image rm \"$(docker inspect --format '{{.Config.Image}}' \"$(id vllm)\")\"; status docker image inspect --format '{{.Id}}' a/b@sha256:$(printf '0%.0s' {1..64})",
    ),
    (
        "no container",
        "status docker inspect --format '{{.RestartCount}}' 0123; status docker volume inspect --format '{{.CreatedAt}}' nowhere",
    ),
    ("a line", "up; c logs --no-color --timestamps --tail 1 gateway | sed -E 's/[0-9]{4}-[0-9-]+T[0-9:.]+Z.*/STAMP/'"),
];

fn deploy_action(target: &Target, gateway: &str) -> Action {
    let read = |name: &str| std::fs::read(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let base = deploy_with(&(target.image)("gateway-1"), &(target.image)("vllm-1"), gateway);
    let names = ["docker-compose.yml", "config/gateway.toml", "config/compose.no-gpu.yml"];
    let mut files: Vec<_> = names.map(|name| HostFile::new(name, 0o644, read(name)).unwrap()).into();
    files.push(HostFile::new("keys.txt", 0o644, format!("suite {}\n", "0".repeat(64)).into_bytes()).unwrap());
    let env: BTreeMap<String, String> = [
        ("COMPOSE_PROFILES", "gpu"),
        ("GATEWAY_BIND", "127.0.0.1"),
        ("GATEWAY_PORT", "0"),
        ("CORS_ORIGINS", "https://a.example"),
        ("VLLM_BASE_MODEL", "a/b"),
        ("VLLM_BASE_REVISION", "d04e592bb4f6aa9cfee91e2e20afa771667e1d4b"),
        ("VLLM_ADAPTER", "c/d"),
        ("VLLM_ADAPTER_REVISION", "0123456789abcdef0123456789abcdef01234567"),
        ("VLLM_SERVED_NAME", "medical-ie"),
        ("VLLM_MAX_QUEUED_REQS", "64"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let (gateway, env) = (digest(&(target.image)(gateway)), ComposeEnv::new(env).unwrap());
    Action::Deploy(Box::new(Deploy { gateway, files, env, ..base }))
}

/// Returns the answers to all probes, and then to those about a gateway that crashes.
fn answers(target: &Target) -> Vec<String> {
    let Target { host, settings, image } = target;
    let deploy = |gateway| host.run(&script(&deploy_action(target, gateway), settings));
    let first = deploy("gateway-1");
    assert_eq!(first.report().outcome, ActionOutcome::Done, "{first:?}");
    let mut all = Vec::new();
    for (name, text) in PROBES {
        let ran = host.run_text(&format!("{FUNCTIONS}{text}"));
        all.push(format!("{name}: {}", ran.stdout.trim().replace('\n', ", ")));
    }
    // The image of a failed release stays until the next good release.
    let failed = deploy("gateway-crash");
    assert_eq!(failed.report().outcome, ActionOutcome::RolledBack, "{failed:?}");
    let crash = image("gateway-crash");
    let text = format!("status docker image inspect --format '{{{{.Id}}}}' {crash}");
    all.push(format!("image of a failed release: {}", host.run_text(&format!("{FUNCTIONS}{text}")).stdout.trim()));
    // The gateway alternates between two states. The pauses between restarts grow, so the loop sees both in time.
    let text = format!(
        "set_env GATEWAY_IMAGE '{crash}'; c up --detach --pull never >/dev/null 2>&1
         until [[ $seen == *restarting* ]] && (($(docker inspect --format '{{{{.RestartCount}}}}' \"$(id gateway)\") >= 4)); do
           seen=$(look gateway)
           echo \"$seen\"
         done"
    );
    let ran = host.run_text(&format!("{FUNCTIONS}{text}"));
    let mut seen: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("|false").next()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.iter().all(|state| ["restarting|unhealthy", "running|starting"].contains(state)), "{seen:?}");
    assert!(seen.contains(&"restarting|unhealthy"), "{seen:?} {ran:?}");
    all
}

/// Answers of compose 2.26 that differ from 2.40, which the shim imitates. The host program depends on neither: it
/// stops the gateway itself before it changes the model server, and removes terminal codes from lines.
const COMPOSE_2_26_DIFFERENCES: [(&str, &str); 2] = [
    ("a setting of vllm: die vllm, die gateway,", "a setting of vllm: die gateway, die vllm,"),
    ("a line: \u{1b}[2K", "a line: "),
];

#[test]
fn the_shim_answers_like_the_engine() {
    let mut real = answers(&real());
    if engine().docker(&["compose", "version", "--short"]).starts_with("2.26") {
        for (older, newer) in COMPOSE_2_26_DIFFERENCES {
            let answer =
                real.iter_mut().find(|answer| answer.starts_with(older)).expect("compose 2.26 still answers so");
            *answer = answer.replace(older, newer);
        }
    }
    assert_eq!(answers(&shim()), real);
}
