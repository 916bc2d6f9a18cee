//! An append-only file of lines that is rotated at a given size.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The file and its older versions `PATH.1`, `PATH.2` and so on, the newest first.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    /// The size in bytes that a file reaches before a new one is started.
    max_bytes: u64,
    /// Number of older files to keep.
    keep: usize,
    file: File,
    size: u64,
    /// Whether the last line may be incomplete.
    incomplete: bool,
    /// Whether the last rotation failed.
    rotation_failed: bool,
}

impl RotatedFile {
    pub(super) fn open(path: PathBuf, max_bytes: u64, keep: usize) -> io::Result<Self> {
        let (file, size) = open_to_append(&path)?;
        Ok(Self { path, max_bytes, keep, file, size, incomplete: false, rotation_failed: false })
    }

    /// Appends one whole line, which must end in a line break.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.max_bytes {
            // After a failed rotation the file grows further, because a large file is better than lost lines.
            match self.rotate() {
                Ok(()) => self.rotation_failed = false,
                Err(error) if !self.rotation_failed => {
                    self.rotation_failed = true;
                    tracing::error!(%error, "the audit file cannot be rotated: it keeps growing");
                }
                Err(_) => {}
            }
        }
        if self.incomplete {
            // A line that is incomplete because the disk was full stays on its own line, so that readers recognise it
            // as incomplete.
            self.write(b"\n")?;
            self.incomplete = false;
        }
        self.write(line)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            match self.file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.size += count as u64;
                    left = left.get(count..).unwrap_or_default();
                    self.incomplete = !left.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        // If another program or an earlier attempt has moved the file, it only has to be opened again.
        if self.path.exists() {
            for number in (1..self.keep).rev() {
                let (from, to) = (numbered(&self.path, number), numbered(&self.path, number + 1));
                if from.exists() {
                    fs::rename(from, to)?;
                }
            }
            if self.keep == 0 {
                fs::remove_file(&self.path)?;
            } else {
                fs::rename(&self.path, numbered(&self.path, 1))?;
            }
        }
        (self.file, self.size) = open_to_append(&self.path)?;
        self.incomplete = false;
        Ok(())
    }
}

/// Opens a file for appending, creates it if necessary, and returns it with its size in bytes.
fn open_to_append(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Other users of the host must not read which client asked what and when.
        options.mode(0o600);
    }
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

pub(super) fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_and_the_oldest_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = RotatedFile::open(path.clone(), 10, 2).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "five and more than ten\n", "six\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let found = (read(&path), read(&numbered(&path, 1)), read(&numbered(&path, 2)), read(&numbered(&path, 3)));
        assert_eq!(found, ("six\n".into(), "five and more than ten\n".into(), "four\n".into(), String::new()));
        let mut again = RotatedFile::open(path.clone(), 10, 0).unwrap();
        again.append(b"7\n").unwrap();
        assert_eq!(read(&path), "six\n7\n");
        again.append(b"a long one\n").unwrap();
        let found = (read(&path), read(&numbered(&path, 1)));
        assert_eq!(found, ("a long one\n".into(), "five and more than ten\n".into()));
        // After another program has moved the file, a new one is started and no other file is moved.
        fs::rename(&path, folder.path().join("taken")).unwrap();
        let mut moved = RotatedFile::open(path.clone(), 10, 2).unwrap();
        moved.append(b"a long line\n").unwrap();
        fs::rename(&path, folder.path().join("taken again")).unwrap();
        moved.append(b"next\n").unwrap();
        assert_eq!((read(&path), read(&numbered(&path, 1))), ("next\n".into(), "five and more than ten\n".into()));
    }
}
