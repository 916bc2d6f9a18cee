//! The settings: the configuration with every reference resolved.

use super::{
    BoxRole, Trust, boxes,
    file::{Gateway, Hooks, Model, Prices, Wait},
    names,
};
use crate::failure::Failure;
use crate::script::{
    Autostop, DiskNeed, HostSettings, ImageDigest, ImageError, ImageTag, ImageWanted, READY_WAIT_SECONDS,
};

const GIB: u64 = 1 << 30;

/// The settings of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSettings {
    /// The repository with its registry: `123456789012.dkr.ecr.us-east-1.amazonaws.com/extraction-gateway/vllm`.
    pub repository: String,
    /// A tag or `sha256:...`; `None` if the configuration names no version.
    pub version: Option<String>,
    /// The unpacked size in GiB.
    pub gib: u32,
}

impl ImageSettings {
    /// Returns the image of a version, which is a tag or `sha256:...`.
    pub fn at(&self, version: &str) -> Result<ImageWanted, ImageError> {
        if version.starts_with("sha256:") {
            ImageDigest::parse(&format!("{}@{version}", self.repository)).map(ImageWanted::Digest)
        } else {
            ImageTag::new(&self.repository, version).map(ImageWanted::Tag)
        }
    }
}

/// The names and commits of the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revisions {
    /// The base model.
    pub base: String,
    /// The commit of the base model.
    pub base_revision: String,
    /// The adapter.
    pub adapter: String,
    /// The commit of the adapter.
    pub adapter_revision: String,
}

/// The settings that commands work with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the deployment.
    pub name: String,
    /// The AWS region.
    pub region: String,
    /// The id of the box.
    pub instance_id: String,
    /// What runs on it.
    pub role: BoxRole,
    /// The ids of the further boxes, whose model servers read for the gateway.
    pub model_boxes: Vec<String>,
    /// The SSM document that runs scripts.
    pub document: String,
    /// Whether the host must have a GPU.
    pub gpu: bool,
    /// The registry's host.
    pub registry: String,
    /// The gateway's image.
    pub gateway_image: ImageSettings,
    /// The model server's image.
    pub vllm_image: ImageSettings,
    /// What is trusted to build images; `None` if attestations are not verified.
    pub trust: Option<Trust>,
    /// The name of the secret with the Hugging Face token.
    pub secret_id: String,
    /// The models and their commits.
    pub revisions: Revisions,
    /// The model server's flags.
    pub model: Model,
    /// The gateway.
    pub gateway: Gateway,
    /// Time limits and polling intervals.
    pub wait: Wait,
    /// The idle stop and its hours.
    pub autostop: Autostop,
    /// The settings of the operator's hooks.
    pub hooks: Hooks,
    /// The prices.
    pub prices: Prices,
    /// The operator, such as `ada@laptop`.
    pub operator: String,
}

impl Settings {
    /// Returns the name of the SSM parameter that is the operators' lock.
    #[must_use]
    pub fn lock_parameter(&self) -> String {
        names::lock(&self.name)
    }

    /// Returns the name of the SSM parameter that records the last release and its address.
    #[must_use]
    pub fn last_parameter(&self) -> String {
        names::last(&self.recorded_under())
    }

    /// Returns the name of the SSM parameter that records the last ten releases.
    #[must_use]
    pub fn releases_parameter(&self) -> String {
        names::releases(&self.recorded_under())
    }

    /// Returns the prefix of the parameters that record the releases of this box.
    fn recorded_under(&self) -> String {
        match self.role {
            BoxRole::Gateway { .. } => self.name.clone(),
            BoxRole::Model { .. } => names::further_box(&self.name, &self.instance_id),
        }
    }

    /// Returns the settings of the gateway's box that also asks the model servers at these private addresses.
    #[must_use]
    pub fn with_others(&self, addresses: Vec<String>) -> Self {
        Self { role: BoxRole::Gateway { others: addresses }, ..self.clone() }
    }

    /// Returns the settings of a further box. A gateway of its own, which only the box itself reaches, checks its model
    /// server; nothing stops the box when it is idle, because that gateway does not see the requests of others.
    #[must_use]
    pub fn of_further_box(&self, id: &str, address: &str) -> Self {
        let gateway = Gateway {
            profile: "gpu".to_owned(),
            bind: "127.0.0.1".to_owned(),
            domain: String::new(),
            cors_origins: Vec::new(),
            ..self.gateway.clone()
        };
        Self {
            instance_id: id.to_owned(),
            role: BoxRole::Model { address: address.to_owned() },
            gateway,
            autostop: Autostop::Off,
            ..self.clone()
        }
    }

    /// Returns the name of the SSM parameter that records the address that `url` printed last.
    #[must_use]
    pub fn url_parameter(&self) -> String {
        names::url(&self.name)
    }

    /// Returns the images for which the configuration names a version.
    pub fn images_named(&self) -> Result<Vec<ImageWanted>, Failure> {
        let named = [("gateway", &self.gateway_image), ("vllm", &self.vllm_image)];
        let named = named.into_iter().filter_map(|(service, image)| Some((service, image.at(image.version.as_ref()?))));
        named
            .map(|(service, image)| {
                let key = format!("images.{service}.version");
                image
                    .map_err(|error| Failure::usage(format!("{key}: {error}"), "Correct it in config/deployment.toml."))
            })
            .collect()
    }

    /// Returns the settings that every script on the host gets.
    #[must_use]
    pub fn host(&self) -> HostSettings {
        HostSettings {
            region: self.region.clone(),
            registry: self.registry.clone(),
            secret_id: self.secret_id.clone(),
            operator: self.operator.clone(),
            gpu: self.gpu,
            disk: DiskNeed {
                gateway_image: u64::from(self.gateway_image.gib) * GIB,
                vllm_image: u64::from(self.vllm_image.gib) * GIB,
                model: u64::from(self.model.gib) * GIB,
            },
            up_wait_seconds: self.wait.load_seconds,
            ready_wait_seconds: READY_WAIT_SECONDS,
            drain_seconds: self.wait.drain_seconds,
        }
    }

    /// Returns the public URL of the service for this address of the box, or the URL of a further box's model server
    /// in the private network. It does not end in `/`.
    #[must_use]
    pub fn url(&self, address: &str) -> String {
        match &self.role {
            BoxRole::Gateway { .. } => self.gateway.url(address),
            BoxRole::Model { address } => boxes::model_server(address),
        }
    }
}
