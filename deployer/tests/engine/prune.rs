//! Old images go, those of the current release and of the good one before it stay: also where nothing has a tag, which
//! newer clients leave out of their lists.

use crate::site::{Site, account};

#[test]
fn images_older_than_the_release_before_are_removed() {
    let emulator = account();
    let site = Site::new(&emulator);
    let here = |gateways: [&str; 2], models: &[&str]| {
        let name = |kind: &'static str| move |name: &&str| format!("{kind}@{}", crate::engine::engine().digest(name));
        let mut wanted: Vec<String> =
            gateways.iter().map(name("gateway")).chain(models.iter().map(name("vllm"))).collect();
        wanted.sort_unstable();
        assert_eq!(site.engine.images_here(), wanted);
    };
    site.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    site.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    here(["gateway-1", "gateway-2"], &["vllm-1"]);
    site.up("gateway-3", "vllm-1").ended(0, &["Release 3 serves"]);
    here(["gateway-2", "gateway-3"], &["vllm-1"]);
    // One that failed is no release to go back to: it goes with the next good one.
    site.up("gateway-crash", "vllm-1").ended(3, &["Release 3 serves again"]);
    site.up("gateway-1", "vllm-1").ended(0, &["Release 5 serves"]);
    here(["gateway-1", "gateway-3"], &["vllm-1"]);
    // Or with the command, and that one's size is known.
    site.up("gateway-crash", "vllm-1").ended(3, &["Release 5 serves again"]);
    let said = site.run(&["prune", "--yes", "--format", "json"]);
    let document = said.ended(0, &[]).json();
    assert_eq!(document["images"].as_array().map(Vec::len), Some(1), "{document}");
    assert!(
        document["bytes"].as_u64() > Some(1000) && document["warnings"].as_array().unwrap().is_empty(),
        "{document}"
    );
    here(["gateway-1", "gateway-3"], &["vllm-1"]);
    // A folder of the volume that no kept release has.
    let volume =
        site.engine.docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", "extraction-gateway_model-cache"]);
    let folder = std::path::Path::new(volume.trim()).join(format!("someone/of-before/{}", "c".repeat(40)));
    std::fs::create_dir_all(&folder).unwrap();
    site.run(&["prune", "--models", "--yes"]).ended(0, &["someone/of-before", "was removed"]);
    assert!(!folder.exists());
    site.up("gateway-1", "vllm-1").ended(0, &["Nothing to do."]);
}
