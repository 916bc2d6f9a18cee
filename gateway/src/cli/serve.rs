//! `gateway serve`: runs the HTTP service and handles signals.

use std::{
    io::IsTerminal,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use gateway::{
    access::Keys,
    bulk,
    config::{Flags, Settings},
    server::{Gateway, ModelSwitch},
    server_key::ServerKey,
    telemetry,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{greeting::Greeting, output};
use crate::idle_memory;

/// Serves until SIGTERM or Ctrl-C, then finishes the requests in flight; a second signal aborts them. After Ctrl-C the
/// exit code is 130. On SIGHUP it reads the settings again, from the file and with the overrides in `flags`.
pub(super) async fn run(settings: Settings, flags: Flags) -> ExitCode {
    let telemetry = telemetry::init();
    let result = serve_until_signal(settings, flags).await;
    drop(telemetry);
    match result {
        Ok(true) => ExitCode::from(bulk::INTERRUPTED),
        Ok(false) => output::exit_code(Ok(())),
        Err(error) => output::exit_code(Err(error)),
    }
}

/// Serves until a signal, and returns whether one of the signals was Ctrl-C.
async fn serve_until_signal(settings: Settings, flags: Flags) -> Result<bool, Box<dyn std::error::Error>> {
    raise_descriptor_limit();
    let signals = Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let signals = tokio::sync::Mutex::new(signals);
    let interrupted = AtomicBool::new(false);
    let next_signal = async || {
        if signals.lock().await.is_interrupt().await {
            interrupted.store(true, Relaxed);
        }
    };
    let gateway = Gateway::new(settings)?;
    // SIGHUP is handled also without a key file, because it kills a process that does not handle it.
    let mut hangup = signal(SignalKind::hangup())?;
    let (keys, server_keys) = (gateway.app.access.keys.clone(), gateway.server_keys.clone());
    let model_switch = gateway.model_switch.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload(keys.as_deref(), &server_keys).await;
            reload_models(&model_switch, flags.clone()).await;
        }
    });
    let idle_memory = tokio::spawn(idle_memory::give_back());
    let (engine, guarded) = (gateway.app.extractor.pipeline.engine(), gateway.app.access.keys.is_some());
    let bound = gateway.bind().await?;
    if std::io::stderr().is_terminal() {
        let (address, metrics) = (bound.address(), bound.metrics_address());
        output::tell(&Greeting { address, metrics, engine, guarded }.text());
    } else {
        bound.log_addresses();
    }
    let result = bound.serve(next_signal(), next_signal()).await;
    idle_memory.abort();
    result?;
    Ok(interrupted.load(Relaxed))
}

/// Reads the key files again. If a file cannot be used, the old keys stay valid.
async fn reload(keys: Option<&Keys>, server_keys: &[Arc<ServerKey>]) {
    if keys.is_none() && server_keys.is_empty() {
        tracing::info!("SIGHUP: there is no key file to read again");
    }
    for key in server_keys {
        let setting = key.setting();
        match key.reload().await {
            Ok(()) => tracing::info!(setting, "the model server's key is read again"),
            Err(error) => {
                tracing::error!(setting, %error, "the model server's key is not read again; the old one stays in use");
            }
        }
    }
    if let Some(keys) = keys {
        match keys.reload().await {
            Ok(count) => tracing::info!(count, "API keys reloaded"),
            Err(error) => tracing::error!(%error, "API keys not reloaded; the old ones stay valid"),
        }
    }
}

/// Reads the settings again and applies the models behind the public name. If the settings cannot be used, the old
/// models still answer.
async fn reload_models(model_switch: &ModelSwitch, flags: Flags) {
    let settings = tokio::task::spawn_blocking(move || Settings::load(&flags)).await;
    let applied = match settings {
        Ok(Ok(settings)) => model_switch.apply(&settings).map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match applied {
        Ok(Some(models)) => tracing::info!(models, "other models answer for the public name"),
        Ok(None) => tracing::info!("the models behind the public name are as before"),
        Err(error) => tracing::error!(error, "the models behind the public name stay as they are"),
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

/// Raises the limit of open files, and so of connections, to the maximum of the system. The default of 1,024 exists for
/// programs that use `select`.
fn raise_descriptor_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}
