//! Faults of an image or the registry: the previous release keeps serving or serves again, and its model stays loaded.

use crate::{
    registry::{Manner, Proxy},
    site::{Site, account},
};

#[test]
fn a_failed_pull_changes_nothing() {
    let emulator = account();
    let mut site = Site::new(&emulator);
    let proxy = Proxy::before(&site.engine.registry);
    site.registry.clone_from(&proxy.address);
    site.configure("", "");
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let before = (site.container("gateway"), site.container("vllm"));
    let large = site.engine.push_bytes("large", 4 << 20);
    let unknown = format!("sha256:{}", "0".repeat(64));
    let unchanged = "What served before still serves.";

    site.up(&unknown, "vllm-1").ended(1, &["The registry has no such image", unchanged]);
    emulator.host.set("registry_password", "wrong");
    site.up(&large, "vllm-1").ended(1, &["refused the login", unchanged]);
    emulator.host.set("registry_password", &site.engine.password);
    proxy.set(Manner::Away);
    site.up(&large, "vllm-1").ended(1, &["The login to the registry", unchanged]);
    proxy.set(Manner::Expired);
    let result = site.up(&large, "vllm-1");
    result.ended(1, &["The registry refused the pull", unchanged]);
    assert!(proxy.refused() > 0, "{result}");
    assert_eq!((site.container("gateway"), site.container("vllm")), before);
    assert_eq!(emulator.host.root("releases/2/state"), "", "no release was created");

    proxy.set(Manner::Pass);
    site.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    site.serves(2, "gateway-2");
}

#[test]
fn a_release_that_does_not_run_is_rolled_back_and_the_model_stays_loaded() {
    let emulator = account();
    let site = Site::new(&emulator);
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let model = site.container("vllm");
    let back = "Release 1 serves again and was verified.";
    for (gateway, words) in
        [("gateway-crash", "gateway does not stay up"), ("gateway-silent", "gateway did not become")]
    {
        site.up(gateway, "vllm-1").ended(3, &[words, back]);
        site.serves(1, "gateway-1");
        assert_eq!(site.container("vllm"), model, "the model was loaded again");
    }
    site.up("gateway-1", "vllm-crash").ended(3, &["vllm does not stay up", "No available memory", back]);
    site.serves(1, "gateway-1");
    assert!(site.container("vllm").image.ends_with(site.engine.digest("vllm-1")));
}
