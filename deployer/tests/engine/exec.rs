//! `exec`: every inspection command on real containers, with their networks and the output of the real client.

use crate::deployment::{Deployment, account};

#[test]
fn exec_inspects_real_containers() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let gateway = deployment.container("gateway");
    for (name, text) in [
        ("docker-ps", "extraction-gateway-vllm-1"),
        ("docker-stats", "extraction-gateway-gateway-1"),
        ("docker-disk", "RECLAIMABLE"),
        ("gateway-health", "\"ready\":true"),
        ("gateway-metrics", "gateway_degraded_total 0"),
        ("vllm-models", "medical-ie"),
    ] {
        let result = deployment.run(&["exec", name]);
        assert!(result.ended(0, &[]).out.contains(text), "{name}: {result}");
    }
    let top = deployment.run(&["exec", "processes", "--service", "gateway"]);
    assert!(top.ended(0, &[]).out.lines().any(|line| line.ends_with(" gateway")), "{top}");
    assert_eq!(deployment.container("gateway"), gateway);
}
