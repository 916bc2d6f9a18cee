//! Reads the parts of a workbook that all its sheets share: their names, the texts and the formats of numbers.

use std::{
    collections::HashMap,
    io::{Read, Seek},
};

use quick_xml::events::Event;

use super::{
    super::Fault,
    SMALLER,
    fault::broken,
    package::Package,
    value::NumberFormat,
    xml::{TextKind, attribute, prefixed_attribute, unescaped},
};

/// Maximum bytes of a part with names or formats.
const LONGEST_PART: u64 = (16 << 20) / SMALLER as u64;
/// Maximum bytes that the texts take in the file, and in memory.
const LONGEST_STRINGS: u64 = 512 << 20;
const MOST_STRING_BYTES: usize = (64 << 20) / SMALLER;
/// Memory for texts grows by so much at a time, and not twofold.
const STRING_STEP: usize = 4 << 20;
/// Maximum numbers of sheets, relations between parts, and formats.
const MOST_SHEETS: usize = 1_000;
const MOST_RELATIONS: usize = 10_000;
const MOST_FORMATS: usize = 100_000 / SMALLER;
/// Maximum bytes of one text. Excel allows 32,767 characters.
const LONGEST_STRING: usize = (8 << 20) / SMALLER;

/// A sheet with cells.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) path: String,
    pub(super) is_visible: bool,
}

/// The texts of a workbook, one after the other.
#[derive(Debug, Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Returns a text by its number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)? as usize;
        let start = number.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).map(|&end| end as usize))?;
        self.text.get(start..end)
    }

    fn push(&mut self, text: &str) -> Result<(), Fault> {
        let bytes = self.text.len() + text.len() + 4 * (self.ends.len() + 1);
        let end = u32::try_from(self.text.len() + text.len()).ok().filter(|_| bytes <= MOST_STRING_BYTES);
        let Some(end) = end else {
            return Err(broken("The texts of the workbook take more than 64 MiB. It is not read in one piece"));
        };
        if self.text.capacity() - self.text.len() < text.len() {
            self.text.reserve_exact(text.len().max(STRING_STEP));
        }
        if self.ends.len() == self.ends.capacity() {
            self.ends.reserve_exact(STRING_STEP / 16);
        }
        self.text.push_str(text);
        self.ends.push(end);
        Ok(())
    }
}

/// What all sheets share.
#[derive(Debug)]
pub(super) struct Workbook {
    pub(super) sheets: Vec<Sheet>,
    pub(super) strings: Strings,
    /// The format of each style of a cell.
    pub(super) formats: Vec<NumberFormat>,
    pub(super) is_1904: bool,
}

/// A relation from one part to another.
struct Relation {
    id: String,
    /// Last word of its type, such as `worksheet`.
    kind: String,
    path: String,
}

impl Workbook {
    pub(super) fn read<R: Read + Seek>(package: &mut Package<R>) -> Result<Self, Fault> {
        let root = relations(package, "")?;
        let document = root.into_iter().find(|relation| relation.kind == "officeDocument");
        let document = document.ok_or_else(|| broken("The file is not an .xlsx workbook"))?.path;
        if document.to_ascii_lowercase().ends_with(".bin") {
            return Err(broken("The workbook is in the binary format .xlsb, which is not read"));
        }
        let relations = relations(package, &document)?;
        let path_of =
            |kind: &str| relations.iter().find(|relation| relation.kind == kind).map(|found| found.path.clone());
        let (sheets, is_1904) = sheets(package, &document, &relations)?;
        let strings = match path_of("sharedStrings") {
            Some(path) => strings(package, &path)?,
            None => Strings::default(),
        };
        let formats = match path_of("styles") {
            Some(path) => formats(package, &path)?,
            None => Vec::new(),
        };
        Ok(Self { sheets, strings, formats, is_1904 })
    }
}

/// Returns the relations of a part, with their paths from the root of the archive.
fn relations<R: Read + Seek>(package: &mut Package<R>, of: &str) -> Result<Vec<Relation>, Fault> {
    let (folder, name) = of.rsplit_once('/').map_or(("", of), |(folder, name)| (folder, name));
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut events = package.needed_part(&format!("{prefix}_rels/{name}.rels"), LONGEST_PART)?;
    let mut found = Vec::new();
    loop {
        match events.next()? {
            Event::Start(start) if start.local_name().as_ref() == "Relationship" => {
                let [id, kind, target] = ["Id", "Type", "Target"].map(|name| attribute(&start, name));
                let (Some(id), Some(kind), Some(target)) = (id?, kind?, target?) else { continue };
                let path = match target.strip_prefix('/') {
                    Some(path) => path.to_owned(),
                    None => joined(folder, &target),
                };
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                if found.len() == MOST_RELATIONS {
                    return Err(broken("The workbook has more parts than are read"));
                }
                found.push(Relation { id, kind, path });
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

/// Returns the path of a target that is relative to a folder.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn sheets<R: Read + Seek>(
    package: &mut Package<R>,
    document: &str,
    relations: &[Relation],
) -> Result<(Vec<Sheet>, bool), Fault> {
    let mut events = package.needed_part(document, LONGEST_PART)?;
    let (mut sheets, mut is_1904) = (Vec::new(), false);
    loop {
        match events.next()? {
            Event::Start(start) if start.local_name().as_ref() == "sheet" => {
                let id = prefixed_attribute(&start, "id")?;
                let relation = relations.iter().find(|relation| Some(&relation.id) == id.as_ref());
                // Sheets of charts and macros have no cells.
                let Some(relation) = relation.filter(|relation| relation.kind == "worksheet") else { continue };
                if sheets.len() == MOST_SHEETS {
                    return Err(broken("The workbook has more sheets than are read"));
                }
                let is_visible = attribute(&start, "state")?.is_none_or(|state| state == "visible");
                sheets.push(Sheet { path: relation.path.clone(), is_visible });
            }
            Event::Start(start) if start.local_name().as_ref() == "workbookPr" => {
                is_1904 |= attribute(&start, "date1904")?.is_some_and(|value| value == "1" || value == "true");
            }
            Event::Eof => return Ok((sheets, is_1904)),
            _ => {}
        }
    }
}

fn strings<R: Read + Seek>(package: &mut Package<R>, path: &str) -> Result<Strings, Fault> {
    let mut strings = Strings::default();
    let Some(mut events) = package.part(path, LONGEST_STRINGS)? else { return Ok(strings) };
    let mut text = String::new();
    loop {
        match events.next()? {
            Event::Start(start) if start.local_name().as_ref() == "si" => {
                text.clear();
                if !events.text(&mut text, TextKind::Runs, LONGEST_STRING)? {
                    return Err(broken("A text of the workbook is longer than 8 MiB"));
                }
                strings.push(&unescaped(&text))?;
            }
            Event::Eof => return Ok(strings),
            _ => {}
        }
    }
}

fn formats<R: Read + Seek>(package: &mut Package<R>, path: &str) -> Result<Vec<NumberFormat>, Fault> {
    let Some(mut events) = package.part(path, LONGEST_PART)? else { return Ok(Vec::new()) };
    let (mut own, mut formats, mut is_of_cells) = (HashMap::new(), Vec::new(), false);
    loop {
        if formats.len() > MOST_FORMATS || own.len() > MOST_FORMATS {
            return Err(broken("The workbook has more formats than are read"));
        }
        match events.next()? {
            Event::Start(start) => match start.local_name().as_ref() {
                "cellXfs" => is_of_cells = true,
                "numFmt" => {
                    let id = attribute(&start, "numFmtId")?.and_then(|id| id.parse::<u32>().ok());
                    if let (Some(id), Some(code)) = (id, attribute(&start, "formatCode")?) {
                        own.insert(id, NumberFormat::of_code(&code));
                    }
                }
                "xf" if is_of_cells => {
                    let id = attribute(&start, "numFmtId")?.and_then(|id| id.parse::<u32>().ok()).unwrap_or_default();
                    formats.push(own.get(&id).copied().unwrap_or_else(|| NumberFormat::built_in(id)));
                }
                _ => {}
            },
            Event::End(end) if end.local_name().as_ref() == "cellXfs" => is_of_cells = false,
            Event::Eof => return Ok(formats),
            _ => {}
        }
    }
}
