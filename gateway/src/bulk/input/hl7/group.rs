//! The text of one group of results: what the segments OBX and NTE of an order say.

use std::ops::Range;

use super::{
    super::{Fault, attachment, too_long},
    charset::Charset,
    syntax::Marks,
};

/// The results of one order (OBR), which become one note.
#[derive(Debug, Default)]
pub(super) struct Group {
    text: String,
    /// The observation of the last line, and of the first one.
    key: Option<String>,
    first_key: Option<String>,
    /// Whether the group has more than one observation: then headings distinguish them.
    has_several: bool,
    /// The position of the first heading in the text.
    first_heading: Option<Range<usize>>,
    last_form: Option<Form>,
    fault: Option<Fault>,
    /// A document that could not be read.
    attachment: Option<Fault>,
    pub(super) results: usize,
    withdrawn: usize,
    /// Whether comments that follow belong to a result that is left out.
    is_last_left_out: bool,
    /// Whether the order or its document was withdrawn.
    is_withdrawn: bool,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Lines of text, under a heading.
    Free,
    /// `label: value unit`.
    Labelled,
}

/// A segment OBX with its fields.
struct Observation<'a> {
    segment: &'a str,
    marks: Marks,
    charset: Charset,
}

impl Observation<'_> {
    fn field(&self, number: usize) -> &str {
        self.marks.field(self.segment, number)
    }

    fn shown(&self, text: &str) -> Result<String, Fault> {
        let message = "The text switches to another character set (\\C..\\ or \\M..\\). Send it as UTF-8";
        self.marks.shown(text, self.charset).ok_or_else(|| Fault::text("charset", format!("{message}.")))
    }

    fn component(&self, value: &str, number: usize) -> Result<String, Fault> {
        self.shown(self.marks.component(value, number)).map(|text| text.trim().to_owned())
    }

    /// Returns the first of some components that is not empty.
    fn first(&self, value: &str, numbers: &[usize]) -> Result<String, Fault> {
        let found = numbers.iter().find(|&&number| !self.marks.component(value, number).trim().is_empty());
        found.map_or(Ok(String::new()), |&number| self.component(value, number))
    }

    /// Returns the name of the observation: its text, else another text, else its code.
    fn label(&self) -> Result<String, Fault> {
        self.first(self.marks.repetitions(self.field(3)).next().unwrap_or_default(), &[2, 5, 9, 1])
    }

    /// Returns the fault of a segment whose fields are not where they belong: a separator in the text was not escaped.
    fn shifted(&self) -> Option<Fault> {
        let status = self.field(11).trim();
        let is_status = status.len() <= 1 && status.bytes().all(|byte| byte.is_ascii_alphabetic());
        // The fields that follow are days and rights of access: a letter there is the status.
        let is_letter =
            |&number: &usize| matches!(self.field(number).trim().as_bytes(), [letter] if letter.is_ascii_alphabetic());
        let is_moved = status.is_empty() && [12, 13, 14].iter().any(is_letter);
        let message = "The status of a result (OBX-11) is not a valid status. Perhaps its text contains the field separator, \
                       which must be written \\F\\";
        (!is_status || is_moved).then(|| Fault::text("hl7", format!("{message}.")))
    }

    /// Returns one value of the observation as text, and how it is written.
    fn value(&self, value: &str, longest: usize) -> Result<(String, Form), Fault> {
        let kind = self.field(2).trim().to_ascii_uppercase();
        let unit = || {
            let unit = self.marks.repetitions(self.field(6)).next().unwrap_or_default();
            self.first(unit, &[1, 2])
        };
        let with_unit = |text: String| {
            let unit = unit()?;
            Ok::<_, Fault>(if text.is_empty() || unit.is_empty() { text } else { format!("{text} {unit}") })
        };
        Ok(match kind.as_str() {
            "TX" | "FT" | "" => (with_unit(self.shown(value)?)?, Form::Free),
            "CE" | "CWE" | "CF" | "CNE" => (self.first(value, &[2, 5, 9, 1])?, Form::Labelled),
            // A comparison, a number, a mark between two numbers, a number.
            "SN" => {
                let parts = (1..=4).map(|number| self.component(value, number)).collect::<Result<String, _>>()?;
                (with_unit(parts)?, Form::Labelled)
            }
            "ED" => (self.attached(value, longest)?, Form::Free),
            "RP" => {
                let message = "The report is not in the message: the result points to another place. Send its text";
                return Err(Fault::text("attachment", format!("{message}.")));
            }
            "ST" | "NM" | "IS" | "ID" | "DT" | "TM" | "TS" | "DTM" | "SI" => {
                (with_unit(self.shown(value)?.trim().to_owned())?, Form::Labelled)
            }
            _ => {
                let parts = value.split(self.marks.component).filter(|part| !part.trim().is_empty());
                (self.shown(&parts.collect::<Vec<_>>().join(" "))?, Form::Labelled)
            }
        })
    }

    /// Returns the text of an encapsulated document.
    fn attached(&self, value: &str, longest: usize) -> Result<String, Fault> {
        let kind = format!("{} {}", self.marks.component(value, 2), self.marks.component(value, 3));
        let data = self.marks.component(value, 5);
        let is_base64 = self.marks.component(value, 4).trim().eq_ignore_ascii_case("base64");
        let decode = |bytes: &[u8]| self.charset.text(bytes).map(String::from).ok_or_else(|| self.charset.fault());
        if is_base64 {
            attachment::text(&attachment::base64(data)?, &kind, longest, decode)
        } else {
            let shown = self.shown(data)?;
            attachment::text(shown.as_bytes(), &kind, longest, |_| Ok(shown.clone()))
        }
    }
}

impl Group {
    /// Makes the note of this group fail. The first fault is kept.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        self.text = String::new();
    }

    /// Leaves out the whole group: its order or its document was withdrawn.
    pub(super) fn withdraw(&mut self) {
        self.is_withdrawn = true;
    }

    /// Adds a segment OBX.
    pub(super) fn observation(&mut self, segment: &str, marks: Marks, charset: Charset, longest: usize) {
        self.results += 1;
        if let Err(fault) = self.add_observation(&Observation { segment, marks, charset }, longest) {
            if attachment::is_unread(&fault) {
                self.attachment.get_or_insert(fault);
            } else {
                self.fail(fault);
            }
        }
    }

    fn add_observation(&mut self, observation: &Observation<'_>, longest: usize) -> Result<(), Fault> {
        if let Some(fault) = observation.shifted() {
            return Err(fault);
        }
        // Deleted, wrong from the beginning, or no result.
        self.is_last_left_out = matches!(observation.field(11).trim(), "D" | "W" | "X" | "d" | "w" | "x");
        if self.is_last_left_out {
            self.withdrawn += 1;
            return Ok(());
        }
        let label = observation.label()?;
        let key = observation.field(3).to_owned();
        for value in observation.marks.repetitions(observation.field(5)) {
            if value.trim() == "\"\"" {
                continue;
            }
            let (text, form) = observation.value(value, longest)?;
            self.add(&key, &label, &text, form, longest);
        }
        Ok(())
    }

    /// Adds the text of a segment NTE.
    pub(super) fn comment(&mut self, segment: &str, marks: Marks, charset: Charset, longest: usize) {
        if self.is_last_left_out {
            return;
        }
        let observation = Observation { segment, marks, charset };
        for value in marks.repetitions(observation.field(3)) {
            match observation.shown(value) {
                Ok(text) => self.line(&text, longest),
                Err(fault) => self.fail(fault),
            }
        }
    }

    fn add(&mut self, key: &str, label: &str, text: &str, form: Form, longest: usize) {
        if text.trim().is_empty() {
            // An empty line of a text separates its paragraphs.
            if form == Form::Free && self.key.as_deref() == Some(key) {
                self.line("", longest);
            }
            return;
        }
        let is_new = self.key.as_deref() != Some(key);
        self.has_several |= self.first_key.as_deref().is_some_and(|first| first != key);
        if is_new {
            self.key = Some(key.to_owned());
            self.first_key.get_or_insert_with(|| key.to_owned());
        }
        if is_new && (form == Form::Free || self.last_form == Some(Form::Free)) && !self.text.is_empty() {
            self.line("", longest);
        }
        self.last_form = Some(form);
        match form {
            Form::Free => {
                if is_new && !label.is_empty() {
                    let start = self.text.len();
                    self.line(&attachment::heading(label), longest);
                    self.first_heading.get_or_insert(start..self.text.len());
                }
                self.line(text, longest);
            }
            Form::Labelled if label.is_empty() => self.line(text, longest),
            Form::Labelled => {
                let label = label.trim_end_matches(':');
                self.line(&format!("{label}: {text}"), longest);
            }
        }
    }

    fn line(&mut self, text: &str, longest: usize) {
        if self.fault.is_some() {
            return;
        }
        if self.text.len() + text.len() >= longest {
            self.fail(too_long());
            return;
        }
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// Returns the text of the note, or why it has none; `None` if the group has no text.
    pub(super) fn finish(self) -> Option<Result<String, Fault>> {
        let Self { mut text, fault, attachment, .. } = self;
        let is_empty = text.trim().is_empty();
        if let Some(fault) = fault {
            return Some(Err(fault));
        }
        if self.results == 0 && is_empty {
            return None;
        }
        if self.is_withdrawn || (is_empty && self.withdrawn > 0 && attachment.is_none()) {
            let message = "The result was deleted or withdrawn, or there is none (OBX-11 D, W or X; OBR-25 X; TXA-19 CA \
                           or OB). It is not read";
            return Some(Err(Fault::text("withdrawn", format!("{message}."))));
        }
        match attachment {
            Some(fault) if is_empty => return Some(Err(fault)),
            Some(_) => text.push_str("\n[An attached document was not read.]\n"),
            None => {}
        }
        if let Some(heading) = self.first_heading.filter(|_| !self.has_several) {
            text.replace_range(heading, "");
        }
        text.truncate(text.trim_end().len());
        Some(Ok(text))
    }
}
