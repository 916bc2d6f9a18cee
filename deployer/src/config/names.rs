//! The names of a deployment's SSM parameters: those that its configuration refers to, and the deployer's own.

use super::{File, ValueOrReference};

/// The variables that the deployer sets from the gateway's settings. `[gateway.env]` must not contain them.
pub(super) const GATEWAY_NAMES: [&str; 6] =
    ["COMPOSE_PROFILES", "GATEWAY_BIND", "GATEWAY_PORT", "API_KEYS_FILE", "CORS_ORIGINS", "DOMAIN"];

/// The variable that the host writes for `deployer model rules`.
pub(super) const ENGINE: &str = "GATEWAY_ENGINE";

/// The variable with what answers for the public name by the settings. Only the host program reads it.
pub(super) const ROUTE: &str = "ROUTING_MODELS";

/// The parameter of the operators' lock.
pub(super) fn lock(name: &str) -> String {
    format!("/{name}/lock")
}

/// The parameter of the last release and its address.
pub(super) fn last(name: &str) -> String {
    format!("/{name}/last")
}

/// The parameter of the last ten releases.
pub(super) fn releases(name: &str) -> String {
    format!("/{name}/releases")
}

/// The parameter of the address that `deployer url` printed last.
pub(super) fn url(name: &str) -> String {
    format!("/{name}/url")
}

/// The prefix of the parameters that record the releases of a further box.
pub(super) fn further_box(name: &str, id: &str) -> String {
    format!("{name}/boxes/{id}")
}

/// Returns the names of the parameters that record the releases of a further box.
#[must_use]
pub fn parameters_of_box(name: &str, id: &str) -> [String; 2] {
    let prefix = further_box(name, id);
    [last(&prefix), releases(&prefix)]
}

/// Returns the names of the deployer's own parameters for a deployment with this name.
#[must_use]
pub fn own_parameters(name: &str) -> [String; 4] {
    [lock(name), last(name), releases(name), url(name)]
}

impl File {
    /// Returns each key that refers to an SSM parameter, with the name of the parameter.
    #[must_use]
    pub fn references(&self) -> Vec<(&'static str, String)> {
        let (images, model) = (&self.images, &self.model);
        let keys = [
            ("box.instance_id", Some(&self.first_box.instance_id)),
            ("box.document", Some(&self.first_box.document)),
            ("images.registry", Some(&images.registry)),
            ("images.gateway.repository", Some(&images.gateway.repository)),
            ("images.gateway.version", images.gateway.version.as_ref()),
            ("images.vllm.repository", Some(&images.vllm.repository)),
            ("images.vllm.version", images.vllm.version.as_ref()),
            ("secret.id", Some(&self.secret.id)),
            ("model.base", Some(&model.base)),
            ("model.base_revision", Some(&model.base_revision)),
            ("model.adapter", Some(&model.adapter)),
            ("model.adapter_revision", model.adapter_revision.as_ref()),
        ];
        let boxes = self.first_box.models.iter().map(|further| ("box.models", Some(&further.instance_id)));
        keys.into_iter()
            .chain(boxes)
            .filter_map(|(key, text)| match text {
                Some(ValueOrReference::Parameter(name)) => Some((key, name.clone())),
                _ => None,
            })
            .collect()
    }
}
