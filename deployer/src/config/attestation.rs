//! `[attestation]`: who must have built the images.

use serde::Deserialize;

/// `[attestation]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attestation {
    /// `off`, or `required`: without a verified one, no image goes to the host.
    pub images: String,
    /// The trusted repository on GitHub: `OWNER/NAME`.
    pub repository: String,
    /// The workflow in it that builds the images.
    pub workflow: String,
    /// The branch that it must have run on.
    pub git_ref: String,
}

/// Who may have built an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// `OWNER/NAME`
    pub repository: String,
    /// `.github/workflows/images.yml`
    pub workflow: String,
    /// `refs/heads/main`
    pub git_ref: String,
}

impl Attestation {
    /// The key that cannot be used, and what it must be like. None may look like a flag of gh's.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let plain = |text: &str| {
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
        if !plain(repository) || repository.split('/').count() != 2 {
            return Some(("attestation.repository", "must name the trusted repository on GitHub: OWNER/NAME"));
        }
        if !plain(workflow) || !workflow.starts_with(".github/workflows/") {
            return Some(("attestation.workflow", "must be a path such as .github/workflows/images.yml"));
        }
        if !plain(git_ref) || !git_ref.starts_with("refs/") {
            return Some(("attestation.git_ref", "must be a full ref such as refs/heads/main"));
        }
        None
    }

    /// Whom to trust; `None`: nothing is verified.
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
