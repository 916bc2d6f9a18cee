//! Shards: the parts of one input that the tasks of an array job read, each into a file of its own.
//!
//! A note belongs to a shard by its position in the input, so that the shards of one input together are exactly the input,
//! whatever its format. A shard is written under a temporary name and gets its final name once it is whole.

mod arguments;
mod scheduler;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use self::arguments::ShardArguments;

/// One of the parts of an input: every `count`-th note, beginning with the note at position `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Maximum number of shards of one input. It is more than any scheduler's array has.
    const MAX: u64 = 4_000_000;

    /// Returns a shard, or why there is no such shard: `count` is 1 to 4,000,000, and `index` less than `count`.
    fn new(index: u64, count: u64) -> Result<Self, String> {
        if count == 0 || count > Self::MAX {
            return Err(format!("an input has 1 to {} shards, not {count}", Self::MAX));
        }
        if index >= count {
            let last = count - 1;
            return Err(format!("there is no shard {index}: shards count from 0, and the last of {count} is {last}"));
        }
        let short = |number: u64| u32::try_from(number).map_err(|_| "this number is too large".to_owned());
        Ok(Self { index: short(index)?, count: short(count)? })
    }

    /// Returns whether the note at this position of the input belongs to the shard.
    pub(super) fn has(self, position: u64) -> bool {
        position % u64::from(self.count) == u64::from(self.index)
    }

    /// Returns the share of the input's bytes that the shard has, about.
    pub(super) fn share(self, bytes: u64) -> u64 {
        bytes / u64::from(self.count)
    }

    /// Returns the name of the shard's results: `results-0003-of-0020.jsonl` for `results.jsonl`.
    pub(super) fn file(self, out: &Path) -> PathBuf {
        let mut name = OsString::from(out.file_stem().unwrap_or_default());
        name.push(format!("-{:04}-of-{:04}", self.index, self.count));
        if let Some(extension) = out.extension() {
            name.push(".");
            name.push(extension);
        }
        out.with_file_name(name)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        let numbers = value.split_once('/').and_then(|(index, count)| Some((number(index)?, number(count)?)));
        let Some((index, count)) = numbers else {
            return Err("give the shard and the number of shards, such as 0/20 for the first of 20".to_owned());
        };
        Self::new(index, count)
    }
}

/// Returns a number that consists of digits alone.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_an_index_below_the_number_of_shards() {
        for (value, expected) in [("0/1", (0, 1)), ("3/20", (3, 20)), ("007/0020", (7, 20))] {
            let (index, count) = expected;
            assert_eq!(value.parse(), Ok(Shard { index, count }), "{value}");
        }
        for (value, why) in [
            ("20/20", "shards count from 0, and the last of 20 is 19"),
            ("0/0", "an input has 1 to 4000000 shards, not 0"),
            ("0/4000001", "not 4000001"),
            ("", "such as 0/20"),
            ("3", "such as 0/20"),
            ("/20", "such as 0/20"),
            ("3/", "such as 0/20"),
            ("-1/20", "such as 0/20"),
            ("+1/20", "such as 0/20"),
            (" 1/20", "such as 0/20"),
            ("1/2/3", "such as 0/20"),
            ("99999999999999999999/2", "such as 0/20"),
        ] {
            let refusal = value.parse::<Shard>().unwrap_err();
            assert!(refusal.contains(why), "{value}: {refusal}");
        }
    }

    #[test]
    fn every_position_is_in_exactly_one_shard() {
        for count in [1, 2, 7, 20] {
            for position in 0..100 {
                let shards = (0..count).filter(|index| Shard { index: *index, count }.has(position)).count();
                assert_eq!(shards, 1, "{position} of {count}");
            }
        }
    }

    #[test]
    fn the_name_of_a_shard_keeps_folder_and_extension() {
        let shard = Shard { index: 3, count: 20 };
        for (out, expected) in [
            ("results.jsonl", "results-0003-of-0020.jsonl"),
            ("/data/a.b/results.v2.csv", "/data/a.b/results.v2-0003-of-0020.csv"),
            ("results", "results-0003-of-0020"),
        ] {
            assert_eq!(shard.file(Path::new(out)), Path::new(expected));
        }
        let many = Shard { index: 12_345, count: 20_000 };
        assert_eq!(many.file(Path::new("r.csv")), Path::new("r-12345-of-20000.csv"));
    }
}
