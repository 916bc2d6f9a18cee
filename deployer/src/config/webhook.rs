//! Where the webhook's address is. Whoever knows it can write to the channel behind it: it stands in no configuration.

use std::{env, fs};

use zeroize::Zeroizing;

use super::ConfigFile;
use crate::secret::Secret;

/// The variable that holds it.
pub const WEBHOOK_VARIABLE: &str = "DEPLOYER_WEBHOOK_URL";

/// The address: from the environment, or else from the file of `notify.webhook_file`. `None`: none is set.
pub fn webhook(written: &ConfigFile) -> Result<Option<Secret>, String> {
    if let Some(address) = env::var(WEBHOOK_VARIABLE).ok().filter(|address| !address.trim().is_empty()) {
        return Ok(Some(Secret::new(Zeroizing::new(address))));
    }
    let name = &written.file.notify.webhook_file;
    if name.is_empty() {
        return Ok(None);
    }
    let path = written.folder().join(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("notify.webhook_file cannot be read: {error}"))?;
    Ok(Some(Secret::new(Zeroizing::new(text))))
}
