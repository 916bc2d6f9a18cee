//! The attestations of both images, if the configuration requires them.

use serde::Serialize;

use crate::{
    attestation::{VerifiedImage, verify_attestation},
    context::DeployContext,
    failure::Failure,
    script::ImageWanted,
};

/// The verified attestations of both images; `None` if the configuration does not require them.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Attestations {
    gateway: Option<VerifiedImage>,
    vllm: Option<VerifiedImage>,
}

impl Attestations {
    /// Verifies both attestations, if the configuration requires them.
    pub(super) async fn verify_images<P>(
        context: &DeployContext<'_, P>,
        gateway: &ImageWanted,
        vllm: &ImageWanted,
    ) -> Result<Self, Failure> {
        let Some(trust) = &context.settings.trust else { return Ok(Self::default()) };
        let gateway = verify_attestation(context, trust, gateway).await?;
        Ok(Self { gateway: Some(gateway), vllm: Some(verify_attestation(context, trust, vllm).await?) })
    }

    /// Returns the images for the host: the verified digests, or the given images if nothing was verified.
    pub(super) fn images(&self, gateway: ImageWanted, vllm: ImageWanted) -> (ImageWanted, ImageWanted) {
        let image = |verified: &Option<VerifiedImage>, wanted: ImageWanted| {
            verified.as_ref().map_or(wanted, |verified| ImageWanted::Digest(verified.image.clone()))
        };
        (image(&self.gateway, gateway), image(&self.vllm, vllm))
    }

    /// Returns the lines for the plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let both = [("gateway", &self.gateway), ("vllm", &self.vllm)];
        let line = |(service, verified): (&str, &Option<VerifiedImage>)| {
            let verified = verified.as_ref()?;
            Some(format!("  verified {service}: built by {} at {}", verified.workflow, verified.commit))
        };
        both.into_iter().filter_map(line).collect()
    }
}
