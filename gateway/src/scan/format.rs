//! Recognises the forms of scans by their first bytes. A name or a declared type does not count.

/// What a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanFormat {
    /// A picture in PNG.
    Png,
    /// A picture in JPEG.
    Jpeg,
    /// Pictures in TIFF, one a page.
    Tiff,
    /// Pages in PDF.
    Pdf,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanFault {
    /// It is not a scan.
    Unknown,
    /// It breaks off: a library would fill or leave out what is missing.
    CutOff,
}

/// Bytes at the end of a file that contain its end mark; some programs write more after it.
const END: usize = 2 << 10;

impl ScanFormat {
    /// Returns the form of a whole file.
    pub fn check(bytes: &[u8]) -> Result<Self, ScanFault> {
        let format = Self::of(bytes).ok_or(ScanFault::Unknown)?;
        let end_mark: &[u8] = match format {
            Self::Png => b"IEND",
            Self::Jpeg => b"\xff\xd9",
            Self::Pdf => b"%%EOF",
            // A TIFF has none, and its readers notice what is missing.
            Self::Tiff => b"",
        };
        let end = bytes.get(bytes.len().saturating_sub(END)..).unwrap_or_default();
        if memchr::memmem::find(end, end_mark).is_some() { Ok(format) } else { Err(ScanFault::CutOff) }
    }

    /// Returns the form of a file; none if it is not a scan.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], ScanFormat); 5] = [
            (b"\x89PNG\r\n\x1a\n", ScanFormat::Png),
            (b"\xff\xd8\xff", ScanFormat::Jpeg),
            (b"II*\0", ScanFormat::Tiff),
            (b"MM\0*", ScanFormat::Tiff),
            (b"%PDF-", ScanFormat::Pdf),
        ];
        MAGIC.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| format)
    }

    /// Returns the media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Tiff => "image/tiff",
            Self::Pdf => "application/pdf",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0"[..], Some(ScanFormat::Png)),
            (b"\xff\xd8\xff\xe0", Some(ScanFormat::Jpeg)),
            (b"II*\0....", Some(ScanFormat::Tiff)),
            (b"MM\0*....", Some(ScanFormat::Tiff)),
            (b"%PDF-1.7", Some(ScanFormat::Pdf)),
            (b"GIF89a", None),
            (b"/etc/passwd", None),
            (b" %PDF-1.7", None),
            (b"", None),
        ] {
            assert_eq!(ScanFormat::of(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_that_breaks_off_is_known() {
        for (magic, end) in [
            (&b"\x89PNG\r\n\x1a\n"[..], &b"IEND\xae\x42\x60\x82"[..]),
            (b"\xff\xd8\xff", b"\xff\xd9"),
            (b"%PDF-1.7", b"%%EOF\n"),
        ] {
            let cut = [magic, &[7; 5_000]].concat();
            assert_eq!(ScanFormat::check(&cut), Err(ScanFault::CutOff));
            assert!(ScanFormat::check(&[&cut[..], end, b"\0\0"].concat()).is_ok());
        }
        assert_eq!(ScanFormat::check(b"II*\0"), Ok(ScanFormat::Tiff));
        assert_eq!(ScanFormat::check(b"GIF89a"), Err(ScanFault::Unknown));
    }
}
