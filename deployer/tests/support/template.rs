//! A host that was made once, of which each test gets a copy of its own: a first deploy takes bash a second.

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
};

use super::host::Host;

/// A host's files in memory, so that nothing is left in the file system when the tests end.
pub struct Template {
    folder: PathBuf,
    /// Folders come before their contents.
    entries: Vec<(PathBuf, Entry)>,
}

enum Entry {
    Folder { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Link { target: PathBuf },
}

impl Template {
    pub fn of(host: &Host) -> Self {
        let mut template = Self { folder: host.at(""), entries: Vec::new() };
        template.add(Path::new(""));
        template
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(self.folder.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let (name, path) = (folder.join(entry.file_name()), entry.path());
            let (kind, mode) = (entry.file_type().unwrap(), entry.metadata().unwrap().permissions().mode());
            if kind.is_symlink() {
                self.entries.push((name, Entry::Link { target: fs::read_link(path).unwrap() }));
            } else if kind.is_dir() {
                self.entries.push((name.clone(), Entry::Folder { mode }));
                self.add(&name);
            } else if mode & 0o111 == 0 {
                self.entries.push((name, Entry::File { mode, content: fs::read(path).unwrap() }));
            } else {
                // The scripts that made the host. Nothing else in it is a program: see `write_program`.
                assert!(name.to_string_lossy().starts_with("script-"), "{} is a program", name.display());
            }
        }
    }

    /// Makes a host that differs from the first only in its folder, whose path some of its files name.
    pub fn host(&self) -> Host {
        let host = Host::new();
        let (from, to) = (self.folder.as_os_str().as_bytes(), host.at(""));
        for (name, entry) in &self.entries {
            let path = host.at("").join(name);
            let mode = match entry {
                Entry::Link { target } => {
                    symlink(target, path).unwrap();
                    continue;
                }
                Entry::Folder { mode } => {
                    fs::create_dir_all(&path).unwrap();
                    mode
                }
                Entry::File { mode, content } => {
                    fs::write(&path, replaced(content, from, to.as_os_str().as_bytes())).unwrap();
                    mode
                }
            };
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        host
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut result, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        result.extend([&rest[..at], to].concat());
        rest = &rest[at + from.len()..];
    }
    result.extend(rest);
    result
}
