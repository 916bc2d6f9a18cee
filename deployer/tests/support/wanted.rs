//! Builds the deploys, images and settings with which the tests run scripts on the host.

use std::collections::BTreeMap;

use deployer::script::{
    Action, ComposeEnv, Deploy, DiskNeed, HostFile, HostSettings, ImageDigest, ImageWanted, Script, script,
};

use super::host::SECRET;

pub const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const GIB: u64 = 1 << 30;

/// Returns the gateway's image number `n`.
pub fn gateway(n: u8) -> String {
    format!("{REGISTRY}/extraction/gateway@sha256:{}{n:02x}", "a".repeat(62))
}

/// Returns the model server's image number `n`.
pub fn vllm(n: u8) -> String {
    format!("{REGISTRY}/extraction/vllm@sha256:{}{n:02x}", "b".repeat(62))
}

pub fn digest(image: &str) -> ImageWanted {
    ImageWanted::Digest(ImageDigest::parse(image).unwrap())
}

pub fn settings() -> HostSettings {
    HostSettings {
        region: "us-east-1".to_owned(),
        registry: REGISTRY.to_owned(),
        secret_id: SECRET.to_owned(),
        operator: "ada's laptop".to_owned(),
        gpu: true,
        disk: DiskNeed { gateway_image: GIB / 4, vllm_image: 25 * GIB, model: 20 * GIB },
        up_wait_seconds: 900,
        ready_wait_seconds: 90,
        drain_seconds: 45,
    }
}

/// The part of a compose file that the docker shim reads.
pub const COMPOSE: &str = "services:
  vllm:
    image: ${VLLM_IMAGE:?}
  gateway:
    image: ${GATEWAY_IMAGE:?}
volumes:
  model-cache:
";

/// Returns a deploy of gateway image `g`, model server image `v` and configuration `config`.
pub fn deploy_with(g: &str, v: &str, config: &str) -> Deploy {
    let env = [
        ("VLLM_BASE_MODEL", "meta-llama/Llama-3.1-8B"),
        ("VLLM_BASE_REVISION", "d04e592bb4f6aa9cfee91e2e20afa771667e1d4b"),
        ("VLLM_ADAPTER", "loghoag/llama-3.1-8b-medical-ie"),
        ("VLLM_ADAPTER_REVISION", "0123456789abcdef0123456789abcdef01234567"),
        ("VLLM_SERVED_NAME", "medical-ie"),
        ("GATEWAY_PORT", "8080"),
        ("CORS_ORIGINS", "https://example.org,https://$HOME.`id`"),
    ];
    let env: BTreeMap<String, String> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Deploy {
        gateway: digest(g),
        vllm: digest(v),
        files: vec![
            HostFile::new("docker-compose.yml", 0o644, COMPOSE.into()).unwrap(),
            HostFile::new("config/gateway.toml", 0o644, format!("# {config}\n").into_bytes()).unwrap(),
            HostFile::new("keys.txt", 0o644, b"vercel 00ff\n".to_vec()).unwrap(),
        ],
        env: ComposeEnv::new(env).unwrap(),
        commit: "39f5335".to_owned(),
        config_hash: config.to_owned(),
        restart_vllm: false,
        download_only: false,
    }
}

pub fn deploy(g: u8, v: u8) -> Script {
    act(&Action::Deploy(Box::new(deploy_with(&gateway(g), &vllm(v), "one"))))
}

pub fn act(action: &Action) -> Script {
    script(action, &settings())
}
