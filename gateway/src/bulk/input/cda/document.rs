//! Finds the parts of a CDA document in the events of its XML.

use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, Event, attributes::Attribute},
};

use super::{
    super::{Fault, attachment, too_long},
    narrative::Narrative,
};

/// Maximum depth of elements. Sections within sections and lists within lists need about forty.
const DEEPEST: usize = 200;
/// Maximum bytes of a heading, an id or a day.
const LONGEST_NAME: usize = 1_000;

/// Elements whose text begins on a new line. The HTML elements are not part of CDA, but occur in it.
const LINES: [&str; 12] = ["paragraph", "item", "caption", "footnote", "p", "div", "li", "h1", "h2", "h3", "h4", "h5"];

/// The parts of a document. Each may be missing.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) id: Option<String>,
    pub(super) patient: Option<String>,
    /// Number of patients that the document is about.
    pub(super) patients: usize,
    /// `effectiveTime` as it is written.
    pub(super) date: Option<String>,
}

/// What the text of an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextRole {
    /// An element without text for the reader.
    Other,
    /// Left out with all that it contains.
    Hidden,
    Section,
    Title,
    /// The narrative text of a section, or an element of it.
    Narrative,
    /// A row of a table, whose cells are counted.
    Row,
    /// The text of a document without sections.
    Body,
}

struct Element {
    name: String,
    role: TextRole,
    /// Cells of a row, or headings without text before a section.
    count: usize,
}

/// Reads the events of a document.
pub(super) struct Document {
    stack: Vec<Element>,
    pub(super) parts: Parts,
    narrative: Narrative,
    title: String,
    /// The text of a document without sections, its media type, and whether it is base64.
    body: String,
    body_kind: Option<(String, bool)>,
    fault: Option<Fault>,
    is_closed: bool,
}

fn broken(message: &str) -> Fault {
    Fault::text("xml", format!("{message}."))
}

/// Returns the parts of a document and its text. A fault of the XML is the fault of the text.
pub(super) fn read(xml: &str, longest: usize) -> (Parts, Result<String, Fault>) {
    let mut document = Document::new(longest);
    let read = document.read(xml);
    let Document { parts, narrative, body, body_kind, fault, .. } = document;
    let text = read.and_then(|()| fault.map_or(Ok(()), Err)).and_then(|()| match body_kind {
        _ if narrative.is_too_long => Err(too_long()),
        Some((kind, is_base64)) => {
            let bytes = if is_base64 { attachment::base64(&body)? } else { body.into_bytes() };
            let utf8 = "The text of the document (nonXMLBody) is not UTF-8. Convert it, or send it as text";
            attachment::text(&bytes, &kind, longest, |bytes| {
                String::from_utf8(bytes.to_vec()).map_err(|_| Fault::text("utf8", format!("{utf8}.")))
            })
        }
        None => Ok(narrative.into_text()),
    });
    (parts, text)
}

impl Document {
    fn new(longest: usize) -> Self {
        Self {
            stack: Vec::new(),
            parts: Parts::default(),
            narrative: Narrative::new(longest),
            title: String::new(),
            body: String::new(),
            body_kind: None,
            fault: None,
            is_closed: false,
        }
    }

    fn read(&mut self, xml: &str) -> Result<(), Fault> {
        let mut reader = Reader::from_str(xml);
        loop {
            let event = reader.read_event();
            let at = reader.buffer_position();
            match event {
                Ok(Event::Start(start)) => self.start(&start)?,
                Ok(Event::Empty(start)) => {
                    self.start(&start)?;
                    self.end();
                }
                Ok(Event::End(_)) => self.end(),
                Ok(Event::Text(text)) => self.text(&text.xml10_content())?,
                Ok(Event::CData(text)) => self.text(&text.xml10_content())?,
                Ok(Event::GeneralRef(entity)) => self.text(&character(&entity)?)?,
                Ok(Event::DocType(_)) => return Err(broken("The document has a DTD, which CDA does not allow")),
                Ok(Event::Comment(_) | Event::PI(_) | Event::Decl(_)) => {}
                Ok(Event::Eof) if self.is_closed => return Ok(()),
                Ok(Event::Eof) => return Err(broken("The XML of the document ends too early")),
                Err(_) => return Err(broken_at(at)),
            }
        }
    }

    fn parent_is(&self, name: &str) -> bool {
        self.stack.last().is_some_and(|element| element.name == name)
    }

    fn path_is(&self, path: &[&str]) -> bool {
        self.stack.len() == path.len() && self.stack.iter().zip(path).all(|(element, name)| element.name == *name)
    }

    fn role(&self) -> TextRole {
        self.stack.last().map_or(TextRole::Other, |element| element.role)
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        let name = start.local_name().as_ref().to_owned();
        if self.stack.is_empty() && (self.is_closed || name != "ClinicalDocument") {
            return Err(broken(
                "The file is not a single CDA document: its root element is not ClinicalDocument alone",
            ));
        }
        if self.stack.len() >= DEEPEST {
            return Err(broken("The elements of the document are nested too deep"));
        }
        let (mut role, mut count) = (TextRole::Other, 0);
        match self.role() {
            TextRole::Hidden => role = TextRole::Hidden,
            TextRole::Narrative | TextRole::Row => role = self.start_narrative(&name, start)?,
            TextRole::Title => role = TextRole::Title,
            TextRole::Body => {
                if name == "reference" {
                    let message = "The text of the document is in another file (reference). Send that file";
                    self.fault.get_or_insert(Fault::text("attachment", format!("{message}.")));
                }
                role = TextRole::Hidden;
            }
            TextRole::Section if name == "title" => {
                role = TextRole::Title;
                self.title.clear();
            }
            TextRole::Section if name == "text" => {
                role = TextRole::Narrative;
                self.narrative.end_paragraph();
            }
            TextRole::Section | TextRole::Other if name == "section" => {
                role = TextRole::Section;
                count = self.narrative.open_headings();
                self.narrative.end_paragraph();
            }
            TextRole::Other if name == "text" && self.parent_is("nonXMLBody") => {
                role = TextRole::Body;
                let kind = attribute(start, "mediaType")?.unwrap_or_else(|| "text/plain".to_owned());
                let is_base64 = attribute(start, "representation")?.is_some_and(|value| value == "B64");
                self.body_kind = Some((kind, is_base64));
            }
            TextRole::Section | TextRole::Other => self.header(&name, start)?,
        }
        self.stack.push(Element { name, role, count });
        Ok(())
    }

    /// Notes the id, the day and the patient of the document.
    fn header(&mut self, name: &str, start: &BytesStart<'_>) -> Result<(), Fault> {
        let short = |value: Option<String>| {
            let value = value.map(|value| value.trim().to_owned());
            value.filter(|value| !value.is_empty() && value.len() <= LONGEST_NAME)
        };
        let root: &str = "ClinicalDocument";
        match name {
            "id" if self.path_is(&[root]) && self.parts.id.is_none() => {
                let extension = short(attribute(start, "extension")?);
                self.parts.id = extension.or(short(attribute(start, "root")?));
            }
            "effectiveTime" if self.path_is(&[root]) => self.parts.date = short(attribute(start, "value")?),
            "recordTarget" if self.path_is(&[root]) => self.parts.patients += 1,
            "id" if self.path_is(&[root, "recordTarget", "patientRole"]) && self.parts.patient.is_none() => {
                self.parts.patient = short(attribute(start, "extension")?);
            }
            _ => {}
        }
        Ok(())
    }

    fn start_narrative(&mut self, name: &str, start: &BytesStart<'_>) -> Result<TextRole, Fault> {
        if is_left_out(start)? {
            return Ok(TextRole::Hidden);
        }
        match name {
            "br" => self.narrative.end_line(),
            "td" | "th" => {
                let row = self.stack.last_mut().filter(|element| element.role == TextRole::Row);
                let is_first = row.is_none_or(|row| {
                    row.count += 1;
                    row.count == 1
                });
                self.narrative.begin_cell(is_first);
            }
            "tr" => {
                self.narrative.end_line();
                return Ok(TextRole::Row);
            }
            "table" | "list" => self.narrative.end_paragraph(),
            name if LINES.contains(&name) => self.narrative.end_line(),
            _ => {}
        }
        Ok(TextRole::Narrative)
    }

    fn end(&mut self) {
        let Some(Element { name, role, count }) = self.stack.pop() else { return };
        match (role, name.as_str()) {
            (TextRole::Section, _) => {
                self.narrative.forget_headings(count);
                self.narrative.end_paragraph();
            }
            (TextRole::Title, "title") => {
                let title = self.title.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
                if !title.is_empty() {
                    self.narrative.heading(attachment::heading(&title));
                }
            }
            (TextRole::Narrative, "td" | "th") => self.narrative.end_cell(),
            (TextRole::Narrative, "table" | "list") => self.narrative.end_paragraph(),
            (TextRole::Row, _) => self.narrative.end_line(),
            (TextRole::Narrative, name) if LINES.contains(&name) => self.narrative.end_line(),
            _ => {}
        }
        self.is_closed |= self.stack.is_empty();
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        match self.role() {
            TextRole::Narrative | TextRole::Row => self.narrative.add(text, self.parent_is("text")),
            TextRole::Title if self.title.len() + text.len() <= LONGEST_NAME => self.title.push_str(text),
            TextRole::Title => self.fault = Some(broken("The title of a section is longer than 1,000 bytes")),
            TextRole::Body => self.body.push_str(text),
            _ if self.stack.is_empty() && !text.trim().is_empty() => {
                return Err(broken("The file has text outside of its XML"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn broken_at(at: u64) -> Fault {
    broken(&format!("The document is not well-formed XML: the error is near the byte at offset {at}"))
}

/// Returns whether the element is marked as deleted or struck out: its text no longer holds.
fn is_left_out(start: &BytesStart<'_>) -> Result<bool, Fault> {
    let is_deleted = attribute(start, "revised")?.is_some_and(|value| value.trim().eq_ignore_ascii_case("delete"));
    let styles = attribute(start, "styleCode")?.unwrap_or_default().to_ascii_lowercase();
    let is_struck = styles.split_ascii_whitespace().any(|style| style.contains("delete") || style.contains("strike"));
    Ok(is_deleted || is_struck)
}

/// Returns the value of an attribute in any namespace.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Fault> {
    // Without the parser's check for repeated attributes, which compares each attribute with all others.
    for attribute in start.attributes().with_checks(false) {
        let attribute: Attribute<'_> =
            attribute.map_err(|_| broken("An attribute of the document is not valid XML"))?;
        if attribute.key.local_name().as_ref() == name {
            return quick_xml::escape::unescape(&attribute.value)
                .map(|value| Some(value.into_owned()))
                .map_err(|_| broken("An attribute of the document has an unknown entity"));
        }
    }
    Ok(None)
}

/// Returns the text of one of the five entities of XML or of a numbered character. Others would need a DTD.
fn character(entity: &BytesRef<'_>) -> Result<String, Fault> {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return Ok(character.to_string());
    }
    let known = quick_xml::escape::resolve_xml_entity(entity).map(str::to_owned);
    known.ok_or_else(|| broken("The document has an entity that XML does not define"))
}
