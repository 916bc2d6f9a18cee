//! Tables whose keys are words of our own lists. A note can only ask them, never fill them, so they need no
//! hash that withstands an attacker, and are asked for every word of every note.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

/// A map of our own words.
pub(super) type Table<K, V> = HashMap<K, V, FixedState>;
/// A set of our own words.
pub(super) type Words<W> = HashSet<W, FixedState>;
