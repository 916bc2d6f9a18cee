//! Reads the files of codes that the settings name, once at the start.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{
    config::CodesSettings,
    extraction::{CodeFile, CodeFileError, CodeTable, CodeTableBuilder},
    files,
};

/// Why the files of codes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CodeFilesError {
    /// A file cannot be read.
    #[error("codes.files: {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
    /// A file has a line or a size that is refused.
    #[error("codes.files: {0}")]
    Refused(#[from] CodeFileError),
}

/// Returns the codes of the files; `None` if the settings name no file. It blocks the thread while it reads.
pub(super) fn load(settings: &CodesSettings) -> Result<Option<Arc<CodeTable>>, CodeFilesError> {
    if settings.files.is_empty() {
        return Ok(None);
    }
    let mut builder = CodeTableBuilder::default();
    for path in &settings.files {
        let content = read(path).map_err(|cause| CodeFilesError::Unreadable { path: path.clone(), cause })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = CodeFile { name, sha256: sha256(&content) };
        let (name, sha256) = (file.name.clone(), file.sha256.clone());
        let rows = builder.add(path.display().to_string(), file, &content)?;
        tracing::info!(name, rows, sha256, "codes are read");
    }
    Ok(Some(Arc::new(builder.build()?)))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    let read = move || files::open_regular(&path).and_then(files::read_from);
    files::with_timeout(files::READ_WITHIN, read).flatten()
}

/// Returns the SHA-256 of bytes in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
