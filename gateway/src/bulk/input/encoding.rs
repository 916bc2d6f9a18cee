//! Bytes to text: UTF-8, with or without its mark. Another encoding is said, not guessed: a note that is
//! read wrong is worse than one that is not read.

use super::Fault;

pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a note, its byte order mark taken off.
pub(super) fn text(mut bytes: Vec<u8>) -> Result<String, Fault> {
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    } else if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Fault::text("utf8", "It is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8."));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let advice = "Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8";
        Fault::text("utf8", format!("It is not UTF-8: byte {at} (from 0) is wrong. {advice}."))
    })
}
