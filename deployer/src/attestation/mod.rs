//! Verifies the attestations of images: that the workflow `images` of the trusted repository built the images that go
//! to the host. The GitHub command line `gh` verifies the signature; this module compares its answer with what the
//! configuration trusts.

mod answer;
mod tool;

use serde::Serialize;

use crate::{
    config::Trust,
    context::DeployContext,
    failure::Failure,
    script::{ImageDigest, ImageWanted},
};

/// An image whose attestation was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedImage {
    /// The image, by the digest that was verified.
    #[serde(skip)]
    pub image: ImageDigest,
    /// The digest: `sha256:...`.
    pub digest: String,
    /// The workflow that built the image: a path in the repository.
    pub workflow: String,
    /// The commit that the image was built from.
    pub commit: String,
    /// The address of the workflow run that built the image; empty if the attestation has none.
    pub run: String,
}

/// Verifies that the trusted workflow built an image. A tag is replaced by the digest that was verified, so that the
/// host cannot get another image under the same tag.
pub async fn verify_attestation<P>(
    context: &DeployContext<'_, P>,
    trust: &Trust,
    image: &ImageWanted,
) -> Result<VerifiedImage, Failure> {
    let output = tool::ask(context, trust, image).await?;
    answer::judge(&output, trust, image).map_err(|reason| {
        refused(image, &format!("{reason}; nothing was changed"), "Use an image that the workflow images of the trusted repository pushed, or correct [attestation] in config/deployment.toml.")
    })
}

/// Returns a failure with exit code 1: the release that serves is not changed.
fn refused(image: &ImageWanted, why: &str, next: &str) -> Failure {
    Failure::unchanged(format!("the attestation of {image} could not be verified: {why}"), next)
}
