//! Finds the webhook's address. The address is a secret, because anyone who knows it can post to the channel;
//! the configuration therefore does not contain it.

use std::{env, fs};

use zeroize::Zeroizing;

use super::ConfigFile;
use crate::secret::Secret;

/// The environment variable that holds the webhook's address.
pub const WEBHOOK_VARIABLE: &str = "DEPLOYER_WEBHOOK_URL";

/// Variables that are removed from the environment of the operator's programs: secrets of the deployer that they do not
/// need.
pub const SECRET_VARIABLES: [&str; 3] = [WEBHOOK_VARIABLE, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Returns the address from the environment, or else from the file that `notify.webhook_file` names; `None` if neither
/// is set.
pub fn webhook(config_file: &ConfigFile) -> Result<Option<Secret>, String> {
    if let Some(address) = env::var(WEBHOOK_VARIABLE).ok().filter(|address| !address.trim().is_empty()) {
        return Ok(Some(Secret::new(Zeroizing::new(address))));
    }
    let name = &config_file.file.notify.webhook_file;
    if name.is_empty() {
        return Ok(None);
    }
    let path = config_file.folder().join(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("notify.webhook_file cannot be read: {error}"))?;
    Ok(Some(Secret::new(Zeroizing::new(text))))
}
