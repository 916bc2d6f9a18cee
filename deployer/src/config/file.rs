//! config/deployment.toml as it is written: every key has its meaning here, an unknown one is refused by name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{attestation::Attestation, autostop::AutostopLimits, reference::Text};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What the deployment is called: `CloudFormation` stack, prefix of its own SSM parameters.
    #[serde(default = "name")]
    pub name: String,
    /// The AWS region. There is no default: a wrong one must not be used silently.
    pub region: String,
    /// The machine.
    #[serde(rename = "box")]
    pub machine: Machine,
    /// The container images.
    pub images: Images,
    /// Whose attestations of the images count.
    #[serde(default)]
    pub attestation: Attestation,
    /// Where the Hugging Face token lies.
    #[serde(default)]
    pub secret: SecretPlace,
    /// The model and the model server's flags.
    #[serde(default)]
    pub model: Model,
    /// The gateway.
    #[serde(default)]
    pub gateway: Gateway,
    /// How long things may take.
    #[serde(default)]
    pub wait: Wait,
    /// The idle stop.
    #[serde(default)]
    pub autostop: AutostopLimits,
    /// Executables that are run before and after.
    #[serde(default)]
    pub hooks: Hooks,
    /// Who else is told.
    #[serde(default)]
    pub notify: Notify,
    /// What things cost, for `cost`, `status` and `down`.
    #[serde(default)]
    pub cost: Prices,
}

/// `[box]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// `i-...`
    pub instance_id: Text,
    /// The SSM document that runs scripts.
    #[serde(default = "run_shell_script")]
    pub document: Text,
    /// Refuse a host without a GPU; if not, `config/compose.no-gpu.yml` leaves its reservation out.
    #[serde(default = "yes")]
    pub gpu: bool,
}

/// `[images]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`
    pub registry: Text,
    /// The gateway's.
    #[serde(default = "gateway_image", deserialize_with = "gateway_image_over_defaults")]
    pub gateway: Image,
    /// The model server's.
    #[serde(default = "vllm_image", deserialize_with = "vllm_image_over_defaults")]
    pub vllm: Image,
}

/// `[images.gateway]`, `[images.vllm]` as they are written: each key may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageKeys {
    repository: Option<Text>,
    version: Option<Text>,
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
    /// Its name in the registry.
    pub repository: Text,
    /// A tag or `sha256:...`; what `up` takes where `--tag` and `--digest` do not say otherwise.
    pub version: Option<Text>,
    /// How large it is unpacked, GiB.
    pub gib: u32,
}

/// `[secret]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretPlace {
    /// The name of the secret with the Hugging Face token.
    pub id: Text,
}

/// `[model]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// The base model on Hugging Face.
    pub base: Text,
    /// Its commit.
    pub base_revision: Text,
    /// The adapter on Hugging Face.
    pub adapter: Text,
    /// Its commit.
    pub adapter_revision: Option<Text>,
    /// The name under which the adapter is served.
    pub served_name: String,
    /// How large both are, GiB.
    pub gib: u32,
    /// Tokens of a request and its answer.
    pub max_model_len: u32,
    /// Requests at a time.
    pub max_num_seqs: u32,
    /// Requests that may wait.
    pub max_queued_reqs: u32,
    /// Part of the GPU's memory.
    pub gpu_memory_utilization: f64,
    /// The adapter's rank, at most.
    pub max_lora_rank: u32,
    /// Empty, or `fp8`.
    pub quantization: String,
}

/// `[gateway]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// The compose profile: `gpu`, or `tls` (Caddy in front).
    pub profile: String,
    /// The port that is open on the host.
    pub port: u16,
    /// The address it is open on.
    pub bind: String,
    /// For the profile `tls`: the name whose certificate Caddy gets.
    pub domain: String,
    /// Origins whose pages may call it.
    pub cors_origins: Vec<String>,
    /// The file of API keys' digests, beside config/deployment.toml.
    pub keys_file: String,
    /// Further variables for docker-compose.yml.
    pub env: BTreeMap<String, String>,
}

/// `[wait]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wait {
    /// For free capacity in the zone.
    pub capacity_seconds: u32,
    /// Between two attempts.
    pub capacity_pause_seconds: u32,
    /// For the instance to run, or to stop.
    pub instance_seconds: u32,
    /// For the agent to answer.
    pub agent_seconds: u32,
    /// For a command to reach the host.
    pub delivery_seconds: u32,
    /// For a command that the host's agent took to show on the host; then the host is asked.
    pub start_seconds: u32,
    /// For `docker compose up --wait`: a cold model load.
    pub load_seconds: u32,
    /// For a whole deploy on the host: download, load, and load again after a failure.
    pub deploy_seconds: u32,
    /// For running work to end.
    pub drain_seconds: u32,
    /// Between two looks at how far a run on the host is; 0: none.
    pub progress_seconds: u32,
}

/// `[hooks]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// A hook that takes longer is killed, and has failed.
    pub seconds: u32,
}

/// `[notify]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// A file with a webhook's address, beside this one or anywhere; the address is a secret.
    pub webhook_file: String,
}

/// `[cost]`: prices change; these are on-demand in us-east-1, looked up by a person on the day given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Where and when they were read.
    pub source: String,
    /// The instance, an hour.
    pub instance_usd_per_hour: f64,
    /// A GiB of disk, a month, running or not.
    pub disk_usd_per_gib_month: f64,
    /// The disk.
    pub disk_gib: u32,
    /// A GiB of a snapshot, a month; what is used of it.
    pub snapshot_usd_per_gib_month: f64,
    /// A public IPv4 address, an hour (an Elastic IP costs while stopped, too).
    pub address_usd_per_hour: f64,
}

impl Gateway {
    /// Where it is for the world while the box has this address; never with a `/` at the end.
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

fn run_shell_script() -> Text {
    Text::literal("AWS-RunShellScript")
}

const fn yes() -> bool {
    true
}

fn gateway_image() -> Image {
    Image { repository: Text::literal("extraction-gateway/gateway"), version: None, gib: 1 }
}

fn vllm_image() -> Image {
    Image { repository: Text::literal("extraction-gateway/vllm"), version: None, gib: 25 }
}

impl Default for SecretPlace {
    fn default() -> Self {
        Self { id: Text::literal("extraction-gateway/hf-token") }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            base: Text::literal("meta-llama/Llama-3.1-8B"),
            base_revision: Text::literal("d04e592bb4f6aa9cfee91e2e20afa771667e1d4b"),
            adapter: Text::literal("loghoag/llama-3.1-8b-medical-ie"),
            adapter_revision: None,
            served_name: "medical-ie".to_owned(),
            gib: 33,
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
            source: "not checked: look at the AWS price list for your region".to_owned(),
            instance_usd_per_hour: 0.9776,
            disk_usd_per_gib_month: 0.08,
            disk_gib: 150,
            snapshot_usd_per_gib_month: 0.05,
            address_usd_per_hour: 0.005,
        }
    }
}
