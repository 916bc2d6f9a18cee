//! The channels `slack` and `webhook`: post a notice to a secret address, which is in a file.

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use zeroize::Zeroizing;

use super::Message;
use crate::{secret::Secret, webhook};

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A webhook.
pub(super) struct Webhook(Secret);

impl Webhook {
    /// Reads the address. The error names the file, and never the address.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let address = Secret::new(Zeroizing::new(text));
        webhook::check(&address)?;
        Ok(Self(address))
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        webhook::post(&self.0, &json!(message), TIMEOUT).await
    }
}
