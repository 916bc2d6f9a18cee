//! Finds out what exists, what is missing and whether it can be created. It changes nothing.

use std::collections::BTreeMap;

use super::{Args, ConfigDraft};
use crate::{
    cloud::Cloud,
    config::{ValueOrReference, is_instance},
    failure::Failure,
};

/// What `init` has to create.
pub(super) struct MissingResources {
    /// The parameters to write: name, value, and whether the parameter exists already.
    pub(super) parameters: Vec<(String, String, bool)>,
    /// The names of parameters that keep another value than the one given.
    pub(super) kept: Vec<String>,
    /// What to do about the token's secret.
    pub(super) secret: SecretStep,
    pub(super) secret_id: String,
    pub(super) instance_id: String,
}

/// What `init` does about the token's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretStep {
    /// The secret exists and stays as it is.
    Keep,
    Create,
    Replace,
    /// The secret does not exist, and the operator creates it later.
    Later,
}

impl SecretStep {
    pub(super) const fn needs_token(self) -> bool {
        matches!(self, Self::Create | Self::Replace)
    }
}

pub(super) async fn find_missing(
    cloud: &impl Cloud,
    draft: &ConfigDraft<'_>,
    args: &Args,
) -> Result<MissingResources, Failure> {
    let account = cloud.identity().await?.account;
    let wanted = wanted_values(draft, args, &account);
    let (mut parameters, mut kept, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut values = BTreeMap::new();
    for (key, name) in draft.file.references() {
        let present = cloud.parameter(&name).await?.filter(|value| !value.trim().is_empty());
        let value = match (present, wanted.get(&name)) {
            (Some(present), Some((wanted, explicit))) if present.trim() != wanted && *explicit => {
                if args.force {
                    parameters.push((name.clone(), wanted.clone(), true));
                    wanted.clone()
                } else {
                    kept.push(name.clone());
                    present
                }
            }
            (Some(present), _) => present,
            (None, Some((wanted, _))) => {
                parameters.push((name.clone(), wanted.clone(), false));
                wanted.clone()
            }
            (None, None) => {
                missing.push(format!("{name} ({key})"));
                continue;
            }
        };
        values.insert(name, value.trim().to_owned());
    }
    if !missing.is_empty() {
        return Err(Failure::usage(
            format!(
                "these SSM parameters do not exist in {}, and no value was given for them: {}; nothing was changed",
                draft.file.region,
                missing.join(", ")
            ),
            "Give each with --parameter NAME=VALUE (the box also with --instance-id), or correct the region.",
        ));
    }
    let value = |text: &ValueOrReference| match text {
        ValueOrReference::Literal(text) => text.clone(),
        ValueOrReference::Parameter(name) => values.get(name).cloned().unwrap_or_default(),
    };
    let instance_id = value(&draft.file.first_box.instance_id);
    if !is_instance(&instance_id) {
        return Err(Failure::usage(
            "box.instance_id: the value of the SSM parameter is not the id of an instance; nothing was changed",
            "Give the right one with --instance-id, and --force if the parameter exists.",
        ));
    }
    let secret_id = value(&draft.file.secret.id);
    let secret = match (cloud.has_secret(&secret_id).await?, args.replace_token, args.no_token) {
        (true, true, _) => SecretStep::Replace,
        (true, false, _) => SecretStep::Keep,
        (false, _, true) => SecretStep::Later,
        (false, _, false) => SecretStep::Create,
    };
    Ok(MissingResources { parameters, kept, secret, secret_id, instance_id })
}

/// Returns the wanted values by parameter name, each with whether the operator gave it. The registry's value is also
/// known without the operator: it is made of the account and the region.
fn wanted_values(draft: &ConfigDraft<'_>, args: &Args, account: &str) -> BTreeMap<String, (String, bool)> {
    let file = &draft.file;
    let suffix = if file.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let registry = format!("{account}.dkr.ecr.{}.{suffix}", file.region);
    let mut wanted = BTreeMap::new();
    let mut put = |text: &ValueOrReference, value: Option<&String>, explicit: bool| {
        if let (ValueOrReference::Parameter(name), Some(value)) = (text, value) {
            wanted.insert(name.clone(), (value.clone(), explicit));
        }
    };
    put(&file.images.registry, Some(&registry), false);
    put(&file.images.registry, args.registry.as_ref(), true);
    put(&file.first_box.instance_id, args.instance_id.as_ref(), true);
    if let Some(revision) = &file.model.adapter_revision {
        put(revision, args.adapter_revision.as_ref(), true);
    }
    for (name, value) in &args.parameter {
        wanted.insert(name.clone(), (value.clone(), true));
    }
    wanted
}
