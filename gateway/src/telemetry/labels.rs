//! What the metrics are told apart by. Closed sets: a label never holds a caller's word.

use prometheus_client::encoding::EncodeLabelSet;

/// A route as metrics and log name it: its template, never the path.
pub type Route = &'static str;

/// How a call to the model server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// 200, whole.
    Answered,
    /// No connection, or reset before a byte of an answer.
    Unreachable,
    /// 4xx.
    Rejected,
    /// 429.
    Overloaded,
    /// 503.
    Busy,
    /// Another status, or an answer that broke off.
    Failed,
    /// The deadline passed meanwhile.
    Late,
}

impl Attempt {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unreachable => "unreachable",
            Self::Rejected => "rejected",
            Self::Overloaded => "overloaded",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Late => "late",
        }
    }
}

/// Why a stranger was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthFailure {
    /// No key came with the request.
    NoKey,
    /// A key that is not known, or in a place where it may not stand.
    UnknownKey,
}

impl AuthFailure {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
        }
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
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EmptyRecordLabels {
    pub(super) engine: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Kind {
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
