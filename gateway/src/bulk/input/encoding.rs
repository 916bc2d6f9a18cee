//! Decodes bytes as UTF-8, with or without a byte order mark, as UTF-16 with a mark, or as `--encoding` says. An
//! encoding is reported and not guessed, because a note that is decoded wrongly is worse than a note that is not read.

use std::{
    cell::RefCell,
    io::{self, Cursor, Read},
    rc::Rc,
};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::Fault;

/// The byte order mark of UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";
/// Bytes that are decoded at a time.
const CHUNK: usize = 16 << 10;

/// The beginning of an input, the rest of it, and its first form if it was turned into UTF-8.
type Decoded = (Vec<u8>, Box<dyn Read>, Option<SourceEncoding>);

/// What is known of the bytes of an input that is turned into UTF-8, as far as they were read.
#[derive(Clone, Debug)]
pub(super) struct SourceEncoding(Rc<RefCell<Utf8Check>>);

impl SourceEncoding {
    /// Returns a warning if the input seems to be UTF-8 already: then its letters beyond ASCII were read wrongly.
    pub(super) fn warning(&self) -> Option<String> {
        let check = self.0.borrow();
        let is_utf8 = check.is_valid && check.has_letters && check.cut.is_empty();
        is_utf8.then(|| {
            format!(
                "it is valid UTF-8 with letters beyond ASCII, and was read as {}, as --encoding says: these letters are \
                 probably wrong. Leave out --encoding",
                check.read_as
            )
        })
    }
}

/// Whether all bytes are UTF-8.
#[derive(Debug)]
struct Utf8Check {
    read_as: &'static str,
    is_valid: bool,
    /// Whether there are letters beyond ASCII.
    has_letters: bool,
    /// The beginning of a letter whose other bytes come next.
    cut: Vec<u8>,
}

impl Utf8Check {
    fn see(&mut self, bytes: &[u8]) {
        if !self.is_valid || self.cut.is_empty() && bytes.is_ascii() {
            return;
        }
        self.has_letters = true;
        self.cut.extend_from_slice(bytes);
        match std::str::from_utf8(&self.cut) {
            Ok(_) => self.cut.clear(),
            Err(error) if error.error_len().is_some() => self.is_valid = false,
            Err(error) => _ = self.cut.drain(..error.valid_up_to()),
        }
    }
}

/// Returns an input as UTF-8 without its byte order mark. A mark takes precedence over the encoding that the command
/// line names. Bytes without a mark and without a named encoding are passed on as they are, and each note is checked
/// for itself.
pub(super) fn decoded(
    mut start: Vec<u8>,
    input: Box<dyn Read>,
    named: Option<&'static Encoding>,
) -> Result<Decoded, String> {
    let encoding = match Encoding::for_bom(&start) {
        Some((encoding, length)) => {
            start.drain(..length);
            encoding
        }
        None if named.is_none() && start.len() >= 8 && memchr::memchr_iter(0, &start).count() >= start.len() / 3 => {
            return Err(
                "it seems to be UTF-16 without a byte order mark; say so: --encoding utf-16le or utf-16be".to_owned()
            );
        }
        None => named.unwrap_or(UTF_8),
    };
    if encoding == UTF_8 {
        return Ok((start, input, None));
    }
    let (read_as, cut) = (encoding.name(), Vec::new());
    let check = Utf8Check { read_as, is_valid: true, has_letters: false, cut };
    let source_encoding = SourceEncoding(Rc::new(RefCell::new(check)));
    let transcoder = Transcoder::new(Cursor::new(start).chain(input), encoding, source_encoding.clone());
    Ok((Vec::new(), Box::new(transcoder), Some(source_encoding)))
}

/// Returns the encoding of a name as on the web, such as `windows-1252` or `utf-16le`.
pub(in crate::bulk) fn named(label: &str) -> Result<&'static Encoding, String> {
    let short = match label.to_ascii_lowercase().as_str() {
        "utf-16" | "utf16" => return Err("UTF-16 has two orders of bytes: say utf-16le or utf-16be".to_owned()),
        "latin-1" => "latin1".to_owned(),
        other => other.to_owned(),
    };
    Encoding::for_label_no_replacement(short.as_bytes()).ok_or_else(|| {
        "it is not a known encoding; examples: utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis".to_owned()
    })
}

/// A reader that turns another encoding into UTF-8. A byte that the encoding does not have is an error.
struct Transcoder<R> {
    input: R,
    source_encoding: SourceEncoding,
    decoder: Decoder,
    raw: Vec<u8>,
    /// The part of `raw` that is not decoded yet.
    left: std::ops::Range<usize>,
    out: Vec<u8>,
    given: usize,
    last: bool,
    done: bool,
    malformed: bool,
}

impl<R: Read> Transcoder<R> {
    fn new(input: R, encoding: &'static Encoding, source_encoding: SourceEncoding) -> Self {
        let (decoder, raw, out) = (encoding.new_decoder_without_bom_handling(), vec![0; CHUNK], Vec::new());
        Self {
            input,
            source_encoding,
            decoder,
            raw,
            left: 0..0,
            out,
            given: 0,
            last: false,
            done: false,
            malformed: false,
        }
    }

    /// Decodes the next bytes into `out`.
    fn decode(&mut self) -> io::Result<()> {
        if self.left.is_empty() && !self.last {
            let count = self.input.read(&mut self.raw)?;
            (self.left, self.last) = (0..count, count == 0);
            self.source_encoding.0.borrow_mut().see(self.raw.get(..count).unwrap_or_default());
        }
        // Three bytes of UTF-8 are the most that one or two bytes of another encoding become.
        self.out.resize(CHUNK * 3 + 16, 0);
        let source = self.raw.get(self.left.clone()).unwrap_or_default();
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(source, &mut self.out, self.last);
        self.left.start += read;
        self.out.truncate(written);
        self.given = 0;
        match result {
            DecoderResult::InputEmpty => self.done = self.last,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => self.malformed = true,
        }
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() {
            if self.malformed {
                let name = self.decoder.encoding().name();
                return Err(io::Error::other(format!("it has bytes that are not {name}; nothing after them was read")));
            }
            if self.done {
                return Ok(0);
            }
            self.decode()?;
        }
        let ready = self.out.get(self.given..).unwrap_or_default();
        let count = ready.len().min(buffer.len());
        if let (Some(target), Some(bytes)) = (buffer.get_mut(..count), ready.get(..count)) {
            target.copy_from_slice(bytes);
        }
        self.given += count;
        Ok(count)
    }
}

/// Returns the text of a note without its byte order mark.
pub(super) fn text(mut bytes: Vec<u8>) -> Result<String, Fault> {
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let advice = "Say how the file is encoded, for example: --encoding windows-1252";
        Fault::text("utf8", format!("The note is not UTF-8: the byte at offset {at} is wrong. {advice}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8], label: Option<&str>) -> Result<String, String> {
        let encoding = label.map(|label| named(label).unwrap());
        let (start, rest) = bytes.split_at(bytes.len().min(16));
        let (start, mut rest, _) = decoded(start.to_vec(), Box::new(Cursor::new(rest.to_vec())), encoding)?;
        let mut text = start;
        rest.read_to_end(&mut text).map_err(|cause| cause.to_string())?;
        Ok(String::from_utf8(text).unwrap())
    }

    fn utf16(text: &str, mark: &[u8], bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn a_mark_or_a_name_decides_and_nothing_is_guessed() {
        let text = format!("Größe 2 cm 🩺 {}", "Östrogen ".repeat(9_000));
        assert_eq!(whole(&utf16(&text, b"\xff\xfe", u16::to_le_bytes), None).unwrap(), text);
        assert_eq!(whole(&utf16(&text, b"\xfe\xff", u16::to_be_bytes), Some("windows-1252")).unwrap(), text);
        assert_eq!(whole(&utf16(&text, b"", u16::to_le_bytes), Some("utf-16le")).unwrap(), text);
        assert_eq!(whole(b"Gr\xf6\xdfe", Some("cp1252")).unwrap(), "Größe");
        assert_eq!(whole(b"\xef\xbb\xbfa", Some("cp1252")).unwrap(), "a");
        assert!(whole(&utf16("Stage IV melanoma", b"", u16::to_le_bytes), None).unwrap_err().contains("utf-16le"));
        let torn = whole(b"\xff\xfeS\0t\0\0\xd8x\0", None).unwrap_err();
        assert!(torn.contains("not UTF-16LE"), "{torn}");
    }

    #[test]
    fn utf8_under_another_name_is_warned_about() {
        let warned = |bytes: Vec<u8>, label: &str| {
            let (_, mut rest, source_encoding) =
                decoded(Vec::new(), Box::new(Cursor::new(bytes)), Some(named(label).unwrap())).unwrap();
            let _ = rest.read_to_end(&mut Vec::new());
            source_encoding.unwrap().warning().is_some()
        };
        // Some letters lie across the borders of the pieces that are read.
        let long = format!("x{}", "ö 🩺 ".repeat(20_000));
        assert!(warned(long.clone().into_bytes(), "windows-1252"));
        assert!(warned("Größe".into(), "windows-1252"));
        assert!(!warned([long.as_bytes(), b"\xf6".as_slice()].concat(), "windows-1252"));
        assert!(!warned(b"Gr\xf6\xdfe".into(), "windows-1252"));
        assert!(!warned(b"Stage IV".into(), "windows-1252"));
    }

    #[test]
    fn names_that_say_too_little_are_refused() {
        assert!(named("utf-16").unwrap_err().contains("utf-16le"));
        assert!(named("ebcdic").is_err());
        assert_eq!(named("latin-1").unwrap().name(), "windows-1252");
    }
}
