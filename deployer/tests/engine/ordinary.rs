//! A life of a deployment in good and in bad days, from the first `up` to `down`.

use crate::site::{Site, account};

#[test]
fn a_first_release_changes_that_fail_and_do_not_and_the_way_back() {
    let emulator = account();
    let site = Site::new(&emulator);
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    site.serves(1, "gateway-1");
    let model = site.container("vllm");
    let gateway = site.container("gateway");

    site.up("gateway-1", "vllm-1").ended(0, &["Nothing to do."]);
    assert_eq!((site.container("gateway"), site.container("vllm")), (gateway, model.clone()));

    site.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    site.serves(2, "gateway-2");
    assert_eq!(site.container("vllm"), model, "the model was loaded again");

    site.up("gateway-crash", "vllm-1").ended(3, &["gateway", "Release 2 serves again and was verified."]);
    site.serves(2, "gateway-2");
    assert_eq!(site.container("vllm"), model, "the model was loaded again");

    site.run(&["rollback", "--yes"]).ended(0, &["Release 1 serves again"]);
    site.serves(1, "gateway-1");
    assert_eq!(site.container("vllm"), model, "the model was loaded again");

    site.run(&["down", "--yes"]).ended(0, &["The box is stopped."]);
    assert_eq!((site.container("gateway").state, site.container("vllm").state), ("exited".into(), "exited".into()));
    assert_eq!(emulator.instance_state(), "stopped");
}
