//! The bytes of an input, decompressed and as UTF-8, and their beginning, which is inspected before anything is read.
//!
//! Compression is known by the magic number, an encoding by its byte order mark or by `--encoding`. Neither is guessed
//! from a name, because a note that is decoded wrongly is worse than a note that is not read.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::{
    InputFormat,
    encoding::{self, SourceEncoding},
    pdf,
};

/// Bytes at the beginning of an input that decide how it is read.
const LONGEST_HEAD: usize = 64 << 10;
/// Bytes of the read buffer.
const BUFFER: usize = 64 << 10;
/// Window of zstd in powers of two: 8 MiB, as every decoder must take. With a larger one, a file could choose how much
/// memory is used.
const ZSTD_WINDOW: u32 = 23;

/// A reader of the whole input: its beginning and the rest.
pub(super) type Whole = BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read>>>;

/// An input whose beginning can be inspected.
pub(super) struct Content {
    head: Vec<u8>,
    rest: Box<dyn Read>,
    /// Whether `head` is all there is.
    ended: bool,
    /// Whether the bytes were compressed, so that their number is not a number of bytes of the file.
    pub(super) compressed: bool,
    /// The form of the bytes before their conversion to UTF-8. After it, an encoding that the input names no longer
    /// applies.
    pub(super) source_encoding: Option<SourceEncoding>,
}

/// Forms of inputs that are not read: their first bytes, and what they are with what to do instead.
const UNREADABLE: [(&[u8], &str); 11] = [
    (b"PK\x03\x04", "it is a zip archive or an Office file; give an Excel workbook (.xlsx) by name, unpack others"),
    (b"\xd0\xcf\x11\xe0", "it is an old Office file (.doc, .xls); save it as text or as CSV UTF-8"),
    (b"BZh", "it is bzip2; give its content: bzcat FILE | gateway extract -"),
    (b"\xfd7zXZ\0", "it is xz; give its content: xzcat FILE | gateway extract -"),
    (b"PAR1", "it is Parquet; give it as a file by its name"),
    (b"\x89PNG", "it is a picture; give the text that an OCR program reads from it"),
    (b"\xff\xd8\xff", "it is a picture; give the text that an OCR program reads from it"),
    (b"II*\0", "it is a picture; give the text that an OCR program reads from it"),
    (b"MM\0*", "it is a picture; give the text that an OCR program reads from it"),
    (b"7z\xbc\xaf", "it is a 7z archive; unpack it"),
    (b"SQLite format 3", "it is a SQLite database; export the notes as CSV or JSON lines"),
];

impl Content {
    /// Returns the content of an input, or what is wrong with it as the end of a sentence that begins with its name.
    pub(super) fn open(input: impl Read + 'static, form: &InputFormat) -> Result<Self, String> {
        let (mut start, mut input) = begin(Box::new(input))?;
        let compressed = match start.as_slice() {
            [0x1f, 0x8b, ..] => {
                (start, input) = begin(Box::new(MultiGzDecoder::new(BufReader::new(Cursor::new(start).chain(input)))))?;
                true
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let decoder = zstd::stream::read::Decoder::new(Cursor::new(start).chain(input));
                let mut decoder = decoder.map_err(|cause| cannot_be_read(&cause))?;
                decoder.window_log_max(ZSTD_WINDOW).map_err(|cause| cannot_be_read(&cause))?;
                (start, input) = begin(Box::new(decoder))?;
                true
            }
            _ => false,
        };
        if matches!(start.as_slice(), [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..]) {
            return Err("it is compressed twice; unpack it once".to_owned());
        }
        if let Some((_, reason)) = UNREADABLE.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err((*reason).to_owned());
        }
        if start.starts_with(pdf::MAGIC) {
            // A PDF is not text: --encoding applies to other inputs.
            return Ok(Self { head: start, rest: input, ended: false, compressed, source_encoding: None });
        }
        let (start, input, source_encoding) = encoding::decoded(start, input, form.encoding)?;
        Ok(Self { head: start, rest: input, ended: false, compressed, source_encoding })
    }

    /// Reads on until the beginning has a whole line, at most [`LONGEST_HEAD`] bytes. A line `sep=;` does not count as
    /// one. Returns the beginning.
    pub(super) fn first_line(&mut self) -> Result<&[u8], String> {
        self.look(|head| {
            let head = head.trim_ascii_start();
            let lines = if announces_delimiter(head) { 2 } else { 1 };
            memchr::memchr_iter(b'\n', head).nth(lines - 1).is_some()
        })
    }

    /// Reads on until the beginning has [`LONGEST_HEAD`] bytes or the input ends. Returns the beginning.
    pub(super) fn beginning(&mut self) -> Result<&[u8], String> {
        self.look(|_| false)
    }

    /// Whether the input is a PDF.
    pub(super) fn is_pdf(&self) -> bool {
        self.head.starts_with(pdf::MAGIC)
    }

    /// Whether the beginning is the whole input.
    pub(super) fn is_whole(&self) -> bool {
        self.ended
    }

    /// Returns an error if the beginning is not UTF-8: then every note of a table would fail by itself.
    pub(super) fn check_encoding(&mut self) -> Result<(), String> {
        self.beginning()?;
        match std::str::from_utf8(&self.head) {
            // A letter may be cut at the end of the beginning.
            Err(error) if error.error_len().is_some() => {
                let (at, advice) = (error.valid_up_to(), "say how it is encoded, for example --encoding windows-1252");
                Err(format!("it is not UTF-8: the byte at offset {at} is wrong; {advice}"))
            }
            _ => Ok(()),
        }
    }

    fn look(&mut self, enough: impl Fn(&[u8]) -> bool) -> Result<&[u8], String> {
        let mut chunk = vec![0; 4 << 10];
        while !self.ended && self.head.len() < LONGEST_HEAD && !enough(&self.head) {
            match self.rest.read(&mut chunk) {
                Ok(0) => self.ended = true,
                Ok(count) => self.head.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cannot_be_read(&cause)),
            }
        }
        Ok(&self.head)
    }

    /// Returns a reader of all bytes, without the first `skipped`.
    pub(super) fn reader(mut self, skipped: usize) -> Whole {
        self.head.drain(..skipped.min(self.head.len()));
        BufReader::with_capacity(BUFFER, Cursor::new(self.head).chain(self.rest))
    }
}

/// Whether an input begins as Excel writes the delimiter before the header.
fn announces_delimiter(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\"").unwrap_or(head);
    head.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sep="))
}

/// Reads enough bytes to know a magic number.
fn begin(mut input: Box<dyn Read>) -> Result<(Vec<u8>, Box<dyn Read>), String> {
    let mut start = Vec::new();
    input.by_ref().take(16).read_to_end(&mut start).map_err(|cause| cannot_be_read(&cause))?;
    Ok((start, input))
}

fn cannot_be_read(cause: &io::Error) -> String {
    format!("it cannot be read: {cause}")
}
