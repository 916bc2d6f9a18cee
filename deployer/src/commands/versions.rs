//! Chooses the images of a release: those that `--tag` or `--digest` names, or else those of the configuration, or else
//! those of the current release.

use crate::{
    config::{ImageSettings, Settings},
    failure::Failure,
    script::{ImageDigest, ImageWanted, RunningImages},
};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Versions {
    /// The tag of both images, or of one image: `gateway=TAG`, `vllm=TAG` (may be given twice)
    #[arg(long, value_name = "[SERVICE=]TAG")]
    tag: Vec<String>,
    /// The digest of one image: `gateway=sha256:...`, `vllm=sha256:...` (may be given twice)
    #[arg(long, value_name = "SERVICE=DIGEST")]
    digest: Vec<String>,
}

fn usage_failure(what: String) -> Failure {
    Failure::usage(what, "Examples: --tag 3f2a1b9, --tag gateway=3f2a1b9, --digest vllm=sha256:...")
}

/// Returns the version that the flags name for a service: a tag or a digest.
fn version_of_flags(versions: &Versions, service: &str) -> Result<Option<String>, Failure> {
    let mut found = Vec::new();
    for tag in &versions.tag {
        match tag.split_once('=') {
            Some((name, tag)) if name == service => found.push(tag.to_owned()),
            Some(("gateway" | "vllm", _)) => {}
            Some((name, _)) => return Err(usage_failure(format!("--tag: there is no service `{name}`"))),
            None => found.push(tag.clone()),
        }
    }
    for digest in &versions.digest {
        match digest.split_once('=') {
            Some((name, digest)) if name == service => found.push(digest.to_owned()),
            Some(("gateway" | "vllm", _)) => {}
            _ => {
                return Err(usage_failure(format!("--digest {digest}: it must name a service, because images differ")));
            }
        }
    }
    if found.len() > 1 {
        return Err(usage_failure(format!("--tag and --digest name the image of {service} more than once")));
    }
    Ok(found.pop())
}

fn image(versions: &Versions, service: &str, settings: &ImageSettings, current: &str) -> Result<ImageWanted, Failure> {
    let bad = |error: crate::script::ImageError| usage_failure(error.to_string());
    match version_of_flags(versions, service)?.or_else(|| settings.version.clone()) {
        Some(version) => settings.at(&version).map_err(bad),
        None if !current.is_empty() => ImageDigest::parse(current).map(ImageWanted::Digest).map_err(bad),
        None => Err(Failure::usage(
            format!("the image of {service} is not known: no version is given or configured, and no release is known"),
            format!("Give --tag TAG or --digest {service}=sha256:..., or set images.{service}.version."),
        )),
    }
}

/// Returns the images of both services. `current` has the images of the current release.
pub(super) fn wanted(
    versions: &Versions,
    settings: &Settings,
    current: &RunningImages,
) -> Result<(ImageWanted, ImageWanted), Failure> {
    Ok((
        image(versions, "gateway", &settings.gateway_image, &current.gateway)?,
        image(versions, "vllm", &settings.vllm_image, &current.vllm)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &[&str], digests: &[&str], version: Option<&str>, current: &str, expected: Result<&str, &str>) {
        let settings =
            ImageSettings { repository: "r.example/gateway".to_owned(), version: version.map(str::to_owned), gib: 1 };
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let versions = Versions { tag: owned(tags), digest: owned(digests) };
        let found = image(&versions, "gateway", &settings, current)
            .map(|image| image.to_string())
            .map_err(|failure| failure.what);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{versions:?}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found} / {expected}"),
            (found, expected) => panic!("{versions:?}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn flags_override_the_configuration_which_overrides_the_current_release() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let current = format!("r.example/gateway@{digest}");
        check(&["v2"], &[], Some("v1"), &current, Ok("r.example/gateway:v2"));
        check(&["gateway=v2"], &[], Some("v1"), &current, Ok("r.example/gateway:v2"));
        check(&["vllm=v2"], &[], Some("v1"), &current, Ok("r.example/gateway:v1"));
        check(&["vllm=v2"], &[], None, &current, Ok(&current));
        check(&[], &[&format!("gateway={digest}")], None, "", Ok(&current));
        check(&[], &[], Some(&digest), "", Ok(&current));
        check(&[], &[], None, "", Err("image of gateway is not known"));
        check(&["v1", "gateway=v2"], &[], None, "", Err("more than once"));
        check(&["redis=v2"], &[], None, "", Err("no service `redis`"));
        check(&[], &[&digest], None, "", Err("must name a service"));
        check(&["a b"], &[], None, "", Err("not a tag"));
        check(&[], &["gateway=sha256:12"], None, "", Err("not a digest"));
    }
}
