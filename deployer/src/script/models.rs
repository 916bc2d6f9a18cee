//! The models that answer for the public name: the query and the change that go to the host, and its report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What answers for the public name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The models in the release's own settings.
    Configured,
    /// The rules engine: no model is asked.
    Rules,
    /// Models with their shares, as words `NAME@REV8=PERCENT` that sum to 100.
    Models(String),
}

impl Route {
    /// Parses what the host reported. Any other text counts as models that the host does not serve.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "configured" => Self::Configured,
            "rules" => Self::Rules,
            words => Self::Models(words.to_owned()),
        }
    }

    /// Returns the form that the host reads.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Configured => "configured",
            Self::Rules => "rules",
            Self::Models(words) => words,
        }
    }
}

/// For the operator: the only model of a route has no share.
impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => out.write_str("what the configuration says"),
            Self::Rules => out.write_str("the rules"),
            Self::Models(words) => out.write_str(&words.replace("=100", "")),
        }
    }
}

/// An action on the models that answer for the public name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Models {
    /// List what is served and what answers. Changes nothing.
    List,
    /// Let others answer.
    Change(ModelChange),
}

/// How a change of models came about, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelChangeKind {
    /// `model use`.
    Use,
    /// `model rules`.
    Rules,
    /// `model rollback`.
    Rollback,
}

impl ModelChangeKind {
    /// Returns its name on the host.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Rules => "rules",
            Self::Rollback => "rollback",
        }
    }
}

/// A change of the models that answer for the public name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChange {
    /// How it came about.
    pub kind: ModelChangeKind,
    /// What answers afterwards.
    pub route: Route,
    /// What answered when the change was planned.
    pub before: Route,
    /// The scores of its evaluation: `NAME=F1 NAME=F1 difference=D low=L high=H notes=N`; empty without an evaluation.
    pub scores: String,
}

/// The facts of `Models`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ModelsFound {
    /// What answers in the current release: `configured`, `rules`, or words NAME=PERCENT.
    pub route: String,
    /// What was chosen last. It differs from `route` if the current release lacks a chosen model.
    pub chosen: String,
    /// The models of that route, as words NAME=PERCENT; empty if the public name is itself the name of a model.
    pub words: String,
    /// What `model rollback` returns to; empty if there is nothing.
    pub former: String,
    /// The target of an interrupted change; empty if there is none.
    pub changing: String,
    /// The public name.
    pub served_name: String,
    /// Whether the release's settings have the line with the weights.
    pub movable: bool,
    /// `NAME SOURCE yes/no/unknown`, one for each adapter of the release: whether the model server lists it.
    pub adapters: Vec<String>,
    /// The last lines of the record, oldest first.
    pub history: Vec<String>,
}

/// A line of the record of models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelsEntry {
    /// When it was written, in seconds since 1970.
    pub at: u64,
    /// `use`, `rules`, `rollback`, or `release`: a rollback to a release that lacks the chosen model.
    pub action: String,
    /// What has answered since.
    pub route: String,
    /// What answered before.
    pub from: String,
    /// The scores of its evaluation; empty without one.
    pub scores: String,
    /// The operator.
    pub operator: String,
}

impl ModelsFound {
    /// Returns the record, oldest first, without lines that cannot be read.
    #[must_use]
    pub fn entries(&self) -> Vec<ModelsEntry> {
        self.history.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns the names of the adapters, each with its source and whether the model server lists it (`None`: it did
    /// not answer).
    #[must_use]
    pub fn adapters(&self) -> Vec<(&str, &str, Option<bool>)> {
        let parse = |line: &'_ String| -> Option<(usize, usize)> {
            let first = line.find(' ')?;
            Some((first, line.rfind(' ').filter(|last| *last > first)?))
        };
        self.adapters
            .iter()
            .filter_map(|line| {
                let (first, last) = parse(line)?;
                let served = match line.get(last + 1..)? {
                    "yes" => Some(true),
                    "no" => Some(false),
                    _ => None,
                };
                Some((line.get(..first)?, line.get(first + 1..last)?, served))
            })
            .collect()
    }
}
