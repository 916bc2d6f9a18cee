//! `gateway healthcheck`: asks the server on this machine whether it is ready.

use std::{net::SocketAddr, time::Duration};

use clap::ValueEnum;
use gateway::config::Settings;
use serde_json::Value;

use super::output::{self, Outcome};

const TIMEOUT: Duration = Duration::from_secs(5);

/// How `healthcheck` writes what the server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum HealthFormat {
    /// Nothing while all is well.
    #[default]
    Quiet,
    /// All of `/health?verbose=1`.
    Json,
}

/// Fails unless the server is ready.
pub(super) async fn run(settings: &Settings, format: HealthFormat) -> Outcome {
    let on_this_machine = |mut address: SocketAddr| {
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        address
    };
    gateway::tls::install();
    // Plain HTTP needs no certificates, and an image of nothing but the binary has none.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let client = client.timeout(TIMEOUT).build()?;
    let ask = async |address, path| client.get(format!("http://{}{path}", on_this_machine(address))).send().await;
    let answer = ask(settings.listen, "/health/ready").await?;
    let (ready, body) = (answer.status().is_success(), answer.text().await?);
    if format == HealthFormat::Json {
        let verbose = settings.metrics.listen.unwrap_or(settings.listen);
        let mut answer = ask(verbose, "/health?verbose=1").await?;
        if answer.status() == reqwest::StatusCode::UNAUTHORIZED {
            output::print_error(
                &"the verbose form of /health needs a key here, so this is the short one: set metrics.listen \
                  (GATEWAY_METRICS__LISTEN=127.0.0.1:9464) to have it without a key on this machine",
            );
            answer = ask(settings.listen, "/health").await?;
        }
        let mut all: serde_json::Map<String, Value> = answer.json().await?;
        all.extend(serde_json::from_str::<serde_json::Map<String, Value>>(&body)?);
        output::print(&Value::Object(all).to_string())?;
    }
    if ready { Ok(()) } else { Err(format!("not ready: {body}").into()) }
}
