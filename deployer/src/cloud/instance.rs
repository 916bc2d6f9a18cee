//! What is known of an instance.

use std::fmt;

/// Its life cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Starting.
    Pending,
    /// Running.
    Running,
    /// On its way to stopped.
    Stopping,
    /// Stopped; only its disk costs.
    Stopped,
    /// Going away for good.
    ShuttingDown,
    /// Gone for good.
    Terminated,
    /// A state that this program does not know.
    Unknown(String),
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Unknown(state) => state,
        })
    }
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `i-...`
    pub id: String,
    /// Its life cycle.
    pub state: State,
    /// Why it is in that state, in AWS' words: `Server.InsufficientInstanceCapacity: ...`.
    pub reason: Option<String>,
    /// Such as `g6.2xlarge`.
    pub kind: String,
    /// The image that it was made from: `ami-...`
    pub image: String,
    /// Its zone.
    pub zone: String,
    /// Its network: `vpc-...`
    pub vpc: String,
    /// Its root disk: `vol-...`
    pub disk: String,
    /// Where it can be reached, while it runs.
    pub address: Option<String>,
    /// The address stays over stops.
    pub elastic: bool,
    /// Since when it runs, in seconds since 1970.
    pub launched: Option<i64>,
    /// Its instance profile.
    pub profile: Option<String>,
    /// Its security groups.
    pub groups: Vec<String>,
}

/// EC2's own checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Both passed.
    Passed,
    /// Not known yet.
    Initializing,
    /// The hardware or the system does not answer.
    Impaired,
}

/// The agent of Systems Manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Connected.
    Online,
    /// It was connected once.
    Lost,
    /// Never seen.
    Absent,
}

/// One rule of a security group that lets something in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// First port; `None`: all.
    pub from: Option<i32>,
    /// Last port.
    pub to: Option<i32>,
    /// `tcp`, `udp`, ...; `-1`: all.
    pub protocol: String,
    /// From where: a network, another group, or a list of networks (`pl-...`).
    pub source: String,
}
