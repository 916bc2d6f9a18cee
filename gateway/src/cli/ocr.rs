//! `gateway ocr`: serves scans to the gateway.

use std::{ffi::OsString, net::SocketAddr};

use gateway::{
    ocr::{OcrArguments, OcrServer},
    telemetry,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::output::CommandResult;

/// The default address of the server, which only this machine can reach.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8090);

/// A program, and the limits of its process.
#[derive(clap::Args, Clone)]
pub(super) struct LimitedArguments {
    /// Maximum bytes of memory that it may write to
    pub(super) memory: u64,
    /// Maximum seconds of the processor's time
    pub(super) seconds: u64,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(super) program: Vec<OsString>,
}

/// Serves until SIGTERM or Ctrl-C, and lets the scans that are being read end.
pub(super) async fn run(arguments: OcrArguments, listen: Option<SocketAddr>) -> CommandResult {
    let telemetry = telemetry::init();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = OcrServer::new(arguments)?;
    let address = listen.unwrap_or_else(|| SocketAddr::from(LISTEN));
    let listener = TcpListener::bind(address).await.map_err(|cause| format!("cannot listen on {address}: {cause}"))?;
    tracing::info!(address = %listener.local_addr()?, "the OCR server is listening");
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.serve(listener, stop).await?;
    drop(telemetry);
    Ok(())
}
