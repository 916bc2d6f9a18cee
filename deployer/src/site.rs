//! What every command works with: the settings, the way to the account and the host, the report, and Ctrl-C.

use crate::{
    cloud::{Cloud, Host},
    config::{ConfigFile, Settings},
    interrupt::Interrupt,
    report::Report,
};

/// A way to both the account and the host.
pub trait Ports: Cloud + Host {}
impl<P: Cloud + Host> Ports for P {}

/// One deployment, and one operator at work on it.
pub struct DeployContext<'a, P> {
    /// The configuration as it is written.
    pub written: ConfigFile,
    /// The configuration, resolved.
    pub settings: Settings,
    /// The account and the host.
    pub ports: P,
    /// What is printed.
    pub report: &'a Report,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
}
