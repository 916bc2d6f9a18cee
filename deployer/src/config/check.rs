//! Checks the values of a configuration beyond their types.

use std::{net::Ipv4Addr, ops::RangeInclusive};

use super::{
    File, ValueOrReference, adapters,
    boxes::{self, is_instance},
    names::{ENGINE, GATEWAY_NAMES, ROUTE},
};
use crate::failure::Failure;

pub(super) fn check(file: &File, shown: &str) -> Result<(), Failure> {
    let refuse = |key: &str, must: &str| {
        Err(Failure::usage(
            format!("{shown}: {key} {must}"),
            "Correct it, or let deployer init fill it in; deployer/docs/settings.md has the table of settings.",
        ))
    };
    let allowed = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if file.name.is_empty() || !allowed(&file.name) {
        return refuse("name", "must be of letters, digits, - and _");
    }
    if !is_region(&file.region) {
        return refuse("region", "must name an AWS region, such as us-east-1; there is no default");
    }
    if let ValueOrReference::Literal(id) = &file.first_box.instance_id
        && !is_instance(id)
    {
        return refuse("box.instance_id", "must have the form i-0123456789abcdef0, or be a reference (ssm:/...)");
    }
    if let ValueOrReference::Literal(registry) = &file.images.registry
        && registry.is_empty()
    {
        return refuse("images.registry", "must name the registry: ACCOUNT.dkr.ecr.REGION.amazonaws.com");
    }
    if !matches!(file.gateway.profile.as_str(), "gpu" | "tls") {
        return refuse("gateway.profile", "must be gpu or tls");
    }
    if file.gateway.profile == "tls" && file.gateway.domain.is_empty() {
        return refuse("gateway.domain", "must be set for the profile tls");
    }
    // The address is made of `https://` and the domain, and must not end in `/`.
    if !is_host(&file.gateway.domain) {
        return refuse(
            "gateway.domain",
            "must be a name such as notes.example.org: no https://, no port, no / at the end",
        );
    }
    if file.gateway.cors_origins.iter().any(|origin| origin.ends_with('/') || !origin.starts_with("http")) {
        return refuse(
            "gateway.cors_origins",
            "must be origins such as https://example.org, without a path or a / at the end",
        );
    }
    if let Some(name) = file.gateway.env.keys().find(|name| is_reserved(name)) {
        return refuse(
            &format!("gateway.env.{name}"),
            "is written by the deployer from its own setting; change that setting instead",
        );
    }
    if file.gateway.port == 0 {
        return refuse("gateway.port", "must be between 1 and 65535");
    }
    if file.gateway.bind.parse::<Ipv4Addr>().is_err() {
        return refuse("gateway.bind", "must be an IPv4 address of the host, such as 0.0.0.0 or 127.0.0.1");
    }
    if let Some((key, must)) = unusable_value(file) {
        return refuse(key, must);
    }
    if let Some((key, must)) = adapters::wrong(&file.model.adapters, file.model.max_lora_rank, &file.model.served_name)
    {
        return refuse(&key, &must);
    }
    let hours = file.autostop.max_uptime_hours > 0 || !file.autostop.stop_at.is_empty();
    if let Some((key, must)) = boxes::wrong(&file.first_box.models, !file.model.adapters.is_empty(), hours) {
        return refuse(&key, &must);
    }
    if !(0.1..=0.99).contains(&file.model.gpu_memory_utilization) {
        return refuse("model.gpu_memory_utilization", "must be between 0.1 and 0.99");
    }
    if file.wait.capacity_pause_seconds == 0 {
        return refuse("wait.capacity_pause_seconds", "must be at least 1");
    }
    if !IDLE_MINUTES.contains(&i64::from(file.autostop.idle_minutes)) {
        return refuse("autostop.idle_minutes", "must be between 5 and 10080");
    }
    if let Err(error) = file.autostop.schedule() {
        return refuse(&format!("autostop.{}", error.key), error.must);
    }
    if let Some((key, must)) = file.attestation.wrong() {
        return refuse(key, must);
    }
    // The limits of SSM for `TimeoutSeconds` of SendCommand.
    if !(30..=2_592_000).contains(&file.wait.delivery_seconds) {
        return refuse("wait.delivery_seconds", "must be at least 30");
    }
    // The value becomes `ExecutionTimeout` of the document in config/cloudformation.yaml, which takes two to five
    // digits.
    if !(10..=10_200).contains(&file.wait.deploy_seconds) {
        return refuse(
            "wait.deploy_seconds",
            "must be between 10 and 10200: the idle stop counts an operator's work as use for three hours at most",
        );
    }
    if file.wait.drain_seconds > 3600 {
        return refuse("wait.drain_seconds", "must be at most 3600");
    }
    if !(1..=3600).contains(&file.hooks.seconds) {
        return refuse("hooks.seconds", "must be between 1 and 3600");
    }
    // Each poll is a command on the host.
    if file.wait.progress_seconds > 600 {
        return refuse("wait.progress_seconds", "must be at most 600; 0: no polling");
    }
    Ok(())
}

/// The largest size of an image or of the models, in GiB. The host's arithmetic cannot hold more, and no disk can.
pub(super) const MOST_GIB: u32 = 100_000;
/// The largest `wait.load_seconds`: the limit of a whole deploy.
pub(super) const MOST_SECONDS: u32 = 10_200;
/// The largest `autostop.max_uptime_hours`: a year.
pub(super) const MOST_HOURS: u32 = 8_784;

/// Returns the first key with a value that the model server or the host would refuse, and what the value must be.
fn unusable_value(file: &File) -> Option<(&'static str, &'static str)> {
    let (model, images) = (&file.model, &file.images);
    let size = "must be at most 100000";
    [
        ("model.max_model_len", model.max_model_len > 0, "must be at least 1"),
        ("model.max_num_seqs", model.max_num_seqs > 0, "must be at least 1"),
        ("model.max_lora_rank", model.max_lora_rank > 0, "must be at least 1"),
        ("model.served_name", is_word(&model.served_name), "must be a word without blanks"),
        ("model.gib", model.gib <= MOST_GIB, size),
        ("images.gateway.gib", images.gateway.gib <= MOST_GIB, size),
        ("images.vllm.gib", images.vllm.gib <= MOST_GIB, size),
        ("wait.load_seconds", file.wait.load_seconds <= MOST_SECONDS, "must be at most 10200, as wait.deploy_seconds"),
        ("autostop.max_uptime_hours", file.autostop.max_uptime_hours <= MOST_HOURS, "must be at most 8784, a year"),
    ]
    .into_iter()
    .find_map(|(key, fits, must)| (!fits).then_some((key, must)))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'')
}

/// The range of `autostop.idle_minutes` and of the flag `--idle-minutes`. A time shorter than a model load would stop
/// the box before it serves.
pub(crate) const IDLE_MINUTES: RangeInclusive<i64> = 5..=10_080;

/// Returns whether the deployer sets this variable itself. Variables of Docker Compose are reserved too, because they
/// could select another stack.
fn is_reserved(name: &str) -> bool {
    let reserved_prefix = ["VLLM_", "COMPOSE_"].iter().any(|prefix| name.starts_with(prefix));
    reserved_prefix
        || GATEWAY_NAMES.contains(&name)
        || boxes::VARIABLES.contains(&name)
        || matches!(name, "GATEWAY_IMAGE" | "HF_TOKEN_FILE" | ENGINE | ROUTE)
}

/// Returns whether a text has the form of a region such as `us-east-1` or `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().is_some_and(|part| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let words = parts.clone().count();
    number
        && (2..=3).contains(&words)
        && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// Returns whether a text is empty or a DNS name.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let allowed = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && allowed && !label.starts_with('-') && !label.ends_with('-')
    };
    text.is_empty() || text.split('.').all(label)
}
