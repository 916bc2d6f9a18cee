//! The key that a model server asks for, kept out of the environment, of arguments and of every log.

use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;

use crate::files;

/// Longest key file that is taken for one, in bytes.
const LONGEST: usize = 4 << 10;

/// Why a key file cannot be used. Nothing of what is in it is said.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    /// It cannot be read, is no regular file, or is not there within [`files::READ_WITHIN`].
    #[error("vllm.api_key_file {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It holds no key.
    #[error("vllm.api_key_file {}: it must hold one line of printable ASCII, the key alone", .0.display())]
    NoKey(PathBuf),
}

/// The value of `Authorization` with the key in a file. It prints as `Sensitive`.
pub fn bearer(path: &Path) -> Result<HeaderValue, ServerKeyError> {
    let theirs = path.to_owned();
    let read = files::in_time(files::READ_WITHIN, move || files::open_regular(&theirs).and_then(files::read_from));
    let text = read.flatten().map_err(|error| ServerKeyError::Unreadable { path: path.to_owned(), error })?;
    let key = text.trim_ascii();
    let is_key = !key.is_empty() && text.len() <= LONGEST && key.iter().all(u8::is_ascii_graphic);
    let value = [b"Bearer ", key].concat();
    let value = HeaderValue::from_bytes(&value).ok().filter(|_| is_key);
    let mut value = value.ok_or_else(|| ServerKeyError::NoKey(path.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_or_why_not_and_never_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (text, good) in [
            ("made-up-key", true),
            ("made-up-key\r\n", true),
            ("  made-up-key\n\n", true),
            ("", false),
            (" \n", false),
            ("made-up-key\nanother", false),
            ("made-up key", false),
            ("made-up-k\u{e9}y", false),
            (&*"made-up-key".repeat(1_000), false),
        ] {
            fs::write(&path, text).unwrap();
            let shown = format!("{:?}", bearer(&path));
            assert_eq!(shown.starts_with("Ok"), good, "{text}: {shown}");
            assert!(!shown.contains("made-up"), "{shown}");
        }
        fs::write(&path, "made-up-key\n").unwrap();
        assert_eq!(bearer(&path).unwrap(), "Bearer made-up-key");
        assert!(bearer(folder.path()).unwrap_err().to_string().contains("no regular file"));
        let nowhere = bearer(&folder.path().join("none")).unwrap_err().to_string();
        assert!(nowhere.contains("vllm.api_key_file") && nowhere.contains("none"), "{nowhere}");
    }
}
