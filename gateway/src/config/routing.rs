//! The settings of several models: which of them answer for the public name, and which one is the shadow model.

use std::{collections::BTreeSet, str::FromStr};

use clap::ValueEnum;
use serde::Deserialize;

use super::{
    vllm::Vllm,
    words::{choice, list},
};

/// Longest name of a model, in bytes.
const LONGEST_NAME: usize = 128;
/// The sum of all weights, and the upper bound of each.
const WHOLE: u8 = 100;

/// The section `routing`: the models behind the public name, which is `vllm.model`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingSettings {
    /// The models that answer for the public name, each with its weight. If the list is empty, the public name is
    /// itself the name of a model.
    #[serde(deserialize_with = "list")]
    pub models: Vec<ModelWeight>,
    /// By what a note's model is chosen.
    #[serde(deserialize_with = "choice")]
    pub sticky: Stickiness,
    /// A model that also reads a share of the notes, to count how its records compare. It never answers.
    pub shadow: Option<String>,
    /// The share of notes that the shadow model reads, 1 to 100.
    pub shadow_percent: u8,
}

/// By what a note's model is chosen. The same session, key or note is always read by the same model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Stickiness {
    /// The session that the caller names, else the caller's key, else the note.
    #[default]
    Caller,
    /// The note alone.
    Note,
}

/// A model and the share of notes that it answers, in percent: `NAME=WEIGHT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelWeight {
    /// The name that the model servers give the model.
    pub name: String,
    /// The share, 1 to 100.
    pub weight: u8,
}

/// Why the models of the section `routing` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutingFault {
    /// A weight is not a whole number from 1 to 100.
    #[error("a weight is a whole number from 1 to 100, as in medical-ie@0123abcd=90")]
    Weight,
    /// A name is empty, too long, or has characters that names of models do not have.
    #[error(
        "a model's name has 1 to 128 letters, digits and `.` `_` `-` `@` `/` `:`, without `..`: write it as the server \
         lists it"
    )]
    Name,
    /// The weights do not sum to 100.
    #[error("routing.models: the weights sum to {0}, not to 100: each is the share of notes in percent")]
    Sum(u32),
    /// A model is listed twice.
    #[error("routing.models names {0} twice: write it once, with the sum of its weights")]
    Twice(String),
    /// The public name is listed.
    #[error(
        "routing.models names {0}, which is the public name (vllm.model): list the names that the servers give the \
         models, such as {0}@0123abcd"
    )]
    PublicName(String),
    /// The shadow model is not among the known ones.
    #[error("routing.shadow names {0}, which is in neither routing.models nor vllm.models: add it to vllm.models")]
    UnknownShadow(String),
    /// The share of the shadow model is not 1 to 100.
    #[error("routing.shadow_percent must be 1 to 100; leave routing.shadow out to have no shadow")]
    ShadowPercent,
    /// A model was not known when the gateway started.
    #[error(
        "{0} was not among vllm.models and routing.models when the gateway started: add it to vllm.models, and restart \
         the gateway"
    )]
    NotKnown(String),
    /// A model server that is ready does not list a model.
    #[error("a model server does not list {0}: serve it first (VLLM_ADAPTERS), then route notes to it")]
    NotServed(String),
}

impl FromStr for ModelWeight {
    type Err = RoutingFault;

    fn from_str(text: &str) -> Result<Self, RoutingFault> {
        let (name, weight) = text.rsplit_once('=').ok_or(RoutingFault::Weight)?;
        let (name, weight) = (name.trim(), weight.trim());
        let is_digits = !weight.is_empty() && weight.bytes().all(|byte| byte.is_ascii_digit());
        let weight = weight.parse().ok().filter(|weight| is_digits && (1..=WHOLE).contains(weight));
        if !is_model_name(name) {
            return Err(RoutingFault::Name);
        }
        Ok(Self { name: name.to_owned(), weight: weight.ok_or(RoutingFault::Weight)? })
    }
}

impl RoutingSettings {
    /// Returns the name of the shadow model; `None` if there is none. An empty text counts as none.
    #[must_use]
    pub fn shadow(&self) -> Option<&str> {
        self.shadow.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }

    /// Checks the section alone and with the model servers' names.
    pub(super) fn check(&self, vllm: &Vllm) -> Result<(), RoutingFault> {
        let mut seen = BTreeSet::new();
        for ModelWeight { name, .. } in &self.models {
            if *name == vllm.model {
                return Err(RoutingFault::PublicName(name.clone()));
            }
            if !seen.insert(name.as_str()) {
                return Err(RoutingFault::Twice(name.clone()));
            }
        }
        let sum = self.models.iter().map(|model| u32::from(model.weight)).sum();
        if !self.models.is_empty() && sum != u32::from(WHOLE) {
            return Err(RoutingFault::Sum(sum));
        }
        let Some(shadow) = self.shadow() else { return Ok(()) };
        let is_public = self.models.is_empty() && shadow == vllm.model;
        if !(is_public || seen.contains(shadow) || vllm.models.iter().any(|name| name == shadow)) {
            return Err(RoutingFault::UnknownShadow(shadow.to_owned()));
        }
        if !(1..=WHOLE).contains(&self.shadow_percent) {
            return Err(RoutingFault::ShadowPercent);
        }
        Ok(())
    }
}

fn is_model_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@/:".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_allowed) && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_a_name_and_a_whole_number() {
        for (text, expected) in [
            ("medical-ie@0123abcd=90", Ok(("medical-ie@0123abcd", 90))),
            (" a = 1 ", Ok(("a", 1))),
            ("owner/model:v1.2=100", Ok(("owner/model:v1.2", 100))),
            ("a", Err(RoutingFault::Weight)),
            ("a=", Err(RoutingFault::Weight)),
            ("a=0", Err(RoutingFault::Weight)),
            ("a=101", Err(RoutingFault::Weight)),
            ("a=+5", Err(RoutingFault::Weight)),
            ("a=9.5", Err(RoutingFault::Weight)),
            ("a=90%", Err(RoutingFault::Weight)),
            ("=90", Err(RoutingFault::Name)),
            ("a b=90", Err(RoutingFault::Name)),
            ("../x=90", Err(RoutingFault::Name)),
            ("a\u{e9}=90", Err(RoutingFault::Name)),
        ] {
            let parsed = text.parse::<ModelWeight>();
            let expected = expected.map(|(name, weight)| ModelWeight { name: name.to_owned(), weight });
            assert_eq!(parsed, expected, "{text}");
        }
        assert!(format!("{}=1", "x".repeat(129)).parse::<ModelWeight>().is_err());
    }
}
