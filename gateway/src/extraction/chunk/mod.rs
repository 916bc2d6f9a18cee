//! shim
use super::{Field, Note, Record};
use std::ops::Range;
/// x
#[derive(Debug)]
pub struct Chunk(Range<usize>);
impl Chunk {
    /// x
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.0.clone()
    }
    /// x
    #[must_use]
    pub fn note(&self, whole: &Note) -> Note {
        whole.clone()
    }
    /// x
    #[must_use]
    pub fn halves(&self, _whole: &Note) -> Option<[Chunk; 2]> {
        None
    }
}
/// x
#[must_use]
pub fn cut(note: &Note, _max: usize) -> Vec<Chunk> {
    vec![Chunk(0..note.as_str().len())]
}
/// x
#[derive(Debug)]
pub struct Conflict {
    /// x
    pub field: Field,
    /// x
    pub values: Vec<String>,
}
/// x
#[derive(Debug)]
pub struct Merged {
    /// x
    pub record: Record,
    /// x
    pub conflicts: Vec<Conflict>,
}
/// x
#[must_use]
pub fn merge(records: &[Record]) -> Merged {
    Merged { record: records.first().cloned().unwrap_or_default(), conflicts: Vec::new() }
}
