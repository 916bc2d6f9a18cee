//! The Docker engine restarts in the middle of a deploy, as during an update of its package.

use std::{path::Path, process::Command};

use crate::{
    deployment::{Deployment, account},
    laptop::said,
    support::emulator::until,
};

/// Stops the engine as a service manager does, and starts it again with its containers.
fn restart_the_engine() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/engine/engine.sh");
    let output = Command::new(script).arg("restart").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_restart_of_the_engine_loses_nothing() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);

    // During a download: the running release comes back with the engine.
    deployment.configure(&format!("base_revision = \"{}\"", "1".repeat(40)), "");
    let up = deployment.start(&deployment.words(&["up", "--yes"], "gateway-1", "vllm-slow"));
    until("the download runs", || deployment.downloads() == 1);
    restart_the_engine();
    let ended = said(up);
    ended.ended(1, &["Nothing was changed"]);
    until("the running release is ready again", || deployment.container("gateway").health == "healthy");
    deployment.serves(1, "gateway-1");

    // During a switch: the previous release comes back.
    deployment.configure("", "");
    let model = deployment.container("vllm");
    let up = deployment.start(&deployment.words(&["up", "--yes"], "gateway-2", "vllm-2"));
    until("the new model server runs", || {
        deployment.engine.container("vllm").is_some_and(|found| found.id != model.id && found.state == "running")
    });
    restart_the_engine();
    said(up).ended(3, &["engine of the host did not answer (step switch)", "Release 1 serves again and was verified."]);
    deployment.serves(1, "gateway-1");
    assert!(deployment.container("vllm").image.ends_with(deployment.engine.digest("vllm-1")));
}
