//! Attestations of images: that the workflow `images` of the trusted repository built what goes to the host. The GitHub
//! command line `gh` verifies the signature; here its answer is compared with what the configuration trusts.

mod answer;
mod tool;

use serde::Serialize;

use crate::{
    config::Trust,
    failure::Failure,
    script::{ImageDigest, ImageWanted},
    site::DeployContext,
};

/// An image whose attestation was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Exactly this one.
    #[serde(skip)]
    pub image: ImageDigest,
    /// `sha256:...`
    pub digest: String,
    /// The workflow that built it: a path in the repository.
    pub workflow: String,
    /// The commit it was built from.
    pub commit: String,
    /// The run that built it: an address; empty where the attestation does not say.
    pub run: String,
}

/// Verifies that an image was built by the trusted workflow. A tag becomes the digest that was verified, so that what
/// goes to the host is what was looked at.
pub async fn verify<P>(site: &DeployContext<'_, P>, trust: &Trust, image: &ImageWanted) -> Result<Verified, Failure> {
    let output = tool::ask(site, trust, image).await?;
    answer::judge(&output, trust, image).map_err(|wrong| {
        refused(image, &format!("{wrong}; nothing was changed"), "Take an image that the workflow images of the trusted repository pushed, or correct [attestation] in config/deployment.toml.")
    })
}

/// Exit code 1: what serves goes on.
fn refused(image: &ImageWanted, why: &str, next: &str) -> Failure {
    Failure::unchanged(format!("the attestation of {image} could not be verified: {why}"), next)
}
