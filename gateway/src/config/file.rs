//! Reads the settings file. A file that exists but cannot be read stops the start. Only a missing file is ignored, and
//! only if it is optional.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use config::{ConfigError, FileFormat, Format, Map, Source, Value};

use super::error::SettingsError;
use crate::files;

/// The text of a settings file, and its path for error messages.
#[derive(Clone, Debug)]
pub(super) struct SettingsText {
    file: PathBuf,
    text: String,
}

impl SettingsText {
    /// Reads a file within a time limit; returns `None` if it is missing and not required.
    pub(super) fn read(file: &Path, required: bool, within: Duration) -> Result<Option<Self>, SettingsError> {
        let path = file.to_owned();
        let read = files::with_timeout(within, move || {
            let missing = !required && is_missing(&path)?;
            if missing { Ok(None) } else { files::read(&path).and_then(files::to_text).map(Some) }
        });
        let text = read.flatten().map_err(|error| SettingsError::Unreadable { file: file.to_owned(), error })?;
        Ok(text.map(|text| Self { file: file.to_owned(), text }))
    }
}

impl Source for SettingsText {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let uri = self.file.display().to_string();
        let parsed = FileFormat::Toml.parse(Some(&uri), &self.text);
        parsed.map_err(|cause| ConfigError::FileParse { uri: Some(uri), cause })
    }
}

/// Returns whether a file is missing. A broken link in its path, or in place of the file, is an error instead.
fn is_missing(path: &Path) -> io::Result<bool> {
    let is_absent = |error: &io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    match std::fs::metadata(path) {
        Ok(_) => return Ok(false),
        Err(error) if !is_absent(&error) => return Err(error),
        Err(_) => {}
    }
    let broken = path.ancestors().any(|part| part.is_symlink() && part.metadata().is_err());
    if broken { Err(io::Error::new(ErrorKind::NotFound, "it is a link to a file that is missing")) } else { Ok(true) }
}
