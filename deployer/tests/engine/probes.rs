//! The same questions to the shim of docker, on which the fast tests stand, and to the engine: the same answers.

use std::collections::BTreeMap;

use deployer::script::{Action, ComposeEnv, Deploy, DiskNeed, HostFile, HostSettings, Outcome, script};

use crate::{
    engine::engine,
    site,
    support::{
        host::Host,
        wanted::{self, deploy_with, digest, settings},
    },
};

/// One of the two, and what its images are called there.
struct Ground {
    host: Host,
    settings: HostSettings,
    image: fn(&str) -> String,
}

fn shim() -> Ground {
    let image = |name: &str| match name {
        "gateway-1" => wanted::gateway(1),
        "gateway-crash" => wanted::gateway(2),
        _ => wanted::vllm(1),
    };
    let host = Host::new();
    host.push(&[&image("gateway-1"), &image("gateway-crash"), &image("vllm-1")]);
    host.behave(&image("gateway-crash"), "crash");
    host.set("logs/gateway", "2026-11-21T11:00:00.000000000Z listening\n");
    Ground { host, settings: HostSettings { gpu: false, ..settings() }, image }
}

fn real() -> Ground {
    let engine = engine();
    engine.clean();
    let image = |name: &str| {
        let (repository, _) = name.split_once('-').unwrap();
        format!("{}/extraction/{repository}@{}", crate::engine::engine().registry, crate::engine::engine().digest(name))
    };
    let disk = DiskNeed { gateway_image: 1 << 30, vllm_image: 1 << 30, model: 1 << 30 };
    let settings =
        HostSettings { gpu: false, registry: engine.registry.clone(), up_wait_seconds: 60, disk, ..settings() };
    Ground { host: site::host(), settings, image }
}

/// The words that the probes share: `c`, compose on release 1; `look SERVICE`, as the host program looks at it;
/// `events`, what happened to the containers since `mark`.
const WORDS: &str = r#"#!/bin/bash
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
  # Until a moment that comes: an event may be told a little after its container has ended.
  docker events --since "$since" --until "$(date -d '+1 second' +%s.%N)" --filter label=com.docker.compose.project=extraction-gateway \
    --filter event=die --filter event=start --format '{{.Action}} {{index .Actor.Attributes "com.docker.compose.service"}}'
}
status() { "$@" >/dev/null 2>&1; echo "exit $?"; }
set_env() { sed -i "s|^$1=.*|$1='$2'|" "$folder/.env"; }
"#;

/// What is asked, in this order: each goes on from where the one before left.
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

fn wanted_release(ground: &Ground, gateway: &str) -> Action {
    let own = |name: &str| std::fs::read(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let like = deploy_with(&(ground.image)("gateway-1"), &(ground.image)("vllm-1"), gateway);
    let names = ["docker-compose.yml", "config/gateway.toml", "config/compose.no-gpu.yml"];
    let mut files: Vec<_> = names.map(|name| HostFile::new(name, 0o644, own(name)).unwrap()).into();
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
    let (gateway, env) = (digest(&(ground.image)(gateway)), ComposeEnv::new(env).unwrap());
    Action::Deploy(Box::new(Deploy { gateway, files, env, ..like }))
}

/// Each probe's answer, and then those about a gateway that crashes.
fn answers(ground: &Ground) -> Vec<String> {
    let Ground { host, settings, image } = ground;
    let deploy = |gateway| host.run(&script(&wanted_release(ground, gateway), settings));
    let first = deploy("gateway-1");
    assert_eq!(first.report().outcome, Outcome::Done, "{first:?}");
    let mut all = Vec::new();
    for (name, text) in PROBES {
        let ran = host.run_text(&format!("{WORDS}{text}"));
        all.push(format!("{name}: {}", ran.stdout.trim().replace('\n', ", ")));
    }
    // A release that fails: its image stays until the next good one.
    let failed = deploy("gateway-crash");
    assert_eq!(failed.report().outcome, Outcome::RolledBack, "{failed:?}");
    let crash = image("gateway-crash");
    let text = format!("status docker image inspect --format '{{{{.Id}}}}' {crash}");
    all.push(format!("image of a failed release: {}", host.run_text(&format!("{WORDS}{text}")).stdout.trim()));
    // It goes to and fro, and is never anything else. The pauses between restarts grow, so that both are seen in time.
    let text = format!(
        "set_env GATEWAY_IMAGE '{crash}'; c up --detach --pull never >/dev/null 2>&1
         until [[ $seen == *restarting* ]] && (($(docker inspect --format '{{{{.RestartCount}}}}' \"$(id gateway)\") >= 4)); do
           seen=$(look gateway)
           echo \"$seen\"
         done"
    );
    let ran = host.run_text(&format!("{WORDS}{text}"));
    let mut seen: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("|false").next()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.iter().all(|state| ["restarting|unhealthy", "running|starting"].contains(state)), "{seen:?}");
    assert!(seen.contains(&"restarting|unhealthy"), "{seen:?} {ran:?}");
    all
}

/// What compose 2.26 does otherwise than 2.40, as which the shim acts. The host program stands on neither: it stops the
/// gateway itself before it touches the model server, and takes codes of a terminal out of lines.
const OF_COMPOSE_2_26: [(&str, &str); 2] = [
    ("a setting of vllm: die vllm, die gateway,", "a setting of vllm: die gateway, die vllm,"),
    ("a line: \u{1b}[2K", "a line: "),
];

#[test]
fn the_shim_says_what_the_engine_says() {
    let mut real = answers(&real());
    if engine().docker(&["compose", "version", "--short"]).starts_with("2.26") {
        for (older, newer) in OF_COMPOSE_2_26 {
            let answer = real.iter_mut().find(|answer| answer.starts_with(older)).expect("still so");
            *answer = answer.replace(older, newer);
        }
    }
    assert_eq!(answers(&shim()), real);
}
