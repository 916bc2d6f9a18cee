//! The configuration with every reference resolved: what commands work with.

use super::{
    AutostopLimits, ConfigFile, Text, Trust,
    check::is_instance,
    file::{Gateway, Hooks, Model, Prices, Wait},
    names, values,
};
use crate::{
    cloud::CloudError,
    failure::Failure,
    script::{
        Autostop, DiskNeed, HostSettings, ImageDigest, ImageError, ImageTag, ImageWanted, READY_WAIT_SECONDS,
        ScheduleError,
    },
};

const GIB: u64 = 1 << 30;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSettings {
    /// With the registry: `123456789012.dkr.ecr.us-east-1.amazonaws.com/extraction-gateway/vllm`.
    pub repository: String,
    /// A tag or `sha256:...`, where the configuration names one.
    pub version: Option<String>,
    /// Its size, GiB.
    pub gib: u32,
}

impl ImageSettings {
    /// The image of a version: a tag, or `sha256:...`.
    pub fn at(&self, version: &str) -> Result<ImageWanted, ImageError> {
        if version.starts_with("sha256:") {
            ImageDigest::parse(&format!("{}@{version}", self.repository)).map(ImageWanted::Digest)
        } else {
            ImageTag::new(&self.repository, version).map(ImageWanted::Tag)
        }
    }
}

/// The models, by name and commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revisions {
    /// The base model.
    pub base: String,
    /// Its commit.
    pub base_revision: String,
    /// The adapter.
    pub adapter: String,
    /// Its commit.
    pub adapter_revision: String,
}

/// Everything a command needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the deployment is called.
    pub name: String,
    /// The AWS region.
    pub region: String,
    /// The box.
    pub instance_id: String,
    /// The SSM document that runs scripts.
    pub document: String,
    /// Refuse a host without a GPU.
    pub gpu: bool,
    /// The registry's host.
    pub registry: String,
    /// The gateway's image.
    pub gateway_image: ImageSettings,
    /// The model server's image.
    pub vllm_image: ImageSettings,
    /// Whose attestations of the images count; `None`: they are not verified.
    pub trust: Option<Trust>,
    /// The secret with the Hugging Face token.
    pub secret_id: String,
    /// Which models.
    pub revisions: Revisions,
    /// The model server's flags.
    pub model: Model,
    /// The gateway.
    pub gateway: Gateway,
    /// How long things may take.
    pub wait: Wait,
    /// The idle stop and its hours.
    pub autostop: Autostop,
    /// Executables of the operator's side.
    pub hooks: Hooks,
    /// What things cost.
    pub prices: Prices,
    /// Who acts.
    pub operator: String,
}

impl Settings {
    /// The SSM parameter that is the operators' lock.
    #[must_use]
    pub fn lock_parameter(&self) -> String {
        names::lock(&self.name)
    }

    /// The SSM parameter that remembers the last release and its address.
    #[must_use]
    pub fn last_parameter(&self) -> String {
        names::last(&self.name)
    }

    /// The SSM parameter that remembers the last ten releases.
    #[must_use]
    pub fn releases_parameter(&self) -> String {
        names::releases(&self.name)
    }

    /// The SSM parameter that remembers which address `url` printed last.
    #[must_use]
    pub fn url_parameter(&self) -> String {
        names::url(&self.name)
    }

    /// The images that the configuration names.
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

    /// What every script needs to know.
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

    /// Where the service is for the world, while the box has this address; never with a `/` at the end.
    #[must_use]
    pub fn url(&self, address: &str) -> String {
        self.gateway.url(address)
    }
}

/// Resolves every reference; `ask` asks for a parameter's value, `None`: it is not there.
pub async fn resolve(
    written: &ConfigFile,
    ask: &impl AsyncFn(&str) -> Result<Option<String>, CloudError>,
    operator: String,
) -> Result<Settings, Failure> {
    let file = &written.file;
    let images = &file.images;
    let get = |key: &'static str, text: &Text| lookup(ask, key, text.clone());
    let instance_id = get("box.instance_id", &file.machine.instance_id).await?;
    let registry = get("images.registry", &images.registry).await?;
    check_registry(&registry, &file.region)?;
    if !is_instance(&instance_id) {
        return Err(Failure::usage(
            "box.instance_id: what the SSM parameter holds is no id of an instance",
            "Put the id (i-...) into the parameter, or write it into config/deployment.toml.",
        ));
    }
    let image = async |key, image: &super::file::Image| {
        let repository = format!("{registry}/{}", lookup(ask, key, image.repository.clone()).await?);
        let version = match &image.version {
            Some(version) => Some(lookup(ask, key, version.clone()).await?),
            None => None,
        };
        Ok::<_, Failure>(ImageSettings { repository, version, gib: image.gib })
    };
    let adapter_revision = match &file.model.adapter_revision {
        Some(revision) => get("model.adapter_revision", revision).await?,
        None => String::new(),
    };
    let settings = Settings {
        name: file.name.clone(),
        region: file.region.clone(),
        instance_id,
        document: get("box.document", &file.machine.document).await?,
        gpu: file.machine.gpu,
        gateway_image: image("images.gateway", &images.gateway).await?,
        vllm_image: image("images.vllm", &images.vllm).await?,
        trust: file.attestation.trust(),
        secret_id: get("secret.id", &file.secret.id).await?,
        revisions: Revisions {
            base: get("model.base", &file.model.base).await?,
            base_revision: get("model.base_revision", &file.model.base_revision).await?,
            adapter: get("model.adapter", &file.model.adapter).await?,
            adapter_revision,
        },
        registry,
        model: file.model.clone(),
        gateway: file.gateway.clone(),
        wait: file.wait.clone(),
        autostop: autostop(&file.autostop)?,
        hooks: file.hooks.clone(),
        prices: file.cost.clone(),
        operator,
    };
    values::check(&settings)?;
    Ok(settings)
}

fn autostop(limits: &AutostopLimits) -> Result<Autostop, Failure> {
    let wrong = |error: ScheduleError| Failure::usage(error.to_string(), "Correct it in config/deployment.toml.");
    Ok(Autostop::On {
        idle_minutes: limits.idle_minutes,
        max_uptime_hours: Some(limits.max_uptime_hours).filter(|hours| *hours > 0),
        schedule: limits.schedule().map_err(wrong)?,
    })
}

async fn lookup(
    ask: &impl AsyncFn(&str) -> Result<Option<String>, CloudError>,
    key: &str,
    text: Text,
) -> Result<String, Failure> {
    let name = match text {
        Text::Literal(text) => return Ok(text),
        Text::Parameter(name) => name,
    };
    match ask(&name).await {
        Ok(Some(value)) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        Ok(_) => Err(Failure::usage(
            format!("{key} refers to the SSM parameter {name}, which is not there in this region"),
            "Check `region` and the reference, or let deployer init create the parameter.",
        )),
        Err(error) if error.code == CloudError::SECURE_STRING => Err(Failure::usage(
            format!("{key} refers to the SSM parameter {name}: {error}"),
            "Refer to a parameter of the type String, or write the value out.",
        )),
        // Nothing is wrong with the configuration.
        Err(error) => {
            Err(Failure::unchanged(format!("{key} refers to the SSM parameter {name}: {error}"), error.hint()))
        }
    }
}

/// An ECR registry names its region: another one than ours is a mistake that would show only minutes later.
fn check_registry(registry: &str, region: &str) -> Result<(), Failure> {
    let Some((_, rest)) = registry.split_once(".dkr.ecr.") else { return Ok(()) };
    if rest.starts_with(&format!("{region}.")) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("the registry {registry} is not in the region {region}"),
        "Correct `region` or `images.registry` in config/deployment.toml.",
    ))
}
