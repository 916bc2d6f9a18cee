//! The attestations of both images, where the configuration wants them verified.

use serde::Serialize;

use crate::{
    attestation::{Verified, verify},
    failure::Failure,
    script::ImageWanted,
    site::DeployContext,
};

/// `None`: not verified, because the configuration does not want it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Attested {
    gateway: Option<Verified>,
    vllm: Option<Verified>,
}

impl Attested {
    /// Both, or why one is not.
    pub(super) async fn verify<P>(
        site: &DeployContext<'_, P>,
        gateway: &ImageWanted,
        vllm: &ImageWanted,
    ) -> Result<Self, Failure> {
        let Some(trust) = &site.settings.trust else { return Ok(Self::default()) };
        let gateway = verify(site, trust, gateway).await?;
        Ok(Self { gateway: Some(gateway), vllm: Some(verify(site, trust, vllm).await?) })
    }

    /// What goes to the host: the digests that were verified, where they were.
    pub(super) fn images(&self, gateway: ImageWanted, vllm: ImageWanted) -> (ImageWanted, ImageWanted) {
        let image = |verified: &Option<Verified>, wanted: ImageWanted| {
            verified.as_ref().map_or(wanted, |verified| ImageWanted::Digest(verified.image.clone()))
        };
        (image(&self.gateway, gateway), image(&self.vllm, vllm))
    }

    /// For the plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let both = [("gateway", &self.gateway), ("vllm", &self.vllm)];
        let line = |(service, verified): (&str, &Option<Verified>)| {
            let verified = verified.as_ref()?;
            Some(format!("  verified {service}: built by {} at {}", verified.workflow, verified.commit))
        };
        both.into_iter().filter_map(line).collect()
    }
}
