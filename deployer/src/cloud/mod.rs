//! The ports to the world: what `apply` and the commands need of an account and of a host. No AWS type is named here.
#![allow(async_fn_in_trait, reason = "the deployer runs on one thread; no future has to be Send")]

mod error;
mod instance;

pub use error::{CloudError, CloudErrorKind};
pub(crate) use error::{NO_CREDENTIALS, NO_ROLE, quota_hint};
pub use instance::{Agent, Checks, Ingress, Instance, State};

use crate::{script::Script, secret::Secret};

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The user or role.
    pub arn: String,
}

/// An account in one region.
pub trait Cloud {
    /// Loads the credentials again from where they come: somebody may have logged in since.
    async fn renew(&self);
    /// What a person has to be asked before that helps: a code of a second factor. `None`: nothing.
    fn code_question(&self) -> Option<String>;
    /// Makes a new session with the code that was asked for.
    async fn renew_with(&self, code: &str) -> Result<(), CloudError>;
    /// Whose credentials are these?
    async fn identity(&self) -> Result<Identity, CloudError>;
    /// An instance; an id that is not there is [`CloudErrorKind::NotFound`].
    async fn instance(&self, id: &str) -> Result<Instance, CloudError>;
    /// EC2's own checks of it.
    async fn checks(&self, id: &str) -> Result<Checks, CloudError>;
    /// Starts it.
    async fn start(&self, id: &str) -> Result<(), CloudError>;
    /// Stops it.
    async fn stop(&self, id: &str) -> Result<(), CloudError>;
    /// Does its Systems Manager agent answer?
    async fn agent(&self, id: &str) -> Result<Agent, CloudError>;
    /// The zones of the region that offer a type of instance, in order.
    async fn zones_with(&self, kind: &str) -> Result<Vec<String>, CloudError>;
    /// How large a disk is, GiB.
    async fn disk_gib(&self, volume: &str) -> Result<u32, CloudError>;
    /// Does EC2 refuse to terminate it until a person allows that?
    async fn termination_protected(&self, id: &str) -> Result<bool, CloudError>;
    /// What its security groups let in.
    async fn ingress(&self, groups: &[String]) -> Result<Vec<Ingress>, CloudError>;
    /// A plain parameter; a `SecureString` is refused. `None`: not there.
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError>;
    /// Writes a parameter, new or not.
    async fn put_parameter(&self, name: &str, value: &str) -> Result<(), CloudError>;
    /// Writes it only where none is; `false`: one is there.
    async fn put_new_parameter(&self, name: &str, value: &str) -> Result<bool, CloudError>;
    /// Removes a parameter; one that is not there is fine.
    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError>;
    /// Is a secret there? Its value is never read from here.
    async fn has_secret(&self, id: &str) -> Result<bool, CloudError>;
    /// Makes a secret.
    async fn create_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError>;
    /// Gives a secret that is there a new value.
    async fn replace_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError>;
}

/// A command that was sent to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandId(pub String);

/// How far a command is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not on the host yet.
    Waiting,
    /// It runs; also every state that this program does not know.
    Running,
    /// It was told to stop.
    Cancelling,
    /// It ended by itself, with this exit code.
    Ended(i32),
    /// It was killed: cancelled.
    Cancelled,
    /// It was killed: over its time.
    TimedOut,
    /// It never reached the host, and will not.
    NotDelivered(String),
}

/// A look at a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// How far it is.
    pub progress: Progress,
    /// Its output; empty until it ends.
    pub stdout: String,
    /// What the host's agent says beside it.
    pub stderr: String,
}

/// A session of Session Manager that forwards a local port to one of the host. Whoever knows its token may use it.
pub struct Session {
    /// Its name, for the account.
    pub id: String,
    /// What AWS answered, as JSON, for the plug-in: with the token.
    pub answer: Secret,
    /// What AWS was asked, as JSON.
    pub request: String,
    /// Where.
    pub region: String,
    /// The address of Systems Manager.
    pub endpoint: String,
}

/// One host to whose ports sessions can be opened.
pub trait Sessions {
    /// Opens one from port `local` of this machine, which the plug-in then listens on, to `port` of the host's loopback.
    async fn open_session(&self, port: u16, local: u16, reason: &str) -> Result<Session, CloudError>;
    /// Ends it; one that has ended is fine.
    async fn end_session(&self, id: &str) -> Result<(), CloudError>;
}

/// One host that runs scripts.
pub trait Host {
    /// The SHA-256 of each program that its document runs; `None`: the document runs any.
    async fn programs(&self) -> Result<Option<Vec<String>>, CloudError>;
    /// Sends a script, once; it is killed when it runs longer than `limit_seconds`. `name` says what it is, and is
    /// unique. [`CloudErrorKind::Network`]: it may have been sent all the same.
    async fn send(&self, script: &Script, name: &str, limit_seconds: u32) -> Result<CommandId, CloudError>;
    /// The command of this name. `None`: it is not to be seen, or not yet.
    async fn find(&self, name: &str) -> Result<Option<CommandId>, CloudError>;
    /// How far is it? [`CloudErrorKind::Race`]: not known there yet.
    async fn look(&self, id: &CommandId) -> Result<Invocation, CloudError>;
    /// Kills it.
    async fn cancel(&self, id: &CommandId) -> Result<(), CloudError>;
}
