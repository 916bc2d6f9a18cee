//! Decodes the bytes of a message in the character set that MSH-18 names.

use std::borrow::Cow;

use encoding_rs::Encoding;

use super::super::Fault;

/// How the bytes of a message are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8, which ASCII is part of. Messages that name no character set are read so too, and checked.
    Utf8,
    /// Another character set, one byte or several to a character.
    Other(&'static Encoding),
}

impl Charset {
    /// Returns the character set that MSH-18 names. Of several, the first is the one that the message begins in.
    pub(super) fn named(name: &str) -> Result<Self, Fault> {
        let name = name.trim();
        let label = match name.to_ascii_uppercase().as_str() {
            "" | "ASCII" | "UTF-8" | "UTF8" | "UNICODE UTF-8" => return Ok(Self::Utf8),
            "GB 18030-2000" => Some("gb18030".to_owned()),
            "BIG-5" => Some("big5".to_owned()),
            "KS X 1001" => Some("euc-kr".to_owned()),
            "ISO IR14" | "ISO IR87" | "ISO IR159" | "CNS 11643-1992" | "UNICODE" | "UNICODE UTF-16"
            | "UNICODE UTF-32" => None,
            // Table 0211 of HL7 leaves out the first letters of "ISO-8859".
            other => match other.strip_prefix("8859/").or_else(|| other.strip_prefix("8859-")) {
                Some(part) => Some(format!("iso-8859-{part}")),
                None => Some(other.to_owned()),
            },
        };
        let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes()));
        match encoding {
            Some(encoding) if encoding == encoding_rs::UTF_8 => Ok(Self::Utf8),
            Some(encoding) if encoding.is_ascii_compatible() => Ok(Self::Other(encoding)),
            _ => Err(Fault::text("charset", refusal(name))),
        }
    }

    /// Returns the text of some bytes; `None` if they are not in this character set.
    pub(super) fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Other(encoding) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    /// Returns the fault of a text that is not in this character set.
    pub(super) fn fault(self) -> Fault {
        let name = match self {
            Self::Utf8 => "UTF-8",
            Self::Other(encoding) => encoding.name(),
        };
        let advice = "Name its character set in MSH-18, or convert it, for example: iconv -f WINDOWS-1252 -t UTF-8";
        Fault::text("charset", format!("The message is not in the character set of its MSH-18 ({name}). {advice}."))
    }
}

/// Names the character set only if it looks like a name: the field may hold anything.
fn refusal(name: &str) -> String {
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_/.".contains(&byte));
    let name = if is_name { format!("`{name}`") } else { "a name that is not a character set".to_owned() };
    format!(
        "MSH-18 names the character set {name}, which is not read. Convert the message to UTF-8 and write UNICODE UTF-8 in MSH-18."
    )
}
