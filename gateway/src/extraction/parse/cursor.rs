//! A position in a text that only moves forward and never past the end.

/// A position in a text.
pub(super) struct Cursor<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Cursor<'text> {
    /// Creates a cursor before the byte `at`, which must be a character boundary.
    pub(super) fn new(text: &'text str, at: usize) -> Self {
        Self { text, at }
    }

    /// Returns the offset in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the text after the cursor.
    pub(super) fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Returns the next character without moving the cursor.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Returns the next character and moves past it.
    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += next.map_or(0, char::len_utf8);
        next
    }

    /// Moves past white space and returns the next character without moving past it.
    pub(super) fn peek_past_space(&mut self) -> Option<char> {
        self.take_while(char::is_whitespace);
        self.peek()
    }

    /// Moves past white space and the next character, and returns that character.
    pub(super) fn next_past_space(&mut self) -> Option<char> {
        self.take_while(char::is_whitespace);
        self.next()
    }

    /// Moves past the characters that satisfy the predicate and returns them.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'text str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
}
