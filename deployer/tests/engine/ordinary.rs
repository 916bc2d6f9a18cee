//! A deployment without faults, from the first `up` to `down` and `up` again.

use std::io::{BufRead as _, BufReader};

use crate::{
    deployment::{Deployment, KEY, account},
    laptop::{said, signal},
};

#[test]
fn a_deployment_without_faults() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    // Compose would read parts of this value as a variable, a quotation and a comment.
    deployment.configure("", "env = {RUST_LOG = 'info,$HOME=\"a b\" # ${x}'}");
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    deployment.serves(1, "gateway-1");
    let (gateway, model) = (deployment.container("gateway"), deployment.container("vllm"));
    let words = deployment.engine.docker(&["inspect", "--format", "{{join .Config.Env \"\\n\"}}", &gateway.id]);
    assert!(words.lines().any(|line| line == "RUST_LOG=info,$HOME=\"a b\" # ${x}"), "{words}");

    deployment.up("gateway-1", "vllm-1").ended(0, &["Nothing to do."]);
    assert_eq!((deployment.container("gateway"), deployment.container("vllm")), (gateway.clone(), model.clone()));

    inspect(&deployment);

    // A new gateway: the old one finishes its running note, and the model server keeps running.
    deployment.configure("", "");
    let running = deployment.note_under_way(8);
    deployment.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    let (status, body) = running.join().unwrap();
    assert_eq!(status, 200, "{body}");
    deployment.serves(2, "gateway-2");
    assert_eq!(deployment.container("vllm"), model, "the model was loaded again");

    // A new model server: the gateway finishes its notes first.
    let running = deployment.note_under_way(8);
    deployment.up("gateway-2", "vllm-2").ended(0, &["Release 3 serves"]);
    let (status, body) = running.join().unwrap();
    assert_eq!(status, 200, "{body}");
    deployment.serves(3, "gateway-2");
    assert!(deployment.container("vllm").image.ends_with(deployment.engine.digest("vllm-2")));

    deployment.run(&["rollback", "--yes"]).ended(0, &["Release 2 serves again"]);
    deployment.serves(2, "gateway-2");
    assert!(deployment.container("vllm").image.ends_with(deployment.engine.digest("vllm-1")));

    let model = deployment.container("vllm");
    deployment.run(&["restart", "--service", "gateway", "--yes"]).ended(0, &["Restarted; release 2 serves"]);
    assert_eq!(deployment.container("vllm"), model, "the model was loaded again");
    let running = deployment.note_under_way(8);
    deployment.run(&["restart", "--yes"]).ended(0, &["Restarted; release 2 serves"]);
    let (status, body) = running.join().unwrap();
    assert_eq!(status, 200, "{body}");
    assert_ne!(deployment.container("vllm").started, model.started);

    let running = deployment.note_under_way(8);
    deployment.run(&["down", "--yes"]).ended(0, &["The box is stopped."]);
    let (status, body) = running.join().unwrap();
    assert_eq!(status, 200, "{body}");
    for service in ["gateway", "vllm"] {
        let found = deployment.container(service);
        assert!(found.state == "exited" && found.exit != 137, "{service} was killed: {found:?}");
    }
    deployment.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    deployment.serves(2, "gateway-2");
}

/// Runs the commands that change nothing.
fn inspect(deployment: &Deployment<'_>) {
    let status = deployment.run(&["status", "--format", "json"]);
    let status = status.ended(0, &[]).json();
    assert_eq!((&status["serves"], &status["host"]["release"]), (&true.into(), &1.into()), "{status}");
    let releases = deployment.run(&["releases", "--format", "json"]);
    assert_eq!(
        releases.ended(0, &[]).json()["releases"][0]["gateway"].as_str().map(str::len),
        Some(deployment.container("gateway").image.len())
    );
    let lines = deployment.run(&["logs", "--service", "vllm"]);
    assert!(lines.ended(0, &[]).out.contains("the model is loaded"), "{lines}");

    let mut follow = deployment.laptop.start(&["logs", "-f", "--service", "vllm", "--lines", "1"]);
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let running = deployment.note_under_way(1);
    assert!(lines.next().unwrap().unwrap().contains("holds a note"), "the new line is printed once");
    running.join().unwrap();
    signal(&follow, "INT");
    assert_eq!(said(follow).code, Some(130));

    let key = deployment.laptop.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let url = format!("http://127.0.0.1:{}", deployment.port);
    let smoke = deployment.run(&["smoke", "--url", &url, "--api-key-file", key.to_str().unwrap()]);
    assert!(smoke.code == Some(0), "{smoke}");
}
