//! The channel `log_file`: appends one line of JSON for each notice.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use super::Message;

/// Returns an error unless the file can be appended to. Makes it if it does not exist.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    // A pipe without a reader would block the channel for ever.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(format!("notification_channels.log_file: {shown} is not a regular file"));
    }
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| format!("notification_channels.log_file: {shown} cannot be written: {error}"))
}

/// Appends a notice.
pub(super) async fn append(path: &Path, message: &Message) -> Result<(), String> {
    let line = serde_json::to_string(message).map_err(|error| error.to_string())?;
    let path: PathBuf = path.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        // In one call, so that two monitors with one file do not mix their lines.
        file.write_all(format!("{line}\n").as_bytes())
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the file cannot be written: {error}")),
        Err(_) => Err("the file could not be written".to_owned()),
    }
}
