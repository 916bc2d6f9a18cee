//! Old images are removed; those of the current release and of the last good one before it stay. This holds for images
//! without a tag too, which newer clients do not list.

use crate::deployment::{Deployment, account};

#[test]
fn images_older_than_the_previous_good_release_are_removed() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    let assert_images = |gateways: [&str; 2], models: &[&str]| {
        let name = |kind: &'static str| move |name: &&str| format!("{kind}@{}", crate::engine::engine().digest(name));
        let mut expected: Vec<String> =
            gateways.iter().map(name("gateway")).chain(models.iter().map(name("vllm"))).collect();
        expected.sort_unstable();
        assert_eq!(deployment.engine.images_here(), expected);
    };
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    deployment.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    assert_images(["gateway-1", "gateway-2"], &["vllm-1"]);
    deployment.up("gateway-3", "vllm-1").ended(0, &["Release 3 serves"]);
    assert_images(["gateway-2", "gateway-3"], &["vllm-1"]);
    // A failed release is not a target for a rollback, so the next good release removes its image.
    deployment.up("gateway-crash", "vllm-1").ended(3, &["Release 3 serves again"]);
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 5 serves"]);
    assert_images(["gateway-1", "gateway-3"], &["vllm-1"]);
    // The command removes it too, and reports its size.
    deployment.up("gateway-crash", "vllm-1").ended(3, &["Release 5 serves again"]);
    let prune = deployment.run(&["prune", "--yes", "--format", "json"]);
    let document = prune.ended(0, &[]).json();
    assert_eq!(document["images"].as_array().map(Vec::len), Some(1), "{document}");
    assert!(
        document["bytes"].as_u64() > Some(1000) && document["warnings"].as_array().unwrap().is_empty(),
        "{document}"
    );
    assert_images(["gateway-1", "gateway-3"], &["vllm-1"]);
    // A model folder in the volume that no kept release uses.
    let volume = deployment.engine.docker(&[
        "volume",
        "inspect",
        "--format",
        "{{.Mountpoint}}",
        "extraction-gateway_model-cache",
    ]);
    let folder = std::path::Path::new(volume.trim()).join(format!("someone/of-before/{}", "c".repeat(40)));
    std::fs::create_dir_all(&folder).unwrap();
    deployment.run(&["prune", "--models", "--yes"]).ended(0, &["someone/of-before", "was removed"]);
    assert!(!folder.exists());
    deployment.up("gateway-1", "vllm-1").ended(0, &["Nothing to do."]);
}
