//! Defines hash tables whose keys are words of the gateway's own lists. Every word of every note is looked up in them,
//! so their hash is fast. A note never adds a key, so the hash need not withstand an attacker.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

/// A map with keys of our own lists.
pub(crate) type Table<K, V> = HashMap<K, V, FixedState>;
/// A set of words of our own lists.
pub(super) type Words<W> = HashSet<W, FixedState>;
