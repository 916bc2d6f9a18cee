//! `gateway healthcheck`: asks the server on this machine whether it is ready.

use std::{net::SocketAddr, time::Duration};

use clap::ValueEnum;
use gateway::config::Settings;
use serde_json::Value;

use super::output::{self, CommandResult};

const TIMEOUT: Duration = Duration::from_secs(5);

/// How `healthcheck` prints the server's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum HealthFormat {
    /// Prints nothing if the server is ready.
    #[default]
    Quiet,
    /// Prints the complete `/health?verbose=1`.
    Json,
}

/// Asks the server for its state; fails unless it is ready.
pub(super) async fn run(settings: &Settings, format: HealthFormat) -> CommandResult {
    let local = |mut address: SocketAddr| {
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        address
    };
    gateway::tls::install();
    // Plain HTTP needs no root certificates, and an image with only the binary has none.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let client = client.timeout(TIMEOUT).build()?;
    let get = async |address, path| client.get(format!("http://{}{path}", local(address))).send().await;
    let response = get(settings.listen, "/health/ready").await?;
    let (ready, body) = (response.status().is_success(), response.text().await?);
    if format == HealthFormat::Json {
        let address = settings.metrics.listen.unwrap_or(settings.listen);
        let mut response = get(address, "/health?verbose=1").await?;
        if response.status() == reqwest::StatusCode::UNAUTHORIZED {
            output::print_error(
                &"the verbose form of /health needs a key here, so the short form is printed: set metrics.listen \
                  (GATEWAY_METRICS__LISTEN=127.0.0.1:9464) to get the verbose form without a key on this machine",
            );
            response = get(settings.listen, "/health").await?;
        }
        let mut report: serde_json::Map<String, Value> = response.json().await?;
        report.extend(serde_json::from_str::<serde_json::Map<String, Value>>(&body)?);
        output::print(&Value::Object(report).to_string())?;
    }
    if ready { Ok(()) } else { Err(format!("not ready: {body}").into()) }
}
