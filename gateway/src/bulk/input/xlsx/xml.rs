//! Reads the XML of a part as events, each with a limit on its size.

use std::{
    cell::Cell,
    io::{self, BufReader, Read},
    rc::Rc,
};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{super::Fault, SMALLER, fault::broken};

/// Maximum bytes of one event: an element with its attributes, or a text between two.
const LONGEST_EVENT: u64 = (8 << 20) / SMALLER as u64;
/// Maximum depth of elements. A workbook needs about ten.
const DEEPEST: usize = 60;

/// A reader that returns an error when one event or the whole part takes more than its limit.
struct Limited<'a> {
    input: Box<dyn Read + 'a>,
    left_of_event: Rc<Cell<u64>>,
    left_of_part: u64,
    is_exceeded: Rc<Cell<bool>>,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left_of_event.get().min(self.left_of_part);
        if left == 0 {
            self.is_exceeded.set(true);
            return Err(io::Error::other("a part of the workbook is over its limit"));
        }
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = buffer.get_mut(..allowed).map_or(Ok(0), |buffer| self.input.read(buffer))?;
        self.left_of_event.set(self.left_of_event.get() - count as u64);
        self.left_of_part -= count as u64;
        Ok(count)
    }
}

/// Where an element has its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    /// Directly in the element.
    Plain,
    /// In elements `t` within it.
    Runs,
}

/// The events of a part.
pub(super) struct Events<'a> {
    reader: Reader<BufReader<Limited<'a>>>,
    buffer: Vec<u8>,
    left_of_event: Rc<Cell<u64>>,
    is_exceeded: Rc<Cell<bool>>,
    depth: usize,
}

impl<'a> Events<'a> {
    /// `limit` is the maximum of bytes of the whole part.
    pub(super) fn new(input: Box<dyn Read + 'a>, limit: u64) -> Self {
        let (left_of_event, is_exceeded) = (Rc::new(Cell::new(LONGEST_EVENT)), Rc::new(Cell::new(false)));
        let limited = Limited {
            input,
            left_of_event: Rc::clone(&left_of_event),
            left_of_part: limit,
            is_exceeded: Rc::clone(&is_exceeded),
        };
        let mut reader = Reader::from_reader(BufReader::new(limited));
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), left_of_event, is_exceeded, depth: 0 }
    }

    /// Returns the next event. An element without content is a start and an end.
    pub(super) fn next(&mut self) -> Result<Event<'_>, Fault> {
        self.buffer.clear();
        self.left_of_event.set(LONGEST_EVENT);
        let event = self.reader.read_event_into(&mut self.buffer);
        match &event {
            Ok(Event::Start(_)) => self.depth += 1,
            Ok(Event::End(_)) => self.depth = self.depth.saturating_sub(1),
            Ok(Event::DocType(_)) => return Err(broken("The workbook has a DTD, which workbooks never have")),
            _ => {}
        }
        if self.depth > DEEPEST {
            return Err(broken("The elements of the workbook are nested too deep"));
        }
        event.map_err(|_| {
            broken(if self.is_exceeded.get() {
                "A part of the workbook is larger than its limit when it is unpacked"
            } else {
                "The workbook is damaged: a part of it is not valid XML"
            })
        })
    }

    /// Adds the text of the element that was begun last, up to its end: the text directly in it, or that of its elements
    /// `t` where it has formatted runs. Returns false if the text is longer than `longest` and was not kept.
    pub(super) fn text(&mut self, text: &mut String, kind: TextKind, longest: usize) -> Result<bool, Fault> {
        let depth = self.depth;
        // The depth of the elements around one that shows nothing, such as a reading aid, and whether a `t` is open.
        let (mut hidden, mut is_run_open, mut fits) = (None, false, true);
        loop {
            let level = self.depth;
            let piece = match self.next()? {
                Event::Start(start) => {
                    let name = start.local_name();
                    is_run_open = name.as_ref() == "t";
                    hidden = hidden.or((!is_run_open && name.as_ref() != "r").then_some(level));
                    continue;
                }
                Event::End(_) => {
                    if self.depth < depth {
                        return Ok(fits);
                    }
                    is_run_open = false;
                    hidden = hidden.filter(|&hidden| hidden < self.depth);
                    continue;
                }
                Event::Text(text) => text.xml10_content().into_owned(),
                Event::CData(text) => text.xml10_content().into_owned(),
                Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                    Ok(Some(character)) => character.to_string(),
                    _ => quick_xml::escape::resolve_xml_entity(&entity)
                        .ok_or_else(|| broken("The workbook has an entity that XML does not define"))?
                        .to_owned(),
                },
                Event::Eof => return Err(broken("The workbook is cut off")),
                _ => continue,
            };
            let is_shown = match kind {
                TextKind::Plain => self.depth == depth,
                TextKind::Runs => is_run_open && hidden.is_none(),
            };
            if !is_shown {
                continue;
            }
            fits &= text.len() + piece.len() <= longest;
            if fits {
                text.push_str(&piece);
            } else {
                text.clear();
            }
        }
    }

    /// Skips the rest of the element that was begun last.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let depth = self.depth;
        while self.depth >= depth {
            if let Event::Eof = self.next()? {
                return Err(broken("The workbook is cut off"));
            }
        }
        Ok(())
    }
}

/// Returns the value of an attribute by its whole name.
pub(super) fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Fault> {
    find_attribute(start, |key, _| key == name)
}

/// Returns the value of an attribute that has a prefix, by the name after the prefix.
pub(super) fn prefixed_attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Fault> {
    find_attribute(start, |key, local| local == name && key != name)
}

fn find_attribute(start: &BytesStart<'_>, is_named: impl Fn(&str, &str) -> bool) -> Result<Option<String>, Fault> {
    let invalid = || broken("The workbook is damaged: an attribute is not valid XML");
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| invalid())?;
        if is_named(attribute.key.as_ref(), attribute.key.local_name().as_ref()) {
            let value = quick_xml::escape::unescape(&attribute.value).map_err(|_| invalid())?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// Returns the text that a workbook writes with `_x000D_` for a character that XML cannot hold.
pub(super) fn unescaped(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let escape = rest.strip_prefix("_x").and_then(|escape| escape.split_at_checked(4));
        let unit = escape.and_then(|(digits, after)| {
            let after = after.strip_prefix('_')?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some((u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)?, after))
        });
        if let Some((unit, after)) = unit {
            units.push(unit);
            rest = after;
            continue;
        }
        flush(&mut units, &mut made);
        let next =
            rest.char_indices().skip(1).find(|(_, character)| *character == '_').map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(next);
        made.push_str(text);
        rest = after;
    }
    flush(&mut units, &mut made);
    // Excel ends a line with a line feed; other programs write both.
    made.replace("\r\n", "\n").replace('\r', "\n")
}

fn flush(units: &mut Vec<u16>, made: &mut String) {
    made.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}
