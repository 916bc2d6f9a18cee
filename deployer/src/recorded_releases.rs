//! Records the releases in two SSM parameters, so that commands can read them while the box is stopped. They hold no
//! secret. Where they differ from the ledger on the host, the host is right.

use serde::{Deserialize, Serialize};

use crate::{
    context::{DeployContext, Ports},
    failure::Failure,
    plan::CurrentRelease,
    script::{HostReport, RunningImages, facts::Release},
};

/// The last release that was verified, and the address at which it served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastVerified {
    /// The number of the release.
    pub release: u32,
    /// The gateway's image, by digest.
    pub gateway: String,
    /// The model server's image, by digest.
    pub vllm: String,
    /// The configuration hash; empty, and left out of the JSON, if the host could not be asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_hash: String,
    /// The service's address, such as `http://203.0.113.7:8080`.
    pub url: String,
    /// The time of the record, in seconds since 1970.
    pub at: u64,
    /// The operator who deployed it.
    pub operator: String,
}

impl LastVerified {
    /// Returns the record; `None` if there is none yet, or if it cannot be parsed.
    pub async fn read<P: Ports>(context: &DeployContext<'_, P>) -> Result<Option<Self>, Failure> {
        let text = context.ports.parameter(&context.settings.last_parameter()).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Records the release of a report. A failure is only a warning, because the ledger on the host has the release
    /// too.
    pub async fn write<P: Ports>(
        context: &DeployContext<'_, P>,
        report: &HostReport,
        config_hash: Option<&str>,
        address: Option<&str>,
    ) {
        let now = crate::console::since(0);
        let last = Self {
            release: report.release.unwrap_or_default(),
            gateway: report.images.gateway.clone(),
            vllm: report.images.vllm.clone(),
            config_hash: config_hash.unwrap_or_default().to_owned(),
            url: address.map(|address| context.settings.url(address)).unwrap_or_default(),
            at: now,
            operator: context.settings.operator.clone(),
        };
        let text = serde_json::to_string(&last).unwrap_or_default();
        if let Err(error) = context.ports.put_parameter(&context.settings.last_parameter(), &text).await {
            context.console.warn(&format!("the release could not be recorded in SSM: {error}"));
        }
    }
}

impl From<LastVerified> for CurrentRelease {
    fn from(last: LastVerified) -> Self {
        Self {
            release: last.release,
            images: RunningImages { gateway: last.gateway, vllm: last.vllm },
            hash: last.config_hash,
            healthy: false,
            model_healthy: false,
            half_done: false,
        }
    }
}

/// The largest value of a standard SSM parameter, in bytes.
const PARAMETER_LIMIT: usize = 4096;

/// The last ten releases, as the host reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Releases {
    /// The number of the current release.
    pub current: Option<u32>,
    /// The release that a rollback without a number would choose.
    pub target: Option<u32>,
    /// The time of the record, in seconds since 1970.
    pub at: u64,
    /// The entries of the ledger, oldest first.
    pub ledger: Vec<Release>,
}

impl Releases {
    /// Returns the record; `None` if there is none yet, or if it cannot be parsed.
    pub async fn read<P: Ports>(context: &DeployContext<'_, P>) -> Result<Option<Self>, Failure> {
        let text = context.ports.parameter(&context.settings.releases_parameter()).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Returns the releases of a report that has the ledger.
    #[must_use]
    pub fn of(report: &HostReport) -> Self {
        Self {
            current: report.release,
            target: report.rollback_target(),
            at: crate::console::since(0),
            ledger: report.releases(),
        }
    }

    /// Records the ledger of a report, if it has one. A failure is only a warning.
    pub async fn write<P: Ports>(context: &DeployContext<'_, P>, report: &HostReport) {
        let releases = Self::of(report);
        if releases.ledger.is_empty() {
            return;
        }
        if let Err(error) = context.ports.put_parameter(&context.settings.releases_parameter(), &releases.text()).await
        {
            context.console.warn(&format!("the releases could not be recorded in SSM: {error}"));
        }
    }

    /// Returns JSON of at most [`PARAMETER_LIMIT`] bytes: with shortened values, and with fewer of the oldest releases
    /// if not all fit.
    fn text(mut self) -> String {
        for release in &mut self.ledger {
            // A list of releases does not need the hash, and the host has it.
            release.config_hash.clear();
            release.commit = release.commit.chars().take(40).collect();
            release.operator = release.operator.chars().take(60).collect();
            for image in [&mut release.gateway, &mut release.vllm] {
                // The configuration has the repository.
                *image = image.rsplit('@').next().unwrap_or_default().to_owned();
            }
        }
        loop {
            let text = serde_json::to_string(&self).unwrap_or_default();
            if text.len() <= PARAMETER_LIMIT || self.ledger.is_empty() {
                return text;
            }
            self.ledger.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PARAMETER_LIMIT, Releases};
    use crate::script::facts::Release;

    fn release(number: u32, operator: &str) -> Release {
        Release {
            release: number,
            at: 1_790_000_000,
            action: "rollback".to_owned(),
            operator: operator.to_owned(),
            commit: "c".repeat(40),
            config_hash: "h".repeat(200),
            gateway: format!(
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/extraction-gateway/gateway@sha256:{}",
                "a".repeat(64)
            ),
            vllm: format!(
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/extraction-gateway/vllm@sha256:{}",
                "b".repeat(64)
            ),
            outcome: "interrupted".to_owned(),
        }
    }

    /// Writes ten releases of this operator and checks how many of them fit.
    fn check(operator: &str, kept: std::ops::RangeInclusive<usize>) {
        let ledger = (1..=10).map(|number| release(number, operator)).collect();
        let text = Releases { current: Some(10), target: Some(9), at: 1, ledger }.text();
        assert!(text.len() <= PARAMETER_LIMIT, "{} bytes", text.len());
        let read: Releases = serde_json::from_str(&text).unwrap();
        assert_eq!((read.current, read.target), (Some(10), Some(9)));
        assert!(kept.contains(&read.ledger.len()), "{operator}: {}", read.ledger.len());
        // The newest releases are kept, with a complete digest and commit.
        let last = read.ledger.last().unwrap();
        assert_eq!((last.release, last.gateway.len(), last.commit.len()), (10, 71, 40));
    }

    #[test]
    fn ten_releases_fit_into_a_parameter() {
        check("ada@laptop", 10..=10);
        // Escaped in JSON, each of these takes six bytes.
        check(&"\u{1}".repeat(60), 1..=9);
        check(&"long".repeat(100), 9..=10);
    }
}
