//! Opens the parts of a workbook, which is a ZIP archive of XML files, with a limit on all that they inflate to.

use std::{
    cell::Cell,
    collections::HashMap,
    io::{self, BufReader, Read, Seek, SeekFrom},
    rc::Rc,
};

use zip::ZipArchive;

use super::{super::Fault, fault::broken, xml::Events};

/// Maximum files in the archive, and bytes of its directory. Workbooks have some hundred files.
const MOST_FILES: u16 = 10_000;
const LONGEST_DIRECTORY: u32 = 2 << 20;
/// Bytes of the record that ends the archive, and of the longest comment after it.
const END_RECORD: usize = 22;
const LONGEST_COMMENT: u64 = u16::MAX as u64;

/// Counts the bytes that are read of the file.
#[derive(Debug)]
pub(super) struct Counted<R> {
    input: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

/// The archive of a workbook.
pub(super) struct Package<R> {
    archive: ZipArchive<Counted<R>>,
    /// The files by their names in small letters: programs do not agree on the case.
    names: HashMap<String, usize>,
    count: Rc<Cell<u64>>,
}

fn unreadable(cause: &io::Error) -> Fault {
    Fault::text("readable", format!("It could not be read: {cause}."))
}

impl<R: Read + Seek> Package<R> {
    pub(super) fn open(mut input: R) -> Result<Self, Fault> {
        let mut begin = Vec::new();
        input.by_ref().take(8).read_to_end(&mut begin).map_err(|cause| unreadable(&cause))?;
        if begin.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
            return Err(broken("The workbook is encrypted with a password, or an old .xls file. Neither is read"));
        }
        if !begin.starts_with(b"PK") {
            return Err(broken("The file is not an .xlsx workbook"));
        }
        check_directory(&mut input)?;
        let count = Rc::new(Cell::new(0));
        let input = Counted { input, count: Rc::clone(&count) };
        let archive = ZipArchive::new(input).map_err(|_| broken("The archive of the workbook is damaged"))?;
        let mut names = HashMap::with_capacity(archive.len());
        for (index, name) in archive.file_names().enumerate() {
            if let Ok(name) = name {
                names.insert(name.replace('\\', "/").to_ascii_lowercase(), index);
            }
        }
        Ok(Self { archive, names, count })
    }

    /// Returns the number of bytes that were read of the file so far.
    pub(super) fn bytes_read(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.count)
    }

    /// Opens a part by its path. `limit` is the maximum of bytes that it may inflate to. `None` if there is no such part.
    pub(super) fn part(&mut self, path: &str, limit: u64) -> Result<Option<Events<'_>>, Fault> {
        let Some(&index) = self.names.get(&path.to_ascii_lowercase()) else { return Ok(None) };
        let part = self.archive.by_index(index);
        let part =
            part.map_err(|_| broken("A part of the workbook is damaged, encrypted or packed in an unknown way"))?;
        Ok(Some(Events::new(Box::new(BufReader::new(part)), limit)))
    }

    /// Opens a part that every workbook has.
    pub(super) fn needed_part(&mut self, path: &str, limit: u64) -> Result<Events<'_>, Fault> {
        self.part(path, limit)?.ok_or_else(|| broken("The file is not an .xlsx workbook: a part of it is missing"))
    }
}

/// Checks how large the directory of the archive is before it is read into memory.
fn check_directory(input: &mut (impl Read + Seek)) -> Result<(), Fault> {
    let end = read_end(input).map_err(|cause| unreadable(&cause))?;
    // The last record that ends exactly where the file does: the archive is read by the same one.
    let record = memchr::memmem::rfind_iter(&end, b"PK\x05\x06").find_map(|at| {
        let record = end.get(at..)?;
        let comment = number(record, 20)?;
        (record.len() == END_RECORD + usize::from(comment)).then_some(record)
    });
    let Some(record) = record else { return Err(broken("The archive of the workbook is cut off")) };
    let files = number(record, 10).unwrap_or(u16::MAX);
    let low = number(record, 12).unwrap_or(u16::MAX);
    let high = number(record, 14).unwrap_or(u16::MAX);
    if files > MOST_FILES || (u32::from(high) << 16 | u32::from(low)) > LONGEST_DIRECTORY {
        return Err(broken("The archive has more files than a workbook ever has"));
    }
    Ok(())
}

fn number(record: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(record.get(at..at + 2)?.try_into().ok()?))
}

/// Returns the last bytes of the file, in which its directory is named, and returns to its beginning.
fn read_end(input: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let length = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(length.saturating_sub(END_RECORD as u64 + LONGEST_COMMENT)))?;
    let mut end = Vec::new();
    input.by_ref().take(END_RECORD as u64 + LONGEST_COMMENT).read_to_end(&mut end)?;
    input.seek(SeekFrom::Start(0))?;
    Ok(end)
}
