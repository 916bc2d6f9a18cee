//! Wiring and life of the server: bind, say where, serve, drain.

use std::{future::IntoFuture, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::{
    access::{Keys, KeysError},
    admission::Admission,
    config::{EngineChoice, Fallback, Settings},
    extraction::{Engine, EngineName, Pipeline},
    http::{self, App, request::Rules},
    readiness::Readiness,
    rules::RulesEngine,
    telemetry::Metrics,
    vllm::VllmEngine,
};

/// Why the server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// The client of the model server cannot be made.
    #[error("cannot make the client of the model server: {0}")]
    Client(#[from] reqwest::Error),
    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The listener broke.
    #[error("the server broke: {0}")]
    Serve(#[from] std::io::Error),
    /// Requests were cut off when the drain time was over.
    #[error("{0} request(s) were cut off at shutdown")]
    CutOff(usize),
}

/// A gateway that is wired but not bound.
#[derive(Debug)]
pub struct Gateway {
    /// What the routes work with.
    pub app: App,
    settings: Settings,
}

impl Gateway {
    /// Wires the services. With the `vllm` engine it begins to watch the model server: call it in a runtime.
    pub fn new(settings: Settings) -> Result<Self, ServerError> {
        let admission = Admission::new(settings.admission.in_flight, settings.admission.queue);
        let (engine, readiness): (Arc<dyn Engine>, _) = if settings.effective_engine() == EngineChoice::Vllm {
            let startup = Duration::from_secs(60 * settings.vllm.startup_minutes);
            let readiness = Arc::new(Readiness::of_vllm(startup));
            (Arc::new(VllmEngine::new(&settings.vllm, &readiness)?), readiness)
        } else {
            (Arc::new(RulesEngine::ready()), Arc::new(Readiness::of_rules()))
        };
        let mut models = vec![Arc::from(settings.vllm.model.as_str())];
        models.extend(settings.vllm.models.iter().map(|name| Arc::from(name.as_str())));
        let mut pipeline = Pipeline::new(engine, admission, settings.chunk.max_chars);
        if settings.cross_check && pipeline.engine() != EngineName::Rules {
            pipeline = pipeline.checked_by(Arc::new(RulesEngine::ready()));
        }
        if settings.fallback == Fallback::Rules && pipeline.engine() != EngineName::Rules {
            pipeline = pipeline.with_fallback(Arc::new(RulesEngine::ready()));
        }
        let app = App {
            pipeline,
            readiness,
            metrics: Arc::new(Metrics::default()),
            rules: Arc::new(Rules { limits: settings.limits, generation: settings.generation, models }),
            deadline: settings.admission.deadline,
            keys: settings.keys_file().map(|path| Keys::read(path).map(Arc::new)).transpose()?,
        };
        Ok(Self { app, settings })
    }

    /// Takes the address of the settings. From here on callers connect, and wait until it serves.
    pub async fn bind(self) -> Result<Bound, ServerError> {
        let asked = self.settings.listen;
        let listener = TcpListener::bind(asked).await.map_err(|error| ServerError::Bind(asked, error))?;
        Ok(Bound { address: listener.local_addr()?, listener, app: self.app, settings: self.settings })
    }
}

/// A gateway that has its port.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    settings: Settings,
}

impl Bound {
    /// Where it listens; the port that was given where port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends; then lets running requests end.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServerError> {
        let address = self.address;
        let engine = self.app.pipeline.engine().as_str();
        tracing::info!(%address, engine, docs = %format!("http://{address}/docs"), "listening");
        if !address.ip().is_loopback() && self.app.keys.is_none() {
            tracing::warn!("auth is off: everybody who reaches the port may call");
        }
        let (readiness, drain) = (Arc::clone(&self.app.readiness), self.settings.admission.drain);
        let router = http::router(self.app.clone(), self.settings.cors.origins);
        let listener = self.listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        let (draining, drained) = tokio::sync::oneshot::channel();
        let stopping = async move {
            stop.await;
            readiness.drain();
            tracing::info!("draining: no more notes are taken, running ones end");
            let _ = draining.send(());
        };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stopping).into_future();
        let over = async {
            if drained.await.is_ok() {
                tokio::time::sleep(drain).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            done = serving => done?,
            () = over => {
                let left = self.app.pipeline.admission().in_flight() + self.app.pipeline.admission().queued();
                return if left == 0 { Ok(()) } else { Err(ServerError::CutOff(left)) };
            }
        }
        tracing::info!("stopped");
        Ok(())
    }
}
