//! A file of lines that is only appended to, and begun anew at a size.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The file, and its elders `PATH.1`, `PATH.2` and so on, the newest first.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    most: u64,
    keep: usize,
    file: File,
    size: u64,
    /// Whether the last line may be half written.
    torn: bool,
    /// Whether no new file could be begun.
    stuck: bool,
}

impl RotatedFile {
    pub(super) fn open(path: PathBuf, most: u64, keep: usize) -> io::Result<Self> {
        let (file, size) = appending(&path)?;
        Ok(Self { path, most, keep, file, size, torn: false, stuck: false })
    }

    /// Appends a whole line, which ends in a line break.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.most {
            // Better a file that is too large than lines that are lost.
            match self.rotate() {
                Ok(()) => self.stuck = false,
                Err(error) if !self.stuck => {
                    self.stuck = true;
                    tracing::error!(%error, "the audit file cannot be begun anew: it goes on growing");
                }
                Err(_) => {}
            }
        }
        if self.torn {
            // What a full disk cut off stays a line of its own, which no reader takes for a whole one.
            self.write(b"\n")?;
            self.torn = false;
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
                    self.torn = !left.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        // Another program may have moved it, or an attempt before this one: then there is only to open it anew.
        if self.path.exists() {
            for number in (1..self.keep).rev() {
                let (from, to) = (elder(&self.path, number), elder(&self.path, number + 1));
                if from.exists() {
                    fs::rename(from, to)?;
                }
            }
            if self.keep == 0 {
                fs::remove_file(&self.path)?;
            } else {
                fs::rename(&self.path, elder(&self.path, 1))?;
            }
        }
        (self.file, self.size) = appending(&self.path)?;
        self.torn = false;
        Ok(())
    }
}

fn appending(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Who asks what when is nobody else's business.
        options.mode(0o600);
    }
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn elder(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_begun_anew_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = RotatedFile::open(path.clone(), 10, 2).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "five and more than ten\n", "six\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let found = (read(&path), read(&elder(&path, 1)), read(&elder(&path, 2)), read(&elder(&path, 3)));
        assert_eq!(found, ("six\n".into(), "five and more than ten\n".into(), "four\n".into(), String::new()));
        let mut again = RotatedFile::open(path.clone(), 10, 0).unwrap();
        again.append(b"7\n").unwrap();
        assert_eq!(read(&path), "six\n7\n");
        again.append(b"a long one\n").unwrap();
        assert_eq!((read(&path), read(&elder(&path, 1))), ("a long one\n".into(), "five and more than ten\n".into()));
        // Moved away by another program: begun anew, and nothing else is moved.
        fs::rename(&path, folder.path().join("taken")).unwrap();
        let mut moved = RotatedFile::open(path.clone(), 10, 2).unwrap();
        moved.append(b"a long line\n").unwrap();
        fs::rename(&path, folder.path().join("taken again")).unwrap();
        moved.append(b"next\n").unwrap();
        assert_eq!((read(&path), read(&elder(&path, 1))), ("next\n".into(), "five and more than ten\n".into()));
    }
}
