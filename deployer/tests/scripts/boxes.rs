//! Releases for several boxes: a further box with the port of its model server, and a gateway that knows such ports.

use std::fs;

use deployer::script::{ActionOutcome, ComposeEnv, Deploy, HostFile, Script};

use crate::{
    deploys::of,
    support::{
        host::Host,
        wanted::{act, deploy_with, gateway, vllm},
    },
};

const PORT: &str = "config/compose.model-port.yml";

/// A release with this second compose file, whose key has this name.
fn release(file: &str, key: &str, config: &str) -> Script {
    let plain = deploy_with(&gateway(1), &vllm(1), config);
    let env = plain.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = env.chain([("MODEL_SERVER_KEY_FILE".to_owned(), format!("../../{key}"))]).collect();
    let mut files = plain.files.clone();
    files.push(HostFile::new(file, 0o644, b"services: {}\n".to_vec()).unwrap());
    of(Deploy { files, env: ComposeEnv::new(env).unwrap(), ..plain })
}

fn host() -> Host {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    host
}

fn put(host: &Host, name: &str, text: &str) {
    fs::create_dir_all(host.at("root")).unwrap();
    fs::write(host.at("root").join(name), text).unwrap();
}

/// What each start of the containers named as its files.
fn files(host: &Host) -> Vec<bool> {
    let ups = host.calls().into_iter().filter(|call| call.starts_with("docker.compose-up"));
    ups.map(|call| call.contains(&format!("/{PORT} up "))).collect()
}

#[test]
fn a_further_box_is_served_with_its_port_which_is_verified_and_shown() {
    let host = host();
    put(&host, "model-port.key", "header Authorization \"Bearer x\"\n");
    let first = host.run(&release(PORT, "model-port.key", "one"));
    assert_eq!(first.report().outcome, ActionOutcome::Done, "{first:?}");
    assert_eq!(files(&host), [true]);
    assert!(host.serving("model-port").is_some());
    let shown = host.run(&act(&deployer::script::Action::Status));
    let services: Vec<String> =
        shown.report().status().unwrap().containers.iter().map(|container| container.service.clone()).collect();
    assert_eq!(services, ["gateway", "vllm", "model-port"]);
    // Verified: a port that does not come up is a release that does not serve.
    host.fault("start.model-port", "once");
    let failed = host.run(&release(PORT, "model-port.key", "two"));
    assert_eq!(failed.report().outcome, ActionOutcome::RolledBack, "{failed:?}");
    assert!(failed.report().message.contains("model-port"), "{failed:?}");
    assert!(host.serving("model-port").is_some() && host.serving("vllm").is_some());
    // The box leaves the list.
    let plain = host.run(&of(deploy_with(&gateway(1), &vllm(1), "three")));
    assert_eq!(plain.report().outcome, ActionOutcome::Done, "{plain:?}");
    assert_eq!(files(&host).last(), Some(&false));
}

#[test]
fn a_host_without_the_key_is_refused_before_anything_is_changed() {
    for (file, key) in [(PORT, "model-port.key"), ("config/compose.other-boxes.yml", "model-server.key")] {
        for present in [None, Some("")] {
            let host = host();
            if let Some(text) = present {
                put(&host, key, text);
            }
            let refused = host.run(&release(file, key, "one"));
            let report = refused.report();
            assert_eq!(report.outcome, ActionOutcome::FailedUnchanged, "{refused:?}");
            assert!(report.message.contains(&format!("root/{key}, which contains the key")), "{refused:?}");
            assert_eq!((host.called("docker.pull"), host.called("docker.compose-up")), (0, 0));
            put(&host, key, "x\n");
            let served = host.run(&release(file, key, "one"));
            assert_eq!(served.report().outcome, ActionOutcome::Done, "{served:?}");
        }
    }
}
