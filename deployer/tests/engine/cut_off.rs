//! The command's process group is killed at each step of a switch and during a download. The next `up` takes over.

use crate::{
    laptop::said,
    site::{Site, account},
    support::emulator::until,
};

#[test]
fn killed_at_any_step_of_the_switch_the_next_up_takes_over() {
    let emulator = account();
    let site = Site::new(&emulator);
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let model = site.container("vllm");
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
        let killed = site.up(image, "vllm-1");
        assert!(matches!(killed.code, Some(0 | 4)), "{tool} {fault}: {killed}");
        assert_eq!(emulator.host.get(&format!("faults/{tool}")), "", "{tool} was not reached: {killed}");
        let next = site.up(image, "vllm-1");
        next.ended(0, &["serves and was verified"]);
        assert!(site.container("gateway").image.ends_with(site.engine.digest(image)), "{tool} {fault}: {next}");
        assert_eq!(site.container("vllm"), model, "{tool} {fault}: the model was loaded again");
    }
    // In the middle of compose's work: the old model server is gone, and the new one is not healthy yet.
    let up = site.start(&site.words(&["up", "--yes"], "gateway-1", "vllm-2"));
    until("the new model server runs", || {
        site.engine.container("vllm").is_some_and(|found| found.id != model.id && found.state == "running")
    });
    kill_the_command(&site);
    said(up).ended(4, &["The switch to another release was cut off"]);
    site.run(&["rollback", "--yes"]).ended(0, &["serves again and was verified."]);
    assert!(site.container("vllm").image.ends_with(site.engine.digest("vllm-1")));
}

#[test]
fn a_download_that_outlives_its_run_ends_with_the_next() {
    let emulator = account();
    let site = Site::new(&emulator);
    let up = site.start(&site.words(&["up", "--yes"], "gateway-1", "vllm-slow"));
    until("the download runs", || site.downloads() == 1);
    kill_the_command(&site);
    let killed = said(up);
    assert!(matches!(killed.code, Some(1 | 4)), "{killed}");
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    assert_eq!(site.downloads(), 0, "the download, which has the token, has ended");
}

/// Ends the last command as the agent does, with SIGKILL to its process group.
fn kill_the_command(site: &Site<'_>) {
    let emulator = site.laptop.emulator;
    let id = emulator.commands().last().unwrap()["id"].clone();
    emulator.aws("ssm", "cancel_command", &serde_json::json!({"CommandId": id}));
}
