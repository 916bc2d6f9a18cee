//! The operations and the plan that an operator reads and approves.

use super::{AutostopStep, LockHolder};
use crate::script::{Autostop, Deploy, ExpectedRelease, KeyChange, ModelChange, Service};

/// An operation that changes something.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Start the box if needed, deploy, verify.
    Up {
        /// What to deploy.
        deploy: Box<Deploy>,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
        /// What to do with the idle stop afterwards.
        autostop: AutostopStep,
    },
    /// Go back to an earlier release.
    Rollback {
        /// The release's number; `None`: the last good one.
        to: Option<u32>,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
    },
    /// Stop the services and the box.
    Down {
        /// Let running work end first.
        drain: bool,
    },
    /// Restart a service.
    Restart {
        /// The service; `None`: both services.
        service: Option<Service>,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
    },
    /// Change the idle stop.
    Autostop(Autostop),
    /// Change the API keys.
    Keys {
        /// The change on the host; `None`: nothing to change there.
        change: Option<KeyChange>,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
    },
    /// Let other models answer for the public name.
    Models {
        /// The change on the host.
        change: ModelChange,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
    },
    /// Bring the images and models of a release to the host, and switch nothing.
    Download {
        /// The release.
        deploy: Box<Deploy>,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
    },
    /// Remove images, and models, that no kept release needs.
    Prune {
        /// Whether to remove models as well as images.
        models: bool,
        /// The identifier of the list that the operator approved.
        list: String,
        /// The state of the host that the plan assumes.
        expect: ExpectedRelease,
    },
    /// Release the operators' lock of another run.
    Unlock {
        /// The only holder that the lock may be taken from.
        holder: Option<LockHolder>,
    },
}

impl Operation {
    /// Returns the command's name, which the lock stores as the holder's action.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up { .. } => "up",
            Self::Rollback { .. } => "rollback",
            Self::Down { .. } => "down",
            Self::Restart { .. } => "restart",
            Self::Autostop(_) => "autostop",
            Self::Keys { .. } => "keys",
            Self::Models { .. } => "model",
            Self::Download { .. } => "download",
            Self::Prune { .. } => "prune",
            Self::Unlock { .. } => "unlock",
        }
    }
}

/// An operation and its description.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The operation.
    pub operation: Operation,
    /// The description for the operator, line by line.
    pub lines: Vec<String>,
}
