//! A place in a text, moving forward only. It never moves past the end.

/// A place in a text.
pub(super) struct Cursor<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Cursor<'text> {
    /// The place before the byte `at`, which is a character boundary.
    pub(super) fn new(text: &'text str, at: usize) -> Self {
        Self { text, at }
    }

    /// Offset in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What is left of the text.
    pub(super) fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character, which stays the next.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character, gone past.
    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += next.map_or(0, char::len_utf8);
        next
    }

    /// The next character past white space, which stays the next.
    pub(super) fn peek_past_space(&mut self) -> Option<char> {
        self.take_while(char::is_whitespace);
        self.peek()
    }

    /// The next character past white space, gone past.
    pub(super) fn next_past_space(&mut self) -> Option<char> {
        self.take_while(char::is_whitespace);
        self.next()
    }

    /// The characters from here on that are as wanted, gone past.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'text str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
}
