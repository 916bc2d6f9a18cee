//! Creates what is missing, one thing after the other, and prints each. After a failure, the next run finds what was
//! created before.

use std::{fs, io, path::Path};

use serde_json::json;

use super::{
    Args, ConfigDraft,
    missing::{MissingResources, SecretStep},
};
use crate::{cloud::Cloud, config::keys, console::Console, failure::Failure, secret::Secret};

/// Writes the configuration.
pub(super) fn configuration(draft: &ConfigDraft<'_>, console: &Console) -> Result<(), Failure> {
    let shown = draft.path.display();
    for key in &draft.filled.kept {
        console.warn(&format!("{shown}: {key} was edited and is kept; --force overwrites it."));
    }
    if draft.found && draft.filled.set.is_empty() {
        console.say(&format!("configuration  {shown}: unchanged"));
        return Ok(());
    }
    replace(draft.path, &draft.filled.text).map_err(|error| {
        Failure::unchanged(format!("{shown} cannot be written: {error}"), "Make its folder writable for you.")
    })?;
    let keys = if draft.filled.set.is_empty() {
        "as shipped".to_owned()
    } else {
        format!("set {}", draft.filled.set.join(", "))
    };
    console.say(&format!("configuration  {shown}: {keys}"));
    Ok(())
}

/// Replaces a file atomically: if the disk is full, the old file stays.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

/// Writes the SSM parameters.
pub(super) async fn parameters(
    cloud: &impl Cloud,
    missing: &MissingResources,
    console: &Console,
) -> Result<(), Failure> {
    for name in &missing.kept {
        console.warn(&format!(
            "the SSM parameter {name} has a different value and was not changed; --force overwrites it."
        ));
    }
    for (name, value, replace) in &missing.parameters {
        if *replace {
            cloud.put_parameter(name, value).await?;
        } else if !cloud.put_new_parameter(name, value).await? {
            return Err(Failure::unchanged(
                format!(
                    "the SSM parameter {name} was created by another run was created by another run in the meantime; it was not replaced"
                ),
                "Run deployer init again: it checks what exists.",
            ));
        }
        console.say(&format!("parameter      {name} = {value}{}", if *replace { " (replaced)" } else { "" }));
    }
    Ok(())
}

/// Stores the token in its secret, if there is one to store.
pub(super) async fn secret(
    cloud: &impl Cloud,
    missing: &MissingResources,
    token: Option<Secret>,
    console: &Console,
) -> Result<(), Failure> {
    let id = &missing.secret_id;
    match (missing.secret, token) {
        (SecretStep::Create, Some(token)) => {
            cloud.create_secret(id, &token).await?;
            console.say(&format!("secret         {id}: created"));
        }
        (SecretStep::Replace, Some(token)) => {
            cloud.replace_secret(id, &token).await?;
            console.say(&format!("secret         {id}: has the new token"));
        }
        (SecretStep::Later, _) => {
            console.warn(&format!("the secret {id} does not exist: the first deployer up needs it."));
        }
        _ => console.say(&format!("secret         {id}: exists; --replace-token stores another token")),
    }
    Ok(())
}

/// Makes the first API key and prints what the Vercel route needs. The key is printed only once and is not stored.
pub(super) async fn route(
    cloud: &impl Cloud,
    draft: &ConfigDraft<'_>,
    missing: &MissingResources,
    console: &Console,
    args: &Args,
) -> Result<(), Failure> {
    let path = keys::keys_file(draft.path, &draft.file);
    let shown = path.display();
    let url = address(cloud, draft, missing, console).await;
    console.result(&json!({"configuration": draft.path, "keys_file": path, "backend_api_url": url, "made_key": null}));
    if keys::has_keys(&path)? {
        console.say(&format!("API keys       {shown}: has some, none was made"));
        console.data(&format!("BACKEND_API_URL={url}"));
        console.say("If the key is allowed in the path, append it to the URL as /t/KEY. The key was shown only when it was created.");
    } else {
        let key = keys::new_key()?;
        keys::add_line(&path, &keys::line_of(&args.key, &key, !args.header_key, &[]))?;
        console.say(&format!("API keys       {shown}: the digest of a first key, for {}. Commit this file: every up carries it to the box.", args.key));
        let in_path = !args.header_key;
        console.result(&json!({"made_key": {"name": args.key, "key": key.expose(), "in_path": in_path}}));
        if args.header_key {
            console.data(&format!("BACKEND_API_URL={url}\nAPI_KEY={}", key.expose()));
        } else {
            console.data(&format!("BACKEND_API_URL={url}/t/{}", key.expose()));
        }
        console.warn(
            "the key is shown only now and is not stored: put it into the environment of the Vercel project now.",
        );
    }
    if draft.file.model.adapter_revision.is_none() && draft.file.model.adapters.is_empty() {
        console.warn("model.adapter_revision is not set, and the model server does not start without it: deployer init --adapter-revision COMMIT.");
    }
    console.next("deployer doctor checks whether a deploy has all it needs.");
    Ok(())
}

/// Returns the public URL of the service, with the placeholder `ADDRESS` while the box has no address.
async fn address(cloud: &impl Cloud, draft: &ConfigDraft<'_>, missing: &MissingResources, console: &Console) -> String {
    let gateway = &draft.file.gateway;
    if gateway.profile == "tls" {
        return gateway.url("");
    }
    let address = match cloud.instance(&missing.instance_id).await {
        Ok(instance) => instance.address,
        Err(error) => {
            console.warn(&format!("the address of the box could not be read: {error}."));
            None
        }
    };
    address.map_or_else(
        || {
            console
                .warn("the box has no address now: ADDRESS is a placeholder for it. deployer url prints it once the box runs.");
            gateway.url("ADDRESS")
        },
        |address| gateway.url(&address),
    )
}
