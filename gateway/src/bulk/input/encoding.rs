//! Decodes bytes as UTF-8, with or without a byte order mark. Another encoding is reported and not guessed, because a
//! note that is decoded wrongly is worse than a note that is not read.

use super::Fault;

/// The byte order mark of UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the text of a note without its byte order mark.
pub(super) fn text(mut bytes: Vec<u8>) -> Result<String, Fault> {
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    } else if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Fault::text("utf8", "The note is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8."));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let advice = "Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8";
        Fault::text("utf8", format!("The note is not UTF-8: the byte at offset {at} is wrong. {advice}."))
    })
}
