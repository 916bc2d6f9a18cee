//! Chooses the model that reads a note: the public name stands for one or several models with weights.
//!
//! The choice depends only on the settings and on one text: the caller's session, else the caller's key, else the note.
//! So the same session, key or note gets the same model, also after a restart and on another gateway with the same
//! settings. The digests used for the choice are not stored.

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use crate::{
    access::Principal,
    config::{RoutingFault, RoutingSettings, Stickiness, Vllm},
};

/// Keeps the digests of one purpose apart from those of another: which notes the shadow model reads must not depend on
/// which model answers.
const CHOICE: &[u8] = b"extraction-gateway routing choice 1";
const SAMPLE: &[u8] = b"extraction-gateway routing sample 1";

/// The models that may read notes, and how a note's model is chosen.
#[derive(Debug)]
pub struct Routing {
    public_name: Arc<str>,
    /// The names that model servers may be asked for. They are fixed at the start, unlike the table.
    served: Vec<Arc<str>>,
    table: RwLock<Arc<Table>>,
}

/// What the operator may change while the gateway runs.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    targets: Vec<Target>,
    sticky: Stickiness,
    shadow: Option<Target>,
}

/// A model with a share of the notes in percent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name that the model servers give the model.
    pub name: Arc<str>,
    /// The share, 1 to 100.
    pub percent: u8,
}

/// The client whose note is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The session that the caller names.
    pub session: Option<&'a str>,
    /// The caller's key.
    pub principal: Option<&'a Principal>,
}

impl Table {
    fn of(public_name: &Arc<str>, settings: &RoutingSettings) -> Self {
        let target = |name: &str, percent| Target { name: Arc::from(name), percent };
        let mut targets: Vec<Target> = settings.models.iter().map(|model| target(&model.name, model.weight)).collect();
        if targets.is_empty() {
            targets.push(Target { name: Arc::clone(public_name), percent: 100 });
        }
        let shadow = settings.shadow().map(|name| target(name, settings.shadow_percent));
        Self { targets, sticky: settings.sticky, shadow }
    }

    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.targets.iter().chain(&self.shadow).map(|target| &target.name)
    }
}

impl Routing {
    /// Returns the routing of settings that were checked.
    #[must_use]
    pub fn of(vllm: &Vllm, settings: &RoutingSettings) -> Self {
        let public_name = Arc::from(vllm.model.as_str());
        let table = Table::of(&public_name, settings);
        let mut served: Vec<Arc<str>> = Vec::new();
        for name in table.names().cloned().chain(vllm.models.iter().map(|name| Arc::from(name.as_str()))) {
            if !served.contains(&name) {
                served.push(name);
            }
        }
        Self { public_name, served, table: RwLock::new(Arc::new(table)) }
    }

    /// Returns the names that a request may give, the public one first.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        let others = self.served.iter().filter(|name| **name != self.public_name);
        std::iter::once(&self.public_name).chain(others).cloned().collect()
    }

    /// Returns the names that model servers may be asked for.
    #[must_use]
    pub fn served(&self) -> &[Arc<str>] {
        &self.served
    }

    /// Returns every name that model servers may be asked for, with its share of the notes for the public name now, in
    /// percent.
    #[must_use]
    pub fn shares(&self) -> Vec<(Arc<str>, u8)> {
        let table = self.table();
        let share = |name: &Arc<str>| {
            table.targets.iter().find(|target| target.name == *name).map_or(0, |target| target.percent)
        };
        self.served.iter().map(|name| (Arc::clone(name), share(name))).collect()
    }

    /// Returns the names of the models that answer for the public name now.
    #[must_use]
    pub fn targets(&self) -> Vec<Arc<str>> {
        self.table().targets.iter().map(|target| Arc::clone(&target.name)).collect()
    }

    /// Returns the model that reads a note: the one that the request names, or one that answers for the public name.
    #[must_use]
    pub fn resolve(&self, requested: Option<&Arc<str>>, caller: Caller<'_>, note: &str) -> Arc<str> {
        match requested {
            Some(name) if *name != self.public_name => Arc::clone(name),
            _ => self.choose(caller, note),
        }
    }

    /// Returns the model that answers for the public name, by weighted rendezvous hashing: the order of the models does not
    /// matter, and between two models a change of the weights moves no more callers or notes than it needs.
    fn choose(&self, caller: Caller<'_>, note: &str) -> Arc<str> {
        let table = self.table();
        let digest = match (&*table.targets, table.sticky, caller) {
            ([only], ..) => return Arc::clone(&only.name),
            (_, Stickiness::Caller, Caller { session: Some(session), .. }) => digest(CHOICE, b's', session),
            (_, Stickiness::Caller, Caller { principal: Some(principal), .. }) => {
                digest(CHOICE, b'k', principal.name())
            }
            _ => digest(CHOICE, b'n', note),
        };
        let score = |target: &Target| {
            let hash = Sha256::new_with_prefix(digest).chain_update(target.name.as_bytes()).finalize();
            -f64::from(target.percent) / unit(&hash).ln()
        };
        let scored = table.targets.iter().map(|target| (score(target), target));
        let chosen = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
        chosen.map_or_else(|| Arc::clone(&self.public_name), |(_, target)| Arc::clone(&target.name))
    }

    /// Returns the shadow model, if there is one and it reads this note too. `answering`: the model that answered.
    #[must_use]
    pub fn shadow_of(&self, note: &str, answering: &str) -> Option<Arc<str>> {
        let table = self.table();
        let shadow = table.shadow.as_ref().filter(|shadow| *shadow.name != *answering)?;
        let is_sampled = unit(&digest(SAMPLE, b'n', note)) * 100.0 < f64::from(shadow.percent);
        is_sampled.then(|| Arc::clone(&shadow.name))
    }

    /// Replaces the weights and the shadow model. `is_listed`: whether every ready model server lists a model. Returns
    /// whether anything changed. After an error the old weights and shadow model stay in force.
    pub fn replace(&self, settings: &RoutingSettings, is_listed: impl Fn(&str) -> bool) -> Result<bool, RoutingFault> {
        let table = Table::of(&self.public_name, settings);
        if let Some(name) = table.names().find(|name| !self.served.contains(name)) {
            return Err(RoutingFault::NotKnown(name.to_string()));
        }
        if let Some(name) = table.names().find(|name| !is_listed(name)) {
            return Err(RoutingFault::NotServed(name.to_string()));
        }
        let mut current = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let changes = **current != table;
        *current = Arc::new(table);
        Ok(changes)
    }

    /// Returns the weights in a line, for the log.
    #[must_use]
    pub fn summary(&self) -> String {
        let table = self.table();
        let targets = table.targets.iter().map(|Target { name, percent }| format!("{name}={percent}"));
        let shadow = table.shadow.iter().map(|Target { name, percent }| format!("shadow {name}={percent}"));
        targets.chain(shadow).collect::<Vec<_>>().join(", ")
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns a digest. `kind` makes the digests of a session, a key and a note with the same text different.
fn digest(purpose: &[u8], kind: u8, text: &str) -> [u8; 32] {
    Sha256::new_with_prefix(purpose).chain_update([kind]).chain_update(text.as_bytes()).finalize().into()
}

/// Returns a number greater than 0 and less than 1, made from the first bytes of a hash.
fn unit(hash: &[u8]) -> f64 {
    let bits = hash.iter().take(4).fold(0_u32, |bits, &byte| (bits << 8) | u32::from(byte));
    (f64::from(bits) + 0.5) / (f64::from(u32::MAX) + 1.0)
}
