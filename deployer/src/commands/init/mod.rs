//! `init`: makes a configuration that `up` can use, for an AWS account with a box. It creates what is missing and
//! replaces nothing unless a flag asks for it.

mod make;
mod missing;
mod token;

use std::{fs, path::Path};

use missing::MissingResources;

use crate::{
    cloud::Cloud,
    config::{
        self, File,
        fill::{self, DesiredKey, FillResult, SHIPPED},
    },
    console::Console,
    failure::Failure,
    interrupt::Interrupt,
};

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    /// The AWS region of the box
    #[arg(long)]
    region: Option<String>,
    /// The id of the box, i-...
    #[arg(long, value_parser = instance)]
    instance_id: Option<String>,
    /// The registry of the images (default: that of this account in this region)
    #[arg(long)]
    registry: Option<String>,
    /// The adapter's commit on Hugging Face
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    adapter_revision: Option<String>,
    /// The value of an SSM parameter that the configuration refers to (may be given several times)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    parameter: Vec<(String, String)>,
    /// The name of the client that gets the first API key
    #[arg(long, value_name = "NAME", default_value = "vercel", value_parser = name)]
    key: String,
    /// Accept the first API key only in a header; without this flag also in the path, as the Vercel route needs it
    #[arg(long)]
    header_key: bool,
    /// Do not store a Hugging Face token now
    #[arg(long, conflicts_with = "replace_token")]
    no_token: bool,
    /// Store another Hugging Face token
    #[arg(long)]
    replace_token: bool,
    /// Overwrite values that the configuration and the parameters already have
    #[arg(long)]
    force: bool,
}

/// The configuration that `init` will write.
struct ConfigDraft<'a> {
    path: &'a Path,
    /// Whether the file exists already.
    found: bool,
    filled: FillResult,
    file: File,
}

pub(super) async fn run(path: &Path, console: &Console, interrupt: &Interrupt, args: &Args) -> Result<(), Failure> {
    // The requests to AWS take seconds, and an operator may paste the token before it is asked for. Typing is therefore
    // hidden from the start.
    let hidden = (!args.no_token).then(|| console.hide_typing());
    let draft = ConfigDraft::of(path, args)?;
    let cloud = super::connect(&draft.file.region, console).await?;
    let missing = missing::find_missing(&cloud, &draft, args).await?;
    let token = if missing.secret.needs_token() {
        Some(token::read(console, interrupt, &missing.secret_id).await?)
    } else {
        None
    };
    drop(hidden);
    finish(&cloud, &draft, &missing, token, console, args).await
}

async fn finish(
    cloud: &impl Cloud,
    draft: &ConfigDraft<'_>,
    missing: &MissingResources,
    token: Option<crate::Secret>,
    console: &Console,
    args: &Args,
) -> Result<(), Failure> {
    make::configuration(draft, console)?;
    make::parameters(cloud, missing, console).await?;
    make::secret(cloud, missing, token, console).await?;
    make::route(cloud, draft, missing, console, args).await
}

impl<'a> ConfigDraft<'a> {
    fn of(path: &'a Path, args: &Args) -> Result<Self, Failure> {
        let (found, text) = match fs::read_to_string(path) {
            Ok(text) => (true, text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (false, SHIPPED.to_owned()),
            Err(error) => {
                return Err(Failure::usage(
                    format!("{} cannot be read: {error}", path.display()),
                    "Name the file with --config.",
                ));
            }
        };
        let filled = fill::fill(&text, &args.desired_keys(&text), args.force)?;
        let file = config::parse(&filled.text, &path.display().to_string())?;
        Ok(Self { path, found, filled, file })
    }
}

impl Args {
    /// Returns the values that the file should have. If the file refers to a parameter for a key, the parameter gets
    /// the value instead.
    fn desired_keys(&self, text: &str) -> Vec<DesiredKey> {
        let refers = |table, key| fill::value_in(text, table, key).is_some_and(|value| value.starts_with("ssm:"));
        [
            ("", "region", &self.region),
            ("box", "instance_id", &self.instance_id),
            ("images", "registry", &self.registry),
            ("model", "adapter_revision", &self.adapter_revision),
        ]
        .into_iter()
        .filter_map(|(table, key, value)| {
            let value = value.clone()?;
            (!refers(table, key)).then_some(DesiredKey { table, key, value })
        })
        .collect()
    }
}

fn instance(text: &str) -> Result<String, String> {
    if config::is_instance(text) {
        Ok(text.to_owned())
    } else {
        Err("an instance's id has the form i-0123456789abcdef0".to_owned())
    }
}

fn commit(text: &str) -> Result<String, String> {
    let hex = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        Ok(text.to_owned())
    } else {
        Err("a commit is 40 hexadecimal digits; a branch or tag may move".to_owned())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if name.starts_with('/') && !value.trim().is_empty() => {
            Ok((name.to_owned(), value.trim().to_owned()))
        }
        _ => Err("it must have the form /name/of/a/parameter=value".to_owned()),
    }
}

/// Parses the name of an API key by the gateway's rules.
pub(super) fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a key's name has letters, digits, dots, hyphens and underscores".to_owned())
    }
}

#[cfg(test)]
mod tests;
