//! Finds in the note the words that a value comes from.
