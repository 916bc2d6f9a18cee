//! Writes the review file: one HTML page with all notes and answers of a run, readable without a network.
//!
//! It is written note by note, so memory does not grow with the number of notes, and an incomplete file still opens.
//! The file contains the notes, so the caller chooses a place where they may be kept. It never loads anything: its
//! content security policy allows only its own script and style, by their hashes.

use std::io::{self, Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::{
    Value,
    ser::{Formatter, Serializer},
};
use sha2::{Digest, Sha256};

use super::{
    CORRECTIONS, CORRECTIONS_PANEL, DECISION_BOOK, DECISION_PANEL, DECISIONS, DOM, DOWNLOAD, FIELDS, KEYS, LEGEND,
    READING, SPANS, STYLE, TIMELINE, VALUE_FORM, VALUE_LIST, WORDS,
};

/// The modules of the script, each after those that it imports.
const MODULES: [&str; 15] = [
    WORDS.body,
    DOM.body,
    DOWNLOAD.body,
    KEYS.body,
    SPANS.body,
    DECISIONS.body,
    DECISION_BOOK.body,
    DECISION_PANEL.body,
    FIELDS.body,
    READING.body,
    VALUE_FORM.body,
    VALUE_LIST.body,
    CORRECTIONS.body,
    TIMELINE.body,
    include_str!("review.js"),
];
const HEAD: &str = include_str!("review.html");

/// Writes a review file.
#[derive(Debug)]
pub struct ReviewWriter<W: Write> {
    pub(super) out: W,
}

/// One note with its outcome, in the form that the script reads.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    text: &'a str,
    outcome: &'a Value,
}

impl<W: Write> ReviewWriter<W> {
    /// Writes the part of the page before the notes.
    pub fn begin(mut out: W) -> io::Result<Self> {
        let script = script();
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            hash(&script),
            hash(STYLE.body)
        );
        let head =
            HEAD.replace("{policy}", &policy).replace("{legend}", LEGEND).replace("{corrections}", CORRECTIONS_PANEL);
        let head = head.replace("{style}", STYLE.body).replace("{script}", &script);
        out.write_all(head.as_bytes())?;
        Ok(Self { out })
    }

    /// Writes one note. `outcome` is its line of output: `{"id", "status", "result"}` or `{"id", "status", "error"}`,
    /// with offsets in code points.
    pub fn note(&mut self, id: &str, text: &str, outcome: &Value) -> io::Result<()> {
        self.block("", &Entry { id, text, outcome })
    }

    /// Writes the timeline of one patient: its line of output, `{"patient", "notes", "timeline", "summary"}`. The `id` of
    /// its notes is `PATIENT / ID`.
    pub fn patient(&mut self, line: &Value) -> io::Result<()> {
        self.block(" data-patient", line)
    }

    fn block(&mut self, attribute: &str, content: &impl Serialize) -> io::Result<()> {
        write!(self.out, "<script type=\"application/json\"{attribute}>")?;
        let mut serializer = Serializer::with_formatter(&mut self.out, ScriptSafeJson);
        content.serialize(&mut serializer)?;
        self.out.write_all(b"</script>\n")
    }

    /// Writes the end of the page and returns the writer.
    pub fn end(mut self) -> io::Result<W> {
        self.out.write_all(b"</body>\n</html>\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Returns all modules as one script, without their imports and exports, which a single script does not need.
fn script() -> String {
    let mut script = String::new();
    for line in MODULES.iter().flat_map(|module| module.lines()).filter(|line| !line.starts_with("import ")) {
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script
}

/// Returns the hash by which a content security policy allows an inline script or style.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Formats JSON that cannot end its element or open another one: it escapes `<`, which JSON has only inside strings.
struct ScriptSafeJson;

impl Formatter for ScriptSafeJson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut pieces = fragment.split('<');
        if let Some(first) = pieces.next() {
            writer.write_all(first.as_bytes())?;
        }
        for piece in pieces {
            writer.write_all(b"\\u003c")?;
            writer.write_all(piece.as_bytes())?;
        }
        Ok(())
    }
}
