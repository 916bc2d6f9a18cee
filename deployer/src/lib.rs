//! What the `deployer` command is made of.

pub mod script;
