//! `gateway serve`: the HTTP service and the signals that it obeys.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use gateway::{access::Keys, bulk, config::Settings, server::Gateway, telemetry, vllm::ServerKey};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output;
use crate::idle_memory;

/// Serves until SIGTERM or Ctrl-C, then finishes the requests in flight; a second signal ends those too. The exit code
/// says whether it was Ctrl-C.
pub(super) async fn run(settings: Settings) -> ExitCode {
    let telemetry = telemetry::init();
    let served = serve_until_signal(settings).await;
    drop(telemetry);
    match served {
        Ok(true) => ExitCode::from(bulk::INTERRUPTED),
        Ok(false) => output::exit_code(Ok(())),
        Err(error) => output::exit_code(Err(error)),
    }
}

/// Returns whether Ctrl-C ended it.
async fn serve_until_signal(settings: Settings) -> Result<bool, Box<dyn std::error::Error>> {
    raise_descriptor_limit();
    let signals = Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let signals = tokio::sync::Mutex::new(signals);
    let interrupted = AtomicBool::new(false);
    let next = async || {
        if signals.lock().await.is_interrupt().await {
            interrupted.store(true, Relaxed);
        }
    };
    let gateway = Gateway::new(settings)?;
    // Without a key file too: the system's own response to SIGHUP is to kill the process.
    let mut hangup = signal(SignalKind::hangup())?;
    let (keys, server_key) = (gateway.app.access.keys.clone(), gateway.server_key.clone());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload(keys.as_deref(), server_key.as_deref()).await;
        }
    });
    let idle_memory = tokio::spawn(idle_memory::give_back());
    let served = gateway.bind().await?.serve(next(), next()).await;
    idle_memory.abort();
    served?;
    Ok(interrupted.load(Relaxed))
}

/// Reads the key files again. A file that cannot be used changes nothing.
async fn reload(keys: Option<&Keys>, server_key: Option<&ServerKey>) {
    if keys.is_none() && server_key.is_none() {
        tracing::info!("SIGHUP: there is no key file to read again");
    }
    if let Some(key) = server_key {
        match key.reload().await {
            Ok(()) => tracing::info!("the model server's key is read again"),
            Err(error) => {
                tracing::error!(%error, "the model server's key is not read again; the old one still holds");
            }
        }
    }
    if let Some(keys) = keys {
        match keys.reload().await {
            Ok(count) => tracing::info!(count, "API keys reloaded"),
            Err(error) => tracing::error!(%error, "API keys not reloaded; the old ones still hold"),
        }
    }
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Waits for the next signal, and returns whether it was Ctrl-C.
    async fn is_interrupt(&mut self) -> bool {
        tokio::select! { _ = self.terminate.recv() => false, _ = self.interrupt.recv() => true }
    }
}

/// Raises the limit of open files, and so of connections, to what the system allows: its default of 1,024 is for
/// programs that use `select`.
fn raise_descriptor_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}
