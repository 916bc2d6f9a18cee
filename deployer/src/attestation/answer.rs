//! Compares the answer of `gh attestation verify --format json` with what the configuration trusts. Pure.

use serde::Deserialize;

use super::VerifiedImage;
use crate::{
    config::Trust,
    script::{ImageDigest, ImageWanted},
};

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// One verified attestation. Only the certificate is trusted: the workflow itself could have written the rest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedAttestation {
    verification_result: VerificationResult,
}

#[derive(Debug, Deserialize)]
struct VerificationResult {
    signature: Signature,
    statement: InTotoStatement,
}

#[derive(Debug, Deserialize)]
struct Signature {
    certificate: Certificate,
}

/// Fields of the certificate that Sigstore issues for a run of GitHub Actions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Certificate {
    #[serde(rename = "sourceRepositoryURI")]
    source_repository: String,
    #[serde(rename = "sourceRepositoryRef")]
    source_ref: String,
    #[serde(rename = "sourceRepositoryDigest")]
    source_commit: String,
    #[serde(rename = "buildSignerURI")]
    signer: String,
    #[serde(rename = "runInvocationURI")]
    run: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InTotoStatement {
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Debug, Deserialize)]
struct Subject {
    digest: Digests,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Digests {
    sha256: String,
}

/// Why the answer of gh does not prove the origin of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AttestationError {
    #[error("the answer of gh is not understood")]
    NotUnderstood,
    #[error("there is no attestation of it")]
    None,
    #[error("it was signed for another repository or branch ({0})")]
    Source(String),
    #[error("it was signed by another workflow ({0})")]
    Workflow(String),
    #[error("its attestation is not a build provenance")]
    Predicate,
    #[error("its attestation is of another digest ({0})")]
    Digest(String),
}

/// Returns the first attestation that proves the image's origin, or the reason why the last one does not.
pub(super) fn judge(output: &[u8], trust: &Trust, image: &ImageWanted) -> Result<VerifiedImage, AttestationError> {
    let all: Vec<VerifiedAttestation> = serde_json::from_slice(output).map_err(|_| AttestationError::NotUnderstood)?;
    let mut reason = AttestationError::None;
    for one in all {
        match proves(one.verification_result, trust, image) {
            Ok(verified) => return Ok(verified),
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

fn proves(result: VerificationResult, trust: &Trust, image: &ImageWanted) -> Result<VerifiedImage, AttestationError> {
    let VerificationResult { signature: Signature { certificate }, statement } = result;
    let repository = format!("https://github.com/{}", trust.repository);
    // GitHub ignores case in the names of owners and repositories, but not in paths and branches.
    if !certificate.source_repository.eq_ignore_ascii_case(&repository) || certificate.source_ref != trust.git_ref {
        return Err(AttestationError::Source(shown(&format!(
            "{} {}",
            certificate.source_repository, certificate.source_ref
        ))));
    }
    let workflow = certificate.signer.split_at_checked(repository.len());
    let workflow = workflow.filter(|(signer, _)| signer.eq_ignore_ascii_case(&repository)).map(|(_, path)| path);
    if workflow != Some(&format!("/{}@{}", trust.workflow, trust.git_ref)) {
        return Err(AttestationError::Workflow(shown(&certificate.signer)));
    }
    if statement.predicate_type != PROVENANCE {
        return Err(AttestationError::Predicate);
    }
    let image = subject(&statement.subject, image)?;
    Ok(VerifiedImage {
        digest: image.digest().to_owned(),
        image,
        workflow: trust.workflow.clone(),
        commit: shown(&certificate.source_commit),
        run: shown(&certificate.run),
    })
}

/// Returns the image with the digest that the attestation is about. For a tag, gh looks up the digest and verifies that
/// it is one of the subjects, but does not say which: an attestation with several subjects is therefore refused.
fn subject(subjects: &[Subject], image: &ImageWanted) -> Result<ImageDigest, AttestationError> {
    let is = |digest: &str| subjects.iter().any(|subject| format!("sha256:{}", subject.digest.sha256) == digest);
    let found = || subjects.iter().map(|subject| subject.digest.sha256.as_str()).collect::<Vec<_>>().join(", ");
    match (image, subjects) {
        (ImageWanted::Digest(wanted), _) if is(wanted.digest()) => Ok(wanted.clone()),
        (ImageWanted::Tag(wanted), [only]) => {
            ImageDigest::parse(&format!("{}@sha256:{}", wanted.repository(), only.digest.sha256))
                .map_err(|_| AttestationError::Digest(shown(&only.digest.sha256)))
        }
        _ => Err(AttestationError::Digest(shown(&found()))),
    }
}

/// Returns a text from outside in a form that is safe to print: at most 200 characters, without control characters.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|one| if one.is_control() { ' ' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{AttestationError, judge};
    use crate::{
        config::Trust,
        script::{ImageDigest, ImageTag, ImageWanted},
    };

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn trust() -> Trust {
        Trust {
            repository: "acme/gateway".to_owned(),
            workflow: ".github/workflows/images.yml".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
        }
    }

    fn digest(n: u8) -> String {
        format!("{n:064x}")
    }

    /// Returns an attestation as gh 2.103 prints it, without the fields that [`judge`] ignores.
    fn attestation(repository: &str, workflow: &str, git_ref: &str, digests: &[String]) -> Value {
        let subject: Vec<Value> = digests.iter().map(|one| json!({"name": "r/x", "digest": {"sha256": one}})).collect();
        json!({
            "attestation": {"bundle": {}},
            "verificationResult": {
                "mediaType": "application/vnd.dev.sigstore.verificationresult+json;version=0.1",
                "signature": {"certificate": {
                    "subjectAlternativeName": format!("https://github.com/{repository}/{workflow}@{git_ref}"),
                    "issuer": "https://token.actions.githubusercontent.com",
                    "buildSignerURI": format!("https://github.com/{repository}/{workflow}@{git_ref}"),
                    "runnerEnvironment": "github-hosted",
                    "sourceRepositoryURI": format!("https://github.com/{repository}"),
                    "sourceRepositoryDigest": COMMIT,
                    "sourceRepositoryRef": git_ref,
                    "runInvocationURI": format!("https://github.com/{repository}/actions/runs/7/attempts/1"),
                }},
                "verifiedTimestamps": [{"type": "Tlog", "timestamp": "2026-11-28T08:00:00Z"}],
                "statement": {"_type": "https://in-toto.io/Statement/v1", "subject": subject,
                    "predicateType": "https://slsa.dev/provenance/v1", "predicate": {}},
            },
        })
    }

    fn good(digests: &[String]) -> Value {
        attestation("acme/gateway", ".github/workflows/images.yml", "refs/heads/main", digests)
    }

    fn check(answer: &Value, image: &ImageWanted, expected: Result<u8, AttestationError>) {
        let found = judge(answer.to_string().as_bytes(), &trust(), image);
        let found = found.map(|verified| {
            assert_eq!((&*verified.commit, &*verified.workflow), (COMMIT, ".github/workflows/images.yml"));
            assert!(verified.run.ends_with("/runs/7/attempts/1"));
            verified.image.to_string()
        });
        assert_eq!(found, expected.map(|n| format!("r.example/gateway@sha256:{}", digest(n))), "{answer}");
    }

    #[test]
    fn only_the_trusted_repository_workflow_and_branch_count() {
        let image = ImageDigest::parse(&format!("r.example/gateway@sha256:{}", digest(1))).unwrap();
        let (image, tag) = (ImageWanted::Digest(image), ImageTag::new("r.example/gateway", "v1").unwrap());
        let tag = ImageWanted::Tag(tag);
        let (one, two) = (good(&[digest(1)]), good(&[digest(2)]));
        let path = ".github/workflows/images.yml";
        let of = |repository: &str, workflow: &str, branch: &str| {
            json!([attestation(repository, workflow, branch, &[digest(1)])])
        };
        let source = |text: &str| Err(AttestationError::Source(format!("https://github.com/{text}")));
        let workflow = |text: &str| Err(AttestationError::Workflow(format!("https://github.com/{text}")));
        check(&json!([one]), &image, Ok(1));
        check(&json!([good(&[digest(3), digest(1)])]), &image, Ok(1));
        check(&of("Acme/Gateway", path, "refs/heads/main"), &image, Ok(1));
        check(&json!([two, one]), &image, Ok(1));
        check(&json!([two]), &tag, Ok(2));
        check(&json!([]), &image, Err(AttestationError::None));
        check(&json!({}), &image, Err(AttestationError::NotUnderstood));
        check(&json!("Loaded 1 attestation"), &image, Err(AttestationError::NotUnderstood));
        check(&json!([two]), &image, Err(AttestationError::Digest(digest(2))));
        check(&json!([good(&[])]), &image, Err(AttestationError::Digest(String::new())));
        // With two subjects, gh does not say which of them the tag is.
        check(
            &json!([good(&[digest(1), digest(2)])]),
            &tag,
            Err(AttestationError::Digest(format!("{}, {}", digest(1), digest(2)))),
        );
        check(&json!([good(&["x".to_owned()])]), &tag, Err(AttestationError::Digest("x".to_owned())));
        let main = "refs/heads/main";
        check(&of("evil/gateway", path, main), &image, source("evil/gateway refs/heads/main"));
        check(&of("acme/gateway-two", path, main), &image, source("acme/gateway-two refs/heads/main"));
        check(&of("acme/gateway", path, "refs/heads/x"), &image, source("acme/gateway refs/heads/x"));
        let other = ".github/workflows/other.yml";
        check(&of("acme/gateway", other, main), &image, workflow(&format!("acme/gateway/{other}@{main}")));
        let mut foreign_signer = one.clone();
        let signer = format!("https://github.com/evil/gateway/{path}@{main}");
        foreign_signer["verificationResult"]["signature"]["certificate"]["buildSignerURI"] = signer.into();
        check(&json!([foreign_signer]), &image, workflow(&format!("evil/gateway/{path}@{main}")));
        let mut sbom = one.clone();
        sbom["verificationResult"]["statement"]["predicateType"] = "https://spdx.dev/Document".into();
        check(&json!([sbom]), &image, Err(AttestationError::Predicate));
    }
}
