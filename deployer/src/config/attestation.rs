//! `[attestation]`: the repository, workflow and branch that must have built the images.

use serde::Deserialize;

/// The keys of `[attestation]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attestation {
    /// `off`, or `required`: an image without a verified attestation does not go to the host.
    pub images: String,
    /// The trusted repository on GitHub: `OWNER/NAME`.
    pub repository: String,
    /// The workflow of the repository that builds the images.
    pub workflow: String,
    /// The branch on which the workflow must have run.
    pub git_ref: String,
}

/// The repository, workflow and branch that are trusted to build images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The repository on GitHub: `OWNER/NAME`.
    pub repository: String,
    /// The workflow's path in the repository, such as `.github/workflows/images.yml`.
    pub workflow: String,
    /// The full name of the branch, such as `refs/heads/main`.
    pub git_ref: String,
}

impl Attestation {
    /// Returns the first key with an unusable value, and what the value must be; `None` if all are usable. No value may
    /// look like a flag of gh.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let is_plain = |text: &str| {
            let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
            text.bytes().all(byte)
                && text.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.starts_with('-'))
        };
        let Self { images, repository, workflow, git_ref } = self;
        if !matches!(images.as_str(), "off" | "required") {
            return Some(("attestation.images", "must be off or required"));
        }
        if images == "off" {
            return None;
        }
        if !is_plain(repository) || repository.split('/').count() != 2 {
            return Some(("attestation.repository", "must name the trusted repository on GitHub: OWNER/NAME"));
        }
        if !is_plain(workflow) || !workflow.starts_with(".github/workflows/") {
            return Some(("attestation.workflow", "must be a path such as .github/workflows/images.yml"));
        }
        if !is_plain(git_ref) || !git_ref.starts_with("refs/") {
            return Some(("attestation.git_ref", "must be a full ref such as refs/heads/main"));
        }
        None
    }

    /// Returns what to trust; `None` if attestations are not verified.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        (self.images == "required").then(|| Trust {
            repository: self.repository.clone(),
            workflow: self.workflow.clone(),
            git_ref: self.git_ref.clone(),
        })
    }
}

impl Default for Attestation {
    fn default() -> Self {
        Self {
            images: "off".to_owned(),
            repository: String::new(),
            workflow: ".github/workflows/images.yml".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
        }
    }
}
