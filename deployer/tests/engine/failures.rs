//! Faults of an image or the registry: the previous release keeps serving or serves again, and its model stays loaded.

use crate::{
    deployment::{Deployment, account},
    registry::{Manner, Proxy},
};

#[test]
fn a_failed_pull_changes_nothing() {
    let emulator = account();
    let mut deployment = Deployment::new(&emulator);
    let proxy = Proxy::before(&deployment.engine.registry);
    deployment.registry.clone_from(&proxy.address);
    deployment.configure("", "");
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let before = (deployment.container("gateway"), deployment.container("vllm"));
    let large = deployment.engine.push_bytes("large", 4 << 20);
    let unknown = format!("sha256:{}", "0".repeat(64));
    let unchanged = "What served before still serves.";

    deployment.up(&unknown, "vllm-1").ended(1, &["The registry has no such image", unchanged]);
    emulator.host.set("registry_password", "wrong");
    deployment.up(&large, "vllm-1").ended(1, &["refused the login", unchanged]);
    emulator.host.set("registry_password", &deployment.engine.password);
    proxy.set(Manner::Away);
    deployment.up(&large, "vllm-1").ended(1, &["The login to the registry", unchanged]);
    proxy.set(Manner::Expired);
    let result = deployment.up(&large, "vllm-1");
    result.ended(1, &["The registry refused the pull", unchanged]);
    assert!(proxy.refused() > 0, "{result}");
    assert_eq!((deployment.container("gateway"), deployment.container("vllm")), before);
    assert_eq!(emulator.host.root("releases/2/state"), "", "no release was created");

    proxy.set(Manner::Pass);
    deployment.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    deployment.serves(2, "gateway-2");
}

#[test]
fn a_release_that_does_not_run_is_rolled_back_and_the_model_stays_loaded() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let model = deployment.container("vllm");
    let back = "Release 1 serves again and was verified.";
    for (gateway, words) in
        [("gateway-crash", "gateway does not stay up"), ("gateway-silent", "gateway did not become")]
    {
        deployment.up(gateway, "vllm-1").ended(3, &[words, back]);
        deployment.serves(1, "gateway-1");
        assert_eq!(deployment.container("vllm"), model, "the model was loaded again");
    }
    deployment.up("gateway-1", "vllm-crash").ended(3, &["vllm does not stay up", "No available memory", back]);
    deployment.serves(1, "gateway-1");
    assert!(deployment.container("vllm").image.ends_with(deployment.engine.digest("vllm-1")));
}
