//! Resolves the references of the configuration.

use super::{
    AutostopLimits, BoxRole, ConfigFile, ValueOrReference,
    boxes::{self, is_instance},
    settings::{ImageSettings, Revisions, Settings},
    values,
};
use crate::{
    cloud::CloudError,
    failure::Failure,
    script::{Autostop, ScheduleError},
};

/// Resolves every reference. `ask` returns the value of an SSM parameter, or `None` if there is no such parameter.
pub async fn resolve(
    config_file: &ConfigFile,
    ask: &impl AsyncFn(&str) -> Result<Option<String>, CloudError>,
    operator: String,
) -> Result<Settings, Failure> {
    let file = &config_file.file;
    let images = &file.images;
    let get = |key: &'static str, text: &ValueOrReference| lookup(ask, key, text.clone());
    let instance_id = get("box.instance_id", &file.first_box.instance_id).await?;
    let registry = get("images.registry", &images.registry).await?;
    check_registry(&registry, &file.region)?;
    if !is_instance(&instance_id) {
        return Err(Failure::usage(
            "box.instance_id: the value of the SSM parameter is not the id of an instance",
            "Put the id (i-...) into the parameter, or write it into config/deployment.toml.",
        ));
    }
    let mut model_boxes = Vec::new();
    for further in &file.first_box.models {
        model_boxes.push(get("box.models", &further.instance_id).await?);
    }
    boxes::check_ids(&instance_id, &model_boxes)?;
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
        autostop: if model_boxes.is_empty() { autostop(&file.autostop)? } else { Autostop::Off },
        instance_id,
        role: BoxRole::Gateway { others: Vec::new() },
        model_boxes,
        document: get("box.document", &file.first_box.document).await?,
        gpu: file.first_box.gpu,
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
        hooks: file.hooks.clone(),
        prices: file.cost.clone(),
        operator,
    };
    values::check(&settings)?;
    Ok(settings)
}

fn autostop(limits: &AutostopLimits) -> Result<Autostop, Failure> {
    let failure_of = |error: ScheduleError| Failure::usage(error.to_string(), "Correct it in config/deployment.toml.");
    Ok(Autostop::On {
        idle_minutes: limits.idle_minutes,
        max_uptime_hours: Some(limits.max_uptime_hours).filter(|hours| *hours > 0),
        schedule: limits.schedule().map_err(failure_of)?,
    })
}

async fn lookup(
    ask: &impl AsyncFn(&str) -> Result<Option<String>, CloudError>,
    key: &str,
    text: ValueOrReference,
) -> Result<String, Failure> {
    let name = match text {
        ValueOrReference::Literal(text) => return Ok(text),
        ValueOrReference::Parameter(name) => name,
    };
    match ask(&name).await {
        Ok(Some(value)) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        Ok(_) => Err(Failure::usage(
            format!("{key} refers to the SSM parameter {name}, which does not exist in this region"),
            "Check `region` and the reference, or let deployer init create the parameter.",
        )),
        Err(error) if error.code == CloudError::SECURE_STRING => Err(Failure::usage(
            format!("{key} refers to the SSM parameter {name}: {error}"),
            "Refer to a parameter of the type String, or write the value itself.",
        )),
        // AWS did not answer or refused; the configuration may be right.
        Err(error) => {
            Err(Failure::unchanged(format!("{key} refers to the SSM parameter {name}: {error}"), error.hint()))
        }
    }
}

/// Refuses an ECR registry whose name has another region: the mistake would otherwise show only minutes later. Accepts
/// any registry that is not ECR.
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
