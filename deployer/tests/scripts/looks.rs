//! Status, verify, logs, doctor: they change nothing.

use std::fmt::Write as _;

use deployer::script::{Action, ActionOutcome, ImageTag, ImageWanted, Service};

use crate::{
    deploys::served,
    support::{
        host::{Host, stamp},
        wanted::{REGISTRY, act, deploy, digest, gateway, vllm},
    },
};

#[test]
fn status_of_a_host_that_serves() {
    let host = served();
    host.set("in_flight", "3");
    let ran = host.run(&act(&Action::Status));
    let status = ran.report().status().unwrap();
    let seen: Vec<_> =
        status.containers.iter().map(|c| (&*c.service, &*c.state, &*c.health, c.image.clone())).collect();
    assert_eq!(seen, [("gateway", "running", "healthy", gateway(1)), ("vllm", "running", "healthy", vllm(1))]);
    let gpu = status.gpu.unwrap();
    assert_eq!(
        (&*gpu.name, gpu.memory_total_mib, gpu.memory_used_mib, gpu.utilization),
        ("NVIDIA L4", 23_034, 20_511, 37)
    );
    assert_eq!(
        (status.disk_free, status.disk_total, status.uptime_seconds),
        (150_000_000_000, 214_748_364_800, 100_000)
    );
    assert_eq!((&status.gateway["in_flight"], &status.gateway["ready"]), (&3.into(), &true.into()));
    assert_eq!((&*status.config_hash, &*status.commit, status.model_cached), ("one", "39f5335", true));
    assert!(!status.half_done && status.holder.is_none() && !status.autostop.on);
    assert_eq!(ran.report().release, Some(1));
}

#[test]
fn status_of_hosts_that_do_not_serve() {
    let host = Host::new();
    let status = host.run(&act(&Action::Status)).report().status().unwrap();
    assert_eq!((&*status.containers[0].state, status.gateway.is_null(), status.model_cached), ("absent", true, false));
    let host = served();
    for tool in
        ["docker.info", "docker.ps", "docker.inspect", "docker.exec-healthcheck", "nvidia-smi", "docker.volume-inspect"]
    {
        host.fault(tool, "always fail it is \"broken\" \\ \u{1b}[31m");
    }
    host.set("containers/gateway/restarts", "5");
    let ran = host.run(&act(&Action::Status));
    let status = ran.report().status().unwrap();
    assert!(status.gpu.is_none() && status.gateway.is_null() && status.disk_total == 0, "{ran:?}");
    assert_eq!(ran.report().warnings, ["Docker does not answer on the host"]);
}

#[test]
fn a_gateway_that_prints_nonsense_breaks_no_report() {
    let host = served();
    host.behave(&gateway(1), "silent");
    let ran = host.run(&act(&Action::Status));
    assert!(ran.report().status().unwrap().gateway.is_null(), "{ran:?}");
}

#[test]
fn verify_says_what_is_wrong() {
    let host = served();
    assert_eq!(host.run(&act(&Action::Verify)).report().outcome, ActionOutcome::Done);
    for (image, behaviour, says) in [
        (gateway(1), "rules", "answered by the rules engine"),
        (vllm(1), "loading", "still loading"),
        (vllm(1), "model_missing", "configured model"),
    ] {
        host.behave(&image, behaviour);
        let ran = host.run(&act(&Action::Verify));
        assert!(ran.code == Some(1) && ran.report().message.contains(says), "{ran:?}");
        host.behave(&image, "");
    }
    host.set("containers/vllm/health", "unhealthy");
    let ran = host.run(&act(&Action::Verify));
    assert!(ran.report().message.contains("vllm is not healthy (state running, health unhealthy)"), "{ran:?}");
    host.set("containers/vllm/image", &vllm(2));
    let ran = host.run(&act(&Action::Verify));
    assert!(ran.report().message.contains("another image"), "{ran:?}");
    assert_eq!(Host::new().run(&act(&Action::Verify)).code, Some(1));
}

fn logs(since: Option<&str>, lines: u32) -> deployer::script::Script {
    act(&Action::Logs { service: Some(Service::Gateway), lines, since: since.map(str::to_owned) })
}

fn seconds(range: std::ops::Range<u32>) -> String {
    range.fold(String::new(), |mut text, n| {
        writeln!(text, "2026-11-21T10:{:02}:{:02}.000000001Z line {n} \"quoted\"", n / 60, n % 60).unwrap();
        text
    })
}

#[test]
fn logs_go_on_where_they_ended() {
    let host = served();
    host.set("logs/gateway", &seconds(0..30));
    let ran = host.run(&logs(None, 5));
    assert_eq!(ran.report().last_log_lines.len(), 5);
    assert!(ran.report().last_log_lines[4].ends_with("line 29 \"quoted\""), "{ran:?}");
    let cursor = ran.report().cursor().unwrap();
    let again = host.run(&logs(Some(&cursor), 100));
    assert!(again.report().last_log_lines.is_empty(), "{again:?}");
    let next = again.report().cursor().unwrap();
    assert!(next > cursor, "{next} {cursor}");
    // A line between the two calls, and one from after the second, which the third shows.
    let all = format!("{}{} line 30\n2999-01-01T00:00:00.000000000Z line 31\n", seconds(0..30), stamp());
    host.set("logs/gateway", &all);
    let more = host.run(&logs(Some(&next), 1));
    assert_eq!((more.report().last_log_lines.len(), more.report().left_out()), (1, 0), "{more:?}");
    assert!(more.report().last_log_lines[0].contains("line 30"));
}

/// compose 2.26 begins each line with one, and a service's line may contain others.
#[test]
fn a_log_line_has_no_code_of_a_terminal() {
    let host = served();
    host.set("logs/gateway", "2026-11-21T11:00:00.000000000Z \u{1b}[2K\u{1b}[1;31mred\u{1b}[0m [2K] [x]\n");
    let ran = host.run(&logs(None, 1));
    let [line] = &*ran.report().last_log_lines else { panic!("{ran:?}") };
    assert!(line.ends_with("Z red [2K] [x]"), "{line:?}");
}

#[test]
fn lines_that_come_faster_than_they_fit_are_counted() {
    let host = served();
    host.set("logs/gateway", &seconds(0..1_000));
    let ran = host.run(&logs(Some("2026-11-21T10:00:00.000000001Z"), 10));
    let shown = u64::try_from(ran.report().last_log_lines.len()).unwrap();
    assert!(shown > 100, "all that fit, whatever the number of lines for the first call: {shown}");
    assert_eq!(shown + ran.report().left_out(), 999);
    assert_eq!(host.run(&logs(None, 1_000)).report().left_out(), 0, "the newest were asked for");
}

#[test]
fn many_and_odd_log_lines_fit_into_what_systems_manager_hands_back() {
    let host = served();
    let mut text = seconds(0..2_000);
    writeln!(text, "2026-11-21T11:00:00.000000000Z {} \u{1b}[31m\"\\\u{7}naïve", "\\\"".repeat(3_000)).unwrap();
    host.set("logs/gateway", &text);
    // Every quote takes two places in the report.
    let quotes = format!("2026-11-21T09:00:00.000000000Z {}\n", "\"".repeat(900)).repeat(30);
    host.set("logs/vllm", &quotes);
    let ran = host.run(&act(&Action::Logs { service: Some(Service::Vllm), lines: 5_000, since: None }));
    assert!(ran.stdout.len() < 24_000 && ran.report().last_log_lines.len() > 5, "{}", ran.stdout.len());
    let ran = host.run(&logs(None, 5_000));
    assert!(ran.stdout.len() < 24_000, "{}", ran.stdout.len());
    assert!(ran.report().last_log_lines.len() > 100, "{}", ran.report().last_log_lines.len());
}

#[test]
fn doctor_looks_up_the_images_that_are_named() {
    let host = served();
    let image = |service: &str, tag: &str| ImageTag::new(&format!("{REGISTRY}/extraction/{service}"), tag).unwrap();
    let check = |images: Vec<ImageWanted>, expected: (bool, &str)| {
        let ran = host.run(&act(&Action::Doctor { images }));
        let found = ran.report().findings().into_iter().find(|finding| finding.check == "images").unwrap();
        assert_eq!((found.ok, &*found.detail), expected);
    };
    host.set("tags/extraction_vllm/v1", "sha256:bb");
    let no_such = "has no such image. Check the tag or digest, or push the image first.";
    check(vec![digest(&gateway(1)), digest(&vllm(1))], (true, "in the registry"));
    // Not a digest: the registry's answer is accepted only if it is one.
    check(
        vec![ImageWanted::Tag(image("vllm", "v1"))],
        (
            false,
            "extraction/vllm:v1: The registry did not report which image the tag refers to. Give the digest, or allow the role ecr:DescribeImages.",
        ),
    );
    check(
        vec![ImageWanted::Tag(image("gateway", "v9"))],
        (false, &format!("extraction/gateway:v9: The registry {no_such}")),
    );
    let absent = gateway(9);
    let (_, short) = absent.split_once('/').unwrap();
    check(vec![digest(&absent)], (false, &format!("{short}: The registry {no_such}")));
    check(vec![digest(&absent.replace(REGISTRY, "elsewhere.example"))], (true, "in the registry"));
    let empty = Host::new().run(&act(&Action::Doctor { images: vec![] }));
    assert!(empty.report().findings().iter().any(|found| found.ok && found.detail.starts_with("none is named yet")));
}

#[test]
fn doctor_finds_each_thing_that_is_missing() {
    let host = served();
    assert_eq!(host.run(&act(&Action::Autostop(crate::autostops::ON))).code, Some(0));
    let bad = |host: &Host| -> Vec<(String, String)> {
        let ran = host.run(&act(&Action::Doctor { images: vec![] }));
        let findings = ran.report().findings();
        assert!(findings.len() >= 8 && ran.code == Some(0), "{ran:?}");
        findings.into_iter().filter(|finding| !finding.ok).map(|finding| (finding.check, finding.detail)).collect()
    };
    assert_eq!(bad(&host), []);
    for (tool, fault, check, says) in [
        ("docker.version", "fail no", "docker", "does not answer"),
        ("docker.compose-version", "fail no", "compose", "missing"),
        ("nvidia-smi", "fail no", "gpu", "does not answer"),
        ("docker.info", "nothing", "gpu_runtime", "no NVIDIA runtime"),
        ("aws.get-caller-identity", "fail no", "identity", "no role"),
        ("aws.get-secret-value", "fail AccessDeniedException", "secret", "may not read"),
        ("aws.get-secret-value", "fail ResourceNotFoundException", "secret", "does not exist"),
        ("docker.login", "fail 403 Forbidden", "registry", "refused the login"),
        ("aws.describe-images", "fail ImageNotFoundException", "images", "has no such image"),
        ("aws.describe-images", "fail AccessDeniedException", "images", "ecr:DescribeImages"),
        ("aws.describe-images", "nothing", "images", "did not report"),
        ("timedatectl", "fail no", "clock", "not synchronized"),
        ("systemctl.is-active", "fail no", "autostop", "off"),
    ] {
        host.fault(tool, &format!("always {fault}"));
        let found = bad(&host);
        assert!(found.iter().any(|(c, detail)| c == check && detail.contains(says)), "{tool} {fault}: {found:?}");
        host.no_faults();
    }
    host.secret("not a token");
    assert!(bad(&host)[0].1.contains("does not have the format"));
    host.secret(crate::support::host::CANARY);
    host.set("disk_free", "1000000000");
    assert_eq!(bad(&host)[0].0, "disk");
    host.set("disk_free", "150000000000");
    host.fault("docker.compose-up", "kill");
    assert_eq!(host.run_text(&deploy(2, 1).text()).code, None);
    host.no_faults();
    assert_eq!(bad(&host)[0].0, "half_done");
    assert_eq!(host.called("docker.pull"), 3, "doctor pulls nothing");
}
