//! What is remembered of releases while the box is stopped: two SSM parameters, no secret in them. The ledger on the
//! host is the authority.

use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    plan::Serving,
    script::{HostReport, Images, facts::Release},
    site::{DeployContext, Ports},
};

/// The last release that was verified, and where it could be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastVerified {
    /// Its number.
    pub release: u32,
    /// By digest.
    pub gateway: String,
    /// By digest.
    pub vllm: String,
    /// Its configuration; left out where the host could not be asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_hash: String,
    /// `http://203.0.113.7:8080`
    pub url: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Who.
    pub operator: String,
}

impl LastVerified {
    /// What was recorded; `None`: nothing yet, or nothing that can be read.
    pub async fn read<P: Ports>(site: &DeployContext<'_, P>) -> Result<Option<Self>, Failure> {
        let text = site.ports.parameter(&site.settings.last_parameter()).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Records a report's release. A failure is only worth a warning: the host's ledger is the truth.
    pub async fn write<P: Ports>(
        site: &DeployContext<'_, P>,
        report: &HostReport,
        config_hash: Option<&str>,
        address: Option<&str>,
    ) {
        let now = crate::report::since(0);
        let last = Self {
            release: report.release.unwrap_or_default(),
            gateway: report.images.gateway.clone(),
            vllm: report.images.vllm.clone(),
            config_hash: config_hash.unwrap_or_default().to_owned(),
            url: address.map(|address| site.settings.url(address)).unwrap_or_default(),
            at: now,
            operator: site.settings.operator.clone(),
        };
        let text = serde_json::to_string(&last).unwrap_or_default();
        if let Err(error) = site.ports.put_parameter(&site.settings.last_parameter(), &text).await {
            site.report.warn(&format!("the release could not be recorded in SSM: {error}"));
        }
    }
}

impl From<LastVerified> for Serving {
    fn from(last: LastVerified) -> Self {
        Self {
            release: last.release,
            images: Images { gateway: last.gateway, vllm: last.vllm },
            hash: last.config_hash,
            healthy: false,
            model_healthy: false,
            half_done: false,
        }
    }
}

/// What a standard parameter holds, in bytes.
const PARAMETER_LIMIT: usize = 4096;

/// The last ten releases, as the host reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Releases {
    /// The one that was current.
    pub current: Option<u32>,
    /// Where a rollback without a number would have gone.
    pub target: Option<u32>,
    /// When they were recorded, in seconds since 1970.
    pub at: u64,
    /// The ledger, oldest first.
    pub ledger: Vec<Release>,
}

impl Releases {
    /// What was recorded; `None`: nothing yet, or nothing that can be read.
    pub async fn read<P: Ports>(site: &DeployContext<'_, P>) -> Result<Option<Self>, Failure> {
        let text = site.ports.parameter(&site.settings.releases_parameter()).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// From a report that has the ledger.
    #[must_use]
    pub fn of(report: &HostReport) -> Self {
        Self {
            current: report.release,
            target: report.rollback_target(),
            at: crate::report::since(0),
            ledger: report.releases(),
        }
    }

    /// Records a report's ledger, where it has one. A failure is only worth a warning.
    pub async fn write<P: Ports>(site: &DeployContext<'_, P>, report: &HostReport) {
        let releases = Self::of(report);
        if releases.ledger.is_empty() {
            return;
        }
        if let Err(error) = site.ports.put_parameter(&site.settings.releases_parameter(), &releases.text()).await {
            site.report.warn(&format!("the releases could not be recorded in SSM: {error}"));
        }
    }

    /// As JSON of at most [`PARAMETER_LIMIT`] bytes: shortened values, and the newest releases where not all fit.
    fn text(mut self) -> String {
        for release in &mut self.ledger {
            // The host knows it; a list has no use for it.
            release.config_hash.clear();
            release.commit = release.commit.chars().take(40).collect();
            release.operator = release.operator.chars().take(60).collect();
            for image in [&mut release.gateway, &mut release.vllm] {
                // The repository stands in the configuration.
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

    /// Ten releases of this operator: how many are kept.
    fn check(operator: &str, kept: std::ops::RangeInclusive<usize>) {
        let ledger = (1..=10).map(|number| release(number, operator)).collect();
        let text = Releases { current: Some(10), target: Some(9), at: 1, ledger }.text();
        assert!(text.len() <= PARAMETER_LIMIT, "{} bytes", text.len());
        let read: Releases = serde_json::from_str(&text).unwrap();
        assert_eq!((read.current, read.target), (Some(10), Some(9)));
        assert!(kept.contains(&read.ledger.len()), "{operator}: {}", read.ledger.len());
        // The newest are kept, and what is shown of them is whole.
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
