//! `gateway hash-key`: prints the line of the key file for an API key.

use std::io::IsTerminal;

use gateway::access;

use super::output::{self, CommandResult};

/// Reads the key from standard input, or makes a new one if standard input is a terminal.
pub(super) fn run(name: &str) -> CommandResult {
    let key = if std::io::stdin().is_terminal() {
        let key = access::new_key()?;
        eprintln!("The key of {name}, which is shown only once:\n{key}\nThe line for the key file:");
        key
    } else {
        let key = std::io::read_to_string(std::io::stdin())?.trim().to_owned();
        if key.is_empty() {
            return Err(
                "standard input is empty: send the key to it, or run the command on a terminal, where it makes a \
                        key (docker run needs -i, and -t for a terminal)"
                    .into(),
            );
        }
        key
    };
    output::print(&access::line_for(name, &key)?)
}
