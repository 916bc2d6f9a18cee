//! Changes the models behind the public name while the gateway runs.

use std::sync::Arc;

use crate::{
    config::{RoutingFault, Settings},
    routing::Routing,
    vllm::VllmEngine,
};

/// Changes the models behind the public name, and the shadow model. Notes that are being read keep their model.
#[derive(Clone, Debug)]
pub struct ModelSwitch {
    pub(super) routing: Arc<Routing>,
    /// `None` with the rules engine, which reads every note itself.
    pub(super) engine: Option<Arc<VllmEngine>>,
}

impl ModelSwitch {
    /// Applies the section `routing` of settings that were read again. Returns the models in a line, for the log;
    /// `None` if nothing changed. A model that a ready model server does not list is refused, and the old models stay
    /// in force, so that no note fails because of a wrong name.
    pub fn apply(&self, settings: &Settings) -> Result<Option<String>, RoutingFault> {
        let is_listed = |model: &str| self.engine.as_ref().is_none_or(|engine| engine.is_listed(model));
        let changed = self.routing.replace(&settings.routing, is_listed)?;
        Ok(changed.then(|| self.routing.summary()))
    }
}
