//! Sends each field of a draft as soon as the model has written its JSON. These fields are provisional until the
//! draft has been parsed and grounded. Drafts that are not simple JSON objects are left to the parser at the end.

use tokio::sync::mpsc::UnboundedSender;

use super::{Field, parse};

/// One update of a streamed draft.
#[derive(Clone, PartialEq, Eq)]
pub enum FieldUpdate {
    /// The provisional value of a field.
    Field(Field, Option<String>),
    /// The draft could not be used. Earlier updates are void, and the model writes a second draft.
    Reset,
}

impl std::fmt::Debug for FieldUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field(field, _) => f.write_str(field.name()),
            Self::Reset => f.write_str("reset"),
        }
    }
}

/// Sends the fields of a draft to its stream. A closed stream is ignored.
#[derive(Clone, Debug)]
pub struct FieldSink(UnboundedSender<FieldUpdate>);

impl FieldSink {
    /// Creates a sink for this channel. An attempt sends at most seven fields, so the channel needs no bound.
    #[must_use]
    pub fn new(sender: UnboundedSender<FieldUpdate>) -> Self {
        Self(sender)
    }

    pub(crate) fn reset(&self) {
        let _ = self.0.send(FieldUpdate::Reset);
    }
}

/// Parses one draft while the model writes it.
#[derive(Debug)]
pub struct StreamingParser<'a> {
    sink: &'a FieldSink,
    text: String,
    at: JsonPosition,
    sent: Vec<Field>,
    field: Option<Field>,
}

/// The position of the parser in the JSON object of the record. A `usize` is the offset of the first byte of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonPosition {
    Start,
    BeforeKey,
    Key(usize, Escape),
    BeforeColon,
    BeforeValue,
    Text(usize, Escape),
    Word(usize),
    AfterValue,
    /// After the object, or in text that is not an object.
    End,
}

/// Whether the previous character is a backslash that escapes this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    No,
    Yes,
}

impl<'a> StreamingParser<'a> {
    /// Creates a parser of an empty draft.
    #[must_use]
    pub fn new(sink: &'a FieldSink) -> Self {
        Self { sink, text: String::new(), at: JsonPosition::Start, sent: Vec::new(), field: None }
    }

    /// Parses the next part of the draft.
    pub fn write(&mut self, more: &str) {
        let from = self.text.len();
        self.text.push_str(more);
        for (offset, c) in more.char_indices() {
            self.at = self.after(from + offset, c);
        }
    }

    /// Returns the whole text of the draft.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn after(&mut self, position: usize, c: char) -> JsonPosition {
        match (self.at, c) {
            (JsonPosition::End, _) => JsonPosition::End,
            (JsonPosition::Key(from, escape), c) => match (escape, c) {
                (Escape::No, '"') => {
                    self.field = self.string(from, position).and_then(|key| Field::named(&key));
                    JsonPosition::BeforeColon
                }
                (escape, c) => JsonPosition::Key(from, escape.after(c)),
            },
            (JsonPosition::Text(from, escape), c) => match (escape, c) {
                (Escape::No, '"') => {
                    if let Some(value) = self.string(from, position) {
                        self.send(parse::text_or_null(value));
                    }
                    JsonPosition::AfterValue
                }
                (escape, c) => JsonPosition::Text(from, escape.after(c)),
            },
            (JsonPosition::Word(from), ',' | '}' | ' ' | '\n' | '\r' | '\t') => {
                if self.text.get(from..position) == Some("null") {
                    self.send(None);
                }
                self.at = JsonPosition::AfterValue;
                self.after(position, c)
            }
            (JsonPosition::Word(from), c) if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+') => {
                JsonPosition::Word(from)
            }
            (at, ' ' | '\n' | '\r' | '\t') => at,
            (JsonPosition::Start, '{') | (JsonPosition::AfterValue, ',') => JsonPosition::BeforeKey,
            (JsonPosition::BeforeKey, '"') => JsonPosition::Key(position, Escape::No),
            (JsonPosition::BeforeColon, ':') => JsonPosition::BeforeValue,
            (JsonPosition::BeforeValue, '"') => JsonPosition::Text(position, Escape::No),
            (JsonPosition::BeforeValue, c) if c.is_ascii_alphanumeric() || c == '-' => JsonPosition::Word(position),
            // The end of the object, or text that this parser does not read: lists, code fences, prose.
            _ => JsonPosition::End,
        }
    }

    /// Returns the JSON string between two quotation marks.
    fn string(&self, from: usize, to: usize) -> Option<String> {
        serde_json::from_str(self.text.get(from..=to)?).ok()
    }

    fn send(&mut self, value: Option<String>) {
        let Some(field) = self.field.take().filter(|field| !self.sent.contains(field)) else { return };
        self.sent.push(field);
        let _ = self.sink.0.send(FieldUpdate::Field(field, value));
    }
}

impl Escape {
    fn after(self, c: char) -> Self {
        if self == Self::No && c == '\\' { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::*;
    use crate::extraction::Record;

    fn updates<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Vec<(&'static str, Option<String>)> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let sink = FieldSink::new(sender);
        let mut parser = StreamingParser::new(&sink);
        pieces.into_iter().for_each(|piece| parser.write(piece));
        drop((parser.into_text(), sink));
        let mut all = Vec::new();
        while let Ok(FieldUpdate::Field(field, value)) = receiver.try_recv() {
            all.push((field.name(), value));
        }
        all
    }

    #[test]
    fn each_field_is_sent_when_it_is_complete() {
        let value = |value: &str| Some(value.to_owned());
        for (text, expected) in [
            ("{\"stage\": \"IV\"", vec![("stage", value("IV"))]),
            ("{\"stage\": \"IV", vec![]),
            ("{\"stage\": null", vec![]),
            ("{\"stage\": null,", vec![("stage", None)]),
            ("{\"stage\":null}", vec![("stage", None)]),
            ("{\"stage\": \"N/A\"}", vec![("stage", None)]),
            ("{\"stage\": \"a \\\"b\\\" \\u00e9\"}", vec![("stage", value("a \"b\" \u{e9}"))]),
            ("{\"stage\": \"a\\\\\", \"response\": \"x\"", vec![("stage", value("a\\")), ("response", value("x"))]),
            ("{\"stage\": \"IV\", \"stage\": \"I\"}", vec![("stage", value("IV"))]),
            ("{\"grade\": \"2\", \"stage\": \"IV\"}", vec![("stage", value("IV"))]),
            ("{\"stage\": 4, \"response\": \"x\"", vec![("response", value("x"))]),
            ("{\"stage\": [\"IV\"], \"response\": \"x\"", vec![]),
            ("{\"stage\": \"IV\"} {\"stage\": \"I\", \"response\": \"x\"}", vec![("stage", value("IV"))]),
            ("Here: {\"stage\": \"IV\"}", vec![]),
            ("\n {\n\t\"stage\" :\"IV\"", vec![("stage", value("IV"))]),
            ("", vec![]),
        ] {
            assert_eq!(updates([text]), expected, "{text}");
            let letters: Vec<String> = text.chars().map(String::from).collect();
            assert_eq!(updates(letters.iter().map(String::as_str)), expected, "{text}, letter by letter");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn fields_do_not_depend_on_how_the_text_is_split(
            values in prop::collection::vec(prop::option::of("[a-z\\\\\"é{}:, ]{1,12}x"), 7),
            every in 1usize..9,
        ) {
            let mut record = Record::default();
            for (field, value) in Field::ALL.into_iter().zip(&values) {
                record.get_mut(field).clone_from(value);
            }
            let text = record.to_training_json();
            let letters: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = letters.chunks(every).map(|piece| piece.iter().collect()).collect();
            let expected: Vec<_> = Field::ALL.iter().zip(values)
                .map(|(field, value)| (field.name(), value.and_then(parse::text_or_null))).collect();
            prop_assert_eq!(updates(pieces.iter().map(String::as_str)), expected);
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(pieces in prop::collection::vec("\\PC{0,9}|[{}\":,\\\\]{0,4}", 0..12)) {
            updates(pieces.iter().map(String::as_str));
        }
    }
}
