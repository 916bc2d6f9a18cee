//! The closed list of diagnostics: what each runs, how it ended, and that nothing changes.

use std::time::Duration;

use deployer::script::{Action, ActionOutcome, Diagnostic, Service};

use crate::{
    deploys::{assert_serves, served},
    support::{
        host::{CANARY, Host, ScriptRun, write_program},
        wanted::act,
    },
};

fn look(host: &Host, diagnostic: Diagnostic) -> ScriptRun {
    host.run(&act(&Action::Diagnose { diagnostic, service: None }))
}

/// Release 1 serves, and its servers answer on loopback.
fn answering() -> Host {
    let host = served();
    let metrics =
        "# HELP a b\n# TYPE a counter\na_total 3\na_total{c=\"d\"} 0\nb_bucket{le=\"1\"} 2\nb_created 1\nb_sum 4\n";
    host.set("http/9464/metrics", metrics);
    host.set("http/8000/metrics", metrics);
    host.set("http/8000/v1/models", "{\"data\": [{\"id\": \"medical-ie\"}]}\n");
    host.set("journal.docker.service", "2026-11-21T11:00:00+0000 dockerd: started\n");
    host.set("journal.kernel", "2026-11-21T11:00:00+0000 kernel: NVRM: Xid 79\n");
    host
}

/// The tool that is called, with its arguments, and a part of what it says.
fn expected(diagnostic: Diagnostic) -> (&'static str, &'static str) {
    match diagnostic {
        Diagnostic::NvidiaSmi => ("nvidia-smi ", "NVIDIA L4"),
        Diagnostic::DockerPs => ("docker.ps --all --no-trunc --format table", "extraction-gateway-vllm-1  running"),
        Diagnostic::DockerStats => ("docker.stats --no-stream", "CPU %"),
        Diagnostic::DockerDisk => ("docker.system df", "RECLAIMABLE"),
        Diagnostic::Disk => ("df --human-readable", "Avail"),
        // The test machine's own: they need no shim.
        Diagnostic::Memory => ("", "Mem:"),
        Diagnostic::Processes => ("", "COMMAND"),
        Diagnostic::GatewayHealth => ("docker.exec-healthcheck ", "\"ready\":true"),
        Diagnostic::GatewayMetrics => {
            ("curl --silent --show-error --fail --max-time 10 http://127.0.0.1:9464/metrics", "a_total 3")
        }
        Diagnostic::VllmModels => {
            ("curl --silent --show-error --fail --max-time 10 http://127.0.0.1:8000/v1/models", "medical-ie")
        }
        Diagnostic::VllmMetrics => {
            ("curl --silent --show-error --fail --max-time 10 http://127.0.0.1:8000/metrics", "b_sum 4")
        }
        Diagnostic::JournalDocker => {
            ("journalctl --no-pager --output short-iso --lines 100 --unit docker.service", "dockerd: started")
        }
        Diagnostic::JournalKernel => ("journalctl --no-pager --output short-iso --lines 100 --dmesg", "Xid 79"),
    }
}

#[test]
fn each_runs_its_tool_and_changes_nothing() {
    let host = answering();
    let before = (host.root("releases.jsonl"), host.root("audit.jsonl"), host.get("images"), host.started("gateway"));
    for diagnostic in Diagnostic::ALL {
        let called = host.calls().len();
        let ran = look(&host, diagnostic);
        let report = ran.report();
        assert_eq!((ran.code, report.outcome, report.exit()), (Some(0), ActionOutcome::Done, Some(0)), "{ran:?}");
        let (call, said) = expected(diagnostic);
        let calls = host.calls().split_off(called);
        assert!(calls.iter().any(|line| line.starts_with(call)) || call.is_empty(), "{diagnostic:?}: {calls:?}");
        assert!(report.last_log_lines.iter().any(|line| line.contains(said)), "{diagnostic:?}: {ran:?}");
        let odd = |line: &&String| {
            line.contains("_bucket") || line.ends_with("} 0") || line.starts_with('#') || line.contains("_created")
        };
        assert_eq!(report.last_log_lines.iter().find(odd), None);
    }
    let after = (host.root("releases.jsonl"), host.root("audit.jsonl"), host.get("images"), host.started("gateway"));
    assert!(before == after && host.has_no_temporary_folders());
    assert_serves(&host, 1, 1);
}

#[test]
fn processes_of_a_container() {
    let host = answering();
    for service in [Service::Gateway, Service::Vllm] {
        let ran = host.run(&act(&Action::Diagnose { diagnostic: Diagnostic::Processes, service: Some(service) }));
        let lines = &ran.report().last_log_lines;
        assert!(lines[1].ends_with(service.name()), "{ran:?}");
    }
    let calls = host.calls();
    let top = calls.iter().find(|call| call.starts_with("docker.top")).unwrap();
    assert!(top.ends_with(" -eo pid,user,pcpu,pmem,etime,comm"), "arguments of programs are not shown: {top}");
}

#[test]
fn how_it_ended_is_told() {
    let host = answering();
    host.fault("nvidia-smi", "fail NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver");
    let ran = look(&host, Diagnostic::NvidiaSmi);
    assert_eq!((ran.code, ran.report().exit()), (Some(0), Some(1)), "{ran:?}");
    assert!(ran.report().message.contains("nvidia-smi ended with 1"));
    assert!(ran.report().last_log_lines[0].contains("couldn't communicate"), "{ran:?}");
    std::fs::remove_file(host.at("state/http/8000/v1/models")).unwrap();
    assert_eq!(look(&host, Diagnostic::VllmModels).report().exit(), Some(22));
    host.behave(&crate::support::wanted::vllm(1), "loading");
    assert_eq!(look(&host, Diagnostic::GatewayHealth).report().exit(), Some(1));
}

#[test]
fn what_does_not_run_is_not_asked() {
    let host = answering();
    host.run(&act(&Action::Down { drain: false }));
    for (diagnostic, service) in [
        (Diagnostic::GatewayHealth, None),
        (Diagnostic::GatewayMetrics, None),
        (Diagnostic::VllmModels, None),
        (Diagnostic::Processes, Some(Service::Vllm)),
    ] {
        let ran = host.run(&act(&Action::Diagnose { diagnostic, service }));
        let said = &ran.report().message;
        assert!(ran.code == Some(1) && said.contains("is exited; no command was sent"), "{diagnostic:?}: {ran:?}");
    }
    assert_eq!(look(&host, Diagnostic::DockerPs).report().exit(), Some(0));
    let empty = Host::new();
    assert!(look(&empty, Diagnostic::VllmMetrics).report().message.contains("vllm is absent"));
}

#[test]
fn what_is_printed_is_cut_and_masked() {
    let host = answering();
    let mut long: Vec<String> = (1..=5000).map(|n| format!("m{n}_total{{a=\"{}\"}} {n}\n", "x".repeat(80))).collect();
    long.insert(0, format!("first {CANARY}\n"));
    host.set("http/9464/metrics", &long.concat());
    let ran = look(&host, Diagnostic::GatewayMetrics);
    let report = ran.report();
    assert!(report.last_log_lines[0] == "first hf_***" && report.last_log_lines.len() > 80, "{ran:?}");
    assert_eq!(report.last_log_lines.len() as u64 + report.left_out(), 5001, "the first ones, and how many follow");
    assert!(ran.stdout.len() < 24_000, "it fits into the output that Systems Manager returns");
    // Of a journal, the last ones.
    let journal: Vec<String> = (0..500).map(|n| format!("{n} {}\n", "y\"\\".repeat(200))).collect();
    host.set("journal.kernel", &journal.concat());
    let ran = look(&host, Diagnostic::JournalKernel);
    assert!(ran.report().last_log_lines.last().unwrap().starts_with("499 y"), "{ran:?}");
    assert!(ran.stdout.len() < 24_000 && ran.report().left_out() > 0);
    for name in ["http/9464/metrics", "journal.kernel"] {
        host.set(name, "");
    }
}

/// A tool that never ends, and a `timeout` that does not wait half a minute for it.
#[test]
fn a_look_that_hangs_is_ended() {
    let tools = tempfile::TempDir::new().unwrap();
    let timeout = "#!/bin/bash\n[[ $1 == --foreground && $2 == --kill-after && $3 == 5 && $4 == 30 ]] || exec /usr/bin/timeout \"$@\"\n\
                   exec /usr/bin/timeout --foreground --kill-after 5 0.2 \"${@:5}\"\n";
    write_program(&tools.path().join("timeout"), timeout);
    write_program(&tools.path().join("nvidia-smi"), "#!/bin/bash\necho a line\nexec sleep 20\n");
    let host = Host::new().with_tools(tools.path(), Vec::new());
    let begun = std::time::Instant::now();
    let ran = look(&host, Diagnostic::NvidiaSmi);
    assert_eq!((ran.code, ran.report().exit()), (Some(0), Some(124)), "{ran:?}");
    assert!(ran.report().message.contains("nvidia-smi was ended after 30 s"), "{ran:?}");
    assert_eq!(ran.report().last_log_lines, ["a line"]);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// Another run that changes something is not a reason to wait, and is not disturbed.
#[test]
fn it_needs_no_lock() {
    let host = answering();
    host.fault("docker.pull", "hold");
    let child = host.spawn(&crate::support::wanted::deploy(2, 1).text());
    crate::support::emulator::until("the pull is reached", || host.at("state/held").exists());
    let ran = look(&host, Diagnostic::DockerPs);
    assert_eq!(ran.report().exit(), Some(0), "{ran:?}");
    host.set("go", "");
    assert_eq!(Host::wait(child).report().outcome, ActionOutcome::Done);
}
