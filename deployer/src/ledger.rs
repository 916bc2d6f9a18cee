//! What is remembered of the last release while the box is stopped: one SSM parameter, no secret in it. The ledger of
//! all releases lies on the host.

use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    plan::Serving,
    script::{HostReport, Images},
    site::{Ports, Site},
};

/// The last release that was verified, and where it could be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Last {
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

impl Last {
    /// What was recorded; `None`: nothing yet, or nothing that can be read.
    pub async fn read<P: Ports>(site: &Site<'_, P>) -> Result<Option<Self>, Failure> {
        let text = site.ports.parameter(&site.settings.last_parameter()).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Records a report's release. A failure is only worth a warning: the host's ledger is the truth.
    pub async fn write<P: Ports>(
        site: &Site<'_, P>,
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

impl From<Last> for Serving {
    fn from(last: Last) -> Self {
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
