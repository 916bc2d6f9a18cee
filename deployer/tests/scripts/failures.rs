//! Every step of a deploy fails once. Before the switch nothing changes; after it the previous release comes back.

use deployer::script::{Action, ActionOutcome, ComposeEnv, Deploy, ImageTag, ImageWanted, Step};

use crate::{
    deploys::{assert_serves, of, served},
    support::{
        emulator::until,
        host::Host,
        wanted::{REGISTRY, act, deploy, deploy_with, gateway, vllm},
    },
};

/// How long the shim's compose waits for a container that crashes again and again.
const WAITED: std::time::Duration = std::time::Duration::from_secs(40);

/// Everything is new: both images, one by tag, and the model.
fn all_new(host: &Host) -> Deploy {
    host.set("tags/extraction_gateway/v2", &format!("{}\n", gateway(2).split_once('@').unwrap().1));
    let mut wanted = deploy_with(&gateway(2), &vllm(2), "two");
    wanted.gateway = ImageWanted::Tag(ImageTag::new(&format!("{REGISTRY}/extraction/gateway"), "v2").unwrap());
    let env = wanted.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = env.chain([("VLLM_BASE_REVISION".to_owned(), "e".repeat(40))]).collect();
    wanted.env = ComposeEnv::new(env).unwrap();
    wanted
}

#[test]
fn a_failure_before_the_switch_changes_nothing() {
    let host = served();
    let wanted = of(all_new(&host));
    let before = (host.started("gateway"), host.started("vllm"), host.root("releases.jsonl"));
    for (tool, fault, step, says) in [
        ("docker.info", "fail Cannot connect to the Docker daemon", Step::Disk, "Docker does not answer"),
        ("df", "fail input/output error", Step::Disk, "step disk failed"),
        ("nvidia-smi", "fail couldn't communicate with the NVIDIA driver", Step::Gpu, "no GPU answers"),
        ("aws.get-login-password", "fail AccessDeniedException", Step::Login, "may not log in"),
        ("aws.get-login-password", "partial", Step::Login, "login to the registry"),
        ("docker.login", "fail login attempt failed with status: 403 Forbidden", Step::Login, "refused the login"),
        ("aws.describe-images", "fail ImageNotFoundException", Step::Resolve, "no such image"),
        ("aws.describe-images", "nothing", Step::Resolve, "no digest for the tag"),
        ("docker.pull", "fail write /usr/lib/x: no space left on device", Step::Pull, "disk filled up"),
        ("docker.pull", "fail manifest unknown", Step::Pull, "no such image"),
        ("docker.pull", "fail denied: requested access to the resource is denied", Step::Pull, "refused the pull"),
        ("docker.pull", "fail unexpected EOF", Step::Pull, "could not be pulled"),
        (
            "docker.pull",
            "fail Get https://r/v2/x/manifests/sha256:0403ab401dbc4403: net/http: TLS handshake timeout",
            Step::Pull,
            "the network between the host and it does not work",
        ),
        ("docker.pull", "fail unexpected status: 403 Forbidden", Step::Pull, "refused the pull"),
        ("docker.login", "fail dial tcp: lookup r: no such host", Step::Login, "the network between the host and it"),
        ("aws.describe-images", "fail Connect timeout on endpoint URL", Step::Resolve, "could not be asked"),
        ("docker.pull", "nothing", Step::Pull, "the image does not exist"),
        (
            "docker.pull",
            "fail Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            Step::Pull,
            "engine of the host did not answer (step pull)",
        ),
        (
            "docker.compose-run",
            "fail failed to connect to the docker API at unix:///var/run/docker.sock",
            Step::Download,
            "containers that ran start again with it",
        ),
        ("docker.compose-pull", "fail caddy: toomanyrequests", Step::Pull, "could not be pulled"),
        ("aws.get-secret-value", "fail AccessDeniedException", Step::Token, "may not read the secret"),
        ("aws.get-secret-value", "fail ResourceNotFoundException", Step::Token, "does not exist"),
        ("aws.get-secret-value", "nothing", Step::Token, "not have the format"),
        ("docker.compose-run", "fail 403 Client Error: gated repo", Step::Download, "Hugging Face refused"),
        ("docker.compose-run", "fail No space left on device", Step::Download, "disk filled up"),
        (
            "docker.compose-run",
            "fail Max retries exceeded: name resolution",
            Step::Download,
            "from Hugging Face: the network",
        ),
        ("docker.compose-config", "fail write .env: no space left on device", Step::Files, "disk is full"),
        ("docker.compose-config", "fail services.gateway must be a mapping", Step::Files, "does not accept"),
    ] {
        host.fault(tool, fault);
        let ran = host.run(&wanted);
        let report = ran.report();
        assert_eq!(
            (report.outcome, report.failed_step),
            (ActionOutcome::FailedUnchanged, Some(step)),
            "{tool} {fault}: {ran:?}"
        );
        assert!(report.message.contains(says), "{tool} {fault}: {}", report.message);
        assert_eq!(host.get(&format!("faults/{tool}")), "", "{tool}: the fault was met");
        assert_serves(&host, 1, 1);
        assert_eq!((host.started("gateway"), host.started("vllm"), host.root("releases.jsonl")), before, "{tool}");
        assert_eq!((report.release, host.called("docker.compose-up")), (Some(1), 1), "{tool}");
        assert!(host.has_no_temporary_folders() && !host.at("root/lock.holder").exists(), "{tool}");
    }
    let ran = host.run(&wanted);
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(2)));
    assert_serves(&host, 2, 2);
}

#[test]
fn an_engine_that_is_restarted_in_a_switch_is_waited_for() {
    let host = served();
    let away = "fail Cannot connect to the Docker daemon";
    host.fault("docker.compose-up", away);
    // The first is asked for the version before anything else.
    host.fault("docker.version", &[away; 3].join("\n"));
    let ran = host.run(&deploy(2, 1));
    assert_eq!(
        (ran.report().outcome, host.get("faults/docker.version")),
        (ActionOutcome::RolledBack, String::new()),
        "{ran:?}"
    );
    assert!(ran.report().message.contains("did not answer (step switch)"), "{ran:?}");
    assert_serves(&host, 1, 1);
}

#[test]
fn no_room_is_said_before_anything_is_pulled() {
    let host = served();
    host.set("disk_free", "20000000000");
    let ran = host.run(&deploy(2, 2));
    assert_eq!((ran.code, ran.report().failed_step), (Some(1), Some(Step::Disk)));
    assert!(ran.report().message.contains("19 GiB free and 51 GiB are needed"), "{}", ran.report().message);
    assert_eq!(host.called("docker.pull"), 2, "those of the first deploy");
    let host = Host::new();
    host.set("disk_free", "60000000000");
    let ran = host.run(&deploy(1, 1));
    assert!(ran.report().message.contains("71 GiB are needed"), "the model too: {}", ran.report().message);
    // An existing image needs no more space.
    let host = served();
    host.set("disk_free", "20000000000");
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
}

#[test]
fn a_tag_of_what_is_there_needs_no_room() {
    let host = served();
    host.set("disk_free", "20000000000");
    host.set("tags/extraction_vllm/v1", &format!("{}\n", vllm(1).split_once('@').unwrap().1));
    let mut wanted = deploy_with(&gateway(2), &vllm(1), "one");
    wanted.vllm = ImageWanted::Tag(ImageTag::new(&format!("{REGISTRY}/extraction/vllm"), "v1").unwrap());
    assert_eq!(host.run(&of(wanted)).report().outcome, ActionOutcome::Done);
}

#[test]
fn nothing_is_said_to_serve_that_does_not() {
    let host = served();
    let says = |what: &str| {
        host.fault("docker.pull", "fail manifest unknown");
        let ran = host.run(&deploy(2, 2));
        assert!(ran.code == Some(1) && ran.report().message.contains(what), "{what}: {}", ran.report().message);
    };
    says("What served before still serves.");
    host.set("containers/vllm/health", "unhealthy");
    says("Nothing was changed; vllm did not serve before either.");
    assert_eq!(host.run(&act(&Action::Down { drain: true })).code, Some(0));
    says("did not serve before either.");
    host.fault("docker.ps", "always fail Cannot connect to the Docker daemon");
    host.fault("docker.info", "fail Cannot connect to the Docker daemon");
    let ran = host.run(&deploy(2, 2));
    assert!(ran.report().message.contains("nothing was changed") && !ran.report().message.contains("serve"), "{ran:?}");
}

#[test]
fn an_image_that_does_not_serve_gives_way_to_the_release_before() {
    for (image, behaviour, step, says) in [
        (vllm(2), "unhealthy", Step::Switch, "vllm did not become healthy"),
        (vllm(2), "slow", Step::Switch, "within 900 seconds"),
        (vllm(2), "unseen", Step::Switch, "vllm did not become healthy within 900 seconds"),
        (vllm(2), "crash", Step::Switch, "vllm does not stay up"),
        (vllm(2), "oom", Step::Switch, "vllm ran out of memory"),
        (vllm(2), "model_missing", Step::Verify, "does not serve the configured model"),
        (vllm(2), "loading", Step::Verify, "still loading"),
        (vllm(2), "wrong_model", Step::Verify, "not answered by the model"),
        (gateway(2), "unhealthy", Step::Switch, "gateway did not become healthy"),
        (gateway(2), "crash", Step::Switch, "gateway does not stay up"),
        (gateway(2), "rules", Step::Verify, "answered by the rules engine"),
        (gateway(2), "degraded", Step::Verify, "answered by the rules engine"),
        (gateway(2), "silent", Step::Verify, "does not report that it is ready"),
    ] {
        let host = served();
        host.behave(&image, behaviour);
        let ran = host.run(&deploy(2, 2));
        let report = ran.report();
        assert_eq!(
            (report.outcome, report.failed_step),
            (ActionOutcome::RolledBack, Some(step)),
            "{behaviour}: {ran:?}"
        );
        assert_eq!((report.release, report.rolled_back_to), (Some(1), Some(1)), "{behaviour}");
        assert!(
            report.message.contains(says) && report.message.contains("Release 1 serves again"),
            "{}",
            report.message
        );
        assert_serves(&host, 1, 1);
        assert!(!host.at("root/switching").exists() && host.root("releases/2/state") == "failed");
        assert!(
            step == Step::Verify || report.last_log_lines.iter().any(|line| line.contains("says something")),
            "{ran:?}"
        );
    }
}

#[test]
fn what_crashes_again_and_again_is_not_waited_for() {
    let host = served();
    host.behave(&vllm(2), "loop");
    let started = std::time::Instant::now();
    let ran = host.run(&deploy(2, 2));
    assert_eq!(
        (ran.report().outcome, ran.report().failed_step),
        (ActionOutcome::RolledBack, Some(Step::Switch)),
        "{ran:?}"
    );
    // Which of its two states it is in at that moment is chance.
    let message = &ran.report().message;
    assert!(message.contains("vllm does not stay up (state r") && message.contains(", started again "), "{ran:?}");
    assert!(started.elapsed() < WAITED, "compose would have kept waiting");
    // Earlier restarts of a container say nothing about this start: the model needs time to load.
    host.set("containers/vllm/restarts", "7");
    host.set("containers/vllm/health", "starting");
    host.set("loads", "");
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::Done);
}

/// Compose replaces a container between two queries of the script, which asks for its id and then for its state.
#[test]
fn what_the_engine_says_of_a_container_that_was_just_replaced_is_not_shown() {
    let host = served();
    // A failure shows the last output lines of the tools.
    host.behave(&vllm(2), "loop");
    host.fault("docker.compose-up", "hold");
    let running = host.spawn(&deploy(2, 2).text());
    until("compose is at work", || host.at("state/held").exists());
    host.fault("docker.inspect", "fail Error: No such container: 0123");
    until("a container was inspected", || host.get("faults/docker.inspect").is_empty());
    host.set("go", "");
    let ran = Host::wait(running);
    assert_eq!(ran.report().outcome, ActionOutcome::RolledBack, "{ran:?}");
    let shown = &ran.report().last_log_lines;
    assert!(!shown.is_empty() && !shown.iter().any(|line| line.contains("No such container")), "{ran:?}");
}

/// On a busy machine compose takes a while until it has ended the container that crashes.
#[test]
fn what_crashes_until_it_is_replaced_is_not_held_against_the_way_back() {
    let host = served();
    host.behave(&vllm(2), "crash");
    host.set("replaced_after_restarts", "9");
    let ran = host.run(&deploy(2, 2));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(1)), "{ran:?}");
    assert_serves(&host, 1, 1);
}

#[test]
fn a_failed_release_is_never_gone_back_to() {
    let host = served();
    host.behave(&gateway(2), "crash");
    assert_eq!(host.run(&deploy(2, 1)).report().outcome, ActionOutcome::RolledBack);
    host.behave(&gateway(3), "rules");
    let ran = host.run(&deploy(3, 1));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(1)));
    host.behave(&gateway(3), "");
    assert_eq!(host.run(&deploy(3, 1)).report().outcome, ActionOutcome::Done);
    assert_eq!(host.run(&act(&Action::Rollback { to: None })).report().release, Some(1));
    assert_serves(&host, 1, 1);
}

#[test]
fn a_good_release_that_does_not_come_up_again_is_kept() {
    let host = served();
    assert_eq!(host.run(&act(&Action::Down { drain: true })).code, Some(0));
    host.behave(&vllm(1), "crash");
    for _ in 0..2 {
        let ran = host.run(&deploy(1, 1));
        assert_eq!((ran.code, ran.report().release), (Some(4), Some(1)), "{ran:?}");
        assert!(ran.report().message.contains("which was good before"), "{ran:?}");
    }
    host.behave(&vllm(1), "");
    let ran = host.run(&deploy(1, 1));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(1)), "{ran:?}");
}

#[test]
fn compose_that_fails_by_itself_gives_way_too() {
    let host = served();
    host.fault("docker.compose-up", "fail driver failed programming external connectivity: port is already allocated");
    let ran = host.run(&deploy(2, 2));
    assert_eq!((ran.code, ran.report().failed_step), (Some(3), Some(Step::Switch)));
    assert!(ran.report().last_log_lines.iter().any(|line| line.contains("port is already allocated")), "{ran:?}");
    assert_serves(&host, 1, 1);
}

#[test]
fn a_first_deploy_that_fails_has_nothing_to_go_back_to() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    host.behave(&vllm(1), "oom");
    let ran = host.run(&deploy(1, 1));
    assert_eq!((ran.code, ran.report().release), (Some(4), None), "{ran:?}");
    assert!(ran.report().message.contains("no earlier release"), "{}", ran.report().message);
    assert!(ran.report().message.contains("The last lines show what failed: fix that, then run deployer up"));
    assert!(ran.report().last_log_lines.iter().any(|line| line.starts_with("vllm: ")), "{ran:?}");
    assert!(ran.report().message.contains("out of memory"));
    host.behave(&vllm(1), "");
    let ran = host.run(&deploy(1, 1));
    assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(2)));
}

#[test]
fn a_rollback_that_fails_too_needs_a_person() {
    let host = served();
    host.behave(&vllm(2), "crash");
    host.behave(&vllm(1), "unhealthy");
    let ran = host.run(&deploy(2, 2));
    assert_eq!((ran.code, ran.report().outcome), (Some(4), ActionOutcome::NeedsAPerson), "{ran:?}");
    assert!(ran.report().message.contains("Going back to release 1 failed too"), "{}", ran.report().message);
    // The next run repairs it, and its failure is not better known than this one's.
    host.fault("nvidia-smi", "fail no devices");
    assert_eq!(host.run(&deploy(2, 2)).code, Some(4));
    host.behave(&vllm(2), "");
    let ran = host.run(&deploy(2, 2));
    assert_eq!(ran.report().outcome, ActionOutcome::Done, "{ran:?}");
    assert_serves(&host, 2, 2);
    // Healthy is not enough for a rollback either.
    host.behave(&gateway(3), "crash");
    host.behave(&vllm(2), "wrong_model");
    let ran = host.run(&deploy(3, 2));
    assert!(ran.code == Some(4) && ran.report().message.contains("not answered by the model"), "{ran:?}");
}

#[test]
fn an_engine_that_is_too_old_is_refused_before_anything() {
    for (file, version, says) in [
        ("version", "24.0.7", Some("Docker 24.0.7 on the host is too old: 25.0 or newer")),
        ("version", "25.0.3-1", None),
        ("version", "26.1.5+dfsg1", None),
        ("compose_version", "2.20.2", Some("compose plug-in 2.20.2 on the host is too old: 2.24 or newer")),
        ("compose_version", "v2.23.3", Some("is too old")),
        ("compose_version", "2.24.0", None),
        ("compose_version", "v5.0.1", None),
    ] {
        let host = served();
        host.set(file, &format!("{version}\n"));
        let ran = host.run(&deploy(2, 1));
        assert_eq!(ran.code, Some(i32::from(says.is_some())), "{version}: {ran:?}");
        assert!(ran.report().message.contains(says.unwrap_or("Release 2 serves")), "{version}: {ran:?}");
        let found = host.run(&act(&Action::Doctor { images: vec![] })).report().findings();
        let check = if file == "version" { "docker" } else { "compose" };
        let found = found.into_iter().find(|found| found.check == check).unwrap();
        assert_eq!(found.ok, says.is_none(), "{found:?}");
        assert_eq!(found.detail.contains("or newer is needed"), says.is_some(), "{found:?}");
    }
}

#[test]
fn a_tool_that_is_missing_is_named() {
    let host = Host::new();
    let text = deploy(1, 1).text().replace("need docker aws", "need docker no-such-tool aws");
    let ran = host.run_text(&text);
    assert_eq!((ran.code, ran.report().failed_step), (Some(1), Some(Step::Tools)));
    assert!(ran.report().message.contains("no-such-tool"));
}
