//! Reads the text of a document that another file holds, such as a report in an HL7 message or in a CDA document.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Fault, pdf, too_long};
use crate::extraction::{Note, Readable};

/// Decodes base64 with or without padding. Line ends and blanks are ignored.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, Fault> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let characters: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    GeneralPurpose::new(&STANDARD, config)
        .decode(characters)
        .map_err(|_| Fault::text("attachment", "The attached document is not valid base64: it was cut off or changed."))
}

/// Returns the text of a document. `kind` is its media type or the words that the file has for it; `decode` reads its
/// bytes in the character set of the file.
pub(super) fn text(
    bytes: &[u8],
    kind: &str,
    longest: usize,
    decode: impl FnOnce(&[u8]) -> Result<String, Fault>,
) -> Result<String, Fault> {
    let kind = kind.to_ascii_lowercase();
    let start = bytes.trim_ascii_start();
    let is_rtf = start.starts_with(b"{\\rtf");
    if start.starts_with(b"%PDF-") || kind.contains("pdf") {
        return pdf::attached(bytes, longest);
    }
    let names_text = ["text", "plain", "txt", "html", "rtf"].iter().any(|name| kind.contains(name));
    if !is_rtf && (!names_text || bytes.contains(&0)) {
        return Err(unread("of a kind that is not read"));
    }
    if bytes.len() > longest {
        return Err(too_long());
    }
    let text = decode(bytes)?;
    if !is_rtf && !kind.contains("html") {
        return Ok(text);
    }
    let note = Note::new(text, longest).map_err(|refusal| Fault::refused(refusal, longest))?;
    Ok(Readable::of(&note).note().as_str().trim().to_owned())
}

/// Whether a fault says that an attached document could not be read, rather than that the file around it is wrong.
pub(super) fn is_unread(fault: &Fault) -> bool {
    fault.rule() == "attachment" || pdf::RULES.contains(&fault.rule())
}

fn unread(kind: &str) -> Fault {
    let advice = "Text, HTML, RTF and PDF are read. Convert it to text, or send the text of the report beside it";
    Fault::text("attachment", format!("The report is an attached document, {kind}. {advice}."))
}

/// Returns a heading as a line of its own shows it.
pub(super) fn heading(label: &str) -> String {
    let label = label.trim();
    if label.ends_with([':', '.', '?', '!']) { label.to_owned() } else { format!("{label}:") }
}
