//! The code of the separate process: it reads the PDF with the library. The library's messages are not passed on,
//! because they may contain text.

use std::{
    io::{self, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use pdf_extract::{Document, ObjectId, output_doc_page};
use serde::{Deserialize, Serialize};

use super::{super::isolated, content, layout::PageText};

/// Maximum pages of a PDF.
const PAGES: usize = 1_000;
/// Bytes at the end of a PDF that contain its end mark; some programs write more after it.
const END: usize = 2 << 10;

/// The answer of the process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ReaderAnswer {
    Read(PdfPages),
    Refused(Refusal),
}

/// The text of a PDF.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PdfPages {
    /// The text of each page; blank for a page without text.
    pub(super) pages: Vec<String>,
    /// Whether it has fields to fill in, which are not read.
    pub(super) has_form_fields: bool,
}

/// Why a PDF is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    Password,
    /// It has more pages than this.
    TooManyPages(usize),
    /// It has more text than a note may have.
    TooLong,
    /// The page of this number cannot be read.
    Page(u32),
    Broken,
}

/// Reads the PDF of standard input and writes its answer to standard output. `longest`: maximum bytes of the text.
pub(in crate::bulk) fn serve(longest: usize, limited: bool) -> ExitCode {
    isolated::inside(limited, || {
        let answer = answer(io::stdin().lock(), longest);
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &answer)?;
        out.flush()
    })
}

/// Returns the answer about a PDF.
pub(super) fn answer(mut input: impl Read, longest: usize) -> ReaderAnswer {
    let mut bytes = Vec::new();
    match input.read_to_end(&mut bytes) {
        Ok(_) if ends_as_a_pdf(&bytes) => pages(bytes, longest).map_or_else(ReaderAnswer::Refused, ReaderAnswer::Read),
        _ => ReaderAnswer::Refused(Refusal::Broken),
    }
}

/// Whether a PDF has its end mark near its end. A library repairs one that was cut off, and then pages are missing.
fn ends_as_a_pdf(bytes: &[u8]) -> bool {
    let end = bytes.get(bytes.len().saturating_sub(END)..).unwrap_or_default();
    memchr::memmem::find(end, b"%%EOF").is_some()
}

/// Returns the text of each page.
fn pages(bytes: Vec<u8>, longest: usize) -> Result<PdfPages, Refusal> {
    let mut document = catch_unwind(|| open(&bytes)).unwrap_or(Err(Refusal::Broken))?;
    drop(bytes);
    let numbered: Vec<(u32, ObjectId)> = document.get_pages().into_iter().take(PAGES + 1).collect();
    if numbered.len() > PAGES {
        return Err(Refusal::TooManyPages(PAGES));
    }
    // The library silently skips pages that it does not find.
    if numbered.is_empty() || declared_pages(&document) != Some(numbered.len()) {
        return Err(Refusal::Broken);
    }
    let (mut pages, mut left) = (Vec::with_capacity(numbered.len()), longest);
    for (number, id) in numbered {
        let read = catch_unwind(AssertUnwindSafe(|| page(&mut document, number, id, left)));
        let page = read.ok().flatten().ok_or(Refusal::Page(number))?;
        if page.is_too_long() {
            return Err(Refusal::TooLong);
        }
        left -= page.text.len();
        pages.push(page.text);
    }
    Ok(PdfPages { pages, has_form_fields: has_form_fields(&document) })
}

/// Returns the text of a page; `None` if a part of it cannot be read.
fn page(document: &mut Document, number: u32, id: ObjectId, longest: usize) -> Option<PageText> {
    let letters = content::prepare_page(document, id).ok()?;
    let mut page = PageText::new(longest);
    output_doc_page(document, &mut page, number).ok()?;
    content::forget_page(document, id);
    // Fewer letters than the page draws: a font was not understood.
    (page.letters >= letters || page.is_too_long()).then_some(page)
}

/// Opens a PDF and rewrites its parts so that the library reads them in full.
fn open(bytes: &[u8]) -> Result<Document, Refusal> {
    let mut document = Document::load_mem(bytes).map_err(|_| Refusal::Broken)?;
    // Many reports are encrypted so that they cannot be changed, and open without a password.
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(Refusal::Password);
    }
    content::prepare_parts(&mut document).map_err(|_| Refusal::Broken)?;
    Ok(document)
}

/// Whether the document is a form that can be filled in: the values of its fields are not in its pages.
fn has_form_fields(document: &Document) -> bool {
    let fields = || {
        let (_, form) = document.dereference(document.catalog().ok()?.get(b"AcroForm").ok()?).ok()?;
        let (_, fields) = document.dereference(form.as_dict().ok()?.get(b"Fields").ok()?).ok()?;
        Some(!fields.as_array().ok()?.is_empty())
    };
    fields().unwrap_or(false)
}

/// Returns how many pages the document says to have.
fn declared_pages(document: &Document) -> Option<usize> {
    let catalog = document.catalog().ok()?;
    let (_, pages) = document.dereference(catalog.get(b"Pages").ok()?).ok()?;
    let (_, count) = document.dereference(pages.as_dict().ok()?.get(b"Count").ok()?).ok()?;
    usize::try_from(count.as_i64().ok()?).ok()
}
