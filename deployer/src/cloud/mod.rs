//! The ports: what `apply` and the commands need of an account and of a host. No AWS type is named here.
#![allow(async_fn_in_trait, reason = "the deployer runs on one thread; no future has to be Send")]

mod error;
mod instance;

pub use error::{CloudError, CloudErrorKind};
pub(crate) use error::{NO_CREDENTIALS, NO_ROLE, quota_hint};
pub use instance::{AgentState, Ingress, Instance, InstanceState, StatusChecks};

use crate::{script::Script, secret::Secret};

/// The owner of the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's id.
    pub account: String,
    /// The ARN of the user or role.
    pub arn: String,
}

/// An account in one region.
pub trait Cloud {
    /// Loads the credentials again from their source, because the operator may have logged in in the meantime.
    async fn renew(&self);
    /// Returns the question for the code of a second factor that a renewal needs, or `None` if it needs no code.
    fn code_question(&self) -> Option<String>;
    /// Makes a new session with the code of the second factor.
    async fn renew_with(&self, code: &str) -> Result<(), CloudError>;
    /// Returns the owner of the credentials.
    async fn identity(&self) -> Result<Identity, CloudError>;
    /// Returns an instance. An unknown id is [`CloudErrorKind::NotFound`].
    async fn instance(&self, id: &str) -> Result<Instance, CloudError>;
    /// Returns the result of EC2's status checks of an instance.
    async fn checks(&self, id: &str) -> Result<StatusChecks, CloudError>;
    /// Starts an instance.
    async fn start(&self, id: &str) -> Result<(), CloudError>;
    /// Stops an instance.
    async fn stop(&self, id: &str) -> Result<(), CloudError>;
    /// Returns the state of an instance's Systems Manager agent.
    async fn agent(&self, id: &str) -> Result<AgentState, CloudError>;
    /// Returns the zones of the region that offer a type of instance, in order.
    async fn zones_with(&self, kind: &str) -> Result<Vec<String>, CloudError>;
    /// Returns the size of a disk in GiB.
    async fn disk_gib(&self, volume: &str) -> Result<u32, CloudError>;
    /// Returns whether EC2 refuses to terminate an instance until the operator allows it.
    async fn termination_protected(&self, id: &str) -> Result<bool, CloudError>;
    /// Returns the inbound rules of security groups.
    async fn ingress(&self, groups: &[String]) -> Result<Vec<Ingress>, CloudError>;
    /// Returns a plain parameter, or `None` if it does not exist. A `SecureString` is an error.
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError>;
    /// Writes a parameter, whether it exists or not.
    async fn put_parameter(&self, name: &str, value: &str) -> Result<(), CloudError>;
    /// Writes a parameter only if it does not exist. Returns `false` if it exists.
    async fn put_new_parameter(&self, name: &str, value: &str) -> Result<bool, CloudError>;
    /// Removes a parameter. A missing one is not an error.
    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError>;
    /// Returns whether a secret exists. The deployer never reads its value on this machine.
    async fn has_secret(&self, id: &str) -> Result<bool, CloudError>;
    /// Creates a secret.
    async fn create_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError>;
    /// Gives an existing secret a new value.
    async fn replace_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError>;
}

/// The id of a command that was sent to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandId(pub String);

/// The state of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandProgress {
    /// It is not on the host yet.
    Waiting,
    /// It runs. Also used for every state that this program does not know.
    Running,
    /// It is being cancelled.
    Cancelling,
    /// It ended by itself, with this exit code.
    Ended(i32),
    /// It was killed because it was cancelled.
    Cancelled,
    /// It was killed because it exceeded its time limit.
    TimedOut,
    /// It never reached the host, and will not. The text is AWS' reason.
    NotDelivered(String),
}

/// The state and the output of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The state of the command.
    pub progress: CommandProgress,
    /// Its output; empty until it ends.
    pub stdout: String,
    /// Its standard error, or a message of the host's agent.
    pub stderr: String,
}

/// A Session Manager session that forwards a local port to a port of the host. Its token is enough to use it.
pub struct Session {
    /// The session's id in the account.
    pub id: String,
    /// AWS' answer as JSON, for the plug-in. It contains the token.
    pub answer: Secret,
    /// The request to AWS as JSON.
    pub request: String,
    /// The region.
    pub region: String,
    /// The URL of Systems Manager.
    pub endpoint: String,
}

/// A host that accepts port-forwarding sessions.
pub trait Sessions {
    /// Opens a session from port `local` of this machine, on which the plug-in then listens, to `port` of the host's
    /// loopback.
    async fn open_session(&self, port: u16, local: u16, reason: &str) -> Result<Session, CloudError>;
    /// Ends a session. One that has already ended is not an error.
    async fn end_session(&self, id: &str) -> Result<(), CloudError>;
}

/// A host that runs scripts.
pub trait Host {
    /// Returns the SHA-256 of each program that the host's document runs, or `None` if it runs any program.
    async fn programs(&self) -> Result<Option<Vec<String>>, CloudError>;
    /// Sends a script once. `name` is unique and describes it. The script is killed if it runs longer than
    /// `limit_seconds`. After [`CloudErrorKind::Network`] the script may have been sent in spite of the error.
    async fn send(&self, script: &Script, name: &str, limit_seconds: u32) -> Result<CommandId, CloudError>;
    /// Returns the command of this name, or `None` if it is not visible, or not visible yet.
    async fn find(&self, name: &str) -> Result<Option<CommandId>, CloudError>;
    /// Returns the state of a command. [`CloudErrorKind::Race`]: AWS does not know it yet.
    async fn get_invocation(&self, id: &CommandId) -> Result<Invocation, CloudError>;
    /// Cancels a command, which kills it.
    async fn cancel(&self, id: &CommandId) -> Result<(), CloudError>;
}
