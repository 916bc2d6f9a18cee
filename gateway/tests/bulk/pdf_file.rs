//! Writes small PDFs for tests.

use std::fmt::Write as _;

/// A PDF in the making: its objects, of which the first is the catalogue and the second the tree of pages.
pub(crate) struct PdfFile {
    pub(crate) objects: Vec<Vec<u8>>,
}

impl PdfFile {
    /// Returns a PDF with a page for each text; each line of a text is a line of its page. A page with an empty text is a
    /// drawing.
    pub(crate) fn of(pages: &[&str]) -> Self {
        let numbers: Vec<usize> = (0..pages.len()).map(|at| 4 + at * 2).collect();
        let kids = numbers.iter().map(|number| format!("{number} 0 R")).collect::<Vec<_>>().join(" ");
        let mut objects = vec![
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        ];
        for (text, number) in pages.iter().zip(&numbers) {
            let content = number + 1;
            objects.push(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {content} 0 R >>"
            ));
            let mut stream = String::new();
            if text.is_empty() {
                stream.push_str("0 0 100 100 re f");
            } else {
                stream.push_str("BT /F1 11 Tf 14 TL 50 780 Td ");
                for line in text.lines() {
                    let line = line.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
                    let _ = write!(stream, "({line}) Tj T* ");
                }
                stream.push_str("ET");
            }
            objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
        }
        Self { objects: objects.into_iter().map(String::into_bytes).collect() }
    }

    /// Returns the bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"%PDF-1.4\n".to_vec();
        let mut places = Vec::new();
        for (at, object) in self.objects.iter().enumerate() {
            places.push(out.len());
            out.extend([format!("{} 0 obj\n", at + 1).as_bytes(), object, b"\nendobj\n"].concat());
        }
        let (start, size) = (out.len(), places.len() + 1);
        let mut end = format!("xref\n0 {size}\n0000000000 65535 f \n");
        for place in places {
            let _ = writeln!(end, "{place:010} 00000 n ");
        }
        let _ = write!(end, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
        out.extend(end.as_bytes());
        out
    }
}

/// Returns a PDF with a page for each text.
pub(crate) fn pdf(pages: &[&str]) -> Vec<u8> {
    PdfFile::of(pages).bytes()
}
