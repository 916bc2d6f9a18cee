//! What is there, what is missing, and whether it can be made. Changes nothing.

use std::collections::BTreeMap;

use super::{Args, ConfigDraft};
use crate::{
    cloud::Cloud,
    config::{Text, is_instance},
    failure::Failure,
};

/// What has to be made.
pub(super) struct MissingResources {
    /// Parameters to write, with their values, and whether one is there already.
    pub(super) parameters: Vec<(String, String, bool)>,
    /// Parameters that hold something else than what was asked for.
    pub(super) kept: Vec<String>,
    /// The token's.
    pub(super) secret: SecretWork,
    pub(super) secret_id: String,
    pub(super) instance_id: String,
}

/// What to do about the token's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretWork {
    /// It is there.
    Keep,
    Create,
    Replace,
    /// It is not there, and is left for later.
    Later,
}

impl SecretWork {
    pub(super) const fn needs_token(self) -> bool {
        matches!(self, Self::Create | Self::Replace)
    }
}

pub(super) async fn look(
    cloud: &impl Cloud,
    draft: &ConfigDraft<'_>,
    args: &Args,
) -> Result<MissingResources, Failure> {
    let account = cloud.identity().await?.account;
    let asked = asked(draft, args, &account);
    let (mut parameters, mut kept, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let mut values = BTreeMap::new();
    for (key, name) in draft.file.references() {
        let there = cloud.parameter(&name).await?.filter(|value| !value.trim().is_empty());
        let value = match (there, asked.get(&name)) {
            (Some(there), Some((asked, explicit))) if there.trim() != asked && *explicit => {
                if args.force {
                    parameters.push((name.clone(), asked.clone(), true));
                    asked.clone()
                } else {
                    kept.push(name.clone());
                    there
                }
            }
            (Some(there), _) => there,
            (None, Some((asked, _))) => {
                parameters.push((name.clone(), asked.clone(), false));
                asked.clone()
            }
            (None, None) => {
                gaps.push(format!("{name} ({key})"));
                continue;
            }
        };
        values.insert(name, value.trim().to_owned());
    }
    if !gaps.is_empty() {
        return Err(Failure::usage(
            format!(
                "these SSM parameters are not there in {}, and no value was given for them: {}; nothing was changed",
                draft.file.region,
                gaps.join(", ")
            ),
            "Give each with --parameter NAME=VALUE (the box also with --instance-id), or correct the region.",
        ));
    }
    let value = |text: &Text| match text {
        Text::Literal(text) => text.clone(),
        Text::Parameter(name) => values.get(name).cloned().unwrap_or_default(),
    };
    let instance_id = value(&draft.file.machine.instance_id);
    if !is_instance(&instance_id) {
        return Err(Failure::usage(
            "box.instance_id: what the SSM parameter holds is no id of an instance; nothing was changed",
            "Give the right one with --instance-id, and --force if the parameter is there.",
        ));
    }
    let secret_id = value(&draft.file.secret.id);
    let secret = match (cloud.has_secret(&secret_id).await?, args.replace_token, args.no_token) {
        (true, true, _) => SecretWork::Replace,
        (true, false, _) => SecretWork::Keep,
        (false, _, true) => SecretWork::Later,
        (false, _, false) => SecretWork::Create,
    };
    Ok(MissingResources { parameters, kept, secret, secret_id, instance_id })
}

/// Values for parameters, and whether a person gave them.
fn asked(draft: &ConfigDraft<'_>, args: &Args, account: &str) -> BTreeMap<String, (String, bool)> {
    let file = &draft.file;
    let suffix = if file.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let registry = format!("{account}.dkr.ecr.{}.{suffix}", file.region);
    let mut asked = BTreeMap::new();
    let mut put = |text: &Text, value: Option<&String>, explicit: bool| {
        if let (Text::Parameter(name), Some(value)) = (text, value) {
            asked.insert(name.clone(), (value.clone(), explicit));
        }
    };
    put(&file.images.registry, Some(&registry), false);
    put(&file.images.registry, args.registry.as_ref(), true);
    put(&file.machine.instance_id, args.instance_id.as_ref(), true);
    if let Some(revision) = &file.model.adapter_revision {
        put(revision, args.adapter_revision.as_ref(), true);
    }
    for (name, value) in &args.parameter {
        asked.insert(name.clone(), (value.clone(), true));
    }
    asked
}
