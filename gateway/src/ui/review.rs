//! The review file: one HTML page with all notes and answers of a run, to be read without a network.
//!
//! It is written note by note, so memory does not grow with them, and a file that was cut off still opens. It holds
//! the notes: whoever writes it decides where. Never loads anything: its policy allows its own script and style by
//! their hashes.

use std::io::{self, Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::{
    Value,
    ser::{Formatter, Serializer},
};
use sha2::{Digest, Sha256};

use super::{DOM, FIELDS, LEGEND, READING, SPANS, STYLE, WORDS};

/// The modules of the script, each after those that it imports.
const MODULES: [&str; 6] = [WORDS.body, DOM.body, SPANS.body, FIELDS.body, READING.body, include_str!("review.js")];
const HEAD: &str = include_str!("review.html");

/// Writes a review file.
#[derive(Debug)]
pub struct ReviewWriter<W: Write> {
    pub(super) out: W,
}

/// One note with what came of it, as the script reads it.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    text: &'a str,
    outcome: &'a Value,
}

impl<W: Write> ReviewWriter<W> {
    /// Writes the page down to where the notes begin.
    pub fn begin(mut out: W) -> io::Result<Self> {
        let script = script();
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            hash(&script),
            hash(STYLE.body)
        );
        let head = HEAD.replace("{policy}", &policy).replace("{legend}", LEGEND);
        let head = head.replace("{style}", STYLE.body).replace("{script}", &script);
        out.write_all(head.as_bytes())?;
        Ok(Self { out })
    }

    /// Writes one note. `outcome` is its line of output: `{"id", "status", "result"}` or `{"id", "status", "error"}`,
    /// with places in code points.
    pub fn note(&mut self, id: &str, text: &str, outcome: &Value) -> io::Result<()> {
        self.out.write_all(b"<script type=\"application/json\">")?;
        let mut serializer = Serializer::with_formatter(&mut self.out, ScriptSafeJson);
        Entry { id, text, outcome }.serialize(&mut serializer)?;
        self.out.write_all(b"</script>\n")
    }

    /// Ends the page and gives back what it was written to.
    pub fn end(mut self) -> io::Result<W> {
        self.out.write_all(b"</body>\n</html>\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The modules as one: without what they say of each other, for all of it is here.
fn script() -> String {
    let mut script = String::new();
    for line in MODULES.iter().flat_map(|module| module.lines()).filter(|line| !line.starts_with("import ")) {
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script
}

/// How a content security policy names an inline script or style.
fn hash(of: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(of)))
}

/// JSON that cannot end the element it stands in, nor open another: `<` only ever stands inside strings.
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
