//! Watches a gateway, or the box with its gateway: figures with their age, alerts, notices. It changes nothing on the
//! box and sends no note. Only `gateway`, `box_source`, `channels`, `alert_config` and `drawer` do I/O.

pub mod alert_config;
pub mod alerts;
pub mod box_source;
pub mod channels;
pub mod drawer;
pub mod exposition;
pub mod figures;
pub mod gateway;
pub mod histogram;
pub mod judge;
pub mod rules;
pub mod sample;
pub mod screen;
pub mod snapshot;
pub mod text;
pub mod watch;

#[cfg(test)]
mod testing;

pub use alert_config::AlertConfig;
pub use channels::{Channels, Message};
pub use drawer::Drawer;
pub use snapshot::{Reading, Snapshot, schema};
pub use watch::{Update, Watch};

/// The most characters of a name or a message of the gateway that are shown.
const LONGEST: usize = 80;

/// Returns a text of the gateway without control characters, which could change the terminal's state.
fn plain(text: &str) -> String {
    text.chars().take(LONGEST).map(|character| if character.is_control() { '?' } else { character }).collect()
}
