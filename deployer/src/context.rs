//! The context of every command: the settings, the access to the account and the host, the console, and Ctrl-C.

use crate::{
    cloud::{Cloud, Host},
    config::{ConfigFile, Settings},
    console::Console,
    interrupt::Interrupt,
};

/// Access to both the account and the host.
pub trait Ports: Cloud + Host {}
impl<P: Cloud + Host> Ports for P {}

/// One deployment and the run of one command on it.
pub struct DeployContext<'a, P> {
    /// The configuration file, with its references unresolved.
    pub config_file: ConfigFile,
    /// The configuration with its references resolved.
    pub settings: Settings,
    /// The access to the account and the host.
    pub ports: P,
    /// The output to the operator.
    pub console: &'a Console,
    /// The receiver of Ctrl-C.
    pub interrupt: &'a Interrupt,
}
