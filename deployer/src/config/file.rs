//! The keys of config/deployment.toml, with their references unresolved. An unknown key is refused by name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    adapters::Adapter, attestation::Attestation, autostop::AutostopLimits, boxes::ModelBox, reference::ValueOrReference,
};

/// The content of config/deployment.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The deployment's name: also that of the `CloudFormation` stack, and the prefix of the deployer's SSM parameters.
    #[serde(default = "name")]
    pub name: String,
    /// The AWS region. It has no default, because a wrong region must not be used silently.
    pub region: String,
    /// The box.
    #[serde(rename = "box")]
    pub first_box: BoxSettings,
    /// The container images.
    pub images: ImageNames,
    /// Whether the images' attestations are verified, and what is trusted.
    #[serde(default)]
    pub attestation: Attestation,
    /// The secret that holds the Hugging Face token.
    #[serde(default)]
    pub secret: SecretSettings,
    /// The model and the model server's flags.
    #[serde(default)]
    pub model: Model,
    /// The gateway.
    #[serde(default)]
    pub gateway: Gateway,
    /// Time limits and polling intervals.
    #[serde(default)]
    pub wait: Wait,
    /// The idle stop.
    #[serde(default)]
    pub autostop: AutostopLimits,
    /// The operator's hooks, which run before and after a change.
    #[serde(default)]
    pub hooks: Hooks,
    /// The webhook that gets a notice of each change.
    #[serde(default)]
    pub notify: Notify,
    /// The prices that commands such as `cost`, `status` and `down` compute with.
    #[serde(default)]
    pub cost: Prices,
}

/// The keys of `[box]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxSettings {
    /// The id of the instance: `i-...`.
    pub instance_id: ValueOrReference,
    /// The SSM document that runs scripts.
    #[serde(default = "run_shell_script")]
    pub document: ValueOrReference,
    /// Whether the host must have a GPU. If not, `config/compose.no-gpu.yml` removes the reservation of the GPU.
    #[serde(default = "yes")]
    pub gpu: bool,
    /// Further boxes, whose model servers read for the gateway of this one.
    #[serde(default)]
    pub models: Vec<ModelBox>,
}

/// The keys of `[images]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageNames {
    /// The registry's host: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    pub registry: ValueOrReference,
    /// The gateway's image.
    #[serde(default = "gateway_image", deserialize_with = "gateway_image_over_defaults")]
    pub gateway: Image,
    /// The model server's image.
    #[serde(default = "vllm_image", deserialize_with = "vllm_image_over_defaults")]
    pub vllm: Image,
}

/// The keys of `[images.gateway]` and `[images.vllm]`. Each key may be missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageKeys {
    repository: Option<ValueOrReference>,
    version: Option<ValueOrReference>,
    gib: Option<u32>,
}

impl ImageKeys {
    fn over(self, default: Image) -> Image {
        Image {
            repository: self.repository.unwrap_or(default.repository),
            version: self.version.or(default.version),
            gib: self.gib.unwrap_or(default.gib),
        }
    }
}

fn gateway_image_over_defaults<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Image, D::Error> {
    Ok(ImageKeys::deserialize(input)?.over(gateway_image()))
}

fn vllm_image_over_defaults<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Image, D::Error> {
    Ok(ImageKeys::deserialize(input)?.over(vllm_image()))
}

/// One image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The repository in the registry.
    pub repository: ValueOrReference,
    /// A tag or `sha256:...`. `up` uses it unless `--tag` or `--digest` names another version.
    pub version: Option<ValueOrReference>,
    /// The unpacked size in GiB.
    pub gib: u32,
}

/// The keys of `[secret]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSettings {
    /// The name of the secret with the Hugging Face token.
    pub id: ValueOrReference,
}

/// The keys of `[model]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// The base model on Hugging Face.
    pub base: ValueOrReference,
    /// The commit of the base model.
    pub base_revision: ValueOrReference,
    /// The adapter on Hugging Face.
    pub adapter: ValueOrReference,
    /// The commit of the adapter.
    pub adapter_revision: Option<ValueOrReference>,
    /// The name that clients use: the adapter's on the model server, or, with `adapters`, the name that represents
    /// them.
    pub served_name: String,
    /// Several adapters in place of `adapter`, each served by a name that ends in its revision. The first one answers
    /// for `served_name` until `deployer model use` changes it.
    pub adapters: Vec<Adapter>,
    /// The size of the base model and the adapter together, in GiB.
    pub gib: u32,
    /// The most tokens of a request and its answer together.
    pub max_model_len: u32,
    /// The most requests that run at the same time.
    pub max_num_seqs: u32,
    /// The most requests that may wait.
    pub max_queued_reqs: u32,
    /// The part of the GPU's memory that the model server may use, from 0.1 to 0.99.
    pub gpu_memory_utilization: f64,
    /// The highest rank of an adapter.
    pub max_lora_rank: u32,
    /// The quantization: empty for none, or `fp8`.
    pub quantization: String,
}

/// The keys of `[gateway]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// The compose profile: `gpu`, or `tls` (with Caddy in front of the gateway).
    pub profile: String,
    /// The port on which the gateway listens on the host.
    pub port: u16,
    /// The IPv4 address of the host on which the gateway listens.
    pub bind: String,
    /// For the profile `tls`: the domain for which Caddy obtains a certificate.
    pub domain: String,
    /// Origins whose pages may call the service.
    pub cors_origins: Vec<String>,
    /// The file with the digests of the API keys, relative to the folder of config/deployment.toml.
    pub keys_file: String,
    /// Further environment variables for docker-compose.yml.
    pub env: BTreeMap<String, String>,
}

/// The keys of `[wait]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wait {
    /// How long to wait for free capacity in the zone.
    pub capacity_seconds: u32,
    /// The pause between two attempts to start the instance.
    pub capacity_pause_seconds: u32,
    /// How long to wait for the instance to run, or to stop.
    pub instance_seconds: u32,
    /// How long to wait for the SSM agent to answer.
    pub agent_seconds: u32,
    /// How long a command may take to reach the host.
    pub delivery_seconds: u32,
    /// How long to wait, after the agent has accepted a command, until the command shows on the host. After that the
    /// host is asked.
    pub start_seconds: u32,
    /// The time limit of `docker compose up --wait`, which includes a cold model load.
    pub load_seconds: u32,
    /// The time limit of a whole deploy on the host: download, model load, and a second model load after a failure.
    pub deploy_seconds: u32,
    /// How long running work may take to end before the services stop.
    pub drain_seconds: u32,
    /// The pause between two polls for the progress of a run on the host; 0 turns polling off.
    pub progress_seconds: u32,
}

/// The keys of `[hooks]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// The time limit of a hook, in seconds. A hook that takes longer is killed and counts as failed.
    pub seconds: u32,
}

/// The keys of `[notify]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// The file with the webhook's address, relative to the configuration's folder or absolute. The address is a
    /// secret.
    pub webhook_file: String,
}

/// The keys of `[cost]`, in US dollars. Prices change: the defaults are on-demand prices of us-east-1, and `source`
/// says where and when an operator looked them up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Where and when the operator read the prices.
    pub source: String,
    /// The instance, for an hour.
    pub instance_usd_per_hour: f64,
    /// A GiB of disk, for a month, whether the instance runs or not.
    pub disk_usd_per_gib_month: f64,
    /// The size of the disk in GiB.
    pub disk_gib: u32,
    /// A used GiB of a snapshot, for a month.
    pub snapshot_usd_per_gib_month: f64,
    /// A public IPv4 address, for an hour. An Elastic IP also costs this while the instance is stopped.
    pub address_usd_per_hour: f64,
}

impl Gateway {
    /// Returns the public URL of the service for this address of the box. It does not end in `/`.
    #[must_use]
    pub fn url(&self, address: &str) -> String {
        if self.profile == "tls" {
            format!("https://{}", self.domain)
        } else {
            format!("http://{address}:{}", self.port)
        }
    }
}

fn name() -> String {
    "extraction-gateway".to_owned()
}

fn run_shell_script() -> ValueOrReference {
    ValueOrReference::literal("AWS-RunShellScript")
}

const fn yes() -> bool {
    true
}

fn gateway_image() -> Image {
    Image { repository: ValueOrReference::literal("extraction-gateway/gateway"), version: None, gib: 1 }
}

fn vllm_image() -> Image {
    Image { repository: ValueOrReference::literal("extraction-gateway/vllm"), version: None, gib: 25 }
}

impl Default for SecretSettings {
    fn default() -> Self {
        Self { id: ValueOrReference::literal("extraction-gateway/hf-token") }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            base: ValueOrReference::literal("meta-llama/Llama-3.1-8B"),
            base_revision: ValueOrReference::literal("d04e592bb4f6aa9cfee91e2e20afa771667e1d4b"),
            adapter: ValueOrReference::literal("loghoag/llama-3.1-8b-medical-ie"),
            adapter_revision: None,
            served_name: "medical-ie".to_owned(),
            adapters: Vec::new(),
            gib: 17,
            max_model_len: 8192,
            max_num_seqs: 32,
            max_queued_reqs: 64,
            gpu_memory_utilization: 0.9,
            max_lora_rank: 16,
            quantization: String::new(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            profile: "gpu".to_owned(),
            port: 8080,
            bind: "0.0.0.0".to_owned(),
            domain: String::new(),
            cors_origins: Vec::new(),
            keys_file: "keys.txt".to_owned(),
            env: BTreeMap::new(),
        }
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            capacity_seconds: 600,
            capacity_pause_seconds: 30,
            instance_seconds: 600,
            agent_seconds: 600,
            delivery_seconds: 300,
            start_seconds: 60,
            load_seconds: 1800,
            deploy_seconds: 7200,
            drain_seconds: 45,
            progress_seconds: 20,
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self { seconds: 120 }
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            source: "not checked: see the AWS price list for your region".to_owned(),
            instance_usd_per_hour: 0.9776,
            disk_usd_per_gib_month: 0.08,
            disk_gib: 150,
            snapshot_usd_per_gib_month: 0.05,
            address_usd_per_hour: 0.005,
        }
    }
}
