//! The file system of the engine's data is full: before a pull, during one, and under the running release.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    deployment::{Deployment, account},
    engine::engine,
    laptop::said,
    support::emulator::until,
};

/// A file that occupies disk space until it is dropped.
struct Filler(PathBuf);

impl Filler {
    /// Fills the engine's file system up to `left` bytes. The file system must be one made for this test.
    fn all_but(left: u64) -> Self {
        let root = engine().docker(&["info", "--format", "{{.DockerRootDir}}"]);
        let df = Command::new("df").args(["--block-size=1", "--output=avail,size", root.trim()]).output().unwrap();
        let numbers: Vec<u64> = String::from_utf8(df.stdout)
            .unwrap()
            .split_whitespace()
            .skip(2)
            .map(|text| text.parse().unwrap())
            .collect();
        let [free, size] = numbers[..] else { panic!("df says {numbers:?}") };
        assert!(
            size < 16 << 30,
            "this test fills a disk, so it needs an engine with its own small disk (.ci/run docker-26)"
        );
        let filler = Self(Path::new(root.trim()).join("filler"));
        let length = (free - left).to_string();
        let status = Command::new("fallocate").args(["--length", &length]).arg(&filler.0).status().unwrap();
        assert!(status.success());
        filler
    }

    /// Fills the file system completely.
    fn all() -> Self {
        let filler = Self::all_but(1 << 20);
        let mut file = fs::OpenOptions::new().append(true).open(&filler.0).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        filler
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[test]
fn a_full_disk_does_not_affect_the_running_release() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let before = (deployment.container("gateway"), deployment.container("vllm"));
    let large = deployment.engine.push_bytes("large", 64 << 20);

    // Before the pull.
    let filler = Filler::all_but(1 << 30);
    deployment
        .up(&large, "vllm-1")
        .ended(1, &["The host's disk has 1 GiB free and 2 GiB are needed; nothing was changed."]);
    drop(filler);

    // During the pull: another program uses the space that was free at the check.
    emulator.host.fault("docker.pull", "hold");
    let up = deployment.start(&deployment.words(&["up", "--yes"], &large, "vllm-1"));
    until("the pull is about to begin", || emulator.host.at("state/held").exists());
    let filler = Filler::all_but(1 << 20);
    emulator.host.set("go", "");
    said(up).ended(1, &["disk filled up while an image was pulled", "What served before still serves."]);
    assert_eq!((deployment.container("gateway"), deployment.container("vllm")), before);
    deployment.serves(1, "gateway-1");
    drop(filler);

    let filler = Filler::all();
    deployment.serves(1, "gateway-1");
    let status = deployment.run(&["status"]);
    assert!(status.code == Some(0) && status.out.contains("0 of 5 GiB free"), "{status}");
    // The engine may have room for the little that it writes. Otherwise the error names the full disk.
    let restart = deployment.run(&["restart", "--yes"]);
    assert!(restart.code == Some(0) || restart.err.contains("disk is full"), "{restart}");
    drop(filler);

    deployment.up("gateway-2", "vllm-1").ended(0, &["serves and was verified"]);
    deployment.serves(2, "gateway-2");
}
