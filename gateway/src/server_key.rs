//! The key that a server of models requires: for notes, for questions, for recordings. It comes from a file, so it is in no
//! environment variable, argument or log.

use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use reqwest::{
    RequestBuilder,
    header::{self, HeaderValue},
};

use crate::files;

/// Size limit of a key file, in bytes.
const LONGEST: usize = 4 << 10;

/// Errors of a key file that cannot be used. They contain nothing of its contents.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    /// The file cannot be read within [`files::READ_WITHIN`] or is not a regular file.
    #[error("{setting} {}: {error}", path.display())]
    Unreadable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: std::io::Error,
    },
    /// The file does not contain exactly one key.
    #[error("{0} {path}: it must hold one line of printable ASCII, the key alone", path = .1.display())]
    NoKey(&'static str, PathBuf),
}

/// The key of a server, and its file, which is read again when the operator asks for it.
#[derive(Debug)]
pub struct ServerKey {
    /// The setting that names the file.
    setting: &'static str,
    path: PathBuf,
    /// The value of the header `Authorization`. Its debug output is `Sensitive`.
    value: RwLock<HeaderValue>,
    /// Locked while the file is read again, so that concurrent reloads cannot store an older key last.
    reloading: tokio::sync::Mutex<()>,
}

impl ServerKey {
    /// Reads the key file that a setting names. It blocks the calling thread for at most [`files::READ_WITHIN`].
    pub fn read(setting: &'static str, path: &Path) -> Result<Self, ServerKeyError> {
        let thread_path = path.to_owned();
        let bytes = files::with_timeout(files::READ_WITHIN, move || contents(&thread_path)).flatten();
        let value = RwLock::new(bearer(setting, path, bytes)?);
        Ok(Self { setting, path: path.to_owned(), value, reloading: tokio::sync::Mutex::default() })
    }

    /// Returns the setting that names the file.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Reads the file again and uses its key for all later requests.
    ///
    /// The old key stays if the file cannot be used or cannot be read within [`files::READ_WITHIN`].
    pub async fn reload(&self) -> Result<(), ServerKeyError> {
        let _guard = self.reloading.lock().await;
        let thread_path = self.path.clone();
        let bytes = files::with_timeout_async(files::READ_WITHIN, move || contents(&thread_path)).await.flatten();
        let value = bearer(self.setting, &self.path, bytes)?;
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value;
        Ok(())
    }

    /// Returns the request with the current key.
    pub fn authorise(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(header::AUTHORIZATION, self.value.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    files::open_regular(path).and_then(files::read_from)
}

fn bearer(setting: &'static str, path: &Path, bytes: std::io::Result<Vec<u8>>) -> Result<HeaderValue, ServerKeyError> {
    let text = bytes.map_err(|error| ServerKeyError::Unreadable { setting, path: path.to_owned(), error })?;
    let key = text.trim_ascii();
    let is_key = !key.is_empty() && text.len() <= LONGEST && key.iter().all(u8::is_ascii_graphic);
    let value = [b"Bearer ", key].concat();
    let value = HeaderValue::from_bytes(&value).ok().filter(|_| is_key);
    let mut value = value.ok_or_else(|| ServerKeyError::NoKey(setting, path.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn value(key: &ServerKey) -> HeaderValue {
        key.value.read().unwrap().clone()
    }

    #[test]
    fn a_key_file_is_read_and_its_contents_are_never_shown() {
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
            let shown = format!("{:?}", ServerKey::read("vllm.api_key_file", &path));
            assert_eq!(shown.starts_with("Ok"), good, "{text}: {shown}");
            assert!(!shown.contains("made-up"), "{shown}");
        }
        fs::write(&path, "made-up-key\n").unwrap();
        assert_eq!(value(&ServerKey::read("vllm.api_key_file", &path).unwrap()), "Bearer made-up-key");
        assert!(
            ServerKey::read("vllm.api_key_file", folder.path()).unwrap_err().to_string().contains("not a regular file")
        );
        let nowhere = ServerKey::read("vllm.api_key_file", &folder.path().join("none")).unwrap_err().to_string();
        assert!(nowhere.contains("vllm.api_key_file") && nowhere.contains("none"), "{nowhere}");
    }
    #[tokio::test]
    async fn a_file_that_cannot_be_used_leaves_the_key_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "made-up-first").unwrap();
        let key = ServerKey::read("vllm.api_key_file", &path).unwrap();
        let breakages: [fn(&Path); 3] = [
            |path| fs::write(path, "made-up two\n").unwrap(),
            |path| fs::remove_file(path).unwrap(),
            files::tests::fifo,
        ];
        for break_file in breakages {
            break_file(&path);
            let message = key.reload().await.unwrap_err().to_string();
            assert!(message.contains("vllm.api_key_file") && !message.contains("made-up"), "{message}");
            assert_eq!(value(&key), "Bearer made-up-first");
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, "made-up-second").unwrap();
        key.reload().await.unwrap();
        assert_eq!(value(&key), "Bearer made-up-second");
    }
}
