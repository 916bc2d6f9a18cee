//! The labels of the metrics. Their values are closed sets and never contain text from a caller.

use std::collections::BTreeSet;

use prometheus_client::encoding::EncodeLabelSet;

use crate::extraction::EngineName;

/// A route's name in metrics and logs: its template, never the path of a request.
pub type Route = &'static str;

/// Declares an enum whose members are the values of a label. `ALL` has every member by construction, so that every
/// series exists from the start.
macro_rules! label_values {
    ($(#[doc = $about:literal])+ $visibility:vis enum $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $value:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $value,)+ }
            }
        }
    };
}

label_values! {
    /// Outcome of a call to a model server.
    pub enum Attempt {
        /// Status 200 with a complete answer.
        Answered = "answered",
        /// No connection, or a connection that was reset before the first byte of an answer.
        Unreachable = "unreachable",
        /// Status 4xx other than 429.
        Rejected = "rejected",
        /// Status 429.
        Overloaded = "overloaded",
        /// Status 503.
        Busy = "busy",
        /// Another status, or an incomplete or unusable answer.
        Failed = "failed",
        /// The deadline passed before the answer was complete.
        Late = "late",
    }
}

label_values! {
    /// Why a request was refused because of its key.
    pub enum AuthFailure {
        /// The request has no key.
        NoKey = "no_key",
        /// The key is unknown, or is in a place where keys are not accepted.
        UnknownKey = "unknown_key",
        /// The key lacks the scope of the route.
        Scope = "scope",
    }
}

label_values! {
    /// The outcome of a note of a key with a budget.
    pub enum BudgetOutcome {
        /// It was read.
        Counted = "counted",
        /// It was not read.
        GivenBack = "given_back",
        /// The budget was used up.
        Refused = "refused",
    }
}

label_values! {
    /// The outcome of a record without a value.
    pub(super) enum EmptyRecordOutcome {
        /// It was answered.
        Answered = "answered",
        /// It was answered with a warning.
        Doubted = "doubted",
        /// It was refused, because the engine's output contained more than it.
        Refused = "refused",
    }
}

label_values! {
    /// The result of a lookup in the response cache.
    pub(super) enum CacheLookup {
        /// The answer was in the cache.
        Hit = "hit",
        /// It was not.
        Miss = "miss",
    }
}

label_values! {
    /// The outcome of a note that a model read.
    pub(super) enum ModelOutcome {
        /// The record has a value.
        Answered = "answered",
        /// The record has none.
        Empty = "empty",
        /// There is no answer of the model.
        Failed = "failed",
    }
}

label_values! {
    /// The outcome of a note of the shadow model's sample.
    pub enum ShadowOutcome {
        /// The shadow model read it, and its record was compared with the answer's.
        Compared = "compared",
        /// The shadow model failed.
        Failed = "failed",
        /// There was no room for it, or a caller needed the room.
        Dropped = "dropped",
    }
}

label_values! {
    /// Whose values of a note are counted.
    pub enum Reader {
        /// Those of the answer.
        Answer = "answer",
        /// Those of the shadow model.
        Shadow = "shadow",
    }
}

label_values! {
    /// The kinds of tokens that a model server counts.
    pub(super) enum TokenKind {
        /// Tokens of the prompt, the note included.
        Prompt = "prompt",
        /// Tokens of the answer.
        Answer = "answer",
    }
}

/// Label values that come from the routes and the settings. Each of their series exists from the start.
#[derive(Clone, Debug)]
pub struct KnownLabels {
    /// The answers that requests may get: route, status, and `ok` or an error code.
    pub requests: Vec<(Route, u16, &'static str)>,
    /// The results that notes may have: route, and `ok` or an error code.
    pub notes: Vec<(Route, &'static str)>,
    /// The names of the models that requests may name.
    pub models: Vec<String>,
    /// The engine that reads notes.
    pub engine: EngineName,
}

impl KnownLabels {
    /// Returns the routes that read notes.
    pub(super) fn note_routes(&self) -> impl Iterator<Item = Route> {
        let routes: BTreeSet<Route> = self.notes.iter().map(|&(route, _)| route).collect();
        routes.into_iter()
    }

    /// Returns the status with which a route that reads notes succeeds: 202 for one that reads them later.
    pub(super) fn success(&self, of: Route) -> u16 {
        let ok = self.requests.iter().filter(|&&(route, _, code)| route == of && code == "ok");
        ok.map(|&(_, status, _)| status).max().unwrap_or(200)
    }

    /// Returns all routes.
    pub(super) fn routes(&self) -> impl Iterator<Item = Route> {
        let routes: BTreeSet<Route> = self.requests.iter().map(|&(route, ..)| route).collect();
        routes.into_iter()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) route: Route,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct NoteLabels {
    pub(super) route: Route,
    pub(super) code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    pub(super) route: Route,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabels {
    pub(super) stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EmptyRecordLabels {
    pub(super) engine: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RepairLabels {
    pub(super) kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ValueLabels {
    pub(super) field: &'static str,
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReplicaLabels {
    pub(super) replica: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReplicaStateLabels {
    pub(super) replica: String,
    pub(super) state: &'static str,
}

/// The labels of OpenTelemetry's `http.server.request.duration`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the names of the labels")]
pub(super) struct ServerRequestLabels {
    pub(super) http_request_method: &'static str,
    pub(super) http_route: Route,
    pub(super) http_response_status_code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TokenLabels {
    pub(super) model: String,
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub(super) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) version: &'static str,
    pub(super) engine: &'static str,
}
