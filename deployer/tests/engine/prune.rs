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
}
