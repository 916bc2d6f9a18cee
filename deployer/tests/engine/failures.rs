//! What is wrong with an image or the registry: the release before serves on, or again, and its model is not touched.

use crate::{
    registry::{Manner, Proxy},
    site::{Site, account},
};

#[test]
fn what_cannot_be_pulled_changes_nothing() {
    let emulator = account();
    let mut site = Site::new(&emulator);
    let proxy = Proxy::before(&site.engine.registry);
    site.registry.clone_from(&proxy.address);
    site.configure("", "");
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let before = (site.container("gateway"), site.container("vllm"));
    let large = site.engine.push_bytes("large", 4 << 20);
    let unknown = format!("sha256:{}", "0".repeat(64));
    let served = "What served before still serves.";

    site.up(&unknown, "vllm-1").ended(1, &["The registry has no such image", served]);
    emulator.host.set("registry_password", "wrong");
    site.up(&large, "vllm-1").ended(1, &["refused the login", served]);
    emulator.host.set("registry_password", &site.engine.password);
    proxy.set(Manner::Away);
    site.up(&large, "vllm-1").ended(1, &["The login to the registry", served]);
    proxy.set(Manner::Expired);
    let said = site.up(&large, "vllm-1");
    said.ended(1, &["The registry refused the pull", served]);
    assert!(proxy.refused() > 0, "{said}");
    assert_eq!((site.container("gateway"), site.container("vllm")), before);
    assert_eq!(emulator.host.root("releases/2/state"), "", "no release came of it");

    proxy.set(Manner::Pass);
    site.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    site.serves(2, "gateway-2");
}

#[test]
fn what_does_not_run_goes_back_and_the_model_stays() {
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
