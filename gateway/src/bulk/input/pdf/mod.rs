//! Reads the text layer of a PDF. The pages of a PDF are one note.
//!
//! The library that reads it runs in a process of its own, see [`super::isolated`]: this module only starts that
//! process. Pages are separated by a form feed, so the page number of a quote is the number of form feeds before it,
//! plus 1.

mod content;
mod layout;
mod reader;

use std::{
    fmt::Write as _,
    io::{Cursor, Read},
    process::Stdio,
};

pub(in crate::bulk) use self::reader::serve;
use self::reader::{PdfPages, ReaderAnswer, Refusal};
use super::{
    Fault,
    isolated::{Isolated, not_started},
    too_long, unread,
};
use crate::bulk::outcome::InputWarning;

/// Maximum bytes of a PDF: the reader has all of them in memory. A longer one is a scan in nearly all cases.
const LONGEST: u64 = 16 << 20;
/// Maximum numbers of pages that a warning names.
const SHOWN_PAGES: usize = 10;
/// Bytes of the beginning of every PDF.
pub(super) const MAGIC: &[u8] = b"%PDF-";
/// The text between two pages.
const PAGE_END: &str = "\n\u{c}";

/// The rules in the errors of PDFs that are not read.
pub(super) const RULES: [&str; 5] = ["pdf", "no_text_layer", "unreadable_text", "password", "file_limits"];

/// The text of a PDF.
#[derive(Debug)]
pub(super) struct PdfText {
    pub(super) text: String,
    /// The pages without text, if there are any.
    pub(super) warning: Option<InputWarning>,
}

/// Returns the text of a PDF of at most `longest` bytes of text.
pub(super) fn read(input: impl Read, longest: usize) -> Result<PdfText, Fault> {
    // A test of the library has no command: it reads in its own process.
    let answer = if cfg!(test) { reader::answer(input, longest) } else { isolated_answer(input, longest)? };
    match answer {
        ReaderAnswer::Read(pages) => joined(&pages),
        ReaderAnswer::Refused(refusal) => Err(refused(refusal)),
    }
}

fn isolated_answer(input: impl Read, longest: usize) -> Result<ReaderAnswer, Fault> {
    let started = Isolated::start("pdf", &[longest.to_string()], Stdio::piped());
    let mut process = started.map_err(|cause| not_started(&cause))?;
    if !process.give(input, LONGEST).map_err(|cause| unread(&cause))? {
        let most = LONGEST >> 20;
        let message =
            format!("The PDF is larger than {most} MiB and was not read. Give its text, or its pages in parts.");
        return Err(Fault::text("max_length", message));
    }
    let mut answer = Vec::new();
    // JSON escapes a character with six bytes at most.
    let most = longest.saturating_mul(6) as u64 + (64 << 10);
    if let Some(output) = process.output() {
        output.take(most).read_to_end(&mut answer).map_err(|cause| unread(&cause))?;
    }
    process.end()?;
    Ok(serde_json::from_slice(&answer).unwrap_or(ReaderAnswer::Refused(Refusal::Broken)))
}

/// Returns the text of a PDF that another file holds. The document around it has no place for a warning, so a line says
/// which pages have no text.
pub(super) fn attached(bytes: &[u8], longest: usize) -> Result<String, Fault> {
    let PdfText { text, warning } = read(Cursor::new(bytes), longest)?;
    Ok(match warning {
        Some(warning) => format!("{text}\n[{}]", warning.message),
        None => text,
    })
}

fn joined(PdfPages { pages, has_form_fields }: &PdfPages) -> Result<PdfText, Fault> {
    let is_empty = |page: &String| page.trim().is_empty();
    if pages.iter().all(is_empty) {
        let message =
            "The PDF has no text layer: it is a scan or a drawing. Nothing was read; let an OCR program add the text";
        return Err(Fault::text("no_text_layer", format!("{message}.")));
    }
    let text = pages.join(PAGE_END);
    if is_unreadable(&text) {
        let message =
            "A font of the PDF does not map its characters to letters: its text would be read wrongly. Give its text";
        return Err(Fault::text("unreadable_text", format!("{message}.")));
    }
    let empty: Vec<usize> = (1..).zip(pages).filter(|(_, page)| is_empty(page)).map(|(number, _)| number).collect();
    let unread = (!empty.is_empty()).then(|| without_text(&empty, pages.len()));
    let fields = has_form_fields.then(|| {
        "The PDF is a form with fields to fill in: what stands in the fields was not read. Print it to a PDF first."
            .to_owned()
    });
    let messages: Vec<String> = unread.into_iter().chain(fields).collect();
    let warning = (!messages.is_empty()).then(|| InputWarning { code: "pdf_partly_read", message: messages.join(" ") });
    Ok(PdfText { text, warning })
}

fn without_text(empty: &[usize], pages: usize) -> String {
    let mut numbers = String::new();
    for (at, number) in empty.iter().take(SHOWN_PAGES).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(numbers, "{}{number}", if at > 0 { ", " } else { "" });
    }
    if empty.len() > SHOWN_PAGES {
        numbers.push_str(", ...");
    }
    format!(
        "{} of {pages} pages of the PDF have no text layer and were not read: page {numbers}. They are empty, or pictures.",
        empty.len()
    )
}

/// Whether more than one in twenty characters of a text cannot be identified: a font has no table of its letters.
fn is_unreadable(text: &str) -> bool {
    let is_unknown = |letter: char| {
        matches!(letter, '\u{fffd}' | '\u{e000}'..='\u{f8ff}') || letter.is_control() && !letter.is_whitespace()
    };
    let (mut signs, mut unknown) = (0usize, 0usize);
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        signs += 1;
        unknown += usize::from(is_unknown(letter));
    }
    unknown * 20 > signs
}

fn refused(refusal: Refusal) -> Fault {
    let text = |rule, message: String| Fault::text(rule, message);
    match refusal {
        Refusal::Password => {
            let message = "The PDF is encrypted and needs a password. Save it without one, or give its text.";
            text("password", message.to_owned())
        }
        Refusal::TooManyPages(most) => {
            text("max_length", format!("The PDF has more than {most} pages and was not read. Give it in parts."))
        }
        Refusal::TooLong => too_long(),
        Refusal::Page(number) => {
            let message = format!("Page {number} of the PDF is broken, so nothing of it was read");
            text("pdf", format!("{message}: save it again, or give its text."))
        }
        Refusal::Broken => {
            let message = "The PDF is broken or cut off. Nothing of it was read: save it again, or give its text.";
            text("pdf", message.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(pages: &[&str]) -> Result<PdfText, Fault> {
        joined(&PdfPages { pages: pages.iter().map(|&page| page.to_owned()).collect(), has_form_fields: false })
    }

    #[test]
    fn signs_that_are_no_letters_are_refused_and_a_few_are_not() {
        let sentence = "Stage IV lung adenocarcinoma with brain metastases.";
        for unknown in ["\u{fffd}", "\u{e001}", "\u{1}"] {
            let garbled = unknown.repeat(20);
            assert!(outcome(&[sentence, &garbled]).is_err(), "{unknown:?}");
            assert!(outcome(&[sentence, unknown]).is_ok(), "{unknown:?}");
        }
    }

    #[test]
    fn an_empty_file_is_refused_and_an_empty_page_is_said() {
        assert!(outcome(&[" \n", ""]).is_err());
        let read = outcome(&["Stage IV", " "]).unwrap();
        assert_eq!(read.text, "Stage IV\n\u{c} ");
        assert!(read.warning.is_some_and(|warning| warning.message.contains("page 2")));
    }
}
