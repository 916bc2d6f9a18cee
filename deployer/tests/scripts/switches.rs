//! What a switch does to running work, and how long it waits for a release that does not start.

use std::time::{Duration, Instant};

use deployer::script::{Action, ActionOutcome, Deploy, HostFile, HostSettings, Service, Step, script};

use crate::{
    deploys::{assert_serves, of, served},
    support::{
        host::Host,
        wanted::{act, deploy, deploy_with, gateway, settings, vllm},
    },
};

/// What happens to the containers, in order: `stop gateway`, `up`, `up vllm`, `restart vllm`.
fn changes(host: &Host, since: usize) -> Vec<String> {
    let calls = host.calls();
    let of = |call: &String| {
        let (tool, rest) = call.split_once(' ')?;
        let last = rest.rsplit(' ').next().filter(|word| matches!(*word, "gateway" | "vllm"));
        let verb = tool.strip_prefix("docker.compose-").filter(|verb| matches!(*verb, "up" | "stop" | "restart"))?;
        Some(last.map_or_else(|| verb.to_owned(), |last| format!("{verb} {last}")))
    };
    calls.iter().skip(since).filter_map(of).collect()
}

#[test]
fn running_work_ends_before_the_model_server_goes() {
    let forced = || Deploy { restart_vllm: true, ..deploy_with(&gateway(1), &vllm(1), "one") };
    let other_model = || {
        let mut wanted = deploy_with(&gateway(1), &vllm(1), "two");
        let env = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let env = env.chain([("VLLM_MAX_NUM_SEQS".to_owned(), "8".to_owned())]).collect();
        wanted.env = deployer::script::ComposeEnv::new(env).unwrap();
        wanted
    };
    let without_a_gpu = || {
        let mut wanted = deploy_with(&gateway(1), &vllm(1), "two");
        wanted.files.push(HostFile::new("config/compose.no-gpu.yml", 0o644, b"services: {}\n".to_vec()).unwrap());
        wanted
    };
    let cases: [(&str, deployer::script::Script, &[&str]); 8] = [
        ("another model server", deploy(1, 2), &["stop gateway", "up"]),
        ("other settings of it", of(other_model()), &["stop gateway", "up"]),
        ("a model server without a GPU", of(without_a_gpu()), &["stop gateway", "up"]),
        ("forced", of(forced()), &["stop gateway", "up vllm", "up"]),
        ("both again", act(&Action::Restart { service: None }), &["stop gateway", "restart vllm", "up"]),
        (
            "the model server again",
            act(&Action::Restart { service: Some(Service::Vllm) }),
            &["stop gateway", "restart vllm", "up"],
        ),
        ("the gateway again", act(&Action::Restart { service: Some(Service::Gateway) }), &["stop gateway", "up"]),
        // Compose stops it in good order, and leaves the model server alone.
        ("another gateway", deploy(2, 1), &["up"]),
    ];
    for (what, script, expected) in cases {
        let host = served();
        let since = host.calls().len();
        let ran = host.run(&script);
        assert_eq!(ran.report().outcome, ActionOutcome::Done, "{what}: {ran:?}");
        assert_eq!(changes(&host, since), expected, "{what}");
        assert!(
            host.calls()
                .iter()
                .skip(since)
                .filter(|call| call.contains(" stop "))
                .all(|call| call.contains("--timeout 45 gateway")),
            "{what}"
        );
        assert!(host.serving("gateway").is_some() && host.serving("vllm").is_some(), "{what}");
    }
}

/// The second compose file belongs to a release, so that a rollback restores it as well.
#[test]
fn a_release_for_a_host_without_a_gpu_leaves_the_reservation_out() {
    let host = served();
    let mut wanted = deploy_with(&gateway(2), &vllm(1), "two");
    wanted.files.push(HostFile::new("config/compose.no-gpu.yml", 0o644, b"services: {}\n".to_vec()).unwrap());
    assert_eq!(host.run(&of(wanted)).report().outcome, ActionOutcome::Done);
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().outcome, ActionOutcome::Done);
    let up: Vec<bool> = host
        .calls()
        .iter()
        .filter(|call| call.starts_with("docker.compose-up "))
        .map(|call| call.contains("--file") && call.contains("/config/compose.no-gpu.yml up "))
        .collect();
    assert_eq!(up, [false, true, false]);
}

#[test]
fn running_work_ends_first_on_the_way_back_too() {
    let host = served();
    let since = host.calls().len();
    host.behave(&vllm(2), "wrong_model");
    let ran = host.run(&deploy(1, 2));
    assert_eq!(ran.report().outcome, ActionOutcome::RolledBack, "{ran:?}");
    assert_eq!(changes(&host, since), ["stop gateway", "up", "stop gateway", "up"]);
    host.behave(&vllm(2), "");
    assert_eq!(host.run(&deploy(1, 2)).report().outcome, ActionOutcome::Done);
    let since = host.calls().len();
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().outcome, ActionOutcome::Done);
    assert_eq!(changes(&host, since), ["stop gateway", "up"]);
}

#[test]
fn work_that_a_switch_cut_off_is_said() {
    let host = served();
    host.set("exit_gateway", "137");
    let ran = host.run(&deploy(1, 2));
    assert!(ran.report().warnings.iter().any(|text| text.contains("did not end within 45 s")), "{ran:?}");
}

/// Docker never calls it unhealthy within its start period, and compose waits as long as a model load may take.
#[test]
fn a_gateway_that_never_gets_ready_is_given_seconds_beside_a_model_that_is_loaded() {
    let host = served();
    host.behave(&gateway(2), "never");
    let vllm_started = host.started("vllm");
    let wanted = Action::Deploy(Box::new(deploy_with(&gateway(2), &vllm(1), "one")));
    let begun = Instant::now();
    let ran = host.run(&script(&wanted, &HostSettings { ready_wait_seconds: 2, ..settings() }));
    assert!(begun.elapsed() > Duration::from_secs(1), "and not at once");
    assert_eq!(
        (ran.report().outcome, ran.report().failed_step),
        (ActionOutcome::RolledBack, Some(Step::Switch)),
        "{ran:?}"
    );
    assert!(
        ran.report().message.contains("gateway did not become healthy within 2 seconds, and the model was loaded"),
        "{ran:?}"
    );
    assert_serves(&host, 1, 1);
    assert_eq!(host.started("vllm"), vllm_started);
}

/// A crash loop is `running` and `starting` at one moment and `restarting` at the next.
#[test]
fn a_crash_loop_is_called_one_whatever_docker_says_at_the_moment() {
    for (image, service) in [(gateway(2), "gateway"), (vllm(2), "vllm")] {
        let host = served();
        host.behave(&image, "flips");
        let ran = host.run(&deploy(2, 2));
        let message = &ran.report().message;
        assert!(
            message.contains(&format!("{service} does not stay up (state running, started again 5 times)")),
            "{message}"
        );
        assert_eq!(ran.report().outcome, ActionOutcome::RolledBack);
    }
    // Its crashes before this start do not count.
    let host = served();
    host.set("containers/gateway/restarts", "7");
    host.behave(&vllm(2), "unhealthy");
    let ran = host.run(&deploy(1, 2));
    assert!(ran.report().message.contains("vllm did not become healthy"), "{ran:?}");
}

/// The container that is being replaced may need time to end: that time does not count for the new one.
#[test]
fn the_way_back_is_not_given_up_while_the_failed_gateway_ends() {
    let host = served();
    host.behave(&gateway(2), "never");
    // The second one, which is the way back, lasts as long as the test wants.
    host.set("faults/docker.compose-up", "\nhold\n");
    let wanted = Action::Deploy(Box::new(deploy_with(&gateway(2), &vllm(1), "one")));
    let run = host.spawn(&script(&wanted, &HostSettings { ready_wait_seconds: 1, ..settings() }).text());
    let begun = Instant::now();
    while !host.at("state/held").exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the way back");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Docker has made the next one, which starts when the previous one has ended.
    host.set("containers/gateway/state", "created");
    host.set("containers/gateway/id", &"c".repeat(64));
    std::thread::sleep(Duration::from_secs(4));
    host.set("go", "");
    let ran = Host::wait(run);
    assert_eq!(ran.report().outcome, ActionOutcome::RolledBack, "{ran:?}");
    assert_serves(&host, 1, 1);
}
