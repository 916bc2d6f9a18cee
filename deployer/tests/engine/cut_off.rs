//! The command's process group is killed at each step of a switch and during a download. The next `up` repairs the
//! switch.

use crate::{
    deployment::{Deployment, account},
    laptop::said,
    support::emulator::until,
};

#[test]
fn killed_at_any_step_of_the_switch_the_next_up_takes_over() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let model = deployment.container("vllm");
    // Kills before and after compose, and before the self-test's note and the list of images, which end a switch.
    let steps = [
        ("docker.compose-up", "kill"),
        ("docker.compose-up", "kill-after"),
        ("docker.exec-selftest", "kill"),
        ("docker.image-ls", "kill"),
    ];
    for (turn, (tool, fault)) in steps.into_iter().enumerate() {
        let image = if turn % 2 == 0 { "gateway-2" } else { "gateway-1" };
        emulator.host.fault(tool, fault);
        let killed = deployment.up(image, "vllm-1");
        assert!(matches!(killed.code, Some(0 | 4)), "{tool} {fault}: {killed}");
        assert_eq!(emulator.host.get(&format!("faults/{tool}")), "", "{tool} was not reached: {killed}");
        let next = deployment.up(image, "vllm-1");
        next.ended(0, &["serves and was verified"]);
        assert!(
            deployment.container("gateway").image.ends_with(deployment.engine.digest(image)),
            "{tool} {fault}: {next}"
        );
        assert_eq!(deployment.container("vllm"), model, "{tool} {fault}: the model was loaded again");
    }
    // In the middle of compose's work: the old model server is gone, and the new one is not healthy yet.
    let up = deployment.start(&deployment.words(&["up", "--yes"], "gateway-1", "vllm-2"));
    until("the new model server runs", || {
        deployment.engine.container("vllm").is_some_and(|found| found.id != model.id && found.state == "running")
    });
    kill_the_command(&deployment);
    said(up).ended(4, &["The switch to another release was interrupted"]);
    deployment.run(&["rollback", "--yes"]).ended(0, &["serves again and was verified."]);
    assert!(deployment.container("vllm").image.ends_with(deployment.engine.digest("vllm-1")));
}

#[test]
fn a_download_that_outlives_its_run_ends_with_the_next() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    let up = deployment.start(&deployment.words(&["up", "--yes"], "gateway-1", "vllm-slow"));
    until("the download runs", || deployment.downloads() == 1);
    kill_the_command(&deployment);
    let killed = said(up);
    assert!(matches!(killed.code, Some(1 | 4)), "{killed}");
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    assert_eq!(deployment.downloads(), 0, "the download, which has the token, has ended");
}

/// Ends the last command as the agent does, with SIGKILL to its process group.
fn kill_the_command(deployment: &Deployment<'_>) {
    let emulator = deployment.laptop.emulator;
    let id = emulator.commands().last().unwrap()["id"].clone();
    emulator.aws("ssm", "cancel_command", &serde_json::json!({"CommandId": id}));
}
