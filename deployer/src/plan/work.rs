//! A plan that a person can read and say yes to.

use super::AutostopStep;
use crate::{
    apply::lock::LockHolder,
    script::{Autostop, Deploy, Expect, KeyChange, Service},
};

/// What changes something.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Start the box if needed, deploy, verify.
    Up {
        /// What.
        deploy: Box<Deploy>,
        /// What the plan was made on.
        expect: Expect,
        /// The idle stop, afterwards.
        autostop: AutostopStep,
    },
    /// Back to an earlier release.
    Rollback {
        /// Its number; `None`: the last good one.
        to: Option<u32>,
        /// What the plan was made on.
        expect: Expect,
    },
    /// Stop the services and the box.
    Down {
        /// Let running work end first.
        drain: bool,
    },
    /// Start a service again.
    Restart {
        /// `None`: both.
        service: Option<Service>,
        /// What the plan was made on.
        expect: Expect,
    },
    /// Change the idle stop.
    Autostop(Autostop),
    /// Change the API keys.
    Keys {
        /// On the host; `None`: there is nothing to change there.
        change: Option<KeyChange>,
        /// What the plan was made on.
        expect: Expect,
    },
    /// Remove what no kept release needs.
    Prune {
        /// Models as well as images.
        models: bool,
        /// The name of the list that was shown.
        list: String,
        /// What the plan was made on.
        expect: Expect,
    },
    /// Take the operators' lock.
    Unlock {
        /// From whom; from nobody else.
        holder: Option<LockHolder>,
    },
}

impl Operation {
    /// The command's name: the reason that stands in the lock.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up { .. } => "up",
            Self::Rollback { .. } => "rollback",
            Self::Down { .. } => "down",
            Self::Restart { .. } => "restart",
            Self::Autostop(_) => "autostop",
            Self::Keys { .. } => "keys",
            Self::Prune { .. } => "prune",
            Self::Unlock { .. } => "unlock",
        }
    }
}

/// Work, and what it means, line by line.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is to be done.
    pub work: Operation,
    /// What it means, for a person.
    pub lines: Vec<String>,
}
