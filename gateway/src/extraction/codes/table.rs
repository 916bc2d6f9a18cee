//! The codes of the operator's files, which hold systems that the gateway may not ship.
//!
//! A value gets a code if the whole value is a wording of the files after [`key`]; nothing is matched by similarity.
//! The wordings are sorted, so a search compares about twenty of a million.

use std::{fmt, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::bounds::LONGEST_VALUE,
    code::{Code, CodeBasis, CodeSystem},
    fold::key,
};

/// A file of codes that the operator gave to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CodeFile {
    /// The name of the file, without its folder.
    #[schema(example = "snomed.csv")]
    pub name: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
}

/// The codes of the operator's files.
pub(crate) struct CodeTable {
    pub(super) files: Arc<[CodeFile]>,
    pub(super) systems: Vec<Arc<str>>,
    /// The key, code and display of each entry.
    pub(super) text: String,
    /// Sorted by key, then by system; each pair once.
    pub(super) entries: Vec<Entry>,
}

/// A wording with its code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where its key begins in the text; its code and its display follow.
    pub(super) start: u32,
    /// The bytes of the key, of the code and of the display.
    pub(super) key: u16,
    pub(super) code: u16,
    pub(super) display: u16,
    /// The number of its system.
    pub(super) system: u8,
    pub(super) is_exact: bool,
}

impl Entry {
    /// Returns the key, the code and the display.
    pub(super) fn parts(self, text: &str) -> [&str; 3] {
        let start = self.start as usize;
        let [key, code] = [start + usize::from(self.key), start + usize::from(self.key) + usize::from(self.code)];
        let part = |from, to| text.get(from..to).unwrap_or_default();
        [part(start, key), part(key, code), part(code, code + usize::from(self.display))]
    }

    pub(super) fn key(self, text: &str) -> &str {
        let [key, ..] = self.parts(text);
        key
    }
}

impl CodeTable {
    /// Returns the files, in the order of the setting.
    pub(crate) fn files(&self) -> &Arc<[CodeFile]> {
        &self.files
    }

    /// Returns the codes of a value, at most one of each system. The systems are in the order of the files.
    pub(super) fn codes(&self, value: &str) -> Vec<Code> {
        if value.len() > LONGEST_VALUE {
            return Vec::new();
        }
        let wanted = key(value);
        let first = self.entries.partition_point(|entry| entry.key(&self.text) < wanted.as_str());
        let found = self.entries.get(first..).into_iter().flatten();
        found.take_while(|entry| entry.key(&self.text) == wanted).filter_map(|entry| self.code(*entry)).collect()
    }

    fn code(&self, entry: Entry) -> Option<Code> {
        let [_, code, display] = entry.parts(&self.text);
        Some(Code {
            system: CodeSystem::Operator(Arc::clone(self.systems.get(usize::from(entry.system))?)),
            code: code.to_owned(),
            display: display.to_owned(),
            basis: if entry.is_exact { CodeBasis::Exact } else { CodeBasis::Synonym },
        })
    }
}

impl fmt::Debug for CodeTable {
    /// Shows numbers only: a licence may forbid printing the rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeTable")
            .field("files", &self.files)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}
