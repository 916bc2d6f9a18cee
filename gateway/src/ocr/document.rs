//! Reads the pages of a scan one after the other. All of them are read, or none.

use super::program::{ProgramFault, RunLimits, run};
use crate::scan::ScanFormat;

/// The longer side of a page of a PDF, in pixels: that of A4 at 300 dots an inch. It bounds the picture of a page,
/// whatever size the page claims.
const LONG_SIDE: usize = 3_508;
/// Most bytes of such a picture, in grey.
const LARGEST_PICTURE: usize = LONG_SIDE * LONG_SIDE + 1_024;
/// Most bytes of the table of a scan.
const LARGEST_TABLE: usize = 8 << 20;
const LARGEST_INFO: usize = 64 << 10;

/// Why a scan is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OcrFault {
    /// It is neither a picture nor a PDF.
    #[error("the body is not a PNG, JPEG, TIFF or PDF file")]
    NoScan,
    /// It has too many bytes, pages or words.
    #[error("the scan has more bytes, pages or words than this server takes")]
    TooLarge,
    /// A program failed at it, or broke a limit of memory.
    #[error("the scan cannot be read: it is damaged, has a password, or needs more memory than it may have")]
    Unreadable,
    /// It was not read in time.
    #[error("the scan was not read in time")]
    TooSlow,
    /// A program, or the process that sets its limits, cannot be started.
    #[error(
        "a program that reads scans cannot be started: check that tesseract and poppler are installed, and the process \
         and memory limits of this server"
    )]
    Broken,
}

impl From<ProgramFault> for OcrFault {
    fn from(fault: ProgramFault) -> Self {
        match fault {
            ProgramFault::NotStarted => Self::Broken,
            ProgramFault::TooSlow => Self::TooSlow,
            ProgramFault::Failed => Self::Unreadable,
            ProgramFault::TooLong => Self::TooLarge,
        }
    }
}

/// A scan, and how it is read.
pub(super) struct Document {
    pub(super) format: ScanFormat,
    pub(super) language: String,
    pub(super) most_pages: usize,
    pub(super) limits: RunLimits,
}

impl Document {
    /// Returns the table of the words of a scan, in the TSV of tesseract.
    pub(super) fn read(&self, scan: &[u8]) -> Result<Vec<u8>, OcrFault> {
        if self.format != ScanFormat::Pdf {
            let table = self.recognise(scan, None)?;
            return if page_count(&table) <= self.most_pages { Ok(table) } else { Err(OcrFault::TooLarge) };
        }
        let info = run("pdfinfo", &["-"], scan, LARGEST_INFO, &self.limits)?;
        let pages = pages_of(&info).filter(|pages| *pages > 0).ok_or(OcrFault::Unreadable)?;
        if pages > self.most_pages {
            return Err(OcrFault::TooLarge);
        }
        let mut table = Vec::new();
        for page in 1..=pages {
            let (number, side) = (page.to_string(), LONG_SIDE.to_string());
            let draw = ["-gray", "-scale-to", &side, "-f", &number, "-l", &number, "-singlefile", "-"];
            let picture = run("pdftoppm", &draw, scan, LARGEST_PICTURE, &self.limits)?;
            // A page that cannot be drawn does not count as a page without words.
            if !picture.starts_with(b"P5") {
                return Err(OcrFault::Unreadable);
            }
            let of_page = self.recognise(&picture, Some("300"))?;
            append_page(&mut table, &of_page, &number);
            if table.len() > LARGEST_TABLE {
                return Err(OcrFault::TooLarge);
            }
        }
        Ok(table)
    }

    /// Runs tesseract over a picture. The bytes must be a picture: tesseract reads other bytes as names of files.
    fn recognise(&self, picture: &[u8], dots_an_inch: Option<&str>) -> Result<Vec<u8>, OcrFault> {
        let resolution = dots_an_inch.map_or_else(Vec::new, |dots| vec!["--dpi", dots]);
        let arguments = [&["stdin", "stdout", "-l", &self.language], &*resolution, &["tsv"]].concat();
        let table = run("tesseract", &arguments, picture, LARGEST_TABLE, &self.limits)?;
        // Tesseract exits with success after a picture that it cannot read.
        if page_count(&table) == 0 { Err(OcrFault::Unreadable) } else { Ok(table) }
    }
}

/// Returns the number of pages that `pdfinfo` reports. The texts of the document come before it.
fn pages_of(info: &[u8]) -> Option<usize> {
    let lines = info.split(|byte| *byte == b'\n');
    let count = lines.filter_map(|line| line.strip_prefix(b"Pages:")).next_back()?;
    std::str::from_utf8(count).ok()?.trim().parse().ok()
}

/// Returns the number of pages in a table: its rows of level 1.
fn page_count(table: &[u8]) -> usize {
    table.split(|byte| *byte == b'\n').filter(|row| row.starts_with(b"1\t")).count()
}

/// Adds the table of a page, which is the first one of its own picture, as the page of a number.
fn append_page(table: &mut Vec<u8>, of_page: &[u8], number: &str) {
    let mut rows = of_page.split(|byte| *byte == b'\n').filter(|row| !row.is_empty());
    let head = rows.next().unwrap_or_default();
    if table.is_empty() {
        table.extend_from_slice(head);
        table.push(b'\n');
    }
    for row in rows {
        let mut columns = row.splitn(3, |byte| *byte == b'\t');
        let level = columns.next().unwrap_or_default();
        let rest = columns.nth(1).unwrap_or_default();
        for part in [level, b"\t", number.as_bytes(), b"\t", rest, b"\n"] {
            table.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_numbered() {
        let info = b"Title: Pages: 9\nPages:          1\nSubject: x\nPages:           3\nEncrypted: no\n";
        assert_eq!(pages_of(info), Some(3));
        assert_eq!(pages_of(b"Pages: x\n"), None);
        assert_eq!(pages_of(b""), None);
        let page = b"level\tpage_num\tx\n1\t1\t0\n5\t1\ta\tb\n";
        let mut table = Vec::new();
        append_page(&mut table, page, "1");
        append_page(&mut table, page, "2");
        assert_eq!(table, b"level\tpage_num\tx\n1\t1\t0\n5\t1\ta\tb\n1\t2\t0\n5\t2\ta\tb\n");
        assert_eq!(page_count(&table), 2);
    }
}
