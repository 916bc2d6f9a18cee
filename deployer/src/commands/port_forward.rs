//! `port-forward`: forwards a local port to the gateway on the box through Session Manager, without an open port on the
//! box and without SSH.

use std::{
    cell::Cell,
    net::{Ipv4Addr, TcpListener},
};

use serde_json::json;

use crate::{
    cloud::{CloudError, CloudErrorKind, Sessions},
    context::{DeployContext, Ports},
    failure::Failure,
    forward::{self, PluginEnd},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The local port (default: the same number as the gateway's port on the box); 0: any free port
    #[arg(long, value_name = "LOCAL")]
    port: Option<u16>,
}

/// Values of `gateway.bind` with which the gateway can be reached at the host's loopback.
const REACHABLE_BINDS: [&str; 4] = ["0.0.0.0", "127.0.0.1", "localhost", "::"];

pub(super) async fn run<P: Ports + Sessions>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let gateway = &context.settings.gateway;
    if !REACHABLE_BINDS.contains(&gateway.bind.as_str()) {
        return Err(Failure::usage(
            format!("gateway.bind is {}, and a session ends at the box's loopback", gateway.bind),
            "Set gateway.bind = \"127.0.0.1\" or \"0.0.0.0\", then run deployer up.",
        ));
    }
    let local = args.port.unwrap_or(gateway.port);
    forward::check().await?;
    check_port_is_free(local)?;
    super::running(context).await?;
    let reason = format!("deployer port-forward by {}", context.settings.operator);
    let reason: String = reason.chars().filter(|character| !character.is_control()).take(200).collect();
    let session = context.ports.open_session(gateway.port, local, &reason).await.map_err(|error| denied(&error))?;
    let url = Cell::new(None);
    let end = forward::run(context.console, context.interrupt, &session, |port| {
        let address = format!("http://127.0.0.1:{port}");
        context.console.opened(&address);
        context.console.say(&format!("forwards to port {} of the box until Ctrl-C", gateway.port));
        url.set(Some((port, address)));
    })
    .await;
    let session_ended = match context.ports.end_session(&session.id).await {
        Ok(()) => true,
        Err(error) => {
            let failure = denied(&error);
            context.console.warn(&format!(
                "the session {} could not be ended, and ends by itself when it is idle: {}. {}",
                session.id, failure.what, failure.next
            ));
            false
        }
    };
    let opened = url.take();
    context.console.result(&json!({
        "session": session.id,
        "url": opened.as_ref().map(|(_, url)| url),
        "local_port": opened.as_ref().map(|(port, _)| port),
        "remote_port": gateway.port,
        "session_ended": session_ended,
    }));
    let next = "deployer port-forward opens another session.";
    Err(match end {
        PluginEnd::Interrupted => {
            Failure::interrupted(if session_ended { "interrupted; the session was ended" } else { "interrupted" }, next)
        }
        PluginEnd::ByItself { opened: true, .. } => Failure::unchanged(
            "the session ended: Session Manager ends one that is idle (after 20 min, unless set)",
            next,
        ),
        PluginEnd::ByItself { opened: false, lines } => Failure {
            lines,
            ..Failure::unchanged(
                "session-manager-plugin ended before it opened the port",
                "Its output is above. deployer doctor checks the box and its agent; then run this again.",
            )
        },
        PluginEnd::NotRun(what) => Failure::unchanged(what, next),
    })
}

/// Returns an error if the local port is in use. The plug-in would notice that only after the session was opened, and
/// would report no reason.
fn check_port_is_free(port: u16) -> Result<(), Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| {
        Failure::unchanged(
            format!("port {port} of this machine cannot be listened on: {error}; no session was opened"),
            "deployer port-forward --port selects another port; 0 selects any free port.",
        )
    })
}

fn denied(error: &CloudError) -> Failure {
    let next = match error.kind {
        CloudErrorKind::Denied => format!(
            "The right to {} is not in every operator's policy: deployer policy operator --port-forward prints a policy with it.",
            error.operation
        ),
        _ => error.hint(),
    };
    Failure::unchanged(error.to_string(), next)
}
