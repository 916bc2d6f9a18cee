//! Reads objects in a text: JSON with the deviations that `RepairCode` lists. The reader never closes an object that
//! the text leaves open, and never combines keys of two objects into one record.

use std::ops::Range;

use super::{
    Field, ParsedRecord, RepairCode, Unusable,
    builder::RecordBuilder,
    cursor::Cursor,
    key_aliases,
    string::{self, RepairedString, StringPosition},
    value,
};

/// Maximum nesting depth of a value that is left out.
const MAX_DEPTH: usize = 64;

/// A record found in a text.
pub(super) struct FoundRecord {
    /// Byte range of the record in the text.
    pub(super) at: Range<usize>,
    /// The record.
    pub(super) parsed: ParsedRecord,
}

/// Finds every record that is an object. Skips braces in prose and objects without any key of the record. An object
/// that has such a key but is not a whole record is an error, even next to a whole one, because the parser cannot tell
/// which of them the model meant.
pub(super) fn find(text: &str) -> Result<Vec<FoundRecord>, Unusable> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = memchr::memchr(b'{', text.get(from..).unwrap_or_default().as_bytes()) {
        let start = from + offset;
        let mut reader = ObjectReader::new(text, start + 1);
        match reader.read() {
            Ok(()) => {
                from = reader.cursor.at();
                if !reader.builder.is_empty() {
                    found.push(FoundRecord { at: start..from, parsed: reader.builder.finish()? });
                }
            }
            // A brace in prose. Such an attempt ends at or directly after its first key. A quoted key ends at the next
            // such mark, so few attempts overlap, and restarting after the brace keeps the time linear.
            Err(Unusable::Malformed) if !reader.is_object => from = start + 1,
            Err(unusable) => return Err(unusable),
        }
    }
    Ok(found)
}

struct ObjectReader<'text> {
    cursor: Cursor<'text>,
    builder: RecordBuilder,
    /// A key with its colon was read, either quoted or a key of the record, so the brace does not belong to prose.
    is_object: bool,
}

impl<'text> ObjectReader<'text> {
    fn new(text: &'text str, at: usize) -> Self {
        Self { cursor: Cursor::new(text, at), builder: RecordBuilder::default(), is_object: false }
    }

    /// Reads from after the opening brace to after the closing one.
    fn read(&mut self) -> Result<(), Unusable> {
        let mut after_comma = false;
        loop {
            if self.cursor.peek_past_space() == Some('}') {
                self.cursor.next();
                if after_comma {
                    self.builder.add_repair(RepairCode::TrailingComma, None);
                }
                return Ok(());
            }
            self.read_pair()?;
            match self.cursor.next_past_space() {
                Some(',') => after_comma = true,
                Some('}') => return Ok(()),
                Some(_) => return Err(Unusable::Malformed),
                None => return Err(Unusable::CutOff),
            }
        }
    }

    fn read_pair(&mut self) -> Result<(), Unusable> {
        let quoted = self.cursor.peek().is_some_and(string::opens);
        let key = if quoted {
            let key = string::read(&mut self.cursor, StringPosition::Key)?;
            self.record_repairs(&key, None);
            key.text
        } else {
            let key = self.cursor.take_while(string::is_key_character);
            self.builder.add_repair(RepairCode::UnquotedKey, None);
            key.to_owned()
        };
        match self.cursor.next_past_space() {
            Some(':') if quoted || !key.is_empty() => {}
            Some(_) => return Err(Unusable::Malformed),
            None => return Err(Unusable::CutOff),
        }
        let field = value::field_of(&key);
        if !(quoted || field.is_some() || self.is_object) {
            return Err(Unusable::Malformed);
        }
        self.is_object = true;
        self.cursor.peek_past_space();
        if let Some((field, exact)) = field {
            if !exact {
                self.builder.add_repair(RepairCode::KeySpelling, Some(field));
            }
            let value = self.read_value(field)?;
            self.builder.set(field, value)
        } else if let Some(field) = key_aliases::field_of_synonym(&key) {
            let value = self.read_value(field)?;
            self.builder.set_by_synonym(field, value)
        } else {
            self.builder.add_repair(RepairCode::UnknownKey, None);
            self.skip_value()
        }
    }

    fn read_value(&mut self, field: Field) -> Result<Option<String>, Unusable> {
        match self.cursor.peek() {
            Some('{') => Err(Unusable::WrongType),
            Some('[') => self.read_list(field),
            Some(mark) if string::opens(mark) => {
                let quoted = string::read(&mut self.cursor, StringPosition::Value)?;
                self.record_repairs(&quoted, Some(field));
                Ok(self.builder.text_or_null(field, quoted.text))
            }
            _ => {
                let word = self.read_word()?;
                // Only whole numbers are accepted: no stage has a sign, a fraction or an exponent.
                if field == Field::Stage && word.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.builder.add_repair(RepairCode::NumberAsText, Some(field));
                    return Ok(Some(word.to_owned()));
                }
                self.null(word, field)?;
                Ok(None)
            }
        }
    }

    fn read_list(&mut self, field: Field) -> Result<Option<String>, Unusable> {
        self.cursor.next();
        self.builder.add_repair(RepairCode::ListJoined, Some(field));
        let mut joined = String::new();
        let mut after_comma = false;
        loop {
            match self.cursor.peek_past_space() {
                Some(']') => {
                    self.cursor.next();
                    if after_comma {
                        self.builder.add_repair(RepairCode::TrailingComma, None);
                    }
                    break;
                }
                Some('[' | '{') => return Err(Unusable::WrongType),
                Some(mark) if string::opens(mark) => {
                    let quoted = string::read(&mut self.cursor, StringPosition::Element)?;
                    self.record_repairs(&quoted, Some(field));
                    if let Some(part) = value::text_or_null(quoted.text) {
                        joined.push_str(if joined.is_empty() { "" } else { "; " });
                        joined.push_str(&part);
                    }
                }
                _ => {
                    let word = self.read_word()?;
                    self.null(word, field)?;
                }
            }
            match self.cursor.next_past_space() {
                Some(',') => after_comma = true,
                Some(']') => break,
                Some(_) => return Err(Unusable::Malformed),
                None => return Err(Unusable::CutOff),
            }
        }
        Ok((!joined.is_empty()).then_some(joined))
    }

    /// Reads a word without quotation marks. A word at the end of the text is an error, because it may be cut off.
    fn read_word(&mut self) -> Result<&'text str, Unusable> {
        let word = self
            .cursor
            .take_while(|c| !(c.is_whitespace() || string::opens(c) || matches!(c, ',' | ':' | '{' | '}' | '[' | ']')));
        match (self.cursor.peek(), word) {
            (None, _) => Err(Unusable::CutOff),
            (Some(_), "") => Err(Unusable::Malformed),
            (Some(_), word) => Ok(word),
        }
    }

    /// Accepts a word as null, or returns the reason why it is not null.
    fn null(&mut self, word: &str, field: Field) -> Result<(), Unusable> {
        if word == "null" {
            Ok(())
        } else if value::is_null_literal(word) {
            self.builder.add_repair(RepairCode::NullSpelling, Some(field));
            Ok(())
        } else if is_other_literal(word) {
            Err(Unusable::WrongType)
        } else {
            Err(Unusable::Malformed)
        }
    }

    /// Skips one value of any kind. Only its strings and brackets are checked.
    fn skip_value(&mut self) -> Result<(), Unusable> {
        let mut open = Vec::new();
        loop {
            match self.cursor.peek_past_space() {
                Some(mark) if string::opens(mark) => drop(string::read(&mut self.cursor, StringPosition::Ignored)?),
                Some(bracket @ ('{' | '[')) => {
                    if open.len() == MAX_DEPTH {
                        return Err(Unusable::Malformed);
                    }
                    self.cursor.next();
                    open.push(if bracket == '{' { '}' } else { ']' });
                }
                Some(bracket @ ('}' | ']')) => {
                    if open.pop() != Some(bracket) {
                        return Err(Unusable::Malformed);
                    }
                    self.cursor.next();
                }
                Some(',' | ':') if !open.is_empty() => drop(self.cursor.next()),
                _ => drop(self.read_word()?),
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    fn record_repairs(&mut self, quoted: &RepairedString, field: Option<Field>) {
        if quoted.other_marks {
            // This repair concerns the whole text: a model that uses such marks uses them for all strings.
            self.builder.add_repair(RepairCode::QuoteMarks, None);
        }
        if quoted.raw_control {
            self.builder.add_repair(RepairCode::RawControl, field);
        }
        if quoted.invalid_escape {
            self.builder.add_repair(RepairCode::InvalidEscape, field);
        }
    }
}

/// Returns whether a word is a number or a boolean.
fn is_other_literal(word: &str) -> bool {
    let number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.parse::<f64>().is_ok();
    number || ["true", "false"].iter().any(|boolean| boolean.eq_ignore_ascii_case(word))
}
