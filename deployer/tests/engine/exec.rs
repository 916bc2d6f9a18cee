//! The closed list of looks, on real containers: their networks, and what the real client prints.

use crate::site::{Site, account};

#[test]
fn looks_into_real_containers() {
    let emulator = account();
    let site = Site::new(&emulator);
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let gateway = site.container("gateway");
    for (name, said) in [
        ("docker-ps", "extraction-gateway-vllm-1"),
        ("docker-stats", "extraction-gateway-gateway-1"),
        ("docker-disk", "RECLAIMABLE"),
        ("gateway-health", "\"ready\":true"),
        ("gateway-metrics", "gateway_degraded_total 0"),
        ("vllm-models", "medical-ie"),
    ] {
        let looked = site.run(&["exec", name]);
        assert!(looked.ended(0, &[]).out.contains(said), "{name}: {looked}");
    }
    let top = site.run(&["exec", "processes", "--service", "gateway"]);
    assert!(top.ended(0, &[]).out.lines().any(|line| line.ends_with(" gateway")), "{top}");
    assert_eq!(site.container("gateway"), gateway);
}
