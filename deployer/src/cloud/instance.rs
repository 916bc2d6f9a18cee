//! The properties of an EC2 instance.

use std::fmt;

/// Its life cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Running.
    Running,
    /// Stopping.
    Stopping,
    /// Stopped; only its disk costs money.
    Stopped,
    /// Being terminated.
    ShuttingDown,
    /// Terminated permanently.
    Terminated,
    /// A state that this program does not know.
    Unknown(String),
}

impl fmt::Display for InstanceState {
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
    pub state: InstanceState,
    /// Why it is in that state, in AWS' words: `Server.InsufficientInstanceCapacity: ...`.
    pub reason: Option<String>,
    /// Such as `g6.2xlarge`.
    pub kind: String,
    /// The id of its image: `ami-...`
    pub image: String,
    /// Its zone.
    pub zone: String,
    /// The id of its network: `vpc-...`
    pub vpc: String,
    /// The id of its root disk: `vol-...`
    pub disk: String,
    /// Its public address, while it runs.
    pub address: Option<String>,
    /// Its address in its network, which it keeps when it stops.
    pub private_address: Option<String>,
    /// Whether the address is an Elastic IP, which it keeps when it stops.
    pub elastic: bool,
    /// When it was started, in seconds since 1970.
    pub launched: Option<i64>,
    /// Its instance profile.
    pub profile: Option<String>,
    /// Its security groups.
    pub groups: Vec<String>,
}

/// The result of EC2's status checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChecks {
    /// Both passed.
    Passed,
    /// Not known yet.
    Initializing,
    /// The hardware or the system does not answer.
    Impaired,
}

/// The state of the Systems Manager agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Connected.
    Online,
    /// It was connected, but is not now.
    Lost,
    /// It was never connected.
    Absent,
}

/// One inbound rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// First port; `None`: all.
    pub from: Option<i32>,
    /// Last port.
    pub to: Option<i32>,
    /// `tcp`, `udp`, ...; `-1`: all.
    pub protocol: String,
    /// The allowed source: a network, another group, or a list of networks (`pl-...`).
    pub source: String,
}
