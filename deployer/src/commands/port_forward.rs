//! `port-forward`: a local port that leads to the gateway on the box, through Session Manager: no open port, no SSH.

use std::{
    cell::Cell,
    net::{Ipv4Addr, TcpListener},
};

use serde_json::json;

use crate::{
    cloud::{CloudError, CloudErrorKind, Sessions},
    failure::Failure,
    forward::{self, End},
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The local port (default: the gateway's on the box); 0: any that is free
    #[arg(long, value_name = "LOCAL")]
    port: Option<u16>,
}

/// Addresses of the host at which its loopback reaches the gateway.
const REACHED: [&str; 4] = ["0.0.0.0", "127.0.0.1", "localhost", "::"];

pub(super) async fn run<P: Ports + Sessions>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let gateway = &site.settings.gateway;
    if !REACHED.contains(&gateway.bind.as_str()) {
        return Err(Failure::usage(
            format!("gateway.bind is {}, and a session ends at the box's loopback", gateway.bind),
            "Set gateway.bind = \"127.0.0.1\" or \"0.0.0.0\", then run deployer up.",
        ));
    }
    let local = args.port.unwrap_or(gateway.port);
    forward::check().await?;
    free(local)?;
    super::running(site).await?;
    let reason = format!("deployer port-forward by {}", site.settings.operator);
    let reason: String = reason.chars().filter(|character| !character.is_control()).take(200).collect();
    let session = site.ports.open_session(gateway.port, local, &reason).await.map_err(|error| denied(&error))?;
    let url = Cell::new(None);
    let end = forward::run(site.report, site.interrupt, &session, |port| {
        let address = format!("http://127.0.0.1:{port}");
        site.report.opened(&address);
        site.report.say(&format!("leads to port {} of the box until Ctrl-C", gateway.port));
        url.set(Some((port, address)));
    })
    .await;
    let ended = match site.ports.end_session(&session.id).await {
        Ok(()) => true,
        Err(error) => {
            let failure = denied(&error);
            site.report.warn(&format!(
                "the session {} could not be ended, and ends by itself when it is idle: {}. {}",
                session.id, failure.what, failure.next
            ));
            false
        }
    };
    let opened = url.take();
    site.report.result(&json!({
        "session": session.id,
        "url": opened.as_ref().map(|(_, url)| url),
        "local_port": opened.as_ref().map(|(port, _)| port),
        "remote_port": gateway.port,
        "session_ended": ended,
    }));
    let again = "deployer port-forward opens another session.";
    Err(match end {
        End::Interrupted => {
            Failure::interrupted(if ended { "interrupted; the session was ended" } else { "interrupted" }, again)
        }
        End::ByItself { opened: true, .. } => Failure::unchanged(
            "the session ended: Session Manager ends one that is idle (after 20 min, unless set)",
            again,
        ),
        End::ByItself { opened: false, lines } => Failure {
            lines,
            ..Failure::unchanged(
                "session-manager-plugin ended before it opened the port",
                "What it said is above. deployer doctor looks at the box and its agent; then run this again.",
            )
        },
        End::NotRun(what) => Failure::unchanged(what, again),
    })
}

/// A port that somebody else has would be noticed only by the plug-in, and by nobody after it.
fn free(port: u16) -> Result<(), Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| {
        Failure::unchanged(
            format!("port {port} of this machine cannot be listened on: {error}; no session was opened"),
            "deployer port-forward --port takes another one, 0 any that is free.",
        )
    })
}

fn denied(error: &CloudError) -> Failure {
    let next = match error.kind {
        CloudErrorKind::Denied => format!(
            "The right to {} is not in every operator's policy: deployer policy operator --port-forward prints one with it.",
            error.operation
        ),
        _ => error.hint(),
    };
    Failure::unchanged(error.to_string(), next)
}
